//! The thread that owns the database: requests in, one transaction for all that came within a moment, events out.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver as Requests, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::database::{Database, Retention};
use super::{NewMessage, PageRequest, StoreError, StoreEvent, StoreRequest, StoreState};

/// Results that wait for the network; with as many the thread waits.
const EVENTS_MAX: usize = 1024;
/// Most requests of a transaction.
const BATCH_MAX: usize = 256;
/// Interval of checks for a stop.
const STOP_LOOK: Duration = Duration::from_millis(50);
/// Pause before a database that failed is opened again; it doubles with each failure in a row.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(32);

/// The thread's work, with what it is given and where the results go.
pub(crate) struct StoreByHand {
    thread: StoreThread,
    requests: Requests<StoreRequest>,
    state: Arc<StoreState>,
    events: Sender<StoreEvent>,
}

impl StoreByHand {
    /// The receiver gets the results.
    pub(super) fn new(
        thread: StoreThread,
        requests: Requests<StoreRequest>,
        state: Arc<StoreState>,
    ) -> (Self, Receiver<StoreEvent>) {
        let (events, results) = channel(EVENTS_MAX);
        (StoreByHand { thread, requests, state, events }, results)
    }

    /// Starts the thread.
    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        let StoreByHand { thread: work, requests, state, events } = self;
        let thread = std::thread::Builder::new().name("store".to_owned());
        thread.spawn(move || work.run(&requests, &state, &events))
    }

    /// Serves what waits, in the caller's thread.
    pub(crate) fn commit(&mut self) {
        loop {
            let batch: Vec<StoreRequest> = self.requests.try_iter().take(BATCH_MAX).collect();
            if batch.is_empty() {
                return;
            }
            self.thread.recover(&self.events);
            self.thread.serve_batch(batch, &self.state, &self.events);
        }
    }
}

/// The thread's own.
pub(super) struct StoreThread {
    dir: PathBuf,
    /// `None` since it failed.
    database: Option<Database>,
    retention: Retention,
    /// For how long requests gather.
    commit_time: Duration,
    retry_at: Instant,
    retry_pause: Duration,
}

impl StoreThread {
    pub(super) fn new(
        dir: PathBuf,
        database: Database,
        retention: Retention,
        commit_time: Duration,
    ) -> Self {
        let (database, retry_at) = (Some(database), Instant::now());
        let retry_pause = RETRY_PAUSE;
        StoreThread { dir, database, retention, commit_time, retry_at, retry_pause }
    }

    /// Runs until the stop, and then until the queue is empty.
    fn run(
        mut self,
        requests: &Requests<StoreRequest>,
        state: &StoreState,
        events: &Sender<StoreEvent>,
    ) {
        loop {
            // Every request from before the stop is in the queue by now.
            let is_last = state.stop.load(Ordering::Acquire);
            let wait = if is_last { Duration::ZERO } else { STOP_LOOK };
            let first = match requests.recv_timeout(wait) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) if !is_last => None,
                Err(_) => return,
            };
            self.recover(events);
            if let Some(first) = first {
                let batch = self.gather(first, requests, state);
                self.serve_batch(batch, state, events);
            }
        }
    }

    /// Waits for more requests, for a moment.
    fn gather(
        &self,
        first: StoreRequest,
        requests: &Requests<StoreRequest>,
        state: &StoreState,
    ) -> Vec<StoreRequest> {
        let end = Instant::now() + self.commit_time;
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX {
            let is_last = state.stop.load(Ordering::Acquire);
            let left = if is_last { Duration::ZERO } else { end - Instant::now().min(end) };
            match requests.recv_timeout(left) {
                Ok(request) => batch.push(request),
                Err(_) => break,
            }
        }
        batch
    }

    fn serve_batch(
        &mut self,
        batch: Vec<StoreRequest>,
        state: &StoreState,
        events: &Sender<StoreEvent>,
    ) {
        let bytes = batch.iter().map(StoreRequest::bytes).sum();
        state.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.serve(batch, events);
    }

    fn serve(&mut self, batch: Vec<StoreRequest>, events: &Sender<StoreEvent>) {
        let mut new: Vec<NewMessage> = Vec::new();
        let mut wanted: Vec<(PageRequest, u64)> = Vec::new();
        // The newest messages of this batch, by room.
        let mut newest: HashMap<String, u64> = HashMap::new();
        for request in batch {
            match request {
                StoreRequest::Keep(message) => {
                    newest.insert(message.room.clone(), message.message.id);
                    new.push(message);
                }
                StoreRequest::Page(page) => {
                    let stored = self.database.as_ref().map_or(0, |all| all.last_id(&page.room));
                    let last = newest.get(&page.room).copied().unwrap_or(stored);
                    let before = page.before.unwrap_or(last.saturating_add(1));
                    wanted.push((page, before));
                }
            }
        }
        if !new.is_empty() {
            let retention = self.retention;
            let kept = self.with_database(events, |database| database.keep(&new, retention));
            let is_saved = kept.is_some();
            if is_saved {
                self.retry_pause = RETRY_PAUSE;
            }
            for NewMessage { message, .. } in new {
                let (sender, request, id) = (message.from, message.request, message.id);
                send(events, StoreEvent::Kept { sender, request, id, is_saved });
            }
        }
        for (page, before) in wanted {
            let (room, count) = (page.room.as_str(), page.count);
            let found = self.with_database(events, |database| database.page(room, before, count));
            send(events, StoreEvent::Page(page, found));
        }
    }

    /// Does something with the database; `None` if it fails, or failed before.
    fn with_database<T>(
        &mut self,
        events: &Sender<StoreEvent>,
        act: impl FnOnce(&mut Database) -> Result<T, StoreError>,
    ) -> Option<T> {
        let error = match act(self.database.as_mut()?) {
            Ok(done) => return Some(done),
            Err(error @ StoreError::Damaged { .. }) => {
                // Other records may be good.
                tracing::error!("{error}: run the command `store check`");
                return None;
            }
            Err(error) => error,
        };
        tracing::error!("the store fails, and chat is not saved until it recovers: {error}");
        send(events, StoreEvent::Failing);
        self.database = None;
        self.retry_later();
        None
    }

    /// Opens a database again that failed, from time to time.
    fn recover(&mut self, events: &Sender<StoreEvent>) {
        if self.database.is_some() || Instant::now() < self.retry_at {
            return;
        }
        match Database::create(&self.dir) {
            Ok(database) => {
                tracing::info!("the store works again, and chat is saved");
                self.database = Some(database);
                send(events, StoreEvent::Recovered);
            }
            Err(error) => {
                tracing::debug!("the store still fails: {error}");
                self.retry_later();
            }
        }
    }

    fn retry_later(&mut self) {
        self.retry_at = Instant::now() + self.retry_pause;
        self.retry_pause = (2 * self.retry_pause).min(RETRY_PAUSE_MAX);
    }
}

/// Hands an event over, and waits for a place for it. Without a receiver the server has ended, and nobody asks any more.
fn send(events: &Sender<StoreEvent>, event: StoreEvent) {
    if let Err(TrySendError::Full(event)) = events.try_send(event) {
        let _ = events.blocking_send(event);
    }
}
