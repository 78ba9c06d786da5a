//! The datagrams of one client: the hot path of the network.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tickwire_shared::Simulation;
use tickwire_shared::control::CloseCode;

use super::{ClientLink, ServerState, SessionEnd, now};
use crate::room::ToRoom;
use crate::token_bucket::TokenBucket;
use crate::transport::DatagramSink;

/// Receives one client's datagrams: counts, limits and decodes them, and puts them into the room's
/// mailbox.
pub(super) struct InputReceiver<S: Simulation> {
    host: Arc<ServerState<S>>,
    link: Arc<ClientLink<S::Input>>,
    bucket: TokenBucket,
}

impl<S: Simulation> InputReceiver<S> {
    pub(super) fn new(host: &Arc<ServerState<S>>, link: &Arc<ClientLink<S::Input>>) -> Self {
        let rate_hz = S::TICK_HZ * host.config.inputs_per_tick_max;
        let bucket = TokenBucket::new(rate_hz, rate_hz, now());
        InputReceiver { host: Arc::clone(host), link: Arc::clone(link), bucket }
    }
}

impl<S: Simulation> DatagramSink for InputReceiver<S> {
    fn take(&mut self, datagram: Bytes, at: Instant) {
        if self.link.is_ending() {
            return;
        }
        let counters = &self.host.counters;
        counters.datagrams_in.increment();
        counters.datagram_bytes_in.add(datagram.len() as u64);
        if !self.link.is_greeted() {
            return self.link.end(CloseCode::TooEarly);
        }
        if !self.bucket.take(at) {
            counters.inputs_too_fast.increment();
            return;
        }
        let membership = self.link.membership();
        let Some(membership) = &*membership else {
            counters.inputs_without_room.increment();
            return;
        };
        match self.host.inputs.decode::<S::Input>(&datagram) {
            Ok(datagram) => {
                let input = ToRoom::Input { player: self.link.player, at, datagram };
                if !membership.room().try_input(input) {
                    counters.inputs_room_behind.increment();
                }
            }
            Err(error) => {
                self.link.end(SessionEnd::new(CloseCode::MalformedDatagram, error.to_string()));
            }
        }
    }
}
