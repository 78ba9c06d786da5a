//! Brings rooms back from their journals.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tickwire_shared::{Simulation, Tick};

use super::error::JournalError;
use super::migrate::migrate;
use super::newest::ReplayStart;
use super::reader::{JournalEnd, JournalReader, JournalTail};
use super::rerun::{CLOSED_SUFFIX, RestoreError, rename_closed, run};
use super::warm::WarmRooms;
use crate::room::{JournalHead, Replay};

/// A room as its journal tells of it.
#[derive(Debug)]
pub(crate) struct RestoredJournal<S: Simulation> {
    pub(crate) folder: PathBuf,
    pub(crate) head: JournalHead,
    /// After the last whole record.
    pub(crate) replay: Replay<S>,
    /// The files at the same place.
    pub(crate) tail: JournalTail,
}

/// The folders in `dir` whose rooms were not let go; the one that was written last comes first.
pub(super) fn folders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is_closed = path.to_string_lossy().ends_with(CLOSED_SUFFIX);
        if path.is_dir() && !is_closed {
            folders.push((last_written(&path), path));
        }
    }
    folders.sort_unstable();
    Ok(folders.into_iter().rev().map(|(_, path)| path).collect())
}

/// The time of the last record in a folder.
fn last_written(folder: &Path) -> SystemTime {
    let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let segments = files.filter(|file| file.path().extension().is_some_and(|it| it == "journal"));
    let times = segments.filter_map(|file| file.metadata().ok()?.modified().ok());
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Runs the journal in `folder` from its newest checkpoint to its end. `None` if its room was let go: the folder is renamed
/// then, so that no later start reads it. Its files are as they were.
///
/// # Errors
/// [`RestoreError`]; the folder is as it was.
pub(crate) fn restore<S: Simulation>(
    folder: &Path,
    warm: &mut WarmRooms<S>,
) -> Result<Option<RestoredJournal<S>>, RestoreError> {
    let migrated = match JournalReader::open_last(folder)?.head().version == S::VERSION {
        true => folder.to_owned(),
        false => match migrate::<S>(folder)? {
            Some(migrated) => migrated,
            None => return Ok(None),
        },
    };
    let folder = migrated.as_path();
    let start = match warm.take(folder) {
        Some(warm) => warm,
        None => ReplayStart::<S>::newest(folder, Tick(u32::MAX))?,
    };
    let ReplayStart { mut replay, mut journal, unused, .. } = start;
    for error in unused {
        tracing::warn!("a checkpoint is of no use, and an older one is taken: {error}");
    }
    let head = journal.head().clone();
    run(&mut replay, &mut journal)?;
    if journal.end() == JournalEnd::Closed {
        rename_closed(folder)?;
        return Ok(None);
    }
    if let Some(difference) = replay.difference() {
        return Err(RestoreError::Differs(difference.clone()));
    }
    Ok(Some(RestoredJournal { folder: folder.to_owned(), head, replay, tail: journal.into_tail() }))
}

/// The name of a folder's room. None of its records is run.
///
/// # Errors
/// [`JournalError`] if no segment has a head that can be read.
pub(crate) fn room_of(folder: &Path) -> Result<String, JournalError> {
    Ok(JournalReader::open_last(folder)?.head().room.clone())
}

/// Renames a folder as [`restore`] does if its room was let go, and returns true then. None of its records is run.
///
/// # Errors
/// [`RestoreError`]; the folder is as it was.
pub(crate) fn close_if_let_go(folder: &Path) -> Result<bool, RestoreError> {
    let mut journal = JournalReader::open_last(folder)?;
    while journal.next_record()?.is_some() {}
    let is_closed = journal.end() == JournalEnd::Closed;
    if is_closed {
        rename_closed(folder)?;
    }
    Ok(is_closed)
}
