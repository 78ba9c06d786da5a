//! The server's callbacks on the driver's thread, and the driver's limits.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use quinn_proto::ConnectionError;

use super::{Connection, Outbound};

/// The server's callbacks on the driver's thread. None of them may wait.
pub(crate) trait Service: Send {
    /// Judges a connection attempt; `proven` if the address is known to be the sender's own.
    fn knock(&mut self, address: IpAddr, proven: bool) -> ConnectDecision;

    /// Reports an admitted attempt that failed with its first packet.
    fn fail(&mut self, address: SocketAddr, error: &ConnectionError);

    /// Reports the number of connections, including those being closed.
    fn count(&mut self, connections: usize);

    /// Reports handshake packets that were dropped because too many waited.
    fn count_dropped(&mut self, packets: u64);

    /// Reports that the system could not deliver packets.
    fn count_receive_failure(&mut self);

    /// Sends everything that waits. Called after the wake signal was rung, and at any other time.
    fn deliver(&mut self, outbound: &mut Outbound);
}

/// The decision about a connection attempt.
pub(crate) enum ConnectDecision {
    /// Go on, and pass the connection to this.
    Admit(Enter),
    /// Ask for a proof of its address first.
    Retry,
    /// Do not answer.
    Ignore,
}

/// Takes an admitted connection, before its handshake.
pub(crate) type Enter = Box<dyn FnOnce(SocketAddr, Connection) + Send>;

/// The limits of the driver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DriverLimits {
    /// Time for which packets gather, so that one wake-up serves several.
    pub(crate) gather_time: Duration,
    /// Most handshake packets that wait for their turn.
    pub(crate) handshake_packets_max: usize,
    /// Percent of the thread's time for handshakes.
    pub(crate) handshakes_percent: u32,
    /// Most closed connections kept until their peers know.
    pub(crate) draining_max: usize,
}
