//! What is kept of rooms that go on, and of those that have ended.

use std::cell::RefCell;
use std::fs::File;
use std::io;

use super::*;
use crate::journal::checkpoint::{Checkpoint, checkpoint_path};
use crate::journal::segment::segment_path;

#[test]
fn old_segments_go_before_the_older_checkpoint_and_what_is_left_replays() {
    let mut table = Table::new(|config| {
        config.journal_segment_bytes = 1000;
        config.journal_room_bytes = 9000;
    });
    let mut live = table.live("fair");
    let dir = live.log.dir().to_owned();
    for _ in 0..40 {
        live.tick(60);
        table.follow();
        let files = std::fs::read_dir(&dir).unwrap();
        let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes < 9000 + 3 * 1500, "{bytes} bytes");
    }
    assert!(!dir.join("000000.journal").exists());
    assert!(table.follow().bytes_removed > 10_000);
    let newest = newest_replay::<Faulty>(&dir).unwrap();
    assert_eq!((newest.replay.tick(), newest.replay.difference()), (Tick(2400), None));
    // From the newest, from the one before, and from the oldest that is left.
    let kept = table.checkpoints("fair");
    for number in &kept[kept.len() - 2..] {
        std::fs::write(dir.join(format!("{number:06}.checkpoint")), b"").unwrap();
        let newest = newest_replay::<Faulty>(&dir).unwrap();
        assert_eq!((newest.replay.tick(), newest.replay.difference()), (Tick(2400), None));
    }
}

#[test]
fn the_segments_of_the_older_checkpoint_stay_however_small_the_bound() {
    let mut table = Table::new(|config| {
        config.journal_segment_bytes = 500;
        config.journal_room_bytes = 1;
    });
    let mut live = table.live("fair");
    let dir = live.log.dir().to_owned();
    live.tick(70);
    table.follow();
    for round in 2..=5 {
        live.tick(60);
        table.follow();
        let kept = table.checkpoints("fair");
        let [older, newer] = kept[..] else { panic!("not two checkpoints: {kept:?}") };
        let segment_of = |number| {
            let checkpoint = Checkpoint::read(&checkpoint_path(&dir, number)).unwrap();
            checkpoint.head.next.segment
        };
        assert!(segment_of(older) < segment_of(newer), "they need other segments");
        assert!(!segment_path(&dir, segment_of(older) - 1).exists(), "nothing was removed");
        // The newest is damaged, and the room goes on from the older one.
        let newest = checkpoint_path(&dir, newer);
        let whole = std::fs::read(&newest).unwrap();
        std::fs::write(&newest, b"").unwrap();
        let replay = newest_replay::<Faulty>(&dir).unwrap().replay;
        assert_eq!((replay.tick(), replay.difference()), (Tick(10 + 60 * round), None));
        std::fs::write(&newest, whole).unwrap();
    }
}

#[test]
fn files_that_somebody_else_removed_keep_no_others() {
    let mut table = Table::new(|config| {
        config.journal_segment_bytes = 500;
        config.journal_room_bytes = 1_000_000;
    });
    let mut live = table.live("fair");
    let dir = live.log.dir().to_owned();
    for _ in 0..4 {
        live.tick(70);
        table.follow();
    }
    for gone in [segment_path(&dir, 0), checkpoint_path(&dir, table.checkpoints("fair")[0])] {
        std::fs::remove_file(gone).unwrap();
    }
    table.follower.bounds.room_bytes = 1;
    live.tick(70);
    let log = logged(|| _ = table.follow());
    assert_eq!((log.as_str(), table.checkpoints("fair").len()), ("", 2));
    assert!(!segment_path(&dir, 1).exists());
}

#[test]
fn without_checkpoints_nothing_is_followed_and_nothing_of_a_live_room_removed() {
    let mut table = Table::new(|config| {
        config.journal_checkpoint_s = 0;
        config.journal_segment_bytes = 1000;
        config.journal_room_bytes = 1000;
    });
    let mut live = table.live("random");
    live.tick(300);
    let stats = table.follow();
    assert_eq!(stats, FollowerStats::default());
    assert!(live.log.dir().join("000000.journal").exists());
}

/// Sets the time of all files of a room to a number of seconds ago.
fn age(dir: &Path, now: SystemTime, seconds: u64) {
    for file in std::fs::read_dir(dir).unwrap() {
        let file = File::options().write(true).open(file.unwrap().path()).unwrap();
        file.set_modified(now - Duration::from_secs(seconds)).unwrap();
    }
}

#[test]
fn rooms_that_have_ended_go_after_their_time_and_the_oldest_first_where_bytes_lack() {
    let mut table = Table::new(|config| config.journal_ended_kept_s = 1000);
    let now = SystemTime::now();
    for (name, seconds) in [("old", 1001), ("older", 900), ("newer", 800), ("fresh", 0)] {
        let mut live = table.live(name);
        live.tick(10);
        age(live.log.dir(), now, seconds);
    }
    let mut live = table.live("live");
    live.tick(10);
    age(live.log.dir(), now, 5000);
    // No journal, or not only.
    let dir = table.dir.path().to_owned();
    for other in ["notes", "mixed"] {
        std::fs::create_dir(dir.join(other)).unwrap();
        std::fs::write(dir.join(other).join("000000.journal"), b"x").unwrap();
        std::fs::write(dir.join(other).join("mine.txt"), b"x").unwrap();
        age(&dir.join(other), now, 5000);
    }
    table.follow();
    let left = |table: &mut Table| {
        table.follower.remove_ended(now);
        let names = std::fs::read_dir(&dir).unwrap();
        let mut names: Vec<String> =
            names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(left(&mut table), ["fresh", "live", "mixed", "newer", "notes", "older"]);
    let bytes = std::fs::metadata(dir.join("older/000000.journal")).unwrap().len();
    table.follower.bounds.bytes = 3 * bytes + bytes / 2;
    assert_eq!(left(&mut table), ["fresh", "live", "mixed", "newer", "notes"]);
    table.follower.bounds.bytes = 0;
    let log = logged(|| {
        assert_eq!(left(&mut table), ["fresh", "live", "mixed", "notes"]);
    });
    assert!(log.contains("more than journal_bytes (0)"), "{log}");
}

#[test]
fn rooms_that_wait_to_go_on_are_not_taken_for_ended_ones() {
    let mut table = Table::new(|config| config.journal_ended_kept_s = 1000);
    let now = SystemTime::now();
    let dirs = ["bay", "cove"].map(|name| {
        let mut live = table.live(name);
        live.tick(10);
        age(live.log.dir(), now, 5000);
        live.log.dir().to_owned()
    });
    // The server starts again, and restores one room after another.
    table.follower = Follower::new(Arc::default(), table.dir.path(), &table.config);
    table.follower.remove_ended(now);
    assert_eq!(dirs.each_ref().map(|dir| dir.exists()), [true, true]);
    // One goes on after the follower's last round; the other could not.
    let bay = table.live("bay");
    table.follower.shared.all_restored();
    table.follower.remove_ended(now);
    assert_eq!(dirs.each_ref().map(|dir| dir.exists()), [true, false]);
    drop(bay);
}

#[test]
fn one_room_that_cannot_be_removed_keeps_no_other() {
    let mut table = Table::new(|_| {});
    let now = SystemTime::now();
    for name in ["cove", "dale", "dune"] {
        let mut live = table.live(name);
        live.tick(10);
        age(live.log.dir(), now, 5000);
    }
    table.follow();
    let (dir, now_removed) = (table.dir.path(), RefCell::new(Vec::new()));
    let remove = |folder: &Path| {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        now_removed.borrow_mut().push(name.clone());
        if name == "cove" { Err(io::Error::other("it is busy")) } else { Ok(()) }
    };
    let bounds = KeptBounds { ended: Duration::ZERO, ..table.follower.bounds };
    let log = logged(|| {
        let removed = remove_ended((dir, &HashSet::new()), bounds, now, remove).unwrap();
        assert_eq!(removed.bytes, 2 * removed.left);
    });
    now_removed.borrow_mut().sort();
    assert_eq!(*now_removed.borrow(), ["cove", "dale", "dune"]);
    assert!(log.contains("cove cannot be removed: it is busy"), "{log}");
}

#[test]
fn a_room_without_checkpoints_is_said_to_grow_each_time_its_files_have_doubled() {
    let mut table = Table::new(|config| {
        config.journal_checkpoint_s = 0;
        config.journal_room_bytes = 2000;
    });
    let mut live = table.live("fair");
    let bytes =
        |live: &Live| std::fs::metadata(live.log.dir().join("000000.journal")).unwrap().len();
    let mut said = Vec::new();
    for _ in 0..60 {
        live.tick(10);
        let log = logged(|| table.follower.remove_ended(SystemTime::now()));
        if !log.is_empty() {
            assert!(log.contains("WARN") && log.contains("room=\"fair\""), "{log}");
            assert!(log.contains(&format!("bytes={}", bytes(&live))), "{log}");
            said.push(bytes(&live));
        }
    }
    assert!(said[0] >= 4000 && said[0] < 5000, "{said:?}");
    assert!(said.len() >= 3 && said.windows(2).all(|pair| pair[1] >= 2 * pair[0]), "{said:?}");
}

#[test]
fn of_rooms_that_have_ended_few_are_in_memory_however_late_the_follower_is() {
    let mut table = Table::new(|_| {});
    for number in 0..ENDED_FOLLOWED_MAX + 6 {
        table.live(&format!("short-{number}")).tick(RECORDS_A_TURN + 10);
    }
    let log = logged(|| _ = table.follower.round());
    assert_eq!(table.follower.rooms.len(), ENDED_FOLLOWED_MAX);
    assert_eq!(log.matches("is not followed to its end").count(), 6, "{log}");
    assert_eq!(table.follow().rooms_not_followed, 6);
    assert_eq!(table.follower.rooms.len(), 0);
}
