//! What a server does on the driver's thread, and within which bounds the driver runs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use quinn_proto::ConnectionError;

use super::{Connection, Outbound};

/// What a server does on the driver's thread. None of it may wait.
pub(crate) trait Service: Send {
    /// Judges a connection attempt. `proven` says that the address is known to be the sender's own.
    fn knock(&mut self, address: IpAddr, proven: bool) -> ConnectDecision;

    /// Takes note of an attempt that was admitted and failed with its first packet.
    fn fail(&mut self, address: SocketAddr, error: &ConnectionError);

    /// Takes note of how many connections there are, those that are being closed included.
    fn count(&mut self, connections: usize);

    /// Takes note of packets of handshakes that were dropped because too many waited.
    fn count_dropped(&mut self, packets: u64);

    /// Takes note of packets that the system could not give.
    fn count_receive_failure(&mut self);

    /// Sends what waits to be sent. Called after the bell was rung, and at any other time.
    fn deliver(&mut self, outbound: &mut Outbound);
}

/// What to do with a connection attempt.
pub(crate) enum ConnectDecision {
    /// Go on, and hand what becomes of it to this.
    Admit(Enter),
    /// Let it prove its address first.
    Retry,
    /// Do not answer.
    Ignore,
}

/// Takes a connection that was admitted, before its handshake.
pub(crate) type Enter = Box<dyn FnOnce(SocketAddr, Connection) + Send>;

/// The bounds of the driver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DriverLimits {
    /// How long packets gather, so that one wake-up does for several.
    pub(crate) gather_time: Duration,
    /// Packets of handshakes that wait for their turn.
    pub(crate) handshake_packets_max: usize,
    /// The part of the thread's time that handshakes may take.
    pub(crate) handshakes_percent: u32,
    /// Connections that are over and kept until their peers know.
    pub(crate) draining_max: usize,
}
