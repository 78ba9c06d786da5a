//! Kicks of a room's hosts, with their rate.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tickwire_shared::PlayerId;

use crate::config::RoomConfig;

/// The kicks of one room.
#[derive(Debug, Default)]
pub(super) struct Kicks {
    last: Option<Instant>,
    /// Kicked players, and when each may return. The pause between kicks and the time until the
    /// return bound their number.
    out: BTreeMap<PlayerId, Instant>,
}

impl Kicks {
    /// True if the last kick was too recent for another.
    pub(super) fn is_too_fast(&self, config: &RoomConfig, now: Instant) -> bool {
        let pause = Duration::from_secs(u64::from(config.kick_pause_s));
        self.last.is_some_and(|last| now.saturating_duration_since(last) < pause)
    }

    /// True if `player` was kicked and may not return yet.
    pub(super) fn keeps_out(&self, player: PlayerId, now: Instant) -> bool {
        self.out.get(&player).is_some_and(|until| now < *until)
    }

    /// Records that `player` was kicked.
    pub(super) fn removed(&mut self, config: &RoomConfig, player: PlayerId, now: Instant) {
        self.last = Some(now);
        self.out.retain(|_, until| now < *until);
        self.out.insert(player, now + Duration::from_secs(u64::from(config.kick_return_s)));
    }
}
