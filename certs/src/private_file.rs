//! Files that contain a key.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::CertsError;

/// Writes a file that only its owner can read, and replaces it as a whole: a concurrent reader sees
/// the old contents or the new.
///
/// # Errors
/// [`CertsError::Io`]; the old file is then unchanged.
pub fn write_private(path: &Path, text: &str) -> Result<(), CertsError> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let tmp = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = write_new(&tmp, text).and_then(|()| fs::rename(&tmp, path));
    written.map_err(|error| {
        // The file may not exist; only the first error counts.
        let _ = fs::remove_file(&tmp);
        CertsError::io("write", path)(error)
    })
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Creates the directory of such files.
pub(crate) fn create_dir(dir: &Path) -> Result<(), CertsError> {
    fs::create_dir_all(dir).map_err(CertsError::io("create", dir))
}

/// True if only its owner can read the file.
#[cfg(unix)]
pub(crate) fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 == 0)
}

#[cfg(not(unix))]
pub(crate) fn is_private(_path: &Path) -> bool {
    true
}
