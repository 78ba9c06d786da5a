//! Outgoing packets: a tick's datagrams and all other output of connections.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn_proto::{ConnectionHandle, SendDatagramError};

use super::Connection;
use super::shared::ConnectionState;
use super::socket::DriverSocket;
use super::timers::Timers;

/// Longest wait of an acknowledgement for a datagram to travel with: less than the 25 ms that peers
/// allow for it (RFC 9000, section 18.2), more than a tick at 60 Hz with its lateness.
const PUT_OFF_TIME: Duration = Duration::from_millis(20);
/// Packets of one connection sent before others have their turn.
const PACKETS_IN_A_ROW_MAX: usize = 20;

/// The sending side of the driver.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(super) socket: DriverSocket,
    pub(super) timers: Timers,
    /// Connections with more to send than one turn allows; each at most once.
    pub(super) held_up: Vec<ConnectionHandle>,
    /// Connections that may owe an acknowledgement; each at most once.
    ack_delayed: Vec<ConnectionHandle>,
    /// The time at which they are checked.
    put_off_until: Option<Instant>,
    /// Buffer for packets.
    packet: Vec<u8>,
}

/// The reason why a datagram was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnsentDatagram {
    #[error("the path takes no datagram of this size any more")]
    TooLarge,
    #[error("the connection is over, or takes no datagrams")]
    Undeliverable,
}

impl Outbound {
    pub(super) fn new(socket: DriverSocket) -> Self {
        Outbound {
            socket,
            timers: Timers::default(),
            held_up: Vec::new(),
            ack_delayed: Vec::new(),
            put_off_until: None,
            packet: Vec::new(),
        }
    }

    /// Sends a datagram together with other output of `connection`. Never waits: while the path is
    /// full, one datagram is on its way into the next packet and only the newest other one is kept.
    /// Returns true if it replaced an unsent one.
    ///
    /// # Errors
    /// If it will never be sent.
    pub(crate) fn send_datagram(
        &mut self,
        connection: &Connection,
        datagram: Bytes,
    ) -> Result<bool, UnsentDatagram> {
        let mut state = connection.shared.lock();
        if state.over.is_some() {
            return Err(UnsentDatagram::Undeliverable);
        }
        let replaced = state.push_datagram(datagram).map_err(|error| match error {
            SendDatagramError::TooLarge => UnsentDatagram::TooLarge,
            _ => UnsentDatagram::Undeliverable,
        })?;
        self.transmit(connection.shared.handle, &mut state);
        Ok(replaced)
    }

    /// Sends a connection's output, within one turn's limit.
    pub(super) fn transmit(&mut self, handle: ConnectionHandle, state: &mut ConnectionState) {
        state.ack_owed = false;
        let now = Instant::now();
        let mut packets = 0;
        while packets < PACKETS_IN_A_ROW_MAX && !self.socket.is_full() {
            state.advance_datagrams();
            self.packet.clear();
            let segments_max = state.proof.datagrams_left(self.socket.segments_max());
            let may_send = segments_max > 0;
            let made = may_send
                .then(|| state.proto.poll_transmit(now, segments_max, &mut self.packet))
                .flatten();
            let Some(transmit) = made else {
                return self.timers.set(handle.0, &mut state.alarm, state.proto.poll_timeout());
            };
            state.proof.sent(transmit.size);
            packets += transmit.segment_size.map_or(1, |bytes| transmit.size.div_ceil(bytes));
            self.socket.send(transmit, &self.packet);
        }
        self.timers.set(handle.0, &mut state.alarm, state.proto.poll_timeout());
        if !std::mem::replace(&mut state.held_up, true) {
            self.held_up.push(handle);
        }
    }

    /// Delays a connection's output until its next datagram, or until [`Outbound::take_put_off`]:
    /// an acknowledgement in a packet of its own costs as much as a snapshot.
    pub(super) fn delay_ack(
        &mut self,
        handle: ConnectionHandle,
        state: &mut ConnectionState,
        now: Instant,
    ) {
        self.timers.set(handle.0, &mut state.alarm, state.proto.poll_timeout());
        state.ack_owed = true;
        if !std::mem::replace(&mut state.ack_delayed, true) {
            self.ack_delayed.push(handle);
            self.put_off_until.get_or_insert(now + PUT_OFF_TIME);
        }
    }

    /// Takes the connections whose acknowledgements have waited long enough.
    pub(super) fn take_put_off(&mut self, now: Instant) -> Vec<ConnectionHandle> {
        if self.put_off_until.is_none_or(|until| now < until) {
            return Vec::new();
        }
        self.put_off_until = None;
        std::mem::take(&mut self.ack_delayed)
    }

    /// The time at which the driver must wake at the latest.
    pub(super) fn next(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.put_off_until).min()
    }
}
