//! One journal, shared by its room, the thread that writes it and the one that follows it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use tickwire_shared::Tick;

use crate::room::JournalHead;

/// A journal that is kept. The last one to hold it is its follower.
#[derive(Debug)]
pub(super) struct RoomLog {
    dir: PathBuf,
    head: JournalHead,
    /// The number of the first segment that this process writes.
    segment: u32,
    lanes_ticks: u32,
    state: AtomicU8,
    /// The tick of the last record that is kept as the settings ask: in its files, or on the disk; 0 for none.
    written_tick: AtomicU32,
    /// Of one that is asked for at once.
    checkpoint: AtomicU8,
    /// A checkpoint is written at its end.
    ends_with_checkpoint: AtomicBool,
}

/// No checkpoint is asked for.
const NOT_ASKED: u8 = 0;
/// One is to be written of the last tick.
const ASKED: u8 = 1;
/// It is on the disk.
const WRITTEN: u8 = 2;
/// There is none: the room is not followed, or the disk failed.
const MISSING: u8 = 3;

/// It is written.
pub(super) const KEPT: u8 = 0;
/// There was no place for a record.
pub(super) const BEHIND: u8 = 1;
/// A file could not be written.
pub(super) const FAILED: u8 = 2;
/// The room was let go.
pub(super) const CLOSED: u8 = 3;
/// The room ended otherwise, or its server.
pub(super) const ENDED: u8 = 4;

impl RoomLog {
    pub(super) fn new(dir: PathBuf, head: JournalHead, segment: u32, lanes_ticks: u32) -> Self {
        RoomLog {
            dir,
            head,
            segment,
            lanes_ticks,
            state: AtomicU8::new(KEPT),
            written_tick: AtomicU32::new(0),
            checkpoint: AtomicU8::new(NOT_ASKED),
            ends_with_checkpoint: AtomicBool::new(false),
        }
    }

    /// Its folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn head(&self) -> &JournalHead {
        &self.head
    }

    /// The number of the first segment that this process writes.
    pub(super) fn segment(&self) -> u32 {
        self.segment
    }

    /// The name of its room.
    pub(super) fn room(&self) -> &str {
        &self.head.room
    }

    /// Ticks between two records with all lanes; 0 for none.
    pub(super) fn lanes_ticks(&self) -> u32 {
        self.lanes_ticks
    }

    pub(super) fn state(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }

    pub(super) fn end(&self, state: u8) {
        // The first end stands.
        let _ = self.state.compare_exchange(KEPT, state, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Its files cannot be written.
    pub(super) fn fail(&self, error: &io::Error) {
        if self.state.swap(FAILED, Ordering::AcqRel) != FAILED {
            let (room, dir) = (self.room(), self.dir.display());
            tracing::error!(room, "the journal in {dir} cannot be written: {error}");
        }
    }

    /// All records to this tick are kept.
    pub(super) fn written(&self, tick: Tick) {
        self.written_tick.store(tick.0, Ordering::Release);
    }

    /// Asks for a checkpoint of the last tick.
    pub(super) fn ask_for_checkpoint(&self) {
        self.checkpoint.store(ASKED, Ordering::Release);
    }

    /// True while one is asked for.
    pub(super) fn is_checkpoint_asked(&self) -> bool {
        self.checkpoint.load(Ordering::Acquire) == ASKED
    }

    /// The answer to that.
    pub(super) fn checkpoint_done(&self, is_written: bool) {
        let outcome = if is_written { WRITTEN } else { MISSING };
        self.checkpoint.store(outcome, Ordering::Release);
    }

    /// Whether the checkpoint that was asked for is on the disk; `None` so long as that is not known.
    pub(super) fn has_checkpoint(&self) -> Option<bool> {
        match self.checkpoint.load(Ordering::Acquire) {
            WRITTEN => Some(true),
            MISSING => Some(false),
            _ => None,
        }
    }

    /// Has a checkpoint written at its end.
    pub(super) fn end_with_checkpoint(&self) {
        self.ends_with_checkpoint.store(true, Ordering::Release);
    }

    /// True if one is.
    pub(super) fn ends_with_checkpoint(&self) -> bool {
        self.ends_with_checkpoint.load(Ordering::Acquire)
    }

    /// The tick of the last record that is kept; 0 for none.
    pub(super) fn written_tick(&self) -> Tick {
        Tick(self.written_tick.load(Ordering::Acquire))
    }
}
