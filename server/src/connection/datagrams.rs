//! The datagrams of one client: the hot path of the network.

use std::sync::Arc;
use std::time::Instant;

use tickwire_shared::Simulation;
use tickwire_shared::control::CloseCode;

use super::bucket::Bucket;
use super::{End, Host, Link};
use crate::room::ToRoom;

/// Reads datagrams until the session ends: counts, limits, decodes, and puts into the room's mailbox.
pub(super) async fn read<S: Simulation>(host: Arc<Host<S>>, link: Arc<Link<S::Input>>) {
    let rate_hz = S::TICK_HZ * host.config.inputs_per_tick_max;
    let mut bucket = Bucket::new(rate_hz, rate_hz, Instant::now());
    let counters = &host.counters;
    while let Ok(bytes) = link.session.recv_datagram().await {
        let at = Instant::now();
        counters.datagrams_in.increment();
        counters.datagram_bytes_in.add(bytes.len() as u64);
        if !link.is_greeted() {
            return link.end(CloseCode::TooEarly);
        }
        if !bucket.take(at) {
            counters.inputs_too_fast.increment();
            continue;
        }
        let membership = link.membership();
        let Some(membership) = &*membership else {
            counters.inputs_without_room.increment();
            continue;
        };
        let datagram = match host.inputs.decode::<S::Input>(&bytes) {
            Ok(datagram) => datagram,
            Err(error) => {
                return link.end(End::new(CloseCode::MalformedDatagram, error.to_string()));
            }
        };
        let input = ToRoom::Input { player: link.player, at, datagram };
        if !membership.room().try_input(input) {
            counters.inputs_room_behind.increment();
        }
    }
}
