//! The topics as the sessions share them: one lock, the clock, and a signal for each session that reads.
//!
//! No tick and no thread of the network waits for the lock: tasks of sessions hold it while a message is put into its topic,
//! or while frames for one session are written into memory. Each session's own task then carries its frames to its stream, at
//! that stream's pace.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    RefuseCode, SubscriptionId, TOPIC_MESSAGE_HEAD_BYTES_MAX, TopicLifetime, TopicPosition,
};
use tokio::sync::Notify;

use super::publishers::Publishers;
use super::{
    DeliveryOutcome, EndedSubscription, NewSubscription, NewTopicMessage, RestoredTopics,
    TopicChange, TopicRefusal, Topics, covers,
};
use crate::config::{List, TopicsConfig};
use crate::identity::TopicRights;
use crate::store::{ServerStore, TopicAnswer, TopicWrite};
use crate::token_bucket::TokenBucket;

/// A clock that is behind by more was set back.
const CLOCK_STEP_MS: u64 = 1000;

/// All topics of a server.
#[derive(Debug)]
pub(crate) struct TopicHub {
    state: Mutex<HubState>,
    /// Of sessions whose identity has none of its own.
    pub(super) rights: TopicRights,
    pub(super) limits: TopicsConfig,
    /// The server stops: no reader goes on.
    pub(super) is_closed: AtomicBool,
    /// Notified when the last reader has left.
    pub(super) readers_left: Notify,
    /// Notified when a value has a time at which it ends.
    pub(crate) ends: Notify,
}

#[derive(Debug)]
pub(super) struct HubState {
    pub(super) topics: Topics,
    sessions: HashMap<PlayerId, HubSession>,
    /// Those of event streams.
    pub(super) readers: HashMap<PlayerId, HubReader>,
    /// Those who publish without a session.
    pub(super) publishers: Publishers,
    /// The last time by the clock.
    clock_ms: u64,
    /// By how much the topics' time is ahead of a clock that was set back: it never runs backwards.
    ahead_ms: u64,
}

/// A session that has opened its topics stream, or has published by datagram.
#[derive(Debug)]
struct HubSession {
    /// That of the connection that reads.
    signal: Arc<Notify>,
    publishes: TokenBucket,
    has_published: bool,
}

/// A reader as the hub has it.
#[derive(Debug, Default)]
pub(super) struct HubReader {
    pub(super) signal: Arc<Notify>,
    /// Its subscription ended by itself.
    pub(super) is_ended: bool,
}

/// A message that is in its topic.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PublishedMessage {
    pub(crate) sequence: u64,
    /// The subscriptions of sessions that end by it.
    pub(crate) ended: Vec<EndedSubscription>,
    /// The store keeps it, and answers once it is on disk.
    pub(crate) is_kept: bool,
}

/// A connection that reads the topics of a session.
#[derive(Clone, Debug)]
pub(crate) struct TopicConnection {
    player: PlayerId,
    number: u32,
    /// Notified when there is something to read.
    pub(crate) signal: Arc<Notify>,
}

impl TopicHub {
    /// The topics that a store has, or none. `epoch` is another number in each run of the server.
    pub(crate) fn new(limits: &TopicsConfig, epoch: u64, restored: Option<RestoredTopics>) -> Self {
        let words = |List(words): &List| words.clone();
        let rights =
            TopicRights { publish: words(&limits.publish), subscribe: words(&limits.subscribe) };
        let mut topics = Topics::new(limits.clone(), epoch);
        if let Some(restored) = restored {
            topics.restore(restored, words(&limits.stored));
        }
        let state = HubState {
            topics,
            sessions: HashMap::new(),
            readers: HashMap::new(),
            publishers: Publishers::default(),
            clock_ms: 0,
            ahead_ms: 0,
        };
        TopicHub {
            state: Mutex::new(state),
            rights,
            limits: limits.clone(),
            is_closed: AtomicBool::new(false),
            readers_left: Notify::new(),
            ends: Notify::new(),
        }
    }

    /// Begins to read over a new connection, from what the client has.
    pub(crate) fn begin(
        &self,
        player: PlayerId,
        positions: &[TopicPosition],
        now: Instant,
    ) -> TopicConnection {
        let signal = Arc::<Notify>::default();
        let mut state = self.state();
        let number = state.topics.handle_begin(player, positions);
        let session = state.session(player, &self.limits, now);
        let before = std::mem::replace(&mut session.signal, Arc::clone(&signal));
        drop(state);
        // The task of an earlier connection looks once more, and ends.
        before.notify_one();
        TopicConnection { player, number, signal }
    }

    /// Whether a session may publish another message now, on its stream or by datagram.
    pub(crate) fn may_publish(&self, player: PlayerId, now: Instant) -> bool {
        self.state().session(player, &self.limits, now).publishes.take(now)
    }

    /// Publishes a message, by the rights of the session if it has any of its own. `store` is told of one that it keeps, and
    /// answers it.
    ///
    /// # Errors
    /// Why it is not published.
    pub(crate) fn publish(
        &self,
        rights: Option<&TopicRights>,
        new: NewTopicMessage,
        time_ms: u64,
        to: (Option<&ServerStore>, Option<TopicAnswer>),
    ) -> Result<PublishedMessage, TopicRefusal> {
        self.check_publish(rights, &new.topic)?;
        self.publish_own(new, time_ms, to)
    }

    /// Publishes a message of the server's own program, which may publish to any topic.
    ///
    /// # Errors
    /// Why it is not published.
    pub(crate) fn publish_own(
        &self,
        new: NewTopicMessage,
        time_ms: u64,
        (store, answer): (Option<&ServerStore>, Option<TopicAnswer>),
    ) -> Result<PublishedMessage, TopicRefusal> {
        self.check_on()?;
        let mut state = self.state();
        let (now_ms, from) = (state.advance(time_ms), new.from);
        let is_kept = new.lifetime == TopicLifetime::Kept && state.topics.is_kept(&new.topic);
        let keeps = store.filter(|_| is_kept);
        let bytes = new.topic.len() + new.key.len() + new.payload.len();
        if keeps.is_some_and(|store| !store.reserve_topic(bytes)) {
            return Err(disk_is_slow());
        }
        let ends = matches!(new.lifetime, TopicLifetime::Milliseconds(_));
        let published = state.topics.handle_publish(now_ms, new);
        if published.is_err() {
            keeps.inspect(|store| store.give_topic_back(bytes));
        }
        let own = (published.is_ok() && keeps.is_some()).then_some((answer, bytes));
        state.write_changes(store, own);
        let sequence = match published {
            Ok(sequence) => sequence,
            // Values may have ended meanwhile.
            Err(refusal) => {
                wake(state);
                return Err(refusal);
            }
        };
        if ends {
            self.ends.notify_one();
        }
        if let Some(session) = state.sessions.get_mut(&from) {
            session.has_published = true;
        }
        let ended = std::iter::from_fn(|| state.topics.poll_ended()).collect();
        let ended = state.end_readers_of(ended);
        wake(state);
        Ok(PublishedMessage { sequence, ended, is_kept: keeps.is_some() })
    }

    /// Begins a subscription of a session.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn subscribe(
        &self,
        player: PlayerId,
        rights: Option<&TopicRights>,
        new: NewSubscription,
        time_ms: u64,
    ) -> Result<(), TopicRefusal> {
        self.check_on()?;
        self.check_subscribe(rights, &new.pattern)?;
        let mut state = self.state();
        let now_ms = state.advance(time_ms);
        state.topics.handle_subscribe(now_ms, player, new)?;
        wake(state);
        Ok(())
    }

    /// Removes the value of a key, by the right to publish.
    ///
    /// # Errors
    /// Why it is not removed.
    pub(crate) fn remove(
        &self,
        player: PlayerId,
        rights: Option<&TopicRights>,
        value: (&str, &str),
        (time_ms, store): (u64, Option<&ServerStore>),
    ) -> Result<(), TopicRefusal> {
        self.check_publish(rights, value.0)?;
        self.remove_own(player, value, (time_ms, store))
    }

    /// Removes the value of a key, in any topic.
    ///
    /// # Errors
    /// Why it is not removed.
    pub(crate) fn remove_own(
        &self,
        player: PlayerId,
        value: (&str, &str),
        (time_ms, store): (u64, Option<&ServerStore>),
    ) -> Result<(), TopicRefusal> {
        self.check_on()?;
        let mut state = self.state();
        let now_ms = state.advance(time_ms);
        let bytes = value.0.len() + value.1.len() + TOPIC_MESSAGE_HEAD_BYTES_MAX;
        if let Some(store) = store.filter(|_| state.topics.is_kept(value.0)) {
            if !store.reserve_topic(bytes) {
                return Err(disk_is_slow());
            }
            // Whoever takes a place for topics has this lock: it is there when the removal is written.
            store.give_topic_back(bytes);
        }
        let removed = state.topics.handle_remove(now_ms, player, value);
        state.write_changes(store, None);
        wake(state);
        removed
    }

    /// The connection of a session is lost, and may come back.
    pub(crate) fn away(&self, player: PlayerId, time_ms: u64) {
        self.change(time_ms, |topics, now_ms| topics.handle_away(now_ms, player));
    }

    /// A session whose connection was lost has another one.
    pub(crate) fn back(&self, player: PlayerId, time_ms: u64) {
        self.change(time_ms, |topics, now_ms| topics.handle_back(now_ms, player));
    }

    /// Removes values whose time is over, and returns the milliseconds until the next one ends.
    pub(crate) fn end_values(&self, time_ms: u64) -> Option<u64> {
        self.change(time_ms, |topics, now_ms| {
            topics.handle_time(now_ms);
            topics.next_end_ms().map(|end_ms| end_ms.saturating_sub(now_ms))
        })
    }

    /// Ends a subscription, if there is one of this number.
    pub(crate) fn unsubscribe(&self, player: PlayerId, id: SubscriptionId) {
        self.state().topics.handle_unsubscribe(player, id);
    }

    /// Ends all that a session has.
    pub(crate) fn leave(&self, player: PlayerId, time_ms: u64) {
        self.change(time_ms, |topics, now_ms| topics.handle_leave(now_ms, player));
        let mut state = self.state();
        if let Some(session) = state.sessions.remove(&player) {
            session.signal.notify_one();
        }
    }

    /// Forgets a session that has ended, and may have published since.
    pub(crate) fn forget(&self, player: PlayerId) {
        self.state().sessions.remove(&player);
    }

    /// True for a session that has subscriptions, or has published.
    pub(crate) fn is_used_by(&self, player: PlayerId) -> bool {
        let state = self.state();
        state.sessions.get(&player).is_some_and(|session| session.has_published)
            || state.topics.has_subscriptions(player)
    }

    /// Appends the next frames for a connection to `out`; see [`Topics::poll_delivery`].
    pub(crate) fn poll_delivery(
        &self,
        connection: &TopicConnection,
        time_ms: u64,
        out: &mut Vec<u8>,
    ) -> DeliveryOutcome {
        let mut state = self.state();
        let now_ms = state.advance(time_ms);
        state.topics.poll_delivery(now_ms, (connection.player, connection.number), out)
    }

    /// Whether somebody of these rights, or of those of the settings, may subscribe to a pattern.
    pub(super) fn check_subscribe(
        &self,
        rights: Option<&TopicRights>,
        pattern: &str,
    ) -> Result<(), TopicRefusal> {
        let rights = rights.unwrap_or(&self.rights);
        match rights.subscribe.iter().any(|own| covers(own, pattern)) {
            true => Ok(()),
            false => Err(forbidden("subscribe to all topics of this pattern")),
        }
    }

    pub(super) fn check_on(&self) -> Result<(), TopicRefusal> {
        if self.limits.enabled {
            return Ok(());
        }
        let text = "this server offers no topics; its operator can set topics.enabled";
        Err(TopicRefusal::new(RefuseCode::TopicsOff, text))
    }

    fn check_publish(&self, rights: Option<&TopicRights>, topic: &str) -> Result<(), TopicRefusal> {
        self.check_on()?;
        let rights = rights.unwrap_or(&self.rights);
        match rights.publish.iter().any(|pattern| covers(pattern, topic)) {
            true => Ok(()),
            false => Err(forbidden("publish to this topic")),
        }
    }

    /// Changes the topics at a time, and wakes those who have something to read by it.
    fn change<R>(&self, time_ms: u64, change: impl FnOnce(&mut Topics, u64) -> R) -> R {
        let mut state = self.state();
        let now_ms = state.advance(time_ms);
        let result = change(&mut state.topics, now_ms);
        wake(state);
        result
    }

    pub(super) fn state(&self) -> MutexGuard<'_, HubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HubState {
    /// A session, which begins with its first use of topics.
    fn session(
        &mut self,
        player: PlayerId,
        limits: &TopicsConfig,
        now: Instant,
    ) -> &mut HubSession {
        self.sessions.entry(player).or_insert_with(|| HubSession {
            signal: Arc::default(),
            publishes: TokenBucket::new(limits.publish_burst, limits.publish_hz, now),
            has_published: false,
        })
    }

    /// Has the store write what has changed. The last message is `own` if there is one: its answer, and the bytes that are reserved
    /// for it. Where the store has no place for another change, a removed value or topic is there again after a restart.
    fn write_changes(
        &mut self,
        store: Option<&ServerStore>,
        mut own: Option<(Option<TopicAnswer>, usize)>,
    ) {
        let changes = self.topics.poll_changes();
        let Some(store) = store else { return };
        let last = changes.iter().rposition(|change| matches!(change, TopicChange::Keep(_)));
        for (at, change) in changes.into_iter().enumerate() {
            let (answer, bytes) = match own.take_if(|_| Some(at) == last) {
                Some(own) => own,
                None if store.reserve_topic(change.bytes()) => (None, change.bytes()),
                None => continue,
            };
            store.write_topic(TopicWrite { change, answer, bytes });
        }
    }

    /// The topics' time.
    pub(super) fn advance(&mut self, time_ms: u64) -> u64 {
        // Callers look at the clock before they have the lock: a little back is no step.
        let back_ms = self.clock_ms.saturating_sub(time_ms);
        if back_ms > CLOCK_STEP_MS {
            self.ahead_ms += back_ms;
            self.clock_ms = time_ms;
        }
        self.clock_ms = self.clock_ms.max(time_ms);
        self.clock_ms + self.ahead_ms
    }

    /// The signals of the sessions and the readers that have something to read.
    fn take_woken(&mut self) -> Vec<Arc<Notify>> {
        let HubState { topics, sessions, readers, .. } = self;
        let players = std::iter::from_fn(|| topics.poll_woken());
        let signal = |player| {
            let session = sessions.get(&player).map(|session| &session.signal);
            session.or_else(|| readers.get(&player).map(|reader| &reader.signal)).cloned()
        };
        players.filter_map(signal).collect()
    }

    /// Ends the readers among these subscriptions. Returns those of sessions.
    fn end_readers_of(&mut self, mut ended: Vec<EndedSubscription>) -> Vec<EndedSubscription> {
        ended.retain(|ended| match self.readers.get_mut(&ended.player) {
            None => true,
            Some(reader) => {
                reader.is_ended = true;
                reader.signal.notify_one();
                false
            }
        });
        ended
    }
}

/// Unlocks the topics, and wakes the sessions that have something to read: the first of them may run at once, and takes the lock.
pub(super) fn wake(mut state: MutexGuard<'_, HubState>) {
    let woken = state.take_woken();
    drop(state);
    woken.iter().for_each(|signal| signal.notify_one());
}

fn disk_is_slow() -> TopicRefusal {
    let text = "messages come faster than the server's disk takes them; try again in a moment";
    TopicRefusal::new(RefuseCode::Busy, text)
}

pub(super) fn forbidden(what: &str) -> TopicRefusal {
    TopicRefusal::new(RefuseCode::TopicForbidden, format!("you may not {what} on this server"))
}

#[cfg(test)]
mod tests;
