//! A range of a room's ticks as a journal of its own: a checkpoint of its first tick, and the records after that.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tickwire_shared::{Simulation, Tick};

use super::checkpoint::{Checkpoint, CheckpointHead};
use super::error::JournalError;
use super::newest::ReplayStart;
use super::reader::{JournalEnd, JournalReader};
use super::segment::SegmentWriter;
use crate::guard::guarded;
use crate::room::{JournalEntry, JournalHead, Replay, ReplayDifference, ReplayError, TickRecord};

/// The segment of an exported journal. There is no segment 0: its beginning is the checkpoint.
const SEGMENT: u32 = 1;

/// A range that was exported.
#[derive(Debug)]
pub struct ExportedRange<S: Simulation> {
    /// The room's name, seed and options.
    pub head: JournalHead,
    /// The tick of the checkpoint.
    pub from: Tick,
    /// The last tick.
    pub to: Tick,
    /// The end of the journal that it is of, if that was reached.
    pub end: JournalEnd,
    /// The room after the last tick, or before it if its rules panic in that.
    pub replay: Replay<S>,
}

/// The reason for no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its records cannot be run again.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A tick that is not in the journal.
    #[error("tick {from} is not in this journal, which has {first} to {last}; give another --from")]
    NoTick {
        /// The tick.
        from: u32,
        /// The first of the journal.
        first: u32,
        /// The last.
        last: u32,
    },
    /// No record to export.
    #[error("there is no tick after {from} up to --to; give a later one")]
    Empty {
        /// The first tick.
        from: u32,
    },
    /// This build's rules come to other states.
    #[error("{0}: export it by the build that recorded it")]
    Differs(ReplayDifference),
    /// The rules panic where they did not.
    #[error("the rules panic in tick {0}")]
    Panic(u32),
    /// The folder has files.
    #[error("{} has files already; give a new folder", .0.display())]
    NotEmpty(PathBuf),
    /// The folder or a file in it cannot be written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
}

/// Writes the room of `folder` from after the tick `from` to the tick `to` into the new folder `dir`, as a journal that begins
/// with a checkpoint of `from`. Without `from` it begins where the journal does, without `to` it ends there. Every tick is run
/// again from that checkpoint, and compared with what was recorded. A tick in which the rules panicked is the last one.
///
/// # Errors
/// [`ExportError`]; then `dir` has no journal that is read.
pub fn export_range<S: Simulation>(
    folder: &Path,
    dir: &Path,
    (from, to): (Option<Tick>, Option<Tick>),
) -> Result<ExportedRange<S>, ExportError> {
    let ReplayStart { replay, mut journal, .. } = start::<S>(folder, from)?;
    let head = journal.head().clone();
    let replay = run_to(replay, &mut journal, from)?;
    let from = replay.tick();
    let failed = |error| ExportError::Io { path: dir.to_owned(), error };
    make_folder(dir)?;
    let state = guarded(|| replay.checkpoint()).ok_or(ExportError::Panic(from.0))??;
    // What the checkpoint lacks is found here, and not by whoever gets it.
    let mut replay = guarded(|| Replay::<S>::from_checkpoint(&head, &state))
        .ok_or(ExportError::Panic(from.0))??;
    let mut segment = SegmentWriter::go_on(dir.to_owned(), head.clone(), SEGMENT, u64::MAX);
    let mut last = from;
    while to.is_none_or(|to| last.0 < to.0) {
        let Some(record) = journal.next_record()? else { break };
        last = record.tick;
        let has_panicked = !step(&mut replay, &record)?;
        segment.append(&JournalEntry::Tick(record));
        segment.flush(false).map_err(failed)?;
        if has_panicked {
            break;
        }
    }
    if last == from {
        return Err(ExportError::Empty { from: from.0 });
    }
    segment.flush(true).map_err(failed)?;
    let next = JournalReader::open_last(dir)?.position();
    let journal_head = CheckpointHead { number: 0, journal: head.clone(), tick: from, next };
    Checkpoint { head: journal_head, state }.write(dir).map_err(failed)?;
    Ok(ExportedRange { head, from, to: last, end: journal.end(), replay })
}

/// The newest checkpoint at the first tick or before it, or the beginning.
fn start<S: Simulation>(folder: &Path, from: Option<Tick>) -> Result<ReplayStart<S>, ExportError> {
    let Some(from) = from else { return Ok(ReplayStart::first(folder)?) };
    let newest = ReplayStart::newest(folder, from);
    if let Err(JournalError::NotAJournal(_)) = newest
        && let Ok(first) = ReplayStart::<S>::first(folder)
    {
        let (first, last) = (first.from_tick.0, last_tick(first)?);
        return Err(ExportError::NoTick { from: from.0, first, last });
    }
    Ok(newest?)
}

fn last_tick<S: Simulation>(mut start: ReplayStart<S>) -> Result<u32, JournalError> {
    let mut last = start.from_tick.0;
    while let Some(record) = start.journal.next_record()? {
        last = record.tick.0;
    }
    Ok(last)
}

/// Runs the ticks before the range.
fn run_to<S: Simulation>(
    mut replay: Replay<S>,
    journal: &mut JournalReader,
    from: Option<Tick>,
) -> Result<Replay<S>, ExportError> {
    let first = replay.tick().0;
    let from = from.map_or(first, |from| from.0);
    while replay.tick().0 < from {
        let last = replay.tick().0;
        let record = journal.next_record()?.ok_or(ExportError::NoTick { from, first, last })?;
        if !step(&mut replay, &record)? {
            return Err(ExportError::NoTick { from, first, last });
        }
    }
    Ok(replay)
}

/// Runs a tick, and compares it. False if it panicked, as it did when it was recorded.
fn step<S: Simulation>(replay: &mut Replay<S>, record: &TickRecord) -> Result<bool, ExportError> {
    match guarded(|| replay.step(record)) {
        None if record.hash.is_none() => return Ok(false),
        None => return Err(ExportError::Panic(record.tick.0)),
        Some(stepped) => stepped?,
    }
    match replay.difference() {
        None => Ok(true),
        Some(difference) => Err(ExportError::Differs(difference.clone())),
    }
}

/// Makes the folder, for its user alone.
fn make_folder(dir: &Path) -> Result<(), ExportError> {
    let failed = |error| ExportError::Io { path: dir.to_owned(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    match std::fs::read_dir(dir).map_err(failed)?.next() {
        None => Ok(()),
        Some(_) => Err(ExportError::NotEmpty(dir.to_owned())),
    }
}
