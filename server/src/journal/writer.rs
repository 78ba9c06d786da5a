//! The thread that writes the journals of all rooms. Nobody waits for it: records go through a queue with a bound, and a
//! room whose records find no place there is not saved any more.

mod handing_over;

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_queue::ArrayQueue;
use tickwire_shared::{Simulation, Tick};

use super::disk_sync::DiskSync;
use super::follower::{Follower, FollowerShared, FollowerStats};
use super::restore::folders;
use super::room_log::{BEHIND, CLOSED, ENDED, FAILED, KEPT, RoomLog};
use super::segment::SegmentWriter;
use crate::config::ServerConfig;
use crate::room::{JournalEntry, JournalHead};

/// The journals of a server's rooms.
#[derive(Debug)]
pub(crate) struct Journals {
    queue: Arc<RecordQueue>,
    /// `None` if the caller writes by hand.
    thread: Option<JoinHandle<()>>,
    follower: Arc<FollowerShared>,
    follower_thread: Option<JoinHandle<()>>,
    dir: PathBuf,
    lanes_ticks: u32,
    tick_hz: u32,
    /// Journals begun so far.
    begun: AtomicUsize,
    /// Those that may still be kept.
    logs: Mutex<Vec<Weak<RoomLog>>>,
}

/// One room's end of its journal.
#[derive(Debug)]
pub(crate) struct RoomJournal {
    queue: Arc<RecordQueue>,
    log: Arc<RoomLog>,
    tick_hz: u32,
    /// The first tick that was handed over.
    begun: Option<Tick>,
    /// What is kept is too many ticks behind, and it was said.
    is_late: bool,
}

/// Seconds of ticks that a journal may be late before it is said.
const LATE_S: u32 = 5;

/// The queue between the rooms and the thread.
#[derive(Debug)]
struct RecordQueue {
    records: ArrayQueue<QueuedRecord>,
    /// Of the records in the queue, and of those about to be.
    bytes: AtomicUsize,
    bytes_max: usize,
    stop: AtomicBool,
}

#[derive(Debug)]
struct QueuedRecord {
    log: Arc<RoomLog>,
    tick: Tick,
    entry: Vec<u8>,
}

impl Journals {
    /// Starts the thread that writes and the one that follows, if the settings ask for journals.
    ///
    /// # Errors
    /// If the folder cannot be made, or the system gives no thread.
    pub(crate) fn start<S: Simulation>(config: &ServerConfig) -> io::Result<Option<Self>> {
        let Some((mut journals, by_hand)) = Journals::by_hand::<S>(config)? else {
            return Ok(None);
        };
        let JournalsByHand { mut writer, follower } = by_hand;
        writer.sync = config.journal_sync.then(|| DiskSync::start(File::sync_data)).transpose()?;
        let thread = std::thread::Builder::new().name("journal".to_owned());
        journals.thread = Some(thread.spawn(move || writer.run())?);
        let thread = std::thread::Builder::new().name("journal-follower".to_owned());
        journals.follower_thread = Some(thread.spawn(move || follower.run())?);
        Ok(Some(journals))
    }

    /// The same without threads: the caller does their work, and nobody waits for the disk.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub(crate) fn by_hand<S: Simulation>(
        config: &ServerConfig,
    ) -> io::Result<Option<(Self, JournalsByHand<S>)>> {
        let Some(dir) = config.journal.clone() else { return Ok(None) };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let lock = lock(&dir)?;
        let queue = Arc::new(RecordQueue {
            records: ArrayQueue::new(config.journal_queued_max),
            bytes: AtomicUsize::new(0),
            bytes_max: config.journal_queued_bytes,
            stop: AtomicBool::new(false),
        });
        let writer = JournalThread {
            queue: Arc::clone(&queue),
            open: HashMap::new(),
            pause: Duration::from_millis(u64::from(config.journal_flush_ms)),
            sync: None,
            segment_bytes_max: config.journal_segment_bytes as u64,
            _lock: lock,
        };
        let follower = Arc::<FollowerShared>::default();
        let by_hand = Follower::<S>::new(Arc::clone(&follower), &dir, config);
        let by_hand = JournalsByHand { writer, follower: by_hand };
        let journals = Journals {
            queue,
            thread: None,
            follower,
            follower_thread: None,
            dir,
            lanes_ticks: config.journal_lanes_ticks,
            tick_hz: S::TICK_HZ,
            begun: AtomicUsize::new(0),
            logs: Mutex::default(),
        };
        Ok(Some((journals, by_hand)))
    }

    /// The journal of a room that is about to be made. Its folder is made with its first record.
    pub(crate) fn of_room(&self, head: JournalHead) -> RoomJournal {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let dir = self.dir.join(format!("{}-{}-{number}", head.room, since.as_millis()));
        self.go_on(dir, head, 0)
    }

    /// The journal in `dir`, which goes on with the segment of this number.
    pub(crate) fn go_on(&self, dir: PathBuf, head: JournalHead, segment: u32) -> RoomJournal {
        let log = Arc::new(RoomLog::new(dir, head, segment, self.lanes_ticks));
        self.follower.begin(&log);
        self.note(&log);
        RoomJournal::new(Arc::clone(&self.queue), log, self.tick_hz)
    }

    /// The folders of journals that may go on; the one that was written last comes first.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn folders(&self) -> io::Result<Vec<PathBuf>> {
        folders(&self.dir)
    }

    /// All folders that go on were given to [`Journals::go_on`]: the others have ended, and are kept for so long as those.
    pub(crate) fn all_restored(&self) {
        self.follower.all_restored();
    }

    /// Asks the thread to end once it has written what is there.
    pub(crate) fn stop_writing(&self) {
        self.queue.stop.store(true, Ordering::Release);
        self.thread.iter().for_each(|handle| handle.thread().unpark());
    }

    /// The same, and asks the follower to end at once: what it has not come to is in the files.
    pub(crate) fn stop(&self) {
        self.stop_writing();
        self.follower.stop();
        self.follower_thread.iter().for_each(|handle| handle.thread().unpark());
    }

    /// The state of the follower.
    pub(crate) fn follower_stats(&self) -> FollowerStats {
        self.follower.stats()
    }

    /// True once the thread has ended.
    pub(crate) fn is_written(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

/// The work of the threads of journals.
pub(crate) struct JournalsByHand<S: Simulation> {
    writer: JournalThread,
    follower: Follower<S>,
}

impl<S: Simulation> JournalsByHand<S> {
    /// Writes what waits.
    pub(crate) fn flush(&mut self) {
        self.writer.write();
    }

    /// Follows what is written.
    pub(crate) fn follow(&mut self) {
        while self.follower.round() {}
    }

    /// Loses the record that waits longest, as a faulty writer would.
    pub(crate) fn lose_record(&mut self) -> bool {
        self.writer.queue.pop().is_some()
    }
}

impl Drop for Journals {
    fn drop(&mut self) {
        self.stop();
    }
}

impl RoomJournal {
    fn new(queue: Arc<RecordQueue>, log: Arc<RoomLog>, tick_hz: u32) -> Self {
        RoomJournal { queue, log, tick_hz, begun: None, is_late: false }
    }

    /// Ticks between two records with all lanes.
    pub(crate) fn lanes_ticks(&self) -> u32 {
        self.log.lanes_ticks()
    }

    /// Hands the record of `tick` over. The first one that finds no place ends the journal.
    pub(crate) fn append(&mut self, tick: Tick, entry: Vec<u8>) {
        if self.failure().is_none() && !self.queue.push(&self.log, tick, entry) {
            self.log.end(BEHIND);
        }
        self.say_if_late(tick);
    }

    fn say_if_late(&mut self, tick: Tick) {
        let begun = *self.begun.get_or_insert(tick);
        let kept = Some(self.log.written_tick()).filter(|kept| *kept != Tick(0)).unwrap_or(begun);
        let (room, late_ticks) = (self.log.room(), tick.since(kept).max(0).unsigned_abs());
        let most = LATE_S * self.tick_hz;
        if late_ticks > most && !self.is_late {
            self.is_late = true;
            tracing::warn!(
                room,
                late_ticks,
                "the journal is late, as the disk does not follow: that much is lost if the machine fails now"
            );
        } else if late_ticks < most / 2 && self.is_late {
            self.is_late = false;
            tracing::info!(room, late_ticks, "the journal is in time again");
        }
    }

    /// The reason why it is no longer written; `None` while it is.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        match self.log.state() {
            BEHIND => Some("the disk does not follow"),
            FAILED => Some("the disk fails or is full"),
            _ => None,
        }
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        self.log.dir()
    }

    /// The room is let go.
    pub(crate) fn close(self) {
        self.log.end(CLOSED);
    }
}

impl Drop for RoomJournal {
    fn drop(&mut self) {
        self.log.end(ENDED);
    }
}

impl RecordQueue {
    fn push(&self, log: &Arc<RoomLog>, tick: Tick, entry: Vec<u8>) -> bool {
        let bytes = entry.len();
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.bytes_max
            && self.records.push(QueuedRecord { log: Arc::clone(log), tick, entry }).is_ok()
        {
            return true;
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        false
    }

    fn pop(&self) -> Option<QueuedRecord> {
        let record = self.records.pop()?;
        self.bytes.fetch_sub(record.entry.len(), Ordering::Relaxed);
        Some(record)
    }
}

/// Locks the folder for this process, whose number is in the file then: to be asked for a handover. The system unlocks it when
/// the process ends, however it does.
fn lock(dir: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            writeln!(&file, "{}", std::process::id())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::other("another server keeps its journals there"))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The thread's own.
struct JournalThread {
    queue: Arc<RecordQueue>,
    /// By the address of its log, which it holds.
    open: HashMap<usize, OpenLog>,
    pause: Duration,
    /// `None` where nobody waits for the disk.
    sync: Option<DiskSync>,
    segment_bytes_max: u64,
    /// Of the folder: no other server writes there, or restores these rooms.
    _lock: File,
}

/// A journal with records.
struct OpenLog {
    log: Arc<RoomLog>,
    writer: SegmentWriter,
    /// Of the last record that the writer has.
    tick: Tick,
}

impl JournalThread {
    fn run(mut self) {
        loop {
            // Every record from before the stop is in the queue by now.
            let is_last = self.queue.stop.load(Ordering::Acquire);
            let began = Instant::now();
            self.round(is_last);
            if is_last {
                return;
            }
            // From beginning to beginning: the time of the writing comes out of the pause.
            std::thread::park_timeout(self.pause.saturating_sub(began.elapsed()));
        }
    }

    fn round(&mut self, is_last: bool) {
        if is_last || !self.disk_is_behind() {
            self.write();
        }
        if is_last {
            // Rooms whose first records were in that round may have been let go before it.
            self.write();
        }
    }

    /// True while the disk has yet to take as many bytes as may wait for it: further records wait in the queue.
    fn disk_is_behind(&self) -> bool {
        self.sync.as_ref().is_some_and(|sync| sync.bytes() > self.queue.bytes_max)
    }

    /// Writes what waits.
    fn write(&mut self) {
        // Their last records are in the queue.
        let ended: Vec<(usize, u8)> = self
            .open
            .iter()
            .map(|(key, open)| (*key, open.log.state()))
            .filter(|(_, state)| *state != KEPT)
            .collect();
        while let Some(QueuedRecord { log, tick, entry }) = self.queue.pop() {
            if log.state() == FAILED {
                continue;
            }
            let key = Arc::as_ptr(&log).addr();
            let open = self.open.entry(key).or_insert_with(|| {
                let (dir, head) = (log.dir().to_owned(), log.head().clone());
                let writer = SegmentWriter::go_on(dir, head, log.segment(), self.segment_bytes_max);
                OpenLog { log, writer, tick }
            });
            open.writer.append_bytes(&entry);
            open.tick = tick;
        }
        for (key, state) in &ended {
            if let (CLOSED, Some(open)) = (*state, self.open.get_mut(key)) {
                open.writer.append(&JournalEntry::Closed);
            }
        }
        self.open.retain(|key, open| {
            if let Err(error) = open.write(self.sync.as_ref()) {
                open.log.fail(&error);
                return false;
            }
            !ended.iter().any(|(ended, _)| ended == key)
        });
        self.sync.as_ref().inspect(|sync| sync.wake());
    }
}

impl OpenLog {
    /// Hands its records to the system and, with `sync`, to the thread that waits for the disk.
    fn write(&mut self, sync: Option<&DiskSync>) -> io::Result<()> {
        let Some(sync) = sync else {
            self.writer.flush(false)?;
            self.log.written(self.tick);
            return Ok(());
        };
        self.writer.end_full(|file| sync.wait_for(file))?;
        // The files of a sync that failed are let go as well; by then its log has failed, and no segment follows.
        if self.log.state() == FAILED {
            return Ok(());
        }
        let bytes = self.writer.write()?;
        if bytes > 0 {
            sync.add(&self.log, self.tick, (self.writer.take_unsynced(), bytes));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
