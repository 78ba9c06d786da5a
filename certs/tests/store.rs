//! The development certificates over simulated weeks, restarts and damage.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tickwire_certs::{BACKDATE, Store, VALIDITY_MAX};
use time::{Duration, OffsetDateTime};

const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::days(20_600));

fn open(dir: &TempDir, now: OffsetDateTime) -> Store {
    Store::open(dir.path(), now).unwrap()
}

fn hashes(store: &Store) -> [[u8; 32]; 2] {
    [store.current().sha256, store.next().sha256]
}

#[test]
fn both_certificates_are_accepted_by_browsers() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, START);
    for certificate in [store.current(), store.next()] {
        assert!(certificate.validity() <= Duration::days(13));
        assert_eq!(certificate.validity(), VALIDITY_MAX);
    }
    assert_eq!(store.current().not_before, START - BACKDATE);
    assert!(store.current().is_valid_at(START));
    assert_ne!(store.current().sha256, store.next().sha256);
}

#[test]
fn the_next_is_valid_well_before_the_current_expires() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir, START);
    assert_eq!(store.rotates_at(), store.next().not_before + BACKDATE);
    assert!(store.rotates_at() < store.current().not_after - Duration::days(6));
}

#[test]
fn a_server_that_runs_for_weeks_always_serves_a_certificate_it_published_before() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir, START);
    let mut rotations = 0;
    for hour in 0..24 * 60 {
        let now = START + Duration::hours(hour);
        let published = hashes(&store);
        if store.rotate_if_due(now).unwrap() {
            rotations += 1;
            assert_eq!(store.current().sha256, published[1]);
            assert!(!published.contains(&store.next().sha256));
        } else {
            assert_eq!(hashes(&store), published);
        }
        assert!(store.current().is_valid_at(now + Duration::days(6)), "at hour {hour}");
    }
    assert!((9..=10).contains(&rotations), "{rotations} rotations in 60 days");
}

#[test]
fn a_page_that_got_both_hashes_can_connect_for_six_days() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir, START);
    let mut pages = Vec::new();
    for hour in 0..24 * 30 {
        let now = START + Duration::hours(hour);
        store.rotate_if_due(now).unwrap();
        pages.push((now, hashes(&store)));
        pages.retain(|(opened, _)| now - *opened <= Duration::days(6));
        for (opened, page) in &pages {
            assert!(page.contains(&store.current().sha256), "opened {opened}, now {now}");
        }
    }
}

#[test]
fn a_restart_keeps_both() {
    let dir = TempDir::new().unwrap();
    let before = hashes(&open(&dir, START));
    assert_eq!(hashes(&open(&dir, START + Duration::days(3))), before);
}

#[test]
fn a_server_that_slept_past_the_change_serves_the_published_next() {
    let dir = TempDir::new().unwrap();
    let before = hashes(&open(&dir, START));
    let mut after = open(&dir, START + Duration::days(15));
    assert_eq!(after.current().sha256, before[1]);
    assert!(!before.contains(&after.next().sha256));
    // The current one's remaining validity is divided afresh: no second rotation at once.
    assert!(!after.rotate_if_due(START + Duration::days(15)).unwrap());
}

#[test]
fn a_server_that_slept_past_both_makes_new_ones() {
    let dir = TempDir::new().unwrap();
    let before = hashes(&open(&dir, START));
    let now = START + Duration::days(40);
    let after = open(&dir, now);
    assert!(hashes(&after).iter().all(|hash| !before.contains(hash)));
    assert!(after.current().is_valid_at(now));
}

#[test]
fn a_clock_that_went_back_makes_a_certificate_that_is_valid_now() {
    let dir = TempDir::new().unwrap();
    open(&dir, START);
    let now = START - Duration::days(3);
    assert!(open(&dir, now).current().is_valid_at(now));
}

#[test]
fn a_clock_that_goes_back_in_a_running_server_makes_a_certificate_that_is_valid_now() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir, START);
    let now = START - Duration::days(300);
    assert!(store.rotate_if_due(now).unwrap());
    assert!(store.current().is_valid_at(now));
    assert!(store.rotates_at() < store.current().not_after);
    assert!(!store.rotate_if_due(now).unwrap(), "once is enough");
    assert_eq!(hashes(&open(&dir, now)), hashes(&store));
    // The clock is right again: certificates made meanwhile have long expired.
    assert!(store.rotate_if_due(START).unwrap());
    assert!(store.current().is_valid_at(START));
}

#[test]
fn a_clock_that_goes_back_by_less_than_the_backdating_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir, START);
    assert!(!store.rotate_if_due(START - BACKDATE).unwrap());
}

#[test]
fn damaged_files_are_replaced_and_the_other_one_is_kept() {
    type Damage = fn(&Path);
    let ways: [(&str, Damage); 4] = [
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("cut", |path| {
            let text = fs::read(path).unwrap();
            fs::write(path, &text[..text.len() / 2]).unwrap();
        }),
        ("garbage", |path| fs::write(path, [0xFF; 400]).unwrap()),
        ("removed", |path| fs::remove_file(path).unwrap()),
    ];
    for (how, damage) in ways {
        let dir = TempDir::new().unwrap();
        let before = open(&dir, START);
        damage(&dir.path().join("next.pem"));
        let after = open(&dir, START);
        assert_eq!(after.current().sha256, before.current().sha256, "{how}");
        assert_ne!(after.next().sha256, before.next().sha256, "{how}");

        damage(&dir.path().join("current.pem"));
        let last = open(&dir, START);
        assert_ne!(last.current().sha256, after.current().sha256, "{how}");
        assert!(last.current().is_valid_at(START), "{how}");
        assert_eq!(hashes(&open(&dir, START)), hashes(&last), "{how}: written again");
    }
}

#[test]
fn a_key_of_another_certificate_is_replaced() {
    let dir = TempDir::new().unwrap();
    let before = open(&dir, START);
    let path = dir.path().join("current.pem");
    fs::write(&path, before.current().chain_pem() + &before.next().key_pem()).unwrap();
    assert_ne!(open(&dir, START).current().sha256, before.current().sha256);
}

#[test]
fn a_stop_between_the_two_writes_of_a_change_keeps_the_new_current() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir, START);
    let old_next = fs::read(dir.path().join("next.pem")).unwrap();
    let now = store.rotates_at();
    assert!(store.rotate_if_due(now).unwrap());
    write_private(&dir.path().join("next.pem"), &old_next);
    let after = open(&dir, now);
    assert_eq!(after.current().sha256, store.current().sha256);
    assert_ne!(after.next().sha256, after.current().sha256);
}

#[test]
fn other_names_make_other_certificates() {
    let dir = TempDir::new().unwrap();
    let names = ["game.example".to_owned(), "192.0.2.7".to_owned(), "localhost".to_owned()];
    let plain = open(&dir, START);
    let named = Store::open_with_names(dir.path(), START, &names).unwrap();
    assert_ne!(named.current().sha256, plain.current().sha256);
    let again = Store::open_with_names(dir.path(), START, &names).unwrap();
    assert_eq!(hashes(&again), hashes(&named));
    assert_eq!(hashes(&open(&dir, START)), hashes(&named), "more names than needed do no harm");
}

#[test]
fn a_name_that_cannot_stand_in_a_certificate_is_named() {
    let dir = TempDir::new().unwrap();
    for name in ["", "two words", "ä.example"] {
        let error = Store::open_with_names(dir.path(), START, &[name.to_owned()]).unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{name}`")), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_the_files_and_nothing_else_is_left() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir, START);
    store.rotate(START).unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["current.pem", "next.pem"]);
}

#[cfg(unix)]
#[test]
fn a_key_that_others_could_read_is_replaced() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let before = open(&dir, START);
    let path = dir.path().join("current.pem");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_ne!(open(&dir, START).current().sha256, before.current().sha256);
}

#[test]
fn a_change_goes_on_in_memory_when_the_directory_is_gone() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir, START);
    let next = store.next().sha256;
    fs::remove_dir_all(dir.path()).unwrap();
    assert!(store.rotate_if_due(store.rotates_at()).unwrap());
    assert_eq!(store.current().sha256, next);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("certs"), START).unwrap_err().to_string();
    assert!(error.contains("file/certs") && error.contains("check that"), "{error}");
}

fn write_private(path: &Path, bytes: &[u8]) {
    tickwire_certs::write_private(path, std::str::from_utf8(bytes).unwrap()).unwrap();
}
