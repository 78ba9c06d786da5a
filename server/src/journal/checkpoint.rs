//! Checkpoints as files: `000000.checkpoint`, `000001.checkpoint` and so on, beside the segments of their room.
//!
//! ```text
//! "tickstat"  version (2 bytes)  block of its head  block of the state
//! ```
//!
//! Blocks are those of segments. A file gets its name once the disk has all of it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tickwire_shared::{Simulation, Tick};

use super::block::{Block, PAYLOAD_BYTES_MAX, block_bytes, put_block, read_block};
use super::error::JournalError;
use super::reader::JournalPosition;
use super::segment::number_of;
use crate::guard::guarded;
use crate::room::{JournalHead, Replay};

/// The first bytes of every checkpoint.
const MAGIC: [u8; 8] = *b"tickstat";
/// The version of the format.
const VERSION: u16 = 4;
const EXTENSION: &str = "checkpoint";

/// A room after one of its ticks, as a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The part of the file that says of what it is.
    pub head: CheckpointHead,
    /// Bytes of [`Replay::checkpoint`].
    pub state: Vec<u8>,
}

/// The head of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointHead {
    /// Its number in the room's folder.
    pub number: u32,
    /// The head of the room's journal.
    pub journal: JournalHead,
    /// The last tick that is in it.
    pub tick: Tick,
    /// The place of the next record.
    pub next: JournalPosition,
}

impl Checkpoint {
    /// Reads a whole checkpoint.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read or does not fit its checksums.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Io { path: path.to_owned(), error };
        let damaged = |offset, what| JournalError::Damaged { path: path.to_owned(), offset, what };
        let mut input = BufReader::new(File::open(path).map_err(failed)?);
        let mut begin = Vec::new();
        let begin_bytes = (MAGIC.len() + size_of_val(&VERSION)) as u64;
        input.by_ref().take(begin_bytes).read_to_end(&mut begin).map_err(failed)?;
        let Some([low, high]) = begin.strip_prefix(&MAGIC) else {
            return Err(damaged(0, "it does not begin as a checkpoint"));
        };
        let version = u16::from_le_bytes([*low, *high]);
        if version != VERSION {
            return Err(JournalError::CheckpointVersion { path: path.to_owned(), version });
        }
        let mut offset = begin_bytes;
        let mut next = || {
            let at = offset;
            match read_block(&mut input).map_err(failed)? {
                Block::Whole(payload) => {
                    offset += block_bytes(&payload);
                    Ok((at, payload))
                }
                Block::Damaged(what) => Err(damaged(at, what)),
                Block::End | Block::Cut(_) => Err(damaged(at, "it is cut")),
            }
        };
        let ((at, head), (_, state)) = (next()?, next()?);
        let Ok((head, [])) = postcard::take_from_bytes::<CheckpointHead>(&head) else {
            return Err(damaged(at, "its head is none of a checkpoint"));
        };
        match read_block(&mut input).map_err(failed)? {
            Block::End if path == checkpoint_path(parent(path), head.number) => {
                Ok(Checkpoint { head, state })
            }
            Block::End => Err(damaged(at, "it has the number of another file")),
            _ => Err(damaged(offset, "it goes on after its end")),
        }
    }

    /// Writes it to the disk, in the folder of its room. The file is there as a whole or not at all.
    ///
    /// # Errors
    /// Those of the system, and one for a state that is larger than any that is read.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        if self.state.len() > PAYLOAD_BYTES_MAX as usize {
            return Err(io::Error::other("the state of the room is too large for a checkpoint"));
        }
        let head = postcard::to_allocvec(&self.head).map_err(io::Error::other)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        put_block(&mut bytes, &head);
        put_block(&mut bytes, &self.state);
        let path = checkpoint_path(dir, self.head.number);
        let unfinished = path.with_extension("checkpoint-unfinished");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)?;
        File::open(dir)?.sync_all()
    }

    /// The replay that it is of.
    ///
    /// # Errors
    /// [`JournalError`] if this build cannot read it, or panics over it.
    pub fn replay<S: Simulation>(&self, dir: &Path) -> Result<Replay<S>, JournalError> {
        let path = || checkpoint_path(dir, self.head.number);
        let replay = guarded(|| Replay::<S>::from_checkpoint(&self.head.journal, &self.state))
            .ok_or_else(|| JournalError::Panic { path: path(), tick: self.head.tick.0 })?;
        let replay = replay.map_err(|error| JournalError::Replay { path: path(), error })?;
        match replay.tick() == self.head.tick {
            true => Ok(replay),
            false => {
                let what = "its head names another tick than its state";
                Err(JournalError::Damaged { path: path(), offset: 0, what })
            }
        }
    }
}

/// The numbers of the checkpoints in a folder, oldest first.
pub(super) fn checkpoints(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for file in std::fs::read_dir(dir)? {
        numbers.extend(number_of(Path::new(&file?.file_name()), EXTENSION));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The file of a checkpoint in a journal's folder.
pub(super) fn checkpoint_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:06}.{EXTENSION}"))
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}
