//! QUIC on one thread: the socket, the endpoint and all connections of a server.
//!
//! The state machines are those of `quinn-proto`; the driver feeds them. One loop receives a batch
//! of packets, passes each to its connection, hands datagrams to their sinks, and sends each
//! connection's output once. No packet wakes a task or goes through a channel. The same loop sends
//! a tick's datagrams, when the simulation rings its wake signal. Handshake packets come after all
//! that, within a share of the time. Tasks of the runtime read and write streams:
//! see [`Connection`].

mod connection;
mod endpoint;
mod handshakes;
mod outbound;
mod proof;
mod service;
mod shared;
mod socket;
mod streams;
mod timers;
mod wake_signal;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quinn_proto::{
    ConnectionError, ConnectionEvent, ConnectionHandle, DatagramEvent, EndpointEvent, Incoming,
    Transmit,
};
use rustix::event::{PollFd, PollFlags, poll};

pub(crate) use connection::Connection;
pub(crate) use endpoint::Endpoint;
pub(crate) use outbound::{Outbound, UnsentDatagram};
pub(crate) use service::{ConnectDecision, DriverLimits, Service};
pub(crate) use shared::DatagramSink;
pub(crate) use streams::{ReadError, RecvStream, SendStream, WriteError};
pub(crate) use wake_signal::WakeSignal;

use super::Bound;
use endpoint::DriverHandle;
use handshakes::{Handshakes, IntakeTurn, QueuedPacket};
use proof::{AddressProof, ProofReceived};
use shared::{ConnectionShared, release};
use socket::{DriverSocket, Packet, is_lasting};
use timers::timespec;

/// Larger packets cannot be QUIC.
const PACKET_BYTES_MAX: usize = 65_536;
/// Batches received before anything else has its turn.
const BATCHES_IN_A_ROW_MAX: usize = 8;
/// Pause in receiving after the system could not deliver packets.
const RECEIVE_PAUSE: Duration = Duration::from_millis(5);
/// Time for handshakes in one turn, without the last of them.
const HANDSHAKES_TURN: Duration = Duration::from_millis(1);

/// Whether a connection's output may wait for its next datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SendMode {
    AtOnce,
    MayWait,
}

/// The loop and what it owns.
struct Driver {
    endpoint: quinn_proto::Endpoint,
    /// Indexed by handle.
    connections: Vec<Option<Arc<ConnectionShared>>>,
    connections_open: usize,
    outbound: Outbound,
    remote: Arc<DriverHandle>,
    /// The packets of one batch.
    packets: Vec<Packet>,
    /// The connections that the batch was for.
    touched: Vec<ConnectionHandle>,
    handshakes: Handshakes,
    /// Closed connections that still exist, the oldest first.
    draining: VecDeque<ConnectionHandle>,
    /// Buffer for packets of the endpoint itself.
    response: Vec<u8>,
    /// The socket may have packets.
    readable: bool,
    limits: DriverLimits,
    /// Packets gather until this time.
    gather_until: Instant,
    /// All connections are being closed, and new ones are refused.
    closing: bool,
    /// Nothing is received: another process has the socket too.
    deaf: bool,
}

impl Driver {
    fn new(bound: Bound, remote: Arc<DriverHandle>) -> io::Result<Self> {
        let (config, limits, now) = (bound.endpoint, bound.limits, Instant::now());
        let packet_bytes_max = usize::try_from(config.get_max_udp_payload_size());
        let packet_bytes_max = packet_bytes_max.unwrap_or(PACKET_BYTES_MAX).min(PACKET_BYTES_MAX);
        let socket = DriverSocket::new(bound.socket, packet_bytes_max)?;
        let (config, server) = (Arc::new(config), Some(bound.server));
        Ok(Driver {
            endpoint: quinn_proto::Endpoint::new(config, server, socket.is_whole(), None),
            connections: Vec::new(),
            connections_open: 0,
            outbound: Outbound::new(socket),
            remote,
            packets: Vec::new(),
            touched: Vec::new(),
            handshakes: Handshakes::new(
                limits.handshake_packets_max,
                limits.handshakes_percent,
                now,
            ),
            draining: VecDeque::new(),
            response: Vec::new(),
            readable: true,
            limits,
            gather_until: now,
            closing: false,
            deaf: false,
        })
    }

    /// Runs until it is told to quit, or until the last connection is gone after a close.
    fn run(mut self, mut service: Box<dyn Service>) {
        loop {
            let rung = self.remote.wake_signal.hear();
            if let Err(error) = self.receive(rung, &mut *service) {
                tracing::error!(%error, "the UDP socket is gone");
                break;
            }
            service.count(self.connections_open);
            service.deliver(&mut self.outbound);
            let quit = self.take_what_was_left();
            self.fire_timers();
            self.resume_held_up();
            self.send_put_off();
            self.serve_handshakes(&mut *service);
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

    /// Receives packets batch by batch, but not so long that everything else waits, and only one
    /// batch when something is to be sent.
    ///
    /// # Errors
    /// If the socket no longer exists. Other errors may pass: receiving is tried again after a
    /// pause.
    fn receive(&mut self, rung: bool, service: &mut dyn Service) -> io::Result<()> {
        let mut batches = 0;
        let mut rung = rung;
        self.readable &= !self.deaf;
        while self.readable && batches < if rung { 1 } else { BATCHES_IN_A_ROW_MAX } {
            batches += 1;
            self.readable = match self.outbound.socket.receive(&mut self.packets) {
                Ok(readable) => readable,
                Err(error) if is_lasting(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "the system gave no packets; they are asked for again");
                    service.count_receive_failure();
                    self.gather_until = Instant::now() + RECEIVE_PAUSE;
                    self.readable = false;
                    break;
                }
            };
            if self.packets.is_empty() {
                break;
            }
            let now = Instant::now();
            self.gather_until = now + self.limits.gather_time;
            let mut packets = std::mem::take(&mut self.packets);
            for packet in packets.drain(..) {
                if Handshakes::is_one(&packet) {
                    self.handshakes.push(packet.meta.addr.ip(), QueuedPacket::Packet(packet));
                } else {
                    self.take_in(packet, now, IntakeTurn::OfAll, service);
                }
            }
            self.packets = packets;
            self.drive_touched(now);
            rung |= self.remote.wake_signal.is_rung();
        }
        Ok(())
    }

    /// Passes one packet to its connection, or admits a new one.
    fn take_in(
        &mut self,
        packet: Packet,
        now: Instant,
        turn: IntakeTurn,
        service: &mut dyn Service,
    ) {
        let (from, to, ecn) = (packet.meta.addr, packet.meta.dst_ip, packet.ecn());
        let received = ProofReceived::new(&packet.bytes);
        self.response.clear();
        match self.endpoint.handle(now, from, to, ecn, packet.bytes, &mut self.response) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                self.feed(handle, (event, received), turn);
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                self.admit(incoming, received, now, service);
            }
            Some(DatagramEvent::Response(transmit)) => self.respond(&transmit),
            None => {}
        }
    }

    /// Passes one packet to its connection. During a connection's handshake all its packets wait
    /// for the handshakes' turn, so that they stay in order.
    fn feed(
        &mut self,
        handle: ConnectionHandle,
        packet: (ConnectionEvent, ProofReceived),
        turn: IntakeTurn,
    ) {
        let Some(Some(shared)) = self.connections.get(handle.0) else { return };
        let mut state = shared.lock();
        if turn == IntakeTurn::OfAll && state.proto.is_handshaking() {
            let from = state.proto.remote_address().ip();
            drop(state);
            return self.handshakes.push(from, QueuedPacket::Event(handle, packet));
        }
        let (event, received) = packet;
        state.take_in(event, received);
        if !std::mem::replace(&mut state.listed, true) {
            self.touched.push(handle);
        }
    }

    /// Lets connections that got packets answer.
    fn drive_touched(&mut self, now: Instant) {
        let mut touched = std::mem::take(&mut self.touched);
        for handle in touched.drain(..) {
            self.drive(handle, now, SendMode::MayWait);
        }
        self.touched = touched;
    }

    /// Handles handshake packets: at least one if there is time for it, and no more once something
    /// is to be sent.
    fn serve_handshakes(&mut self, service: &mut dyn Service) {
        let start = Instant::now();
        let mut now = start;
        while let Some(waiting) = self.handshakes.pop(now) {
            match waiting {
                QueuedPacket::Packet(packet) => {
                    self.take_in(packet, now, IntakeTurn::OfHandshakes, service);
                }
                QueuedPacket::Event(handle, packet) => {
                    self.feed(handle, packet, IntakeTurn::OfHandshakes);
                }
            }
            self.drive_touched(now);
            let after = Instant::now();
            self.handshakes.spend(after - now);
            now = after;
            if self.remote.wake_signal.is_rung() || now - start >= HANDSHAKES_TURN {
                break;
            }
        }
        match self.handshakes.take_dropped() {
            0 => {}
            packets => service.count_dropped(packets),
        }
    }

    fn admit(
        &mut self,
        incoming: Incoming,
        first: ProofReceived,
        now: Instant,
        service: &mut dyn Service,
    ) {
        let address = incoming.remote_address();
        if self.closing {
            let transmit = self.endpoint.refuse(incoming, &mut self.response);
            return self.respond(&transmit);
        }
        match service.knock(address.ip(), incoming.remote_address_validated()) {
            ConnectDecision::Admit(enter) => match self.accept(incoming, first, now) {
                Ok(connection) => enter(address, connection),
                Err(error) => service.fail(address, &error),
            },
            ConnectDecision::Retry => match self.endpoint.retry(incoming, &mut self.response) {
                Ok(transmit) => self.respond(&transmit),
                // It has already proven its address.
                Err(error) => self.endpoint.ignore(error.into_incoming()),
            },
            ConnectDecision::Ignore => self.endpoint.ignore(incoming),
        }
    }

    fn accept(
        &mut self,
        incoming: Incoming,
        first: ProofReceived,
        now: Instant,
    ) -> Result<Connection, ConnectionError> {
        let proof = AddressProof::new(incoming.remote_address_validated(), first);
        let accepted = self.endpoint.accept(incoming, now, &mut self.response, None);
        let (handle, proto) = accepted.map_err(|error| {
            if let Some(transmit) = error.response {
                self.respond(&transmit);
            }
            error.cause
        })?;
        let connection = Connection::new(handle, proto, proof, Arc::clone(&self.remote));
        if self.connections.len() <= handle.0 {
            self.connections.resize(handle.0 + 1, None);
        }
        self.connections[handle.0] = Some(Arc::clone(&connection.shared));
        self.connections_open += 1;
        self.drive(handle, now, SendMode::AtOnce);
        Ok(connection)
    }

    /// Sends a packet of the endpoint itself. A peer that misses it asks again.
    fn respond(&self, transmit: &Transmit) {
        self.outbound.socket.send_or_drop(transmit, &self.response);
    }

    /// Passes on one connection's events and sends its output.
    fn drive(&mut self, handle: ConnectionHandle, now: Instant, sending: SendMode) {
        let Some(Some(shared)) = self.connections.get(handle.0) else { return };
        let mut state = shared.lock();
        state.listed = false;
        let mut drained = false;
        loop {
            state.pass_on_events(shared, now);
            if sending == SendMode::MayWait && state.is_calm(now) {
                self.outbound.delay_ack(handle, &mut state, now);
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
        let begins_to_drain = state.over.is_some() && !std::mem::replace(&mut state.draining, true);
        release(state);
        if begins_to_drain && !drained {
            self.draining.push_back(handle);
            self.bound_draining();
        } else if drained && !begins_to_drain {
            self.draining.retain(|other| *other != handle);
        }
        if drained {
            self.connections[handle.0] = None;
            self.connections_open -= 1;
        }
    }

    /// Forgets the oldest closed connections if there are too many. Peers that do not know of the
    /// close yet get a stateless reset.
    fn bound_draining(&mut self) {
        if self.draining.len() <= self.limits.draining_max {
            return;
        }
        let Some(handle) = self.draining.pop_front() else { return };
        self.endpoint.handle_event(handle, EndpointEvent::drained());
        self.connections[handle.0] = None;
        self.connections_open -= 1;
    }

    /// Carries out other threads' commands. Returns true if one of them was to quit.
    fn take_what_was_left(&mut self) -> bool {
        let left = self.remote.take();
        let now = Instant::now();
        for handle in left.dirty {
            if let Some(Some(shared)) = self.connections.get(handle.0) {
                shared.dirty.store(false, Ordering::Release);
                shared.lock().stir(now);
                self.drive(handle, now, SendMode::AtOnce);
            }
        }
        if let Some(server) = left.server {
            self.endpoint.set_server_config(server);
        }
        self.deaf |= left.stop_receiving;
        left.turns.into_iter().for_each(|turn| _ = turn.send(()));
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
                self.drive(ConnectionHandle(index), now, SendMode::AtOnce);
            } else {
                self.outbound.timers.set(index, &mut state.alarm, due);
            }
        }
    }

    /// Resumes connections that had more to send than one turn allows.
    fn resume_held_up(&mut self) {
        if self.outbound.held_up.is_empty() || self.outbound.socket.is_full() {
            return;
        }
        let now = Instant::now();
        for handle in std::mem::take(&mut self.outbound.held_up) {
            if let Some(Some(shared)) = self.connections.get(handle.0) {
                shared.lock().held_up = false;
                self.drive(handle, now, SendMode::AtOnce);
            }
        }
    }

    /// Sends the acknowledgements that no datagram could carry in time.
    fn send_put_off(&mut self) {
        let now = Instant::now();
        for handle in self.outbound.take_put_off(now) {
            let Some(Some(shared)) = self.connections.get(handle.0) else { continue };
            let mut state = shared.lock();
            state.ack_delayed = false;
            if state.ack_owed {
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
        let wake_signal = &self.remote.wake_signal;
        let now = Instant::now();
        if !wake_signal.may_sleep() {
            // Packets have their turn however often the signal is rung.
            self.readable = now >= self.gather_until;
            return;
        }
        let gathering = now < self.gather_until;
        let until = self.outbound.next().into_iter().chain(self.handshakes.next());
        let until = until.chain(gathering.then_some(self.gather_until)).min();
        let timeout = until.map(|until| timespec(until.saturating_duration_since(now)));
        let readable = if gathering || self.deaf { PollFlags::empty() } else { PollFlags::IN };
        let writable = if is_full { PollFlags::OUT } else { PollFlags::empty() };
        let (wire, socket) = (wake_signal.wire(), self.outbound.socket.fd());
        let mut waiting = [
            PollFd::from_borrowed_fd(wire, PollFlags::IN),
            PollFd::from_borrowed_fd(socket, readable | writable),
        ];
        if let Err(error) = poll(&mut waiting, timeout.as_ref()) {
            // A signal, or a passing shortage: the loop checks everything, after a pause.
            tracing::debug!(%error, "the driver could not wait");
            std::thread::sleep(RECEIVE_PAUSE);
            self.readable = true;
            return wake_signal.wake(true);
        }
        let (rung, socket) = (!waiting[0].revents().is_empty(), waiting[1].revents());
        wake_signal.wake(rung);
        self.readable = match gathering {
            true => Instant::now() >= self.gather_until,
            false => socket.intersects(PollFlags::IN | PollFlags::ERR),
        };
        if socket.contains(PollFlags::OUT) {
            self.outbound.socket.retry();
        }
    }
}
