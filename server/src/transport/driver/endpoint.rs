//! The driver as the rest of the server sees it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use quinn_proto::{ConnectionHandle, ServerConfig, VarInt};
use tickwire_shared::control::CloseCode;
use tokio::sync::{oneshot, watch};

use super::{Driver, Service, WakeSignal};
use crate::transport::Bound;

/// The driver of a server. Dropping it ends the driver, and its connections without notice.
pub(crate) struct Endpoint {
    remote: Arc<DriverHandle>,
    over: watch::Receiver<bool>,
    /// Present until the endpoint is opened.
    opening: Option<oneshot::Sender<Box<dyn Service>>>,
}

/// Commands of other threads to the driver, and its wake signal.
#[derive(Debug)]
pub(super) struct DriverHandle {
    pub(super) wake_signal: Arc<WakeSignal>,
    left: Mutex<DriverCommands>,
}

#[derive(Debug, Default)]
pub(super) struct DriverCommands {
    /// Connections with something to send; each at most once.
    pub(super) dirty: Vec<ConnectionHandle>,
    /// The configuration of new connections; `Some(None)` refuses them.
    pub(super) server: Option<Option<Arc<ServerConfig>>>,
    /// Receive nothing more.
    pub(super) stop_receiving: bool,
    /// Told once the driver has handed over all that the rooms had for the network.
    pub(super) turns: Vec<oneshot::Sender<()>>,
    /// Close every connection, and end when all are gone.
    pub(super) close: Option<(VarInt, Bytes)>,
    /// End now.
    pub(super) quit: bool,
}

impl Endpoint {
    /// Starts the driver of a bound socket on a thread of its own. It answers nobody until
    /// [`Endpoint::open`]. Ring `wake_signal` when there is something to send.
    ///
    /// # Errors
    /// If the system gives no more threads, or its sockets lack what QUIC needs.
    pub(crate) fn start(bound: Bound, wake_signal: Arc<WakeSignal>) -> io::Result<Self> {
        let remote = Arc::new(DriverHandle { wake_signal, left: Mutex::default() });
        let (tell, over) = watch::channel(false);
        let (opening, opened) = oneshot::channel::<Box<dyn Service>>();
        let driver = Driver::new(bound, Arc::clone(&remote))?;
        std::thread::Builder::new().name("net".to_owned()).spawn(move || {
            // Sent on drop as well, so that a panic is noticed.
            let _told = EndSignal(tell);
            if let Ok(service) = opened.blocking_recv() {
                driver.run(service);
            }
        })?;
        Ok(Endpoint { remote, over, opening: Some(opening) })
    }

    /// Answers connection attempts from now on, as `service` decides.
    pub(crate) fn open(&mut self, service: impl Service + 'static) {
        if let Some(opening) = self.opening.take() {
            // Fails if the thread is gone, which `over` reports.
            let _ = opening.send(Box::new(service));
        }
    }

    /// Sets the configuration of new connections; `None` refuses them.
    pub(crate) fn set_server_config(&self, server: Option<Arc<ServerConfig>>) {
        self.remote.leave(|left| left.server = Some(server));
    }

    /// Receives nothing more: what comes stays in the socket, for another process that has it.
    pub(crate) fn stop_receiving(&self) {
        self.remote.leave(|left| left.stop_receiving = true);
    }

    /// Waits for the end of one of the driver's turns, or of the driver. The second of two in a row began after the call.
    pub(crate) async fn turn(&self) {
        let (tell, told) = oneshot::channel();
        self.remote.leave(|left| left.turns.push(tell));
        tokio::select! {
            _ = told => {}
            () = self.over() => {}
        }
    }

    /// Closes every connection. The driver ends once the peers know.
    pub(crate) fn close(&self, code: CloseCode, text: &'static str) {
        let end = (VarInt::from_u32(code.number()), Bytes::from_static(text.as_bytes()));
        self.remote.leave(|left| left.close = Some(end));
    }

    /// Waits until the driver has ended.
    pub(crate) async fn over(&self) {
        let mut over = self.over.clone();
        // An error means that the driver is gone.
        let _ = over.wait_for(|over| *over).await;
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.remote.leave(|left| left.quit = true);
    }
}

impl DriverHandle {
    pub(super) fn push_dirty(&self, handle: ConnectionHandle) {
        self.leave(|left| left.dirty.push(handle));
    }

    /// Takes the waiting commands.
    pub(super) fn take(&self) -> DriverCommands {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut left)
    }

    fn leave(&self, leave: impl FnOnce(&mut DriverCommands)) {
        leave(&mut self.left.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake_signal.ring();
    }
}

/// Reports the driver's end, however it comes.
struct EndSignal(watch::Sender<bool>);

impl Drop for EndSignal {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr, SocketAddr};
    use std::sync::mpsc;
    use std::time::Duration;

    use quinn_proto::ConnectionError;
    use tickwire_certs::Secret;
    use time::OffsetDateTime;

    use super::super::{ConnectDecision, Outbound};
    use super::*;
    use crate::config::ServerConfig;
    use crate::transport::bind;

    /// A service with a fault in the driver's first turn.
    struct Faulty;

    impl Service for Faulty {
        fn knock(&mut self, _address: IpAddr, _proven: bool) -> ConnectDecision {
            ConnectDecision::Ignore
        }

        fn fail(&mut self, _address: SocketAddr, _error: &ConnectionError) {}

        fn count(&mut self, _connections: usize) {
            panic!("asked to break the network thread");
        }

        fn count_dropped(&mut self, _packets: u64) {}

        fn count_receive_failure(&mut self) {}

        fn deliver(&mut self, _outbound: &mut Outbound) {}
    }

    /// A driver on a free port that nobody opened yet, its address, and its wake signal.
    fn start(handshakes_percent: u32) -> (Endpoint, SocketAddr, Arc<WakeSignal>) {
        let listen = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let config = ServerConfig { listen, handshakes_percent, ..Default::default() };
        let certificate = tickwire_certs::generate(&[], OffsetDateTime::now_utc()).unwrap();
        let bound = bind(&config, &certificate, &Secret::random()).unwrap();
        let address = bound.socket.local_addr().unwrap();
        let wake_signal = Arc::new(WakeSignal::new().unwrap());
        (Endpoint::start(bound, Arc::clone(&wake_signal)).unwrap(), address, wake_signal)
    }

    #[tokio::test]
    async fn a_panic_of_the_network_thread_is_its_end() {
        let (mut endpoint, ..) = start(25);
        endpoint.open(Faulty);
        let over = tokio::time::timeout(Duration::from_secs(60), endpoint.over());
        over.await.expect("it is noticed");
    }

    /// What the driver does in turn.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Act {
        /// It sends what waits, such as snapshots.
        Deliver,
        /// It handles the first packet of a handshake.
        Handshake,
    }

    /// A server whose rooms always have something to send, and each of whose handshakes takes that long.
    struct Busy {
        acts: mpsc::Sender<Act>,
        wake_signal: Arc<WakeSignal>,
        handshake_time: Duration,
    }

    impl Service for Busy {
        fn knock(&mut self, _address: IpAddr, _proven: bool) -> ConnectDecision {
            let _ = self.acts.send(Act::Handshake);
            std::thread::sleep(self.handshake_time);
            ConnectDecision::Ignore
        }

        fn fail(&mut self, _address: SocketAddr, _error: &ConnectionError) {}

        fn count(&mut self, _connections: usize) {}

        fn count_dropped(&mut self, _packets: u64) {}

        fn count_receive_failure(&mut self) {}

        fn deliver(&mut self, _outbound: &mut Outbound) {
            let _ = self.acts.send(Act::Deliver);
            self.wake_signal.ring();
        }
    }

    /// What the driver does, up to the last of so many handshakes, which have all come before its first turn.
    fn acts_with(
        (handshakes, handshake_time): (usize, Duration),
        handshakes_percent: u32,
    ) -> Vec<Act> {
        let (mut endpoint, address, wake_signal) = start(handshakes_percent);
        let socket = std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        // One in four is unmasked to a first packet.
        for number in 0..16 * handshakes as u32 {
            let mut packet = vec![0xc3, 0, 0, 0, 1, 8];
            packet.extend([[1; 4], number.wrapping_mul(0x9e37_79b1).to_be_bytes()].concat());
            packet.extend([0, 0, 0x44, 0x96]);
            packet.resize(1200, 7);
            socket.send_to(&packet, address).unwrap();
        }
        let (acts, done) = mpsc::channel();
        endpoint.open(Busy { acts, wake_signal, handshake_time });
        let (mut found, mut handled) = (Vec::new(), 0);
        while handled < handshakes {
            let act = done.recv_timeout(Duration::from_secs(60)).expect("it goes on");
            handled += usize::from(act == Act::Handshake);
            found.push(act);
        }
        found
    }

    #[test]
    fn what_the_rooms_send_goes_before_each_handshake() {
        let acts = acts_with((6, Duration::ZERO), 25);
        assert_eq!(acts[0], Act::Deliver, "before the packets that came first");
        let is_alone = |pair: &[Act]| pair != [Act::Handshake; 2];
        assert!(acts.windows(2).all(is_alone), "{acts:?}");
    }

    #[test]
    fn a_handshake_that_took_long_is_paid_for_before_the_next() {
        let acts = acts_with((12, Duration::from_millis(30)), 5);
        let turns = acts.split(|act| *act == Act::Handshake).map(<[Act]>::len);
        // A twentieth of the time, once ten have spent what was saved: 170 ms of turns for nothing but what the rooms send.
        let between: Vec<usize> = turns.skip(10).take(2).collect();
        assert!(between.iter().all(|turns| *turns >= 10), "{between:?} turns");
    }
}
