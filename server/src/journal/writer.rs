//! The thread that writes the journals of all rooms. Nobody waits for it: records go through a queue with a bound, and a
//! room whose records find no place there is not saved any more.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_queue::ArrayQueue;

use super::restore::is_closed;
use super::segment::SegmentWriter;
use crate::config::ServerConfig;
use crate::room::{JournalEntry, JournalHead};

/// The journals of a server's rooms.
#[derive(Debug)]
pub(crate) struct Journals {
    queue: Arc<RecordQueue>,
    thread: JoinHandle<()>,
    dir: PathBuf,
    lanes_ticks: u32,
    /// Journals begun so far.
    begun: AtomicUsize,
}

/// One room's end of its journal.
#[derive(Debug)]
pub(crate) struct RoomJournal {
    queue: Arc<RecordQueue>,
    log: Arc<RoomLog>,
    lanes_ticks: u32,
}

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
    entry: Vec<u8>,
}

/// One journal, shared by its room and the thread.
#[derive(Debug)]
struct RoomLog {
    dir: PathBuf,
    head: JournalHead,
    /// The number of the first segment that this process writes.
    segment: u32,
    state: AtomicU8,
}

/// It is written.
const KEPT: u8 = 0;
/// There was no place for a record.
const BEHIND: u8 = 1;
/// A file could not be written.
const FAILED: u8 = 2;
/// The room was let go.
const CLOSED: u8 = 3;
/// The room ended otherwise, or its server.
const ENDED: u8 = 4;

impl Journals {
    /// Starts the thread, if the settings ask for journals.
    ///
    /// # Errors
    /// If the folder cannot be made, or the system gives no thread.
    pub(crate) fn start(config: &ServerConfig) -> io::Result<Option<Self>> {
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
            sync: config.journal_sync,
            segment_bytes_max: config.journal_segment_bytes as u64,
            _lock: lock,
        };
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let thread = thread.spawn(move || writer.run())?;
        let lanes_ticks = config.journal_lanes_ticks;
        Ok(Some(Journals { queue, thread, dir, lanes_ticks, begun: AtomicUsize::new(0) }))
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
        let log = Arc::new(RoomLog { dir, head, segment, state: AtomicU8::new(KEPT) });
        RoomJournal { queue: Arc::clone(&self.queue), log, lanes_ticks: self.lanes_ticks }
    }

    /// The folders of journals that may go on, in the order of their names.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn folders(&self) -> io::Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.is_dir() && !is_closed(&path) {
                folders.push(path);
            }
        }
        folders.sort();
        Ok(folders)
    }

    /// Asks the thread to end once it has written what is there.
    pub(crate) fn stop(&self) {
        self.queue.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
    }

    /// True once the thread has ended.
    pub(crate) fn is_written(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for Journals {
    fn drop(&mut self) {
        self.stop();
    }
}

impl RoomJournal {
    /// Ticks between two records with all lanes.
    pub(crate) fn lanes_ticks(&self) -> u32 {
        self.lanes_ticks
    }

    /// Hands a record over. The first one that finds no place ends the journal.
    pub(crate) fn append(&self, entry: Vec<u8>) {
        if self.failure().is_none() && !self.queue.push(&self.log, entry) {
            self.log.end(BEHIND);
        }
    }

    /// The reason why it is no longer written; `None` while it is.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        match self.log.state.load(Ordering::Acquire) {
            BEHIND => Some("the disk does not follow"),
            FAILED => Some("the disk fails or is full"),
            _ => None,
        }
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.log.dir
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

impl RoomLog {
    fn end(&self, state: u8) {
        // The first end stands.
        let _ = self.state.compare_exchange(KEPT, state, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl RecordQueue {
    fn push(&self, log: &Arc<RoomLog>, entry: Vec<u8>) -> bool {
        let bytes = entry.len();
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.bytes_max
            && self.records.push(QueuedRecord { log: Arc::clone(log), entry }).is_ok()
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

/// Locks the folder for this process. The system unlocks it when the process ends, however it does.
fn lock(dir: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
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
    open: HashMap<usize, (Arc<RoomLog>, SegmentWriter)>,
    pause: Duration,
    sync: bool,
    segment_bytes_max: u64,
    /// Of the folder: no other server writes there, or restores these rooms.
    _lock: File,
}

impl JournalThread {
    fn run(mut self) {
        loop {
            // Every record from before the stop is in the queue by now.
            let is_last = self.queue.stop.load(Ordering::Acquire);
            self.write();
            if is_last {
                return;
            }
            std::thread::park_timeout(self.pause);
        }
    }

    /// Writes what waits.
    fn write(&mut self) {
        // Their last records are in the queue.
        let state = |log: &RoomLog| log.state.load(Ordering::Acquire);
        let ended: Vec<(usize, u8)> = self
            .open
            .iter()
            .map(|(key, (log, _))| (*key, state(log)))
            .filter(|(_, state)| *state != KEPT)
            .collect();
        while let Some(QueuedRecord { log, entry }) = self.queue.pop() {
            if state(&log) == FAILED {
                continue;
            }
            let key = Arc::as_ptr(&log).addr();
            let (_, writer) = self.open.entry(key).or_insert_with(|| {
                let (dir, head) = (log.dir.clone(), log.head.clone());
                let writer = SegmentWriter::go_on(dir, head, log.segment, self.segment_bytes_max);
                (log, writer)
            });
            writer.append_bytes(&entry);
        }
        for (key, state) in &ended {
            if let (CLOSED, Some((_, writer))) = (*state, self.open.get_mut(key)) {
                writer.append(&JournalEntry::Closed);
            }
        }
        self.open.retain(|key, (log, writer)| {
            let flushed = writer.flush(self.sync);
            if let Err(error) = &flushed {
                let room = log.head.room.as_str();
                tracing::error!(
                    room,
                    "the journal in {} cannot be written: {error}",
                    log.dir.display()
                );
                log.state.store(FAILED, Ordering::Release);
            }
            flushed.is_ok() && !ended.iter().any(|(ended, _)| ended == key)
        });
    }
}
