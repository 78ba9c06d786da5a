//! The secret stays the same at every start.

use std::fs;

use tempfile::TempDir;
use tickwire_certs::Secret;

#[test]
fn a_restart_keeps_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("certs");
    let made = Secret::open(&path).unwrap();
    assert_eq!(Secret::open(&path).unwrap().bytes(), made.bytes());
    assert_ne!(Secret::random().bytes(), made.bytes());
    assert_eq!(format!("{made:?}"), "Secret");
}

#[test]
fn a_damaged_one_is_replaced() {
    let dir = TempDir::new().unwrap();
    let made = Secret::open(dir.path()).unwrap();
    let path = dir.path().join("reset.key");
    let text = fs::read_to_string(&path).unwrap();
    for damaged in ["", &text[..60], &text.replace(&text[..2], "zz"), "\u{e9}", &format!("{text}0")]
    {
        fs::write(&path, damaged).unwrap();
        let replaced = Secret::open(dir.path()).unwrap();
        assert_ne!(replaced.bytes(), made.bytes());
        assert_eq!(Secret::open(dir.path()).unwrap().bytes(), replaced.bytes());
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_it_and_one_that_others_could_read_is_replaced() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("reset.key");
    let made = Secret::open(dir.path()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_ne!(Secret::open(dir.path()).unwrap().bytes(), made.bytes());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Secret::open(&file.join("certs")).unwrap_err().to_string();
    assert!(error.contains("file/certs"), "{error}");
}
