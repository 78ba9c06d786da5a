//! The numbers of players.

use std::sync::atomic::{AtomicU32, Ordering};

use tickwire_shared::PlayerId;

/// Numbers for sessions and bots, from 1 on, each unique.
#[derive(Debug, Default)]
pub(crate) struct PlayerNumbers {
    /// Numbers given so far.
    given: AtomicU32,
}

impl PlayerNumbers {
    /// Takes `count` consecutive numbers. Returns the first.
    pub(crate) fn take(&self, count: u32) -> PlayerId {
        PlayerId(self.given.fetch_add(count, Ordering::Relaxed).wrapping_add(1))
    }

    /// Gives only numbers after `player` from now on.
    pub(crate) fn pass(&self, player: PlayerId) {
        self.given.fetch_max(player.0, Ordering::Relaxed);
    }
}
