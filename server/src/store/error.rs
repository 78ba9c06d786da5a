//! Errors of the store.

use std::io;
use std::path::PathBuf;

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
