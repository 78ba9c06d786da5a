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
use tickwire_shared::control::{RefuseCode, SubscriptionId, TopicPosition};
use tokio::sync::Notify;

use super::publishers::Publishers;
use super::{
    EndedSubscription, NewSubscription, NewTopicMessage, RestoredTopics, TopicChange, TopicRefusal,
    Topics, covers,
};
use crate::config::{List, TopicsConfig};
use crate::identity::TopicRights;
use crate::store::{ServerStore, TopicAnswer, TopicWrite};
use crate::token_bucket::TokenBucket;

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
}

#[derive(Debug)]
pub(super) struct HubState {
    pub(super) topics: Topics,
    sessions: HashMap<PlayerId, HubSession>,
    /// Those of event streams.
    pub(super) readers: HashMap<PlayerId, HubReader>,
    /// Those who publish without a session.
    pub(super) publishers: Publishers,
    /// The last time by the clock, which may be set back: the topics' own never runs backwards.
    now_ms: u64,
}

/// A session that has opened its topics stream.
#[derive(Debug)]
struct HubSession {
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
            now_ms: 0,
        };
        TopicHub {
            state: Mutex::new(state),
            rights,
            limits: limits.clone(),
            is_closed: AtomicBool::new(false),
            readers_left: Notify::new(),
        }
    }

    /// Begins to read over a new connection, from what the client has.
    pub(crate) fn begin(
        &self,
        player: PlayerId,
        positions: &[TopicPosition],
        now: Instant,
    ) -> TopicConnection {
        let mut state = self.state();
        let number = state.topics.handle_begin(player, positions);
        let limits = &self.limits;
        let session = state.sessions.entry(player).or_insert_with(|| HubSession {
            signal: Arc::default(),
            publishes: TokenBucket::new(limits.publish_burst, limits.publish_hz, now),
            has_published: false,
        });
        let signal = Arc::clone(&session.signal);
        state.wake();
        // A task of an earlier connection may wait on the same signal, and ends once it looks.
        signal.notify_waiters();
        TopicConnection { player, number, signal }
    }

    /// Whether a session may publish another message now.
    pub(crate) fn may_publish(&self, player: PlayerId, now: Instant) -> bool {
        self.state().sessions.get_mut(&player).is_some_and(|session| session.publishes.take(now))
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
        (store, answer): (Option<&ServerStore>, TopicAnswer),
    ) -> Result<PublishedMessage, TopicRefusal> {
        self.check_on()?;
        let rights = rights.unwrap_or(&self.rights);
        if !rights.publish.iter().any(|pattern| covers(pattern, &new.topic)) {
            return Err(forbidden("publish to this topic"));
        }
        let mut state = self.state();
        let (now_ms, from) = (state.advance(time_ms), new.from);
        let store = store.filter(|_| state.topics.is_kept(&new.topic));
        let bytes = new.topic.len() + new.key.len() + new.payload.len();
        if store.is_some_and(|store| !store.reserve_topic(bytes)) {
            let text =
                "messages come faster than the server's disk takes them; try again in a moment";
            return Err(TopicRefusal::new(RefuseCode::Busy, text));
        }
        let published = state.topics.handle_publish(now_ms, new);
        if published.is_err() {
            store.inspect(|store| store.give_topic_back(bytes));
        }
        let mut answer = Some(answer);
        for change in state.topics.poll_changes() {
            let Some(store) = store else { continue };
            match &change {
                TopicChange::Keep(_) => {
                    store.write_topic(TopicWrite { change, answer: answer.take(), bytes });
                }
                // If there is no place for it, the topic is there again after a restart, and goes then.
                TopicChange::Drop { topic, .. } => {
                    let bytes = topic.len();
                    if store.reserve_topic(bytes) {
                        store.write_topic(TopicWrite { change, answer: None, bytes });
                    }
                }
            }
        }
        let sequence = published?;
        if let Some(session) = state.sessions.get_mut(&from) {
            session.has_published = true;
        }
        state.wake();
        let ended = std::iter::from_fn(|| state.topics.poll_ended()).collect();
        let ended = state.end_readers_of(ended);
        Ok(PublishedMessage { sequence, ended, is_kept: store.is_some() })
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
        state.wake();
        Ok(())
    }

    /// Ends a subscription, if there is one of this number.
    pub(crate) fn unsubscribe(&self, player: PlayerId, id: SubscriptionId) {
        self.state().topics.handle_unsubscribe(player, id);
    }

    /// Ends all that a session has.
    pub(crate) fn leave(&self, player: PlayerId) {
        let mut state = self.state();
        state.topics.handle_leave(player);
        if let Some(session) = state.sessions.remove(&player) {
            session.signal.notify_waiters();
        }
    }

    /// True for a session that has subscriptions, or has published.
    pub(crate) fn is_used_by(&self, player: PlayerId) -> bool {
        let state = self.state();
        state.sessions.get(&player).is_some_and(|session| session.has_published)
            || state.topics.has_subscriptions(player)
    }

    /// Appends the next frames for a connection to `out`; see [`Topics::poll_delivery`]. Returns false once another one reads.
    pub(crate) fn poll_delivery(
        &self,
        connection: &TopicConnection,
        time_ms: u64,
        out: &mut Vec<u8>,
    ) -> bool {
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

    pub(super) fn state(&self) -> MutexGuard<'_, HubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HubState {
    /// The topics' time.
    pub(super) fn advance(&mut self, time_ms: u64) -> u64 {
        self.now_ms = self.now_ms.max(time_ms);
        self.now_ms
    }

    /// Wakes the sessions and the readers that have something to read.
    pub(super) fn wake(&mut self) {
        while let Some(player) = self.topics.poll_woken() {
            let session = self.sessions.get(&player).map(|session| &session.signal);
            let signal = session.or_else(|| self.readers.get(&player).map(|it| &it.signal));
            signal.inspect(|signal| signal.notify_one());
        }
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

pub(super) fn forbidden(what: &str) -> TopicRefusal {
    TopicRefusal::new(RefuseCode::TopicForbidden, format!("you may not {what} on this server"))
}
