//! Counters of a flood.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// The result of a flood.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Tally {
    /// Number of the flood's actions: rooms made, packets sent, connections kept, ...
    pub(super) done: u64,
    /// Actions that the server refused.
    pub(super) refused: u64,
}

/// The counters that many tasks share.
#[derive(Debug, Default)]
pub(super) struct Counts {
    done: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    pub(super) fn add(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            done: self.done.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}
