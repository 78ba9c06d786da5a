//! QUIC on one thread: the socket, the endpoint and all connections of a server.
//!
//! The state machines are those of `quinn-proto`; this drives them. One loop receives a batch of
//! packets, feeds each to its connection, hands the datagrams in them to their sinks, and sends what
//! each connection then has to send, once. No packet wakes a task, none goes through a channel.
//! A tick's datagrams are taken and sent by the same loop, when the simulation rings its bell.
//!
//! Streams are read and written by tasks of the runtime: see [`Connection`].

mod bell;
mod connection;
mod endpoint;
mod outbound;
mod socket;
mod streams;
mod timers;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quinn_proto::{
    ConnectionError, ConnectionHandle, DatagramEvent, EndpointConfig, Incoming, Transmit,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub(crate) use bell::Bell;
pub(crate) use connection::{Connection, DatagramSink};
pub(crate) use endpoint::Endpoint;
pub(crate) use outbound::{DatagramError, Outbound};
pub(crate) use streams::{ReadError, RecvStream, SendStream, WriteError};

use super::Bound;
use connection::{Shared, release};
use endpoint::Remote;
use socket::{Packet, Socket};

/// What a server does on the driver's thread. None of it may wait.
pub(crate) trait Service: Send {
    /// Judges a connection attempt. `proven` says that the address is known to be the sender's own.
    fn knock(&mut self, address: IpAddr, proven: bool) -> Knock;

    /// Takes note of how many connections there are, those that are being closed included.
    fn count(&mut self, connections: usize);

    /// Sends what waits to be sent. Called after the bell was rung, and at any other time.
    fn deliver(&mut self, outbound: &mut Outbound);
}

/// What to do with a connection attempt.
pub(crate) enum Knock {
    /// Go on, and hand what becomes of it to this.
    Admit(Enter),
    /// Let it prove its address first.
    Retry,
    /// Do not answer.
    Ignore,
}

/// Takes a connection that was admitted, before its handshake.
pub(crate) type Enter = Box<dyn FnOnce(SocketAddr, Result<Connection, ConnectionError>) + Send>;

/// Whether what a connection has to send may wait for its next datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    AtOnce,
    MayWait,
}

/// The loop and what it owns.
struct Driver {
    endpoint: quinn_proto::Endpoint,
    /// By their handles.
    connections: Vec<Option<Arc<Shared>>>,
    connections_open: usize,
    outbound: Outbound,
    remote: Arc<Remote>,
    /// The packets of one batch.
    packets: Vec<Packet>,
    /// The connections they were for.
    touched: Vec<ConnectionHandle>,
    /// Where packets of the endpoint itself are made.
    response: Vec<u8>,
    /// There may be packets to receive.
    readable: bool,
    /// How long packets gather, so that one wake-up does for several.
    gather_time: Duration,
    /// Until when they do.
    gather_until: Instant,
    /// Every connection is being closed, and none is taken.
    closing: bool,
}

impl Driver {
    fn new(bound: Bound, remote: Arc<Remote>) -> io::Result<Self> {
        let config = EndpointConfig::default();
        let packet_bytes_max = usize::try_from(config.get_max_udp_payload_size());
        let packet_bytes_max = packet_bytes_max.unwrap_or(PACKET_BYTES_MAX).min(PACKET_BYTES_MAX);
        let socket = Socket::new(bound.socket, packet_bytes_max)?;
        let (config, server) = (Arc::new(config), Some(bound.server));
        Ok(Driver {
            endpoint: quinn_proto::Endpoint::new(config, server, socket.is_whole(), None),
            connections: Vec::new(),
            connections_open: 0,
            outbound: Outbound::new(socket),
            remote,
            packets: Vec::new(),
            touched: Vec::new(),
            response: Vec::new(),
            readable: true,
            gather_time: bound.gather_time,
            gather_until: Instant::now(),
            closing: false,
        })
    }

    /// Runs until it is told to quit, or the last connection is gone after a close.
    fn run(mut self, mut service: Box<dyn Service>) {
        loop {
            self.remote.bell.hear();
            if let Err(error) = self.receive(&mut *service) {
                tracing::error!(%error, "the UDP socket failed");
                break;
            }
            service.count(self.connections_open);
            service.deliver(&mut self.outbound);
            let quit = self.take_what_was_left();
            self.fire_timers();
            self.resume_held_up();
            self.send_put_off();
            if quit || (self.closing && self.connections_open == 0) {
                break;
            }
            self.wait();
        }
        for shared in self.connections.iter().flatten() {
            let mut state = shared.lock();
            state.finish(ConnectionError::LocallyClosed, shared);
            release(state);
        }
    }

    /// Takes in packets, batch by batch, but not for so long that nothing else happens.
    fn receive(&mut self, service: &mut dyn Service) -> io::Result<()> {
        let mut batches = 0;
        while self.readable && batches < BATCHES_IN_A_ROW_MAX {
            batches += 1;
            self.readable = self.outbound.socket.receive(&mut self.packets)?;
            if self.packets.is_empty() {
                break;
            }
            let now = Instant::now();
            self.gather_until = now + self.gather_time;
            let mut packets = std::mem::take(&mut self.packets);
            for packet in packets.drain(..) {
                self.take_in(packet, now, service);
            }
            self.packets = packets;
            let mut touched = std::mem::take(&mut self.touched);
            for handle in touched.drain(..) {
                self.drive(handle, now, Sending::MayWait);
            }
            self.touched = touched;
        }
        Ok(())
    }

    /// Feeds one packet to whom it is for.
    fn take_in(&mut self, packet: Packet, now: Instant, service: &mut dyn Service) {
        let (from, to, ecn) = (packet.meta.addr, packet.meta.dst_ip, packet.ecn());
        self.response.clear();
        match self.endpoint.handle(now, from, to, ecn, packet.bytes, &mut self.response) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                let Some(Some(shared)) = self.connections.get(handle.0) else { return };
                let mut state = shared.lock();
                state.proto.handle_event(event);
                if !std::mem::replace(&mut state.listed, true) {
                    self.touched.push(handle);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                self.admit(incoming, now, service);
            }
            Some(DatagramEvent::Response(transmit)) => self.respond(&transmit),
            None => {}
        }
    }

    fn admit(&mut self, incoming: Incoming, now: Instant, service: &mut dyn Service) {
        let address = incoming.remote_address();
        if self.closing {
            let transmit = self.endpoint.refuse(incoming, &mut self.response);
            return self.respond(&transmit);
        }
        match service.knock(address.ip(), incoming.remote_address_validated()) {
            Knock::Admit(enter) => enter(address, self.accept(incoming, now)),
            Knock::Retry => match self.endpoint.retry(incoming, &mut self.response) {
                Ok(transmit) => self.respond(&transmit),
                // It has proven itself already.
                Err(error) => self.endpoint.ignore(error.into_incoming()),
            },
            Knock::Ignore => self.endpoint.ignore(incoming),
        }
    }

    fn accept(&mut self, incoming: Incoming, now: Instant) -> Result<Connection, ConnectionError> {
        let accepted = self.endpoint.accept(incoming, now, &mut self.response, None);
        let (handle, proto) = accepted.map_err(|error| {
            if let Some(transmit) = error.response {
                self.respond(&transmit);
            }
            error.cause
        })?;
        let connection = Connection::new(handle, proto, Arc::clone(&self.remote));
        if self.connections.len() <= handle.0 {
            self.connections.resize(handle.0 + 1, None);
        }
        self.connections[handle.0] = Some(Arc::clone(&connection.shared));
        self.connections_open += 1;
        self.drive(handle, now, Sending::AtOnce);
        Ok(connection)
    }

    /// Sends a packet of the endpoint itself. A peer that misses it will ask again.
    fn respond(&self, transmit: &Transmit) {
        self.outbound.socket.send_or_drop(transmit, &self.response);
    }

    /// Passes on everything one connection has to say, and sends what it has to send.
    fn drive(&mut self, handle: ConnectionHandle, now: Instant, sending: Sending) {
        let Some(Some(shared)) = self.connections.get(handle.0) else { return };
        let mut state = shared.lock();
        state.listed = false;
        let mut drained = false;
        loop {
            state.pass_on_events(shared, now);
            if sending == Sending::MayWait && state.is_calm(now) {
                self.outbound.put_off(handle, &mut state, now);
            } else {
                self.outbound.transmit(handle, &mut state);
            }
            let mut answered = false;
            while let Some(event) = state.proto.poll_endpoint_events() {
                drained |= event.is_drained();
                if let Some(answer) = self.endpoint.handle_event(handle, event) {
                    state.proto.handle_event(answer);
                    answered = true;
                }
            }
            if !answered {
                break;
            }
        }
        release(state);
        if drained {
            self.connections[handle.0] = None;
            self.connections_open -= 1;
        }
    }

    /// Does what other threads asked for. Says whether one of them asked to quit.
    fn take_what_was_left(&mut self) -> bool {
        let left = self.remote.take();
        let now = Instant::now();
        for handle in left.dirty {
            if let Some(Some(shared)) = self.connections.get(handle.0) {
                shared.dirty.store(false, Ordering::Release);
                shared.lock().stir(now);
                self.drive(handle, now, Sending::AtOnce);
            }
        }
        if let Some(server) = left.server {
            self.endpoint.set_server_config(server);
        }
        if let Some((code, text)) = left.close {
            self.closing = true;
            for shared in self.connections.iter().flatten() {
                shared.close(code, text.clone());
            }
        }
        left.quit
    }

    fn fire_timers(&mut self) {
        let now = Instant::now();
        while let Some((deadline, index)) = self.outbound.timers.pop(now) {
            let Some(Some(shared)) = self.connections.get(index) else { continue };
            let mut state = shared.lock();
            if !state.alarm.came_up(deadline) {
                continue;
            }
            let due = state.proto.poll_timeout();
            if due.is_some_and(|due| due <= now) {
                state.proto.handle_timeout(now);
                drop(state);
                self.drive(ConnectionHandle(index), now, Sending::AtOnce);
            } else {
                self.outbound.timers.set(index, &mut state.alarm, due);
            }
        }
    }

    /// Gives those their turn that had more to send than they might.
    fn resume_held_up(&mut self) {
        if self.outbound.held_up.is_empty() || self.outbound.socket.is_full() {
            return;
        }
        let now = Instant::now();
        for handle in std::mem::take(&mut self.outbound.held_up) {
            if let Some(Some(shared)) = self.connections.get(handle.0) {
                shared.lock().held_up = false;
                self.drive(handle, now, Sending::AtOnce);
            }
        }
    }

    /// Sends the acknowledgements that no datagram came to take along.
    fn send_put_off(&mut self) {
        let now = Instant::now();
        for handle in self.outbound.take_put_off(now) {
            let Some(Some(shared)) = self.connections.get(handle.0) else { continue };
            let mut state = shared.lock();
            state.put_off = false;
            if state.owes {
                self.outbound.transmit(handle, &mut state);
            }
        }
    }

    /// Sleeps until there is something to do.
    fn wait(&mut self) {
        let is_full = self.outbound.socket.is_full();
        if self.readable || (!is_full && !self.outbound.held_up.is_empty()) {
            self.readable = true;
            return;
        }
        let bell = &self.remote.bell;
        let now = Instant::now();
        if !bell.may_sleep() {
            // However often it is rung, packets have their turn.
            self.readable = now >= self.gather_until;
            return;
        }
        let gathering = now < self.gather_until;
        let until = self.outbound.next().into_iter();
        let until = until.chain(gathering.then_some(self.gather_until)).min();
        let timeout = until.map(|until| timespec(until.saturating_duration_since(now)));
        let readable = if gathering { PollFlags::empty() } else { PollFlags::IN };
        let writable = if is_full { PollFlags::OUT } else { PollFlags::empty() };
        let (wire, socket) = (bell.wire(), self.outbound.socket.fd());
        let mut waiting = [
            PollFd::from_borrowed_fd(wire, PollFlags::IN),
            PollFd::from_borrowed_fd(socket, readable | writable),
        ];
        // The only error is a signal: the loop looks at everything anyway.
        let _ = poll(&mut waiting, timeout.as_ref());
        let (rung, socket) = (!waiting[0].revents().is_empty(), waiting[1].revents());
        bell.wake(rung);
        self.readable = match gathering {
            true => Instant::now() >= self.gather_until,
            false => socket.intersects(PollFlags::IN | PollFlags::ERR),
        };
        if socket.contains(PollFlags::OUT) {
            self.outbound.socket.retry();
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: i64::from(time.subsec_nanos()) }
}

/// Larger packets than this are no packets of QUIC.
const PACKET_BYTES_MAX: usize = 65_536;
/// Batches taken in before anything else has its turn.
const BATCHES_IN_A_ROW_MAX: usize = 8;
