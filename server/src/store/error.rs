//! Errors of the store.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::record::VERSION;

/// A store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system does not give the directory or the thread.
    #[error("the store in {}: {error}; give another directory with store", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// There is none.
    #[error("{} is no store", .0.display())]
    Missing(PathBuf),
    /// No profile was saved for an account.
    #[error("there is no profile of {account:?} in the game {game:?}")]
    NoProfile {
        /// The account.
        account: String,
        /// The game.
        game: String,
    },
    /// There is one already.
    #[error("{} is there already; give another directory", .0.display())]
    Exists(PathBuf),
    /// Another process has it open.
    #[error("{} is open in another process; stop that server, or give each its own directory with store", .0.display())]
    InUse(PathBuf),
    /// Another version of the format.
    #[error("{} is of version {version} of stores, and this program reads version {VERSION}; use the program that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// The file is no database any more, or never was one.
    #[error("{} is damaged: {reason}; put a copy of the command `store backup` in its place, or move it away to begin with an empty store", path.display())]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// The database's own word.
        reason: String,
    },
    /// The database does not do what it should.
    #[error("{}: {error}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: Box<redb::Error>,
    },
    /// A record that does not decode, or does not fit the others.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The record and its fault.
        what: String,
    },
}

impl StoreError {
    /// An error of the database in the file at `path`.
    pub(super) fn of_database(path: &Path, error: redb::Error) -> Self {
        let path = path.to_owned();
        let is_file_wrong = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        };
        match error {
            redb::Error::DatabaseAlreadyOpen => StoreError::InUse(path),
            redb::Error::Corrupted(reason) => StoreError::Corrupted { path, reason },
            redb::Error::Io(error) if is_file_wrong(&error) => {
                StoreError::Corrupted { path, reason: error.to_string() }
            }
            error => StoreError::Database { path, error: Box::new(error) },
        }
    }
}

/// Runs `act` on the database in the file at `path`. The library of the database may panic on a file that something else has
/// changed: that is an error as others are.
pub(super) fn guarded<T>(
    path: &Path,
    act: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let reason = format!("the database panicked: {}", panic_text(&*panic));
        Err(StoreError::Corrupted { path: path.to_owned(), reason })
    })
}

/// The message of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
