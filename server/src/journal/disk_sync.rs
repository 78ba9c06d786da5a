//! The thread that waits for the disk, so that the one that writes does not: a record survives the process once it is
//! written, however long the disk takes to keep it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tickwire_shared::Tick;

use super::room_log::{FAILED, RoomLog};

/// Waits until the disk has a file.
type SyncFile = dyn Fn(&File) -> io::Result<()> + Send + Sync;

/// The thread, and the files that wait for it. Dropping it waits until the disk has them all.
pub(super) struct DiskSync {
    shared: Arc<SyncShared>,
    sync: Arc<SyncFile>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct SyncShared {
    /// By the address of its log, which it holds.
    waiting: Mutex<HashMap<usize, UnsyncedLog>>,
    /// Bytes that are written and that the disk may not have.
    bytes: AtomicUsize,
    stop: AtomicBool,
}

/// A journal with records that are written and not synced.
#[derive(Debug)]
struct UnsyncedLog {
    log: Arc<RoomLog>,
    /// Of the last record.
    tick: Tick,
    /// In the order in which they are to be synced.
    files: Vec<Arc<File>>,
    bytes: usize,
}

impl DiskSync {
    /// Starts the thread; `sync` waits until the disk has a file.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(super) fn start(
        sync: impl Fn(&File) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (shared, sync): (_, Arc<SyncFile>) = (Arc::<SyncShared>::default(), Arc::new(sync));
        let (own, own_sync) = (Arc::clone(&shared), Arc::clone(&sync));
        let thread = std::thread::Builder::new().name("journal-sync".to_owned());
        let thread = thread.spawn(move || own.run(&*own_sync))?;
        Ok(DiskSync { shared, sync, thread: Some(thread) })
    }

    /// Waits until the disk has `file`, in the caller's thread.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn wait_for(&self, file: &File) -> io::Result<()> {
        (self.sync)(file)
    }

    /// Bytes that are written and that the disk may not have.
    pub(super) fn bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::Acquire)
    }

    /// True if there is anything that the thread has not taken up.
    #[cfg(test)]
    pub(super) fn has_waiting(&self) -> bool {
        !self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Has `files` synced, of which `bytes` are new; `log` is told once the disk has all records to `tick`. Then, or once the
    /// log has failed, they are let go.
    pub(super) fn add(
        &self,
        log: &Arc<RoomLog>,
        tick: Tick,
        (files, bytes): (Vec<Arc<File>>, usize),
    ) {
        self.shared.bytes.fetch_add(bytes, Ordering::AcqRel);
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let unsynced = waiting.entry(Arc::as_ptr(log).addr()).or_insert_with(|| UnsyncedLog {
            log: Arc::clone(log),
            tick,
            files: Vec::new(),
            bytes: 0,
        });
        unsynced.tick = tick;
        unsynced.bytes += bytes;
        for file in files {
            // The disk takes once what was written in several rounds.
            if !unsynced.files.iter().any(|other| Arc::ptr_eq(other, &file)) {
                unsynced.files.push(file);
            }
        }
    }

    /// Wakes the thread.
    pub(super) fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for DiskSync {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl SyncShared {
    fn run(&self, sync: &SyncFile) {
        loop {
            // All that was added before the stop is there by now.
            let is_last = self.stop.load(Ordering::Acquire);
            let waiting =
                std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            let is_idle = waiting.is_empty();
            for UnsyncedLog { log, tick, files, bytes } in waiting.into_values() {
                match files.iter().try_for_each(|file| sync(file)) {
                    // The system tells of pages that it lost once: later syncs of the file succeed without them.
                    Ok(()) if log.state() == FAILED => {}
                    Ok(()) => log.written(tick),
                    Err(error) => log.fail(&error),
                }
                drop(files);
                self.bytes.fetch_sub(bytes, Ordering::AcqRel);
            }
            match (is_last, is_idle) {
                (true, _) => return,
                (false, true) => std::thread::park(),
                (false, false) => {}
            }
        }
    }
}
