//! The store: chat, profiles and scores that outlive their room and their server, in one directory on disk.
//!
//! One thread owns the database, and nobody waits for it: what to keep and what to look up goes into a queue with a bound,
//! and the results come back as events. The thread gathers what comes within a moment into one transaction, so that
//! many messages share one wait for the disk. Only `database` knows the database.
//!
//! A program that serves a game has the command `store`, which checks and copies one.

mod command;
mod database;
mod error;
mod fences;
mod files;
mod period;
mod record;
mod scores;
mod state;
mod thread;
mod topics;
mod unreadable;
mod webhooks;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tickwire_shared::control::{ChatMessage, RequestId};
use tickwire_shared::{PlayerId, SaveOutcome, Tick};
use tokio::sync::{mpsc, oneshot};

use crate::config::ServerConfig;
use crate::room::{JoinProfile, NewProfile};
use crate::sanctions::Sanctions;
use crate::topics::RestoredTopics;
use database::{Database, Retention, SanctionChange, ScoreRetention};
use fences::ProfileFences;
use state::{OutcomeCounts, QueueShare, StoreState};
use thread::ThreadSettings;
use topics::read_topics;
use webhooks::begin_webhook;

pub use error::StoreError;

pub(crate) use command::store_command;
pub(crate) use database::{ChatPage, PAGE_BYTES_MAX};
pub(crate) use period::ScorePeriod;
pub(crate) use scores::{FindScores, SaveScore, ScoreId, ScorePage, ScoreQuery, ScoreRange};
pub(crate) use state::{StoreHealth, StoreStats};
pub(crate) use thread::{StoreByHand, wall_ms};
pub(crate) use topics::{TopicAnswer, TopicWrite};
pub(crate) use webhooks::{DeadLetter, RecordWebhook, WebhookRecord};

/// Most messages of a page of history.
pub(crate) const PAGE_MESSAGES_MAX: u16 = 200;

/// The network's end of the store.
#[derive(Debug)]
pub(crate) struct ServerStore {
    queue: SyncSender<StoreRequest>,
    state: Arc<StoreState>,
    /// Of all requests.
    queued_max: QueueShare,
    /// Of look-ups, of messages of topics, of profiles that are read and of those that are saved, each, and twice that of scores:
    /// the rest of the queue is for messages of chat alone.
    part_max: QueueShare,
    /// The highest number that any chat message or notice had so far, in any room.
    highest_id: AtomicU64,
    /// Bans and mutes, as on disk.
    sanctions: ArcSwap<Sanctions>,
    /// The messages that were said last before this server began.
    said: HashMap<(SessionTag, RequestId), ChatMessage>,
    /// The topics that it has, until the server has them.
    restored: Mutex<Option<RestoredTopics>>,
    /// Where webhooks go on, if there are any.
    webhook_place: Option<String>,
    /// `None` if the caller does its work by hand.
    thread: Option<JoinHandle<()>>,
}

/// A message to a room, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewMessage {
    pub(crate) room: String,
    pub(crate) message: ChatMessage,
    /// The sender's session; `None` if it cannot resume.
    pub(crate) session: Option<SessionTag>,
}

/// A session in the store: the beginning of its secret's digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionTag(pub(crate) u64);

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

/// A profile to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SaveProfile {
    /// The game's name.
    pub(crate) game: &'static str,
    /// The room that saves it.
    pub(crate) room: String,
    pub(crate) new: NewProfile,
}

/// The stay of a player whose profile a step saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SaveId {
    pub(crate) player: PlayerId,
    pub(crate) fence: u64,
    pub(crate) tick: Tick,
}

/// An account that joins.
#[derive(Debug)]
pub(crate) struct LoadProfile {
    /// The game's name.
    pub(crate) game: &'static str,
    /// The account's id.
    pub(crate) account: String,
    /// Gets its profile; `None` if that cannot be read.
    pub(crate) answer: oneshot::Sender<Option<JoinProfile>>,
}

/// A ban or a mute to be set or lifted.
#[derive(Debug)]
pub(crate) struct SetSanction {
    pub(crate) change: SanctionChange,
    /// Told once it is on disk, with false if there are too many; `None` if it cannot be written.
    pub(crate) answer: oneshot::Sender<Option<bool>>,
}

/// A request to the thread.
#[derive(Debug)]
enum StoreRequest {
    Topic(Box<TopicWrite>),
    Keep(NewMessage),
    Page(PageRequest),
    Save(Box<SaveProfile>),
    Load(LoadProfile),
    Sanction(SetSanction),
    Score(Box<SaveScore>),
    FindScores(Box<FindScores>),
    Webhook(Box<RecordWebhook>),
}

/// A result from the thread.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StoreEvent {
    /// A message is on disk, or will never be.
    Kept { sender: PlayerId, request: RequestId, id: u64, is_saved: bool },
    /// A page; `None` while the store cannot be read.
    Page(PageRequest, Option<ChatPage>),
    /// A profile of a step of this room is on disk, or will never be.
    Profile { room: String, save: SaveId, outcome: SaveOutcome },
    /// A score of a step of this room is on disk, or will never be.
    Score { room: String, score: ScoreId, outcome: SaveOutcome },
    /// A message of a topic is on disk, and this is its number, or will never be.
    Topic { player: PlayerId, request: RequestId, saved: Option<u64> },
    /// Nothing is kept from now on; the log has the reason.
    Failing,
    /// Messages are kept again: the first one is on disk.
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
        let database = Database::create(dir, config.store_cache_bytes)?;
        // Each run has numbers of its own, far from those of the run before: its notices are not on disk.
        let run = database.count_run(RUN_SHIFT)?;
        let highest_id = run << RUN_SHIFT;
        // Only sessions of restored rooms say anything again.
        let said = if config.journal.is_some() { database.said()? } else { HashMap::new() };
        let restored = config.topics.enabled.then(|| read_topics(&database)).transpose()?;
        let read_by_webhooks = restored.as_ref().filter(|_| config.webhooks.url.is_some());
        let webhook_place = read_by_webhooks.map(|topics| begin_webhook(&database, topics));
        let webhook_place = webhook_place.transpose()?;
        let sanctions = ArcSwap::from_pointee(Sanctions::new(database.sanctions()?));
        let state = Arc::new(StoreState::default());
        let (queue, requests) = sync_channel(config.store_queued_max);
        let retention = Retention {
            messages: config.chat_history_messages,
            rooms: config.chat_rooms_max,
            profiles: config.profiles_max,
            sanctions: config.sanctions_max,
            scores: ScoreRetention {
                accounts: config.score_accounts_max,
                periods: config.score_periods_max,
            },
            dead_letters: config.webhooks.dead_letters_max,
        };
        let fences = ProfileFences::new(highest_id, config.connections_max);
        let commit_time = Duration::from_millis(u64::from(config.store_commit_ms));
        let settings = ThreadSettings {
            dir: dir.clone(),
            cache_bytes: config.store_cache_bytes,
            retention,
            commit_time,
            fences,
        };
        let (by_hand, results) = StoreByHand::new(settings, database, requests, &state);
        let queued_max =
            QueueShare { requests: config.store_queued_max, bytes: config.store_queued_bytes };
        let store = ServerStore {
            queue,
            state,
            queued_max,
            part_max: queued_max.part(QUEUE_PARTS),
            highest_id: AtomicU64::new(highest_id),
            sanctions,
            said,
            restored: Mutex::new(restored),
            webhook_place,
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

    /// The message that a session said by this request to the server before, which was killed, and which the store has.
    pub(crate) fn said_before(
        &self,
        session: SessionTag,
        request: RequestId,
    ) -> Option<&ChatMessage> {
        self.said.get(&(session, request))
    }

    /// Keeps a message: a [`StoreEvent::Kept`] follows. `false` if there is no place in the queue, and nothing follows.
    pub(crate) fn keep(&self, new: NewMessage) -> bool {
        let is_queued = self.push(StoreRequest::Keep(new));
        if !is_queued {
            self.state.count_not_kept(1);
        }
        is_queued
    }

    /// Looks messages up: a [`StoreEvent::Page`] follows. `false` as for [`ServerStore::keep`]. Look-ups have a part of the
    /// queue: without end they keep nobody's messages from being saved.
    pub(crate) fn look_up(&self, wanted: PageRequest) -> bool {
        self.push_part(StoreRequest::Page(wanted))
    }

    /// Saves a profile: a [`StoreEvent::Profile`] follows. `false` as for [`ServerStore::look_up`].
    pub(crate) fn save(&self, save: SaveProfile) -> bool {
        self.push_save(StoreRequest::Save(Box::new(save)), &self.state.profiles)
    }

    /// Reads a profile, and answers the request itself. `false` as for [`ServerStore::look_up`].
    pub(crate) fn load(&self, wanted: LoadProfile) -> bool {
        self.push_part(StoreRequest::Load(wanted))
    }

    /// Saves a score: a [`StoreEvent::Score`] follows. `false` as for [`ServerStore::look_up`].
    pub(crate) fn score(&self, save: SaveScore) -> bool {
        self.push_save(StoreRequest::Score(Box::new(save)), &self.state.scores)
    }

    /// Looks at a board, and answers the request itself. `false` as for [`ServerStore::look_up`].
    pub(crate) fn find_scores(&self, wanted: FindScores) -> bool {
        self.push_part(StoreRequest::FindScores(Box::new(wanted)))
    }

    /// Sets a ban or a mute, or lifts it, and answers the request itself. `false` as for [`ServerStore::keep`].
    pub(crate) fn set_sanction(&self, set: SetSanction) -> bool {
        self.push_part(StoreRequest::Sanction(set))
    }

    /// Bans and mutes that are on disk.
    pub(crate) fn sanctions(&self) -> Guard<Arc<Sanctions>> {
        self.sanctions.load()
    }

    /// Has a ban or a mute that is on disk hold from now on.
    pub(crate) fn apply_sanction(&self, (key, sanction): SanctionChange) {
        self.sanctions.rcu(|now| {
            let mut sanctions = Sanctions::clone(now);
            sanctions.set(key.clone(), sanction.clone());
            sanctions
        });
    }

    /// Queues a save; one that finds no place counts as failed.
    fn push_save(&self, request: StoreRequest, outcomes: &OutcomeCounts) -> bool {
        let is_queued = self.push_part(request);
        if !is_queued {
            outcomes.count(SaveOutcome::Failed);
        }
        is_queued
    }

    /// Queues a request that has a part of the queue.
    fn push_part(&self, request: StoreRequest) -> bool {
        let bytes = request.bytes();
        let Some(part) = self.state.part_of(&request) else { return self.push(request) };
        let most = match &request {
            StoreRequest::Score(_) => self.part_max.part(2),
            StoreRequest::FindScores(_) => self.score_looks_max(),
            _ => self.part_max,
        };
        if !part.take(bytes, most) {
            return false;
        }
        let is_queued = self.push(request);
        if !is_queued {
            part.give_back(bytes);
        }
        is_queued
    }

    /// The share of looks at score boards: in a short queue it is what the other parts leave beside that of messages.
    fn score_looks_max(&self) -> QueueShare {
        let requests = SCORE_LOOKS_MAX.min(self.part_max.part(4).requests);
        QueueShare { requests, ..self.part_max }
    }

    fn push(&self, request: StoreRequest) -> bool {
        let bytes = request.bytes();
        if !self.state.queued.take(bytes, self.queued_max) {
            return false;
        }
        let is_queued = self.queue.try_send(request).is_ok();
        if !is_queued {
            self.state.queued.give_back(bytes);
        }
        is_queued
    }

    /// Its state and counts.
    pub(crate) fn stats(&self) -> StoreStats {
        self.state.stats()
    }

    /// Asks the thread to end once it has written all that waits.
    pub(crate) fn stop(&self) {
        self.state.ask_to_stop();
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

impl SaveProfile {
    pub(crate) fn id(&self) -> SaveId {
        let NewProfile { player, fence, tick, .. } = self.new;
        SaveId { player, fence, tick }
    }
}

impl StoreRequest {
    /// Bytes that it takes in the queue, about.
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                StoreRequest::Keep(NewMessage { room, message, .. }) => {
                    room.len() + message.name.len() + message.text.len()
                }
                StoreRequest::Topic(write) => write.bytes,
                StoreRequest::Page(wanted) => wanted.room.len(),
                StoreRequest::Save(save) => {
                    let SaveProfile { room, new, .. } = &**save;
                    size_of::<SaveProfile>()
                        + room.len()
                        + new.account.len()
                        + new.profile.json.as_str().len()
                }
                StoreRequest::Load(wanted) => wanted.account.len(),
                StoreRequest::Score(save) => save.bytes(),
                StoreRequest::FindScores(_) => size_of::<FindScores>(),
                StoreRequest::Webhook(request) => request.bytes(),
                StoreRequest::Sanction(set) => {
                    set.change.1.as_ref().map_or(0, |sanction| sanction.reason.len())
                }
            }
    }

    /// True if it is part of a transaction.
    fn is_write(&self) -> bool {
        match self {
            StoreRequest::Keep(_)
            | StoreRequest::Topic(_)
            | StoreRequest::Save(_)
            | StoreRequest::Score(_)
            | StoreRequest::Sanction(_)
            | StoreRequest::Webhook(_) => true,
            StoreRequest::Page(_) | StoreRequest::Load(_) | StoreRequest::FindScores(_) => false,
        }
    }
}

/// Bits of a message's number that count within one run of the server.
const RUN_SHIFT: u32 = 32;

/// Look-ups have this part of the queue, profiles that are read another, profiles that are saved another, and scores half of one.
const QUEUE_PARTS: usize = 4;
/// Looks at score boards that wait: anybody may ask for one, and messages that come meanwhile wait for them.
const SCORE_LOOKS_MAX: usize = 8;

#[cfg(test)]
mod tests;
