//! The thread that owns the database: requests in, one transaction for all that came within a moment, events out.

mod answer;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Requests, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::database::{Batch, ChatPage, DamagedRecords, Database, FoundPage, Retention, Written};
use super::error::{guarded, panic_text};
use super::fences::ProfileFences;
use super::record::StoredProfile;
use super::scores::{ScorePage, ScoreQuery};
use super::state::{StoreHealth, StoreState};
use super::unreadable::UnreadableRooms;
use super::{LoadProfile, PageRequest, StoreError, StoreEvent, StoreRequest};
use crate::room::JoinProfile;
use answer::Found;

/// Results that wait for the network; with as many the thread waits.
const EVENTS_MAX: usize = 1024;
/// Most requests of a transaction.
const BATCH_MAX: usize = 256;
/// Interval of checks for a stop.
const STOP_LOOK: Duration = Duration::from_millis(50);
/// Pause before a database that failed is opened again; it doubles with each failure.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause. Once the store has worked for as long, the next pause is the shortest again.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(32);

/// Settings of the thread.
#[derive(Debug)]
pub(super) struct ThreadSettings {
    /// The store's directory.
    pub(super) dir: PathBuf,
    /// Memory for parts of the file.
    pub(super) cache_bytes: usize,
    pub(super) retention: Retention,
    /// For how long requests gather.
    pub(super) commit_time: Duration,
    pub(super) fences: ProfileFences,
}

/// The thread's work and the queue that it is given.
pub(crate) struct StoreByHand {
    thread: StoreThread,
    requests: Requests<StoreRequest>,
}

impl StoreByHand {
    /// The receiver gets the results.
    pub(super) fn new(
        settings: ThreadSettings,
        database: Database,
        requests: Requests<StoreRequest>,
        state: &Arc<StoreState>,
    ) -> (Self, Receiver<StoreEvent>) {
        let (events, results) = channel(EVENTS_MAX);
        let thread = StoreThread::new(settings, database, events, Arc::clone(state));
        (StoreByHand { thread, requests }, results)
    }

    /// Starts the thread.
    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        let StoreByHand { thread: work, requests } = self;
        std::thread::Builder::new().name("store".to_owned()).spawn(move || work.run(&requests))
    }

    /// Serves requests that wait, as many as there are results that fit the receiver's queue, in the caller's thread. Returns
    /// false if none waited. Results must be taken before the next call: nobody else makes place for them.
    pub(crate) fn commit(&mut self) -> bool {
        for request in self.requests.try_iter().take(BATCH_MAX) {
            self.thread.take(request);
        }
        if self.thread.taken.is_empty() {
            return false;
        }
        self.thread.recover();
        self.thread.serve();
        true
    }
}

/// The thread's own.
struct StoreThread {
    settings: ThreadSettings,
    /// `None` since it failed.
    database: Option<Database>,
    /// It failed, and no message is on disk since.
    is_failing: bool,
    unreadable: UnreadableRooms,
    damaged: DamagedRecords,
    /// The last failure, or the beginning.
    failed_at: Instant,
    retry_at: Instant,
    retry_pause: Duration,
    /// Requests that are taken from the queue and not answered yet.
    taken: VecDeque<StoreRequest>,
    events: Sender<StoreEvent>,
    state: Arc<StoreState>,
}

impl StoreThread {
    fn new(
        settings: ThreadSettings,
        database: Database,
        events: Sender<StoreEvent>,
        state: Arc<StoreState>,
    ) -> Self {
        let now = Instant::now();
        state.set_disk_bytes(database.disk_bytes());
        StoreThread {
            settings,
            database: Some(database),
            is_failing: false,
            unreadable: UnreadableRooms::default(),
            damaged: DamagedRecords::new(),
            failed_at: now,
            retry_at: now,
            retry_pause: RETRY_PAUSE,
            taken: VecDeque::new(),
            events,
            state,
        }
    }

    /// Runs until the stop, and then until the queue is empty. After a panic every request is still answered: none is kept.
    fn run(mut self, requests: &Requests<StoreRequest>) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.serve_all(requests))) else {
            return;
        };
        let text = panic_text(&*panic);
        tracing::error!(
            "the store's thread panicked, and chat is not saved until the server is started again: {text}"
        );
        self.state.set_health(StoreHealth::Dead);
        if !self.is_failing {
            self.send(StoreEvent::Failing);
        }
        self.close_database();
        loop {
            while let Some(request) = self.taken.pop_front() {
                self.answer(request, None);
            }
            if !self.take_next(requests) {
                return;
            }
        }
    }

    fn serve_all(&mut self, requests: &Requests<StoreRequest>) {
        while self.take_next(requests) {
            self.recover();
            if !self.taken.is_empty() {
                self.gather(requests);
                self.serve();
            }
        }
    }

    /// Waits for a request, for a moment. Returns false at the end: after the stop, with an empty queue.
    fn take_next(&mut self, requests: &Requests<StoreRequest>) -> bool {
        // Every request from before the stop is in the queue by now.
        let is_last = self.state.is_stopping();
        let wait = if is_last { Duration::ZERO } else { STOP_LOOK };
        match requests.recv_timeout(wait) {
            Ok(request) => self.take(request),
            Err(RecvTimeoutError::Timeout) => return !is_last,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        true
    }

    /// Waits for more requests, for a moment.
    fn gather(&mut self, requests: &Requests<StoreRequest>) {
        let end = Instant::now() + self.settings.commit_time;
        while self.taken.len() < BATCH_MAX {
            let is_last = self.state.is_stopping();
            let left = if is_last { Duration::ZERO } else { end - Instant::now().min(end) };
            match requests.recv_timeout(left) {
                Ok(request) => self.take(request),
                Err(_) => break,
            }
        }
    }

    fn take(&mut self, request: StoreRequest) {
        let bytes = request.bytes();
        self.state.queued.give_back(bytes);
        if let Some(part) = self.state.part_of(&request) {
            part.give_back(bytes);
        }
        self.taken.push_back(request);
    }

    /// Serves all that was taken: messages, saves and scores first, in one transaction, then pages, joins and looks at boards.
    fn serve(&mut self) {
        // The newest messages of this batch, by room.
        let mut newest: HashMap<String, u64> = HashMap::new();
        let mut batch = Batch { time_ms: wall_ms(), ..Batch::default() };
        for request in &mut self.taken {
            match request {
                StoreRequest::Keep(message) => {
                    newest.insert(message.room.clone(), message.message.id);
                    batch.messages.push(message.clone());
                }
                StoreRequest::Topic(write) => batch.topics.push(write.change.clone()),
                StoreRequest::Save(save) => batch.saves.push((**save).clone()),
                StoreRequest::Score(save) => batch.scores.push((**save).clone()),
                StoreRequest::Sanction(set) => batch.sanctions.push(set.change.clone()),
                StoreRequest::Webhook(request) => batch.webhooks.push(request.record.clone()),
                StoreRequest::Load(_) | StoreRequest::FindScores(_) => {}
                StoreRequest::Page(page) => {
                    let stored = self.database.as_ref().map_or(0, |all| all.last_id(&page.room));
                    let last = newest.get(&page.room).copied().unwrap_or(stored);
                    page.before.get_or_insert(last.saturating_add(1));
                }
            }
        }
        let written = if batch.is_empty() { None } else { self.write(&batch) };
        let is_saved = written.is_some();
        let (writes, reads): (VecDeque<_>, VecDeque<_>) =
            self.taken.drain(..).partition(StoreRequest::is_write);
        self.taken = reads;
        let Written { saves, scores, sanctions } = written.unwrap_or_default();
        let (mut saves, mut scores) = (saves.into_iter(), scores.into_iter());
        let mut sanctions = sanctions.into_iter();
        for request in writes {
            let found = match request {
                StoreRequest::Save(_) => saves.next().map(Found::Outcome),
                StoreRequest::Score(_) => scores.next().map(Found::Outcome),
                StoreRequest::Sanction(_) => sanctions.next().map(Found::Sanction),
                _ => Some(Found::Saved).filter(|_| is_saved),
            };
            self.answer(request, found);
        }
        if is_saved {
            self.saved();
        }
        self.read();
        if let Some(database) = &self.database {
            self.state.set_disk_bytes(database.disk_bytes());
        }
    }

    /// Serves the pages, joins and looks at boards that were taken. Each stays among them until it is found, to be answered after
    /// a panic too.
    fn read(&mut self) {
        while !self.taken.is_empty() {
            // One that cannot be read is no reason to refuse those after it.
            self.recover();
            let found = match self.taken.front() {
                Some(StoreRequest::Page(wanted)) => {
                    let wanted = wanted.clone();
                    self.look_up(&wanted).map(Found::Page)
                }
                Some(StoreRequest::Load(LoadProfile { game, account, .. })) => {
                    let (game, account) = (*game, account.clone());
                    self.load(game, &account).map(Found::Profile)
                }
                Some(StoreRequest::FindScores(wanted)) => {
                    let (game, query) = (wanted.game, wanted.query.clone());
                    self.find_scores(game, &query).map(Found::Scores)
                }
                Some(_) | None => return,
            };
            if let Some(request) = self.taken.pop_front() {
                self.answer(request, found);
            }
        }
    }

    /// Returns what became of all once it is on disk; `None` if nothing is.
    fn write(&mut self, batch: &Batch) -> Option<Written> {
        let ThreadSettings { retention, fences, .. } = &self.settings;
        let database = self.database.as_mut()?;
        let path = database.path().to_owned();
        match guarded(&path, || database.write(batch, *retention, fences)) {
            Ok(written) => Some(written),
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    /// The profile with which an account joins, whose stays of before are stale from now on; `None` if it cannot be read.
    fn load(&mut self, game: &'static str, account: &str) -> Option<JoinProfile> {
        let database = self.database.as_ref()?;
        let path = database.path().to_owned();
        match guarded(&path, || database.profile(game, account)) {
            Ok(stored) => {
                let last = stored.as_ref().map_or(0, |stored| stored.fence);
                let fence = self.settings.fences.begin(account, last);
                Some(JoinProfile { fence, saved: stored.map(StoredProfile::profile) })
            }
            Err(error) => {
                tracing::error!("a profile cannot be read: {error}; `store check` tells more");
                match error {
                    // The others can.
                    StoreError::Damaged { .. } => self.state.count_damaged(1),
                    _ => {
                        self.close_database();
                        self.retry_at = Instant::now();
                    }
                }
                None
            }
        }
    }

    /// A part of a board; `None` if it cannot be read.
    fn find_scores(&mut self, game: &str, query: &ScoreQuery) -> Option<ScorePage> {
        let database = self.database.as_ref()?;
        let path = database.path().to_owned();
        let at = (wall_ms(), self.settings.retention.scores.periods);
        match guarded(&path, || database.scores(game, query, at)) {
            Ok(page) => Some(page),
            Err(error) => {
                tracing::error!("a score board cannot be read: {error}; `store check` tells more");
                self.close_database();
                self.retry_at = Instant::now();
                None
            }
        }
    }

    /// Finds a page; `None` if it cannot be read.
    fn look_up(&mut self, wanted: &PageRequest) -> Option<ChatPage> {
        let before = wanted.before.unwrap_or(u64::MAX);
        let (room, count) = (wanted.room.as_str(), wanted.count);
        let may_try = self.unreadable.may_try(room, Instant::now());
        let database = self.database.as_ref().filter(|_| may_try)?;
        let (path, known) = (database.path().to_owned(), &mut self.damaged);
        match guarded(&path, || database.page(room, (before, count), known)) {
            Ok(FoundPage { page, newly_damaged }) => {
                self.unreadable.forget(room);
                self.state.count_damaged(newly_damaged);
                Some(page)
            }
            Err(error) => {
                if self.unreadable.note(room, Instant::now()) {
                    tracing::error!(
                        room,
                        "history cannot be read: {error}; `store check` tells more"
                    );
                }
                // Messages may be kept all the same: that shows with the next one, once the database is opened again.
                self.close_database();
                self.retry_at = Instant::now();
                None
            }
        }
    }

    /// The store fails. That is told once, until a message is on disk again.
    fn fail(&mut self, error: &StoreError) {
        self.close_database();
        self.retry_later();
        if self.is_failing {
            return tracing::debug!("the store fails again: {error}");
        }
        tracing::error!("the store fails, and chat is not saved until it recovers: {error}");
        self.is_failing = true;
        self.state.set_health(StoreHealth::Failing);
        self.send(StoreEvent::Failing);
    }

    /// Messages are on disk.
    fn saved(&mut self) {
        if self.failed_at.elapsed() >= RETRY_PAUSE_MAX {
            self.retry_pause = RETRY_PAUSE;
        }
        if self.is_failing {
            tracing::info!("the store works again, and chat is saved");
            self.is_failing = false;
            self.state.set_health(StoreHealth::Saving);
            self.send(StoreEvent::Recovered);
        }
    }

    /// Opens a database again that failed, from time to time. Whether it works shows with the next message.
    fn recover(&mut self) {
        if self.database.is_some() || Instant::now() < self.retry_at {
            return;
        }
        match Database::create(&self.settings.dir, self.settings.cache_bytes) {
            Ok(database) => self.database = Some(database),
            Err(error) => self.fail(&error),
        }
    }

    fn retry_later(&mut self) {
        self.failed_at = Instant::now();
        self.retry_at = self.failed_at + self.retry_pause;
        self.retry_pause = (2 * self.retry_pause).min(RETRY_PAUSE_MAX);
    }

    /// Lets go of a database that failed. After a panic its own end may panic too.
    fn close_database(&mut self) {
        let database = self.database.take();
        let _ = catch_unwind(AssertUnwindSafe(move || drop(database)));
    }

    /// Hands an event over, and waits for a place for it. Without a receiver the server has ended, and nobody asks any more.
    fn send(&self, event: StoreEvent) {
        if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
            let _ = self.events.blocking_send(event);
        }
    }
}

/// The time in milliseconds since 1970.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
