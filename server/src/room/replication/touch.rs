//! Whether the client and the room know of each other which ticks they mean.

use tickwire_shared::input::SnapshotAck;
use tickwire_shared::{GAP_TICKS_MAX, Tick};

use super::Replication;
use super::events::Events;
use crate::config::RoomConfig;

impl Replication {
    /// The client begins with an empty world, in another seat; what happened and it does not have is still told.
    pub(in crate::room) fn begin_anew(&mut self, config: &RoomConfig, seat: u8) {
        let mut events = std::mem::replace(&mut self.events, Events::new(config.events_queued_max));
        events.forget_told();
        *self = Replication { events, ..Replication::new(config, self.player, seat) };
    }

    /// Whether the client acknowledged anything so far.
    pub(in crate::room) fn is_heard(&self) -> bool {
        self.sent_snapshots.is_heard()
    }

    /// Whether so long nothing was acknowledged that the low bits of a tick no longer tell which one it is.
    pub(in crate::room) fn is_out_of_touch(&self, now: Tick) -> bool {
        self.sent_snapshots.unheard_ticks(now) > GAP_TICKS_MAX
    }

    /// Whether a datagram with this acknowledgement was overtaken by a later one.
    pub(in crate::room) fn is_overtaken(&self, now: Tick, ack: SnapshotAck) -> bool {
        self.sent_snapshots.is_overtaken(now, ack)
    }
}
