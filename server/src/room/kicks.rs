//! Whom a room's hosts removed, and how often they may.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tickwire_shared::PlayerId;

use crate::config::RoomConfig;

/// The removals of one room.
#[derive(Debug, Default)]
pub(super) struct Kicks {
    last: Option<Instant>,
    /// Who may not come back before when. As many as fit between two removals of one and its return.
    out: BTreeMap<PlayerId, Instant>,
}

impl Kicks {
    /// Whether the last removal was too short a time ago for another.
    pub(super) fn is_too_fast(&self, config: &RoomConfig, now: Instant) -> bool {
        let pause = Duration::from_secs(u64::from(config.kick_pause_s));
        self.last.is_some_and(|last| now.saturating_duration_since(last) < pause)
    }

    /// Whether `player` was removed and may not come back yet.
    pub(super) fn keeps_out(&self, player: PlayerId, now: Instant) -> bool {
        self.out.get(&player).is_some_and(|until| now < *until)
    }

    /// `player` was removed.
    pub(super) fn removed(&mut self, config: &RoomConfig, player: PlayerId, now: Instant) {
        self.last = Some(now);
        self.out.retain(|_, until| now < *until);
        self.out.insert(player, now + Duration::from_secs(u64::from(config.kick_return_s)));
    }
}
