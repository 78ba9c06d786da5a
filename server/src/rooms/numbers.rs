//! The numbers of players.

use std::sync::atomic::{AtomicU32, Ordering};

use tickwire_shared::PlayerId;

/// Gives each session and each bot a number of its own, from 1 on.
#[derive(Debug, Default)]
pub(crate) struct PlayerNumbers {
    /// Numbers given so far.
    given: AtomicU32,
}

impl PlayerNumbers {
    /// Takes `count` numbers in a row, and gives the first.
    pub(crate) fn take(&self, count: u32) -> PlayerId {
        PlayerId(self.given.fetch_add(count, Ordering::Relaxed).wrapping_add(1))
    }
}
