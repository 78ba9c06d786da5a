//! State of the store that the network and the thread share: the queue's fill, and counts.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

use serde::Serialize;
use tickwire_shared::SaveOutcome;

use super::StoreRequest;

/// Shared between [`super::ServerStore`] and its thread.
#[derive(Debug, Default)]
pub(super) struct StoreState {
    /// Requests in the queue, and those about to be.
    pub(super) queued: QueueFill,
    /// The changes of topics of them.
    pub(super) topic_writes: QueueFill,
    /// The look-ups of them.
    pub(super) look_ups: QueueFill,
    /// The profiles of them that are read.
    loads: QueueFill,
    /// The profiles of them that are saved.
    profile_saves: QueueFill,
    /// The scores of them.
    score_saves: QueueFill,
    /// The looks at score boards of them.
    score_looks: QueueFill,
    stop: AtomicBool,
    health: AtomicU8,
    messages_kept: AtomicU64,
    messages_not_kept: AtomicU64,
    looked_up: AtomicU64,
    pub(super) topics: OutcomeCounts,
    profiles_read: AtomicU64,
    pub(super) profiles: OutcomeCounts,
    scores_read: AtomicU64,
    pub(super) scores: OutcomeCounts,
    records_damaged: AtomicU64,
    disk_bytes: AtomicU64,
}

/// Whether messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub(crate) enum StoreHealth {
    /// They are.
    Saving,
    /// The disk or the database fails; the store tries again.
    Failing,
    /// The thread panicked: none are until the server is started again.
    Dead,
}

/// The store's part of `/stats.json`. Counts are since the server began.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StoreStats {
    pub(crate) state: StoreHealth,
    /// Messages on disk.
    pub(crate) messages_kept: u64,
    /// Messages that found no place in the queue, or that the disk did not take.
    pub(crate) messages_not_kept: u64,
    /// Pages of history that were looked up.
    pub(crate) look_ups: u64,
    /// Messages of topics on disk.
    pub(crate) topics_kept: u64,
    /// Messages of topics that the disk did not take.
    pub(crate) topics_not_kept: u64,
    /// Profiles that were read for joins.
    pub(crate) profiles_read: u64,
    /// Profiles on disk, each time that they were saved.
    pub(crate) profiles_saved: u64,
    /// Saves of stays whose account had joined again since.
    pub(crate) profiles_stale: u64,
    /// Saves that found no place in the queue or the store, or that the disk did not take.
    pub(crate) profiles_not_saved: u64,
    /// Parts of score boards that were read.
    pub(crate) scores_read: u64,
    /// Scores on disk.
    pub(crate) scores_saved: u64,
    /// Scores of ticks that were counted before the server was killed.
    pub(crate) scores_stale: u64,
    /// Scores that found no place in the queue or on the board, or that the disk did not take.
    pub(crate) scores_not_saved: u64,
    /// Damaged records that look-ups came by, each counted once.
    pub(crate) records_damaged: u64,
    /// Requests that wait for the thread.
    pub(crate) queued: usize,
    /// Bytes of them, about.
    pub(crate) queued_bytes: usize,
    /// Bytes of the database's file.
    pub(crate) disk_bytes: u64,
}

impl StoreState {
    pub(super) fn ask_to_stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(super) fn set_health(&self, health: StoreHealth) {
        self.health.store(health as u8, Ordering::Relaxed);
    }

    pub(super) fn count_kept(&self, messages: u64) {
        self.messages_kept.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn count_not_kept(&self, messages: u64) {
        self.messages_not_kept.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) fn count_look_up(&self) {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_load(&self) {
        self.profiles_read.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_score_look(&self) {
        self.scores_read.fetch_add(1, Ordering::Relaxed);
    }

    /// The part of the queue that requests like this one share; `None` for messages.
    pub(super) fn part_of(&self, request: &StoreRequest) -> Option<&QueueFill> {
        match request {
            StoreRequest::Keep(_) | StoreRequest::Sanction(_) | StoreRequest::Webhook(_) => None,
            StoreRequest::Topic(_) => Some(&self.topic_writes),
            StoreRequest::Page(_) => Some(&self.look_ups),
            StoreRequest::Save(_) => Some(&self.profile_saves),
            StoreRequest::Load(_) => Some(&self.loads),
            StoreRequest::Score(_) => Some(&self.score_saves),
            StoreRequest::FindScores(_) => Some(&self.score_looks),
        }
    }

    pub(super) fn count_damaged(&self, records: u64) {
        self.records_damaged.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn set_disk_bytes(&self, bytes: u64) {
        self.disk_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> StoreStats {
        let health = self.health.load(Ordering::Relaxed);
        let all = [StoreHealth::Saving, StoreHealth::Failing, StoreHealth::Dead];
        let QueueShare { requests: queued, bytes: queued_bytes } = self.queued.now();
        StoreStats {
            state: all[usize::from(health)],
            messages_kept: self.messages_kept.load(Ordering::Relaxed),
            messages_not_kept: self.messages_not_kept.load(Ordering::Relaxed),
            look_ups: self.looked_up.load(Ordering::Relaxed),
            topics_kept: self.topics.saved.load(Ordering::Relaxed),
            topics_not_kept: self.topics.failed.load(Ordering::Relaxed),
            profiles_read: self.profiles_read.load(Ordering::Relaxed),
            profiles_saved: self.profiles.saved.load(Ordering::Relaxed),
            profiles_stale: self.profiles.stale.load(Ordering::Relaxed),
            profiles_not_saved: self.profiles.failed.load(Ordering::Relaxed),
            scores_read: self.scores_read.load(Ordering::Relaxed),
            scores_saved: self.scores.saved.load(Ordering::Relaxed),
            scores_stale: self.scores.stale.load(Ordering::Relaxed),
            scores_not_saved: self.scores.failed.load(Ordering::Relaxed),
            records_damaged: self.records_damaged.load(Ordering::Relaxed),
            queued,
            queued_bytes,
            disk_bytes: self.disk_bytes.load(Ordering::Relaxed),
        }
    }
}

/// What became of saves.
#[derive(Debug, Default)]
pub(super) struct OutcomeCounts {
    saved: AtomicU64,
    stale: AtomicU64,
    failed: AtomicU64,
}

impl OutcomeCounts {
    pub(super) fn count(&self, outcome: SaveOutcome) {
        let count = match outcome {
            SaveOutcome::Saved => &self.saved,
            SaveOutcome::Stale => &self.stale,
            SaveOutcome::Failed => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A number of requests, and their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueShare {
    pub(super) requests: usize,
    pub(super) bytes: usize,
}

impl QueueShare {
    /// One of `parts` equal parts.
    pub(super) fn part(self, parts: usize) -> Self {
        QueueShare { requests: self.requests / parts, bytes: self.bytes / parts }
    }
}

/// The requests that are in a queue.
#[derive(Debug, Default)]
pub(super) struct QueueFill {
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

impl QueueFill {
    /// Adds a request of that many bytes, if they all are within `most` then.
    pub(super) fn take(&self, bytes: usize, most: QueueShare) -> bool {
        let has_place = self.requests.fetch_add(1, Ordering::Relaxed) < most.requests;
        let fits = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= most.bytes;
        if !(has_place && fits) {
            self.give_back(bytes);
        }
        has_place && fits
    }

    /// Removes a request of that many bytes.
    pub(super) fn give_back(&self, bytes: usize) {
        self.requests.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn now(&self) -> QueueShare {
        QueueShare {
            requests: self.requests.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}
