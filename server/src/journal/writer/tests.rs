//! Rounds of the thread that writes, over real files and with a disk that takes its time.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard};

use tickwire_shared::PlayerId;
use tickwire_shared::schema::{KindSchema, Schema};

use super::*;
use crate::journal::{JournalEnd, JournalReader, close_if_let_go, room_of};
use crate::logged::logged;
use crate::room::TickRecord;

/// A writer without its thread.
struct Table {
    dir: tempfile::TempDir,
    thread: JournalThread,
}

impl Table {
    fn new(
        bytes_max: usize,
        sync: impl Fn(&File) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let queue = Arc::new(RecordQueue {
            records: ArrayQueue::new(1000),
            bytes: AtomicUsize::new(0),
            bytes_max,
            stop: AtomicBool::new(false),
        });
        let thread = JournalThread {
            queue,
            open: HashMap::new(),
            pause: Duration::ZERO,
            sync: Some(DiskSync::start(sync).unwrap()),
            segment_bytes_max: 1 << 20,
            _lock: lock(dir.path()).unwrap(),
        };
        Table { dir, thread }
    }

    /// A room of this name, whose records would come 60 times a second.
    fn room(&self, name: &str) -> RoomJournal {
        let input = KindSchema::new("Keys", Vec::new());
        let (entities, events, commands) = (Vec::new(), Vec::new(), Vec::new());
        let game = "still".to_owned();
        let schema =
            Schema { game, tick_hz: 60, input, entities, events, commands, model: Vec::new() };
        let head = JournalHead {
            version: 1,
            schema,
            room: name.to_owned(),
            seed: 1,
            options: "".into(),
            first_bot: PlayerId(0),
            is_quick: false,
            rewind_ticks_max: 0,
            static_bytes_max: 0,
        };
        let log = Arc::new(RoomLog::new(self.dir.path().join(name), head, 0, 0));
        RoomJournal::new(Arc::clone(&self.thread.queue), log, 60)
    }

    /// The last tick in a room's files, and how they end.
    fn kept(&self, room: &str) -> (u32, JournalEnd) {
        let mut reader = JournalReader::open(&self.dir.path().join(room)).unwrap();
        let mut last = 0;
        while let Some(record) = reader.next_record().unwrap() {
            last = record.tick.0;
        }
        (last, reader.end())
    }
}

fn record(tick: u32) -> (Tick, Vec<u8>) {
    let record = TickRecord {
        tick: Tick(tick),
        changes: Vec::new(),
        inputs: vec![0; 100],
        commands: Vec::new(),
        hash: Some(u64::from(tick)),
        lanes: None,
    };
    (record.tick, JournalEntry::Tick(record).to_bytes())
}

fn play(room: &mut RoomJournal, ticks: std::ops::RangeInclusive<u32>) {
    for (tick, entry) in ticks.map(record) {
        room.append(tick, entry);
    }
}

/// A disk that takes nothing while `held` is locked.
fn slow_disk(held: &Arc<Mutex<()>>) -> impl Fn(&File) -> io::Result<()> + Send + Sync + 'static {
    let held = Arc::clone(held);
    move |file| {
        let _waits = held.lock();
        file.sync_data()
    }
}

fn hold(held: &Mutex<()>) -> MutexGuard<'_, ()> {
    held.lock().unwrap()
}

#[test]
fn records_are_in_the_files_while_the_disk_has_yet_to_take_those_before_them() {
    let held = Arc::default();
    let mut table = Table::new(1 << 20, slow_disk(&held));
    let (mut bay, mut cove) = (table.room("bay"), table.room("cove"));
    let waits = hold(&held);
    for last in [10, 20, 30] {
        play(&mut bay, last - 9..=last);
        play(&mut cove, last - 9..=last);
        table.thread.write();
        for room in ["bay", "cove"] {
            assert_eq!(table.kept(room), (last, JournalEnd::Open));
        }
    }
    // Nobody is told that the disk has them before it does.
    assert_eq!((bay.log.written_tick(), cove.log.written_tick()), (Tick(0), Tick(0)));
    drop(waits);
    table.thread.sync = None;
    assert_eq!((bay.log.written_tick(), cove.log.written_tick()), (Tick(30), Tick(30)));
}

#[test]
fn every_file_and_folder_is_synced_before_the_room_is_told_and_once_for_all_rounds() {
    let (names, synced): (Sender<u64>, Receiver<u64>) = channel();
    let held = Arc::<Mutex<()>>::default();
    let disk = slow_disk(&held);
    let mut table = Table::new(1 << 20, move |file| {
        use std::os::unix::fs::MetadataExt as _;
        disk(file)?;
        names.send(file.metadata()?.ino()).map_err(io::Error::other)
    });
    let mut bay = table.room("bay");
    let waits = hold(&held);
    // The thread holds the first round's at most.
    for tick in 1..=9 {
        play(&mut bay, tick..=tick);
        table.thread.write();
    }
    drop(waits);
    table.thread.sync = None;
    assert_eq!(bay.log.written_tick(), Tick(9));
    let inode = |path: &Path| {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(path).unwrap().ino()
    };
    let (folder, room) = (table.dir.path(), table.dir.path().join("bay"));
    let all = [inode(folder), inode(&room), inode(&room.join("000000.journal"))];
    let synced: Vec<u64> = synced.try_iter().collect();
    assert_eq!(synced[..3], all);
    assert!(synced.len() <= 4, "nine rounds were synced {} times", synced.len());
}

#[test]
fn a_disk_that_fails_ends_the_journal_of_the_room_and_no_other() {
    let (mut table, bad) = {
        let bad = Arc::<Mutex<Option<u64>>>::default();
        let own = Arc::clone(&bad);
        let table = Table::new(1 << 20, move |file| {
            use std::os::unix::fs::MetadataExt as _;
            match *own.lock().unwrap() == Some(file.metadata()?.ino()) {
                true => Err(io::Error::other("a bad block")),
                false => Ok(()),
            }
        });
        (table, bad)
    };
    let (mut bay, mut cove) = (table.room("bay"), table.room("cove"));
    let make = |name: &str| {
        use std::os::unix::fs::MetadataExt as _;
        let dir = table.dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        std::fs::metadata(dir).unwrap().ino()
    };
    *bad.lock().unwrap() = Some(make("bay"));
    play(&mut bay, 1..=3);
    play(&mut cove, 1..=3);
    table.thread.write();
    table.thread.sync = None;
    assert_eq!(bay.failure(), Some("the disk fails or is full"));
    assert_eq!((bay.log.written_tick(), cove.log.written_tick()), (Tick(0), Tick(3)));
    assert_eq!(cove.failure(), None);
}

#[test]
fn after_a_sync_that_failed_no_later_record_counts_as_kept() {
    let (held, syncs) = (Arc::<Mutex<()>>::default(), AtomicUsize::new(0));
    let disk = slow_disk(&held);
    // The system tells of what it lost once.
    let mut table = Table::new(1 << 20, move |file| {
        disk(file)?;
        let is_first = syncs.fetch_add(1, Ordering::Relaxed) == 0;
        if is_first { Err(io::Error::other("a bad block")) } else { Ok(()) }
    });
    let mut bay = table.room("bay");
    let waits = hold(&held);
    play(&mut bay, 1..=3);
    table.thread.write();
    while table.thread.sync.as_ref().unwrap().has_waiting() {
        std::thread::yield_now();
    }
    play(&mut bay, 4..=6);
    table.thread.write();
    assert!(table.thread.sync.as_ref().unwrap().has_waiting(), "another round");
    drop(waits);
    table.thread.sync = None;
    assert_eq!(bay.failure(), Some("the disk fails or is full"));
    assert_eq!(bay.log.written_tick(), Tick(0));
}

#[test]
fn of_a_disk_that_does_not_follow_no_more_waits_than_its_bytes() {
    let held = Arc::default();
    let mut table = Table::new(2000, slow_disk(&held));
    let mut bay = table.room("bay");
    let waits = hold(&held);
    let mut last = 0;
    while bay.failure().is_none() {
        last += 1;
        assert!(last < 1000, "there is no bound");
        play(&mut bay, last..=last);
        table.thread.round(false);
    }
    assert_eq!(bay.failure(), Some("the disk does not follow"));
    assert!((15..60).contains(&last), "{last} records of 120 bytes");
    // The stop leaves nothing behind.
    drop(waits);
    table.thread.round(true);
    assert_eq!(table.kept("bay"), (last - 1, JournalEnd::Open));
}

/// The numbers of a room's segments and their bytes.
fn segments(table: &Table, room: &str) -> Vec<(PathBuf, u64)> {
    let files = std::fs::read_dir(table.dir.path().join(room)).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort_unstable();
    files.into_iter().map(|path| (path.clone(), path.metadata().unwrap().len())).collect()
}

#[test]
fn a_full_segment_goes_on_until_the_disk_has_it() {
    let held = Arc::default();
    let mut table = Table::new(1 << 20, slow_disk(&held));
    table.thread.segment_bytes_max = 2000;
    let mut bay = table.room("bay");
    let waits = hold(&held);
    for tick in 1..=25 {
        play(&mut bay, tick..=tick);
        table.thread.write();
    }
    let [(_, bytes)] = segments(&table, "bay")[..] else { panic!("another one was begun") };
    assert!((2001..4000).contains(&bytes), "{bytes}");
    drop(waits);
    while table.thread.sync.as_ref().unwrap().bytes() > 0 {
        std::thread::yield_now();
    }
    play(&mut bay, 26..=26);
    table.thread.write();
    assert_eq!(segments(&table, "bay").len(), 2);
    assert_eq!(table.kept("bay"), (26, JournalEnd::Open));
}

#[test]
fn the_disk_has_every_segment_but_the_last_however_late_it_is() {
    use std::os::unix::fs::MetadataExt as _;
    let had = Arc::<Mutex<HashMap<u64, u64>>>::default();
    let disk = Arc::clone(&had);
    let mut table = Table::new(1 << 20, move |file| {
        let before = file.metadata()?;
        std::thread::sleep(Duration::from_millis(3));
        let mut had = disk.lock().unwrap();
        let bytes = had.entry(before.ino()).or_default();
        *bytes = before.len().max(*bytes);
        Ok(())
    });
    table.thread.segment_bytes_max = 1000;
    let mut bay = table.room("bay");
    for tick in 1..=200 {
        play(&mut bay, tick..=tick);
        table.thread.write();
        let segments = segments(&table, "bay");
        let (_last, others) = segments.split_last().unwrap();
        for (path, bytes) in others {
            let had = had.lock().unwrap().get(&path.metadata().unwrap().ino()).copied();
            assert_eq!(had, Some(*bytes), "of {} in tick {tick}", path.display());
        }
    }
    // Nobody let it rest, and it goes on in other segments all the same.
    let count = segments(&table, "bay").len();
    assert!(count > 5, "{count} segments");
    assert_eq!(table.kept("bay"), (200, JournalEnd::Open));
}

#[test]
fn a_room_that_is_let_go_in_the_last_round_ends_as_let_go() {
    let mut table = Table::new(1 << 20, File::sync_data);
    let mut bay = table.room("bay");
    play(&mut bay, 1..=5);
    bay.close();
    table.thread.round(true);
    assert_eq!(table.kept("bay"), (5, JournalEnd::Closed));
}

#[test]
fn a_room_that_was_let_go_is_known_without_being_run() {
    let mut table = Table::new(1 << 20, File::sync_data);
    table.thread.segment_bytes_max = 1000;
    let (mut bay, mut cove) = (table.room("bay"), table.room("cove"));
    for tick in 1..=20 {
        play(&mut bay, tick..=tick);
        play(&mut cove, tick..=tick);
        table.thread.round(false);
    }
    bay.close();
    table.thread.round(true);
    let folder = |room: &str| table.dir.path().join(room);
    // The first segments of a long room are gone.
    std::fs::remove_file(folder("bay").join("000000.journal")).unwrap();
    for room in ["bay", "cove"] {
        assert_eq!(room_of(&folder(room)).unwrap(), room);
        assert_eq!(close_if_let_go(&folder(room)).unwrap(), room == "bay");
    }
    assert!(folder("bay.closed").is_dir() && folder("cove").is_dir());
}

#[test]
fn a_room_whose_records_are_late_says_so_once_and_when_they_are_not() {
    let held = Arc::default();
    let mut table = Table::new(1 << 20, slow_disk(&held));
    let mut bay = table.room("bay");
    let waits = hold(&held);
    // It goes on at a late tick: nothing of the ticks before is late.
    play(&mut bay, 5000..=5000);
    table.thread.write();
    let log = logged(|| play(&mut bay, 5001..=5300));
    assert_eq!(log, "");
    let log = logged(|| play(&mut bay, 5301..=5500));
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(log.contains("room=\"bay\"") && log.contains("late_ticks=301"), "{log}");
    table.thread.write();
    drop(waits);
    table.thread.sync = None;
    let log = logged(|| play(&mut bay, 5501..=5502));
    assert_eq!(log.matches("INFO").count(), 1, "{log}");
}
