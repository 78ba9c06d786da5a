//! A room as its folder has it: the newest checkpoint, and the records after it.

use std::path::Path;

use tickwire_shared::{Simulation, Tick};

use super::checkpoint::{Checkpoint, checkpoint_path, checkpoints};
use super::error::JournalError;
use super::reader::{JournalEnd, JournalPosition, JournalReader};
use crate::guard::guarded;
use crate::room::{JournalHead, Replay, ReplayError};

/// The end of a room's journal, and the replay that has come to it.
#[derive(Debug)]
pub struct NewestReplay<S: Simulation> {
    /// The room after its last whole record. [`Replay::difference`] says whether it came to the same states since the
    /// checkpoint.
    pub replay: Replay<S>,
    /// The room's name, seed and options.
    pub head: JournalHead,
    /// The end of the journal.
    pub end: JournalEnd,
    /// The place after the last whole record.
    pub position: JournalPosition,
    /// The tick of the checkpoint that it began with; 0 for the beginning of the journal.
    pub from_tick: Tick,
    /// Checkpoints that were of no use, newest first, each with the reason.
    pub unused: Vec<JournalError>,
}

/// Runs the room in this folder to its last whole record, from its newest checkpoint that can be used, or else from the
/// beginning.
///
/// # Errors
/// [`JournalError`] if the journal is of another game or of other field tables, is damaged, or neither a checkpoint nor the
/// beginning is there.
pub fn newest_replay<S: Simulation>(folder: &Path) -> Result<NewestReplay<S>, JournalError> {
    let mut start = ReplayStart::newest(folder, Tick(u32::MAX))?;
    let path = || folder.to_owned();
    while let Some(record) = start.journal.next_record()? {
        let tick = record.tick.0;
        guarded(|| start.replay.step(&record))
            .ok_or_else(|| JournalError::Panic { path: path(), tick })?
            .map_err(|error| JournalError::Replay { path: path(), error })?;
    }
    let ReplayStart { replay, journal, from_tick, unused } = start;
    let (head, end) = (journal.head().clone(), journal.end());
    Ok(NewestReplay { replay, head, end, position: journal.position(), from_tick, unused })
}

/// A replay, and the records that come next.
#[derive(Debug)]
pub(crate) struct ReplayStart<S: Simulation> {
    pub(crate) replay: Replay<S>,
    pub(crate) journal: JournalReader,
    /// The tick of its checkpoint; 0 for the beginning of the journal.
    pub(crate) from_tick: Tick,
    /// Checkpoints that were of no use, newest first.
    pub(super) unused: Vec<JournalError>,
}

impl<S: Simulation> ReplayStart<S> {
    /// From the newest checkpoint at `tick` or before it, or else from the beginning.
    pub(crate) fn newest(folder: &Path, tick: Tick) -> Result<Self, JournalError> {
        let listed = checkpoints(folder);
        let listed = listed.map_err(|_| JournalError::NotAJournal(folder.to_owned()))?;
        let mut unused = Vec::new();
        for number in listed.into_iter().rev() {
            match Self::from_checkpoint(folder, number, tick) {
                Ok(Some((replay, journal))) => {
                    let from_tick = replay.tick();
                    return Ok(ReplayStart { replay, journal, from_tick, unused });
                }
                Ok(None) => {}
                // No other checkpoint of this room is better.
                Err(
                    error @ JournalError::Replay {
                        error: ReplayError::OtherGame(_) | ReplayError::Schema(_),
                        ..
                    },
                ) => return Err(error),
                Err(error) => unused.push(error),
            }
        }
        let begun =
            JournalReader::open(folder).and_then(|journal| Self::of_journal(journal, folder));
        match begun {
            Ok(start) => Ok(ReplayStart { unused, ..start }),
            // Without a beginning the checkpoints are what is wrong.
            Err(JournalError::NotAJournal(_)) if !unused.is_empty() => Err(unused.remove(0)),
            Err(error) => Err(error),
        }
    }

    /// From the beginning, or else from the oldest checkpoint: the beginning may have been removed. `path` is the journal's
    /// folder or its first segment.
    pub(crate) fn first(path: &Path) -> Result<Self, JournalError> {
        match JournalReader::open(path) {
            Err(JournalError::NotAJournal(_)) if path.is_dir() => Self::oldest(path),
            opened => Self::of_journal(opened?, path),
        }
    }

    /// From the oldest checkpoint, where the beginning is not there.
    fn oldest(folder: &Path) -> Result<Self, JournalError> {
        let mut unused = Vec::new();
        for number in checkpoints(folder).unwrap_or_default() {
            match Self::from_checkpoint(folder, number, Tick(u32::MAX)) {
                Ok(Some((replay, journal))) => {
                    let from_tick = replay.tick();
                    return Ok(ReplayStart { replay, journal, from_tick, unused });
                }
                Ok(None) => {}
                Err(error) => unused.push(error),
            }
        }
        let none = || JournalError::NotAJournal(folder.to_owned());
        Err(unused.into_iter().next().unwrap_or_else(none))
    }

    /// From the beginning of a journal that nothing was read of; `path` is its folder or file.
    fn of_journal(journal: JournalReader, path: &Path) -> Result<Self, JournalError> {
        let replay = guarded(|| Replay::new(journal.head()))
            .ok_or_else(|| JournalError::Panic { path: path.to_owned(), tick: 0 })?;
        let replay =
            replay.map_err(|error| JournalError::Replay { path: path.to_owned(), error })?;
        Ok(ReplayStart { replay, journal, from_tick: Tick(0), unused: Vec::new() })
    }

    /// `None` if it is of a later tick.
    fn from_checkpoint(
        folder: &Path,
        number: u32,
        tick: Tick,
    ) -> Result<Option<(Replay<S>, JournalReader)>, JournalError> {
        let path = checkpoint_path(folder, number);
        let checkpoint = Checkpoint::read(&path)?;
        if checkpoint.head.tick.0 > tick.0 {
            return Ok(None);
        }
        let replay = checkpoint.replay(folder)?;
        let journal = JournalReader::open_at(folder, checkpoint.head.next)?;
        if *journal.head() != checkpoint.head.journal {
            let what = "it is of another room than the journal beside it";
            return Err(JournalError::Damaged { path, offset: 0, what });
        }
        Ok(Some((replay, journal)))
    }
}
