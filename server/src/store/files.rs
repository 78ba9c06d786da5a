//! The files of a store: for the server's user alone, and there after a failure of the machine.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::StoreError;

/// The database in a store's directory.
const FILE: &str = "store.redb";
/// A copy that is not whole yet.
const PART: &str = "store.redb.part";

/// The database of the store in `dir`.
pub(super) fn file_in(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// A copy in `dir` that is not whole yet.
pub(super) fn part_in(dir: &Path) -> PathBuf {
    dir.join(PART)
}

/// Makes the directory, which others cannot read.
pub(super) fn make_dir(dir: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| io_error(dir, error))
}

/// Makes an empty file that others cannot read, unless there is one. The directory may be of any mode.
pub(super) fn make_file(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    let made = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map(drop).map_err(|error| io_error(path, error))
}

/// Gives a whole copy its name: the disk has all of it before, and the name after.
pub(super) fn publish(part: &Path, path: &Path) -> Result<(), StoreError> {
    let synced = File::open(part).and_then(|file| file.sync_all());
    let named = synced.and_then(|()| std::fs::rename(part, path));
    named.map_err(|error| io_error(path, error))?;
    sync_name(path)
}

/// Returns once the disk has the name of a file, and that of its directory.
pub(super) fn sync_name(path: &Path) -> Result<(), StoreError> {
    for dir in path.ancestors().skip(1).take(2) {
        // The parent of a relative path of one part is the working directory.
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let synced = File::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(|error| io_error(dir, error))?;
    }
    Ok(())
}

/// The bytes of a file on disk, as far as that is known.
pub(super) fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

fn io_error(path: &Path, error: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), error }
}
