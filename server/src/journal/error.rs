//! Errors of reading a journal.

use std::io;
use std::path::PathBuf;

use super::block::VERSION;
use crate::room::ReplayError;

/// A journal cannot be read, or cannot be read further.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system does not give the file.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// There is no journal.
    #[error("{} is no journal, nor a folder of one", .0.display())]
    NotAJournal(PathBuf),
    /// Another version of the format.
    #[error("{} is of version {version} of journals, and this program reads version {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u16,
    },
    /// It does not fit its checksums.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Bytes of the file before the damaged block.
        offset: u64,
        /// The fault, in words.
        what: &'static str,
    },
    /// A segment that does not go on from the one before, or a first one that is none.
    #[error("{} is segment {found} of its room, and segment {expected} should come here", path.display())]
    Segment {
        /// The file.
        path: PathBuf,
        /// The number that should come.
        expected: u32,
        /// Its own.
        found: u32,
    },
    /// Another version of the format of checkpoints.
    #[error("{} is of version {version} of checkpoints, which this program does not read", path.display())]
    CheckpointVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u16,
    },
    /// It is whole, and this build cannot run it.
    #[error("{}: {error}", path.display())]
    Replay {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: ReplayError,
    },
    /// The rules panic over it.
    #[error("{}: the rules panic in tick {tick}", path.display())]
    Panic {
        /// The file.
        path: PathBuf,
        /// The tick.
        tick: u32,
    },
}
