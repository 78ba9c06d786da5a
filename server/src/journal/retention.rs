//! The files of journals that are kept, and the removal of the others.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::checkpoint::{Checkpoint, CheckpointHead, checkpoint_path, checkpoints};
use super::error::JournalError;
use super::segment::{number_of, segment_path};

/// Checkpoints that are kept in any case: the second is for a damaged first.
const NEWEST_KEPT: usize = 2;
/// A folder with a newer file than this is never removed: a room may be about to begin in it.
const UNTOUCHED: Duration = Duration::from_secs(60);

/// The files in the folder of a room that goes on.
#[derive(Debug)]
pub(super) struct RoomFiles {
    dir: PathBuf,
    /// By number, the segment in which the journal goes on after it.
    checkpoints: BTreeMap<u32, u32>,
}

/// The bounds of what is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptBounds {
    /// Bytes of a room that goes on.
    pub(super) room_bytes: u64,
    /// Bytes of all rooms.
    pub(super) bytes: u64,
    /// Time since the last record of a room that has ended.
    pub(super) ended: Duration,
}

impl RoomFiles {
    pub(super) fn open(dir: &Path) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Io { path: dir.to_owned(), error };
        let mut files = RoomFiles { dir: dir.to_owned(), checkpoints: BTreeMap::new() };
        for number in checkpoints(dir).map_err(failed)? {
            // A damaged one is kept as if it were of the beginning: the next ones push it out.
            let read = Checkpoint::read(&checkpoint_path(dir, number));
            let segment = read.map_or(0, |checkpoint| checkpoint.head.next.segment);
            files.checkpoints.insert(number, segment);
        }
        Ok(files)
    }

    /// The number of the next checkpoint.
    pub(super) fn next_number(&self) -> u32 {
        self.checkpoints.last_key_value().map_or(0, |(number, _)| number + 1)
    }

    pub(super) fn checkpoint_written(&mut self, head: &CheckpointHead) {
        self.checkpoints.insert(head.number, head.next.segment);
    }

    /// Removes what is no longer kept, and returns how many bytes that was: checkpoints but the two newest and the first
    /// of each segment, and the oldest segments while all files are larger than `bytes_max`. Segments from the older of
    /// the two newest checkpoints on always stay.
    pub(super) fn trim(&mut self, bytes_max: u64) -> io::Result<u64> {
        let newest = self.checkpoints.keys().rev().take(NEWEST_KEPT);
        let newest: Vec<u32> = newest.copied().collect();
        let mut removed = 0;
        let mut first_of = HashSet::new();
        let superfluous: Vec<u32> = self
            .checkpoints
            .iter()
            .filter(|(number, segment)| !first_of.insert(**segment) && !newest.contains(number))
            .map(|(number, _)| *number)
            .collect();
        for number in superfluous {
            removed += self.remove_checkpoint(number)?;
        }
        let [_, older] = newest[..] else { return Ok(removed) };
        let needed = self.checkpoints.get(&older).copied().unwrap_or(0);
        let folder = Folder::read(&self.dir)?;
        let mut bytes = folder.bytes;
        for (number, segment_bytes) in folder.segments {
            if bytes <= bytes_max || number >= needed {
                break;
            }
            remove_file(&segment_path(&self.dir, number))?;
            let mut gone = segment_bytes;
            let of_it = self.checkpoints.iter().filter(|(_, segment)| **segment == number);
            let of_it: Vec<u32> = of_it.map(|(number, _)| *number).collect();
            for checkpoint in of_it {
                gone += self.remove_checkpoint(checkpoint)?;
            }
            bytes = bytes.saturating_sub(gone);
            removed += gone;
        }
        Ok(removed)
    }

    fn remove_checkpoint(&mut self, number: u32) -> io::Result<u64> {
        let path = checkpoint_path(&self.dir, number);
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        remove_file(&path)?;
        self.checkpoints.remove(&number);
        Ok(bytes)
    }
}

/// Removes a file, which may be gone already.
fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The outcome of [`remove_ended`].
#[derive(Debug, Default)]
pub(super) struct Removed {
    /// Bytes that were removed.
    pub(super) bytes: u64,
    /// Bytes that are left.
    pub(super) left: u64,
    /// Bytes of each room that goes on, by its folder.
    pub(super) live: HashMap<PathBuf, u64>,
}

/// Removes rooms in the folder `dir` that have ended: those whose last record is too old, and the oldest while all rooms
/// together are too large. Folders in `live`, and those with other files than a journal's, stay; so does one that `remove`
/// fails to remove, which is logged.
pub(super) fn remove_ended(
    (dir, live): (&Path, &HashSet<&Path>),
    bounds: KeptBounds,
    now: SystemTime,
    remove: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<Removed> {
    let mut outcome = Removed::default();
    let mut ended = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let Ok(folder) = Folder::read(&path) else { continue };
        if !folder.is_journal {
            continue;
        }
        outcome.left += folder.bytes;
        let age = now.duration_since(folder.newest).unwrap_or_default();
        if live.contains(&*path) {
            outcome.live.insert(path, folder.bytes);
        } else if age >= UNTOUCHED {
            ended.push((age, path, folder.bytes));
        }
    }
    // The oldest first.
    ended.sort_unstable_by(|(one, ..), (two, ..)| two.cmp(one));
    for (age, path, bytes) in ended {
        if age < bounds.ended && outcome.left <= bounds.bytes {
            break;
        }
        if let Err(error) = remove(&path) {
            tracing::warn!("the ended room in {} cannot be removed: {error}", path.display());
            continue;
        }
        (outcome.bytes, outcome.left) = (outcome.bytes + bytes, outcome.left - bytes);
    }
    Ok(outcome)
}

/// A folder as it is on the disk.
struct Folder {
    /// It has segments or checkpoints, and nothing that is none of a journal.
    is_journal: bool,
    bytes: u64,
    newest: SystemTime,
    /// Bytes by number.
    segments: BTreeMap<u32, u64>,
}

impl Folder {
    fn read(dir: &Path) -> io::Result<Self> {
        let (bytes, newest, segments) = (0, SystemTime::UNIX_EPOCH, BTreeMap::new());
        let mut folder = Folder { is_journal: true, bytes, newest, segments };
        let mut files = 0;
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let name = PathBuf::from(entry.file_name());
            let file = entry.metadata()?;
            files += 1;
            folder.bytes += file.len();
            folder.newest = folder.newest.max(file.modified()?);
            let segment = number_of(&name, "journal");
            folder.segments.extend(segment.map(|number| (number, file.len())));
            let is_checkpoint = ["checkpoint", "checkpoint-unfinished"]
                .iter()
                .any(|extension| number_of(&name, extension).is_some());
            folder.is_journal &= file.is_file() && (segment.is_some() || is_checkpoint);
        }
        folder.is_journal &= files > 0;
        Ok(folder)
    }
}
