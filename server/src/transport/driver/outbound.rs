//! What goes out: datagrams of a tick, and whatever else connections want sent.

use std::time::Instant;

use bytes::Bytes;
use quinn_proto::{ConnectionHandle, SendDatagramError};

use super::Connection;
use super::connection::State;
use super::socket::Socket;
use super::timers::Timers;

/// The way out of the driver.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(super) socket: Socket,
    pub(super) timers: Timers,
    /// Connections that have more to send than they may now; each is here once at most.
    pub(super) held_up: Vec<ConnectionHandle>,
    /// Where packets are made.
    packet: Vec<u8>,
}

/// Why a datagram was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DatagramError {
    #[error("the path takes no datagram of this size any more")]
    TooLarge,
    #[error("the connection is over, or takes no datagrams")]
    Undeliverable,
}

impl Outbound {
    pub(super) fn new(socket: Socket) -> Self {
        Outbound { socket, timers: Timers::default(), held_up: Vec::new(), packet: Vec::new() }
    }

    /// Sends a datagram with whatever else `connection` has to send. Never waits: what the path
    /// does not take now is kept, and the oldest is dropped when too much is.
    ///
    /// # Errors
    /// When it will not be sent at all.
    pub(crate) fn send_datagram(
        &mut self,
        connection: &Connection,
        datagram: Bytes,
    ) -> Result<(), DatagramError> {
        let mut state = connection.shared.lock();
        if state.over.is_some() {
            return Err(DatagramError::Undeliverable);
        }
        state.proto.datagrams().send(datagram, true).map_err(|error| match error {
            SendDatagramError::TooLarge => DatagramError::TooLarge,
            _ => DatagramError::Undeliverable,
        })?;
        self.transmit(connection.shared.handle, &mut state);
        Ok(())
    }

    /// Sends what a connection has to send, but not so much that others wait long.
    pub(super) fn transmit(&mut self, handle: ConnectionHandle, state: &mut State) {
        let now = Instant::now();
        let mut packets = 0;
        while packets < PACKETS_IN_A_ROW_MAX && !self.socket.is_full() {
            self.packet.clear();
            let segments_max = self.socket.segments_max();
            let made = state.proto.poll_transmit(now, segments_max, &mut self.packet);
            let Some(transmit) = made else {
                return self.timers.set(handle.0, &mut state.alarm, state.proto.poll_timeout());
            };
            packets += transmit.segment_size.map_or(1, |bytes| transmit.size.div_ceil(bytes));
            self.socket.send(transmit, &self.packet);
        }
        self.timers.set(handle.0, &mut state.alarm, state.proto.poll_timeout());
        if !std::mem::replace(&mut state.held_up, true) {
            self.held_up.push(handle);
        }
    }
}

/// Packets of one connection sent before others have their turn.
const PACKETS_IN_A_ROW_MAX: usize = 20;
