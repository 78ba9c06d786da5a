//! Checks whether an output is newer than its inputs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Directories with built or fetched files only.
const NOT_INPUTS: [&str; 4] = ["node_modules", "dist", "target", "wasm"];

/// True if `output` exists and nothing under `inputs` changed after it. A missing input makes the
/// output stale.
pub(crate) fn is_fresh(output: &Path, inputs: &[PathBuf]) -> bool {
    let Some(built) = modified(output) else { return false };
    inputs.iter().all(|input| newest(input).is_some_and(|changed| changed <= built))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// The time of the last change of a file, or of anything in a directory. The directory itself
/// counts, because it changes when a file in it is removed.
fn newest(path: &Path) -> Option<SystemTime> {
    let own = modified(path)?;
    let Ok(entries) = fs::read_dir(path) else { return Some(own) };
    let inner = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_none_or(|name| !NOT_INPUTS.contains(&name)));
    inner.filter_map(|entry| newest(&entry.path())).chain([own]).max()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    fn write(path: &Path, seconds: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    fn age(path: &Path, seconds: u64) {
        let directory = File::open(path).unwrap();
        directory.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn an_output_is_stale_when_missing_or_older_than_any_input() {
        let dir = tempfile::tempdir().unwrap();
        let (src, output) = (dir.path().join("src"), dir.path().join("out.js"));
        write(&src.join("inner/a.ts"), 10);
        age(&src.join("inner"), 10);
        age(&src, 10);
        assert!(!is_fresh(&output, std::slice::from_ref(&src)), "missing");

        write(&output, 20);
        assert!(is_fresh(&output, std::slice::from_ref(&src)));
        assert!(!is_fresh(&output, &[src.clone(), dir.path().join("gone")]), "an input is gone");

        write(&src.join("inner/a.ts"), 30);
        assert!(!is_fresh(&output, std::slice::from_ref(&src)), "a file changed");

        write(&output, 40);
        age(&src.join("inner"), 50);
        assert!(!is_fresh(&output, std::slice::from_ref(&src)), "a file was removed");
    }

    #[test]
    fn built_and_fetched_files_are_no_inputs() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("out.js");
        write(&output, 20);
        let package = dir.path().join("package");
        write(&package.join("node_modules/a.js"), 90);
        write(&package.join("dist/a.js"), 90);
        age(&package, 10);
        assert!(is_fresh(&output, &[package]));
    }
}
