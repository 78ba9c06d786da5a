//! A room's records run again, and the reasons why it does not go on.

use std::io;
use std::path::{Path, PathBuf};

use tickwire_shared::Simulation;

use super::checkpoint::{Checkpoint, checkpoint_path, checkpoints};
use super::error::JournalError;
use super::reader::JournalReader;
use crate::guard::guarded;
use crate::room::{Replay, ReplayDifference, ReplayError};

/// The end of a folder's name once its room was let go.
pub(super) const CLOSED_SUFFIX: &str = ".closed";

/// The reason why a room does not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(
        "{0}: these are other rules than those that recorded it, or rules that are not deterministic"
    )]
    Differs(ReplayDifference),
    #[error("the rules panic in tick {0}")]
    Panic(u32),
    #[error("the rules panic over the state of another version, of tick {0}")]
    MigratePanic(u32),
    #[error("it is of another version of the game, and has no checkpoint to go on from")]
    NoCheckpoint,
    #[error(
        "it is of version {recorded} of the game, this build is version {own}, and its last {later_ticks} ticks are in no \
         checkpoint: start a server of version {recorded}, and hand over to this one"
    )]
    NotAtEnd { recorded: u32, own: u32, later_ticks: u32 },
    #[error("its files cannot be changed: {0}")]
    Io(#[from] io::Error),
}

/// Runs the rules by the records that are left, and compares each tick.
pub(super) fn run<S: Simulation>(
    replay: &mut Replay<S>,
    journal: &mut JournalReader,
) -> Result<(), RestoreError> {
    while let Some(record) = journal.next_record()? {
        guarded(|| replay.step(&record)).ok_or(RestoreError::Panic(record.tick.0))??;
        if let Some(difference) = replay.difference().filter(|it| it.is_settled()) {
            return Err(RestoreError::Differs(difference.clone()));
        }
    }
    Ok(())
}

/// The newest checkpoint of a folder that can be read.
pub(super) fn newest_checkpoint(folder: &Path) -> Result<Checkpoint, RestoreError> {
    let numbers = checkpoints(folder).map_err(RestoreError::Io)?;
    let mut read =
        numbers.into_iter().rev().map(|number| Checkpoint::read(&checkpoint_path(folder, number)));
    read.find_map(Result::ok).ok_or(RestoreError::NoCheckpoint)
}

/// Renames the folder of a room that was let go: no later start reads it.
pub(super) fn rename_closed(folder: &Path) -> io::Result<()> {
    std::fs::rename(folder, closed_name(folder))
}

/// The name of this folder once its room was let go.
pub(super) fn closed_name(folder: &Path) -> PathBuf {
    let mut closed = folder.as_os_str().to_owned();
    closed.push(CLOSED_SUFFIX);
    closed.into()
}
