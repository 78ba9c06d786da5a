//! The store: chat that outlives its room and its server, in one directory on disk.
//!
//! One thread owns the database, and nobody waits for it: what to keep and what to look up goes into a queue with a bound,
//! and the results come back as events. The thread gathers what comes within a moment into one transaction, so that
//! many messages share one wait for the disk. Only `database` knows the database.
//!
//! A program that serves a game has the command `store`, which checks and copies one.

mod command;
mod database;
mod error;
mod record;
mod thread;

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tickwire_shared::PlayerId;
use tickwire_shared::control::{ChatMessage, RequestId};
use tokio::sync::mpsc;

use crate::config::ServerConfig;
use database::{Database, Retention};
use thread::StoreThread;

pub use error::StoreError;

pub(crate) use command::store_command;
pub(crate) use database::ChatPage;
pub(crate) use thread::StoreByHand;

/// Most messages of a page of history.
pub(crate) const PAGE_MESSAGES_MAX: u16 = 200;

/// The network's end of the store.
#[derive(Debug)]
pub(crate) struct ServerStore {
    queue: SyncSender<StoreRequest>,
    state: Arc<StoreState>,
    queued_bytes_max: usize,
    /// The highest number that any chat message or notice had so far, in any room.
    highest_id: AtomicU64,
    /// `None` if the caller does its work by hand.
    thread: Option<JoinHandle<()>>,
}

/// Shared with the thread.
#[derive(Debug, Default)]
struct StoreState {
    /// Of the requests in the queue, and of those about to be.
    queued_bytes: AtomicUsize,
    stop: AtomicBool,
}

/// A message to a room, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewMessage {
    pub(crate) room: String,
    pub(crate) message: ChatMessage,
}

/// A page of a room's messages that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    pub(crate) player: PlayerId,
    /// `None` for the newest messages at a join.
    pub(crate) request: Option<RequestId>,
    pub(crate) room: String,
    /// Only messages with lower numbers; `None` for all that came before this request.
    pub(crate) before: Option<u64>,
    /// Most messages.
    pub(crate) count: u16,
}

/// A request to the thread.
#[derive(Debug)]
enum StoreRequest {
    Keep(NewMessage),
    Page(PageRequest),
}

/// A result from the thread.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StoreEvent {
    /// A message is on disk, or will never be.
    Kept { sender: PlayerId, request: RequestId, id: u64, is_saved: bool },
    /// A page; `None` while the store cannot be read.
    Page(PageRequest, Option<ChatPage>),
    /// Nothing is kept from now on; the log has the reason.
    Failing,
    /// Messages are kept again.
    Recovered,
}

impl ServerStore {
    /// Opens or makes the store and starts its thread, if the settings ask for one. The receiver gets the results.
    ///
    /// # Errors
    /// [`StoreError`] if the directory or the database cannot be opened and written, or is of another version.
    pub(crate) fn start(
        config: &ServerConfig,
    ) -> Result<Option<(Self, mpsc::Receiver<StoreEvent>)>, StoreError> {
        let (Some(dir), Some(by_hand)) = (&config.store, ServerStore::by_hand(config)?) else {
            return Ok(None);
        };
        let (mut store, work, results) = by_hand;
        let thread = work.start();
        let failed = |error| StoreError::Io { path: dir.clone(), error };
        store.thread = Some(thread.map_err(failed)?);
        Ok(Some((store, results)))
    }

    /// The same without the thread: the caller does its work.
    ///
    /// # Errors
    /// As [`ServerStore::start`].
    pub(crate) fn by_hand(
        config: &ServerConfig,
    ) -> Result<Option<(Self, StoreByHand, mpsc::Receiver<StoreEvent>)>, StoreError> {
        let Some(dir) = &config.store else { return Ok(None) };
        make_dir(dir)?;
        let database = Database::create(dir)?;
        // Each run has numbers of its own, far from those of the run before: its notices are not on disk.
        let highest_id = database.count_run(RUN_SHIFT)? << RUN_SHIFT;
        let state = Arc::new(StoreState::default());
        let (queue, requests) = sync_channel(config.store_queued_max);
        let retention =
            Retention { messages: config.chat_history_messages, rooms: config.chat_rooms_max };
        let commit_time = Duration::from_millis(u64::from(config.store_commit_ms));
        let writer = StoreThread::new(dir.clone(), database, retention, commit_time);
        let (by_hand, results) = StoreByHand::new(writer, requests, Arc::clone(&state));
        let store = ServerStore {
            queue,
            state,
            queued_bytes_max: config.store_queued_bytes,
            highest_id: AtomicU64::new(highest_id),
            thread: None,
        };
        Ok(Some((store, by_hand, results)))
    }

    /// The number after which a new room counts its chat: no message or notice so far has a higher one.
    pub(crate) fn highest_id(&self) -> u64 {
        self.highest_id.load(Ordering::Relaxed)
    }

    /// Notes the number of a message or notice.
    pub(crate) fn note_id(&self, id: u64) {
        self.highest_id.fetch_max(id, Ordering::Relaxed);
    }

    /// Keeps a message: a [`StoreEvent::Kept`] follows. `false` if there is no place in the queue, and nothing follows.
    pub(crate) fn keep(&self, new: NewMessage) -> bool {
        self.push(StoreRequest::Keep(new))
    }

    /// Looks messages up: a [`StoreEvent::Page`] follows. `false` as for [`ServerStore::keep`].
    pub(crate) fn look_up(&self, wanted: PageRequest) -> bool {
        self.push(StoreRequest::Page(wanted))
    }

    fn push(&self, request: StoreRequest) -> bool {
        let (bytes, queued) = (request.bytes(), &self.state.queued_bytes);
        if queued.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.queued_bytes_max
            && self.queue.try_send(request).is_ok()
        {
            return true;
        }
        queued.fetch_sub(bytes, Ordering::Relaxed);
        false
    }

    /// Asks the thread to end once it has written all that waits.
    pub(crate) fn stop(&self) {
        self.state.stop.store(true, Ordering::Release);
    }

    /// True once the thread has ended.
    pub(crate) fn is_written(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for ServerStore {
    fn drop(&mut self) {
        self.stop();
    }
}

impl StoreRequest {
    /// Bytes that it takes in the queue, about.
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                StoreRequest::Keep(NewMessage { room, message }) => {
                    room.len() + message.name.len() + message.text.len()
                }
                StoreRequest::Page(wanted) => wanted.room.len(),
            }
    }
}

/// Bits of a message's number that count within one run of the server.
const RUN_SHIFT: u32 = 32;

/// Makes the directory, which others cannot read.
fn make_dir(dir: &Path) -> Result<(), StoreError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error: io::Error| StoreError::Io { path: dir.to_owned(), error })
}

#[cfg(test)]
mod tests;
