//! Why a journal cannot be read.

use std::io;
use std::path::PathBuf;

use super::block::VERSION;

/// Why a journal cannot be read, or not on from here.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system does not give the file.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is no journal.
    #[error("{} is no journal, nor a folder of one", .0.display())]
    NotAJournal(PathBuf),
    /// Another version of the format.
    #[error("{} is of version {version} of journals, and this program reads version {VERSION}", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        version: u16,
    },
    /// It does not fit its checksums.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where the block begins that is damaged.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A segment that does not go on from the one before, or a first one that is none.
    #[error("{} is segment {found} of its room, and segment {expected} should come here", path.display())]
    Segment {
        /// Which file.
        path: PathBuf,
        /// The number that should come.
        expected: u32,
        /// Its own.
        found: u32,
    },
}
