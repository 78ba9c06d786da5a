//! The topics as the sessions share them: one lock, the clock, and a signal for each session that reads.
//!
//! No tick and no thread of the network waits for the lock: tasks of sessions hold it while a message is put into its topic,
//! or while frames for one session are written into memory. Each session's own task then carries its frames to its stream, at
//! that stream's pace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tickwire_shared::PlayerId;
use tickwire_shared::control::{RefuseCode, SubscriptionId, TopicPosition};
use tokio::sync::Notify;

use super::{
    DeliveryOutcome, EndedSubscription, NewSubscription, NewTopicMessage, TopicRefusal, Topics,
    covers,
};
use crate::config::{List, TopicsConfig};
use crate::identity::TopicRights;
use crate::token_bucket::TokenBucket;

/// All topics of a server.
#[derive(Debug)]
pub(crate) struct TopicHub {
    state: Mutex<HubState>,
    /// Of sessions whose identity has none of its own.
    rights: TopicRights,
    limits: TopicsConfig,
}

#[derive(Debug)]
struct HubState {
    topics: Topics,
    sessions: HashMap<PlayerId, HubSession>,
    /// The last time by the clock, which may be set back: the topics' own never runs backwards.
    now_ms: u64,
}

/// A session that has opened its topics stream.
#[derive(Debug)]
struct HubSession {
    /// That of the connection that reads.
    signal: Arc<Notify>,
    publishes: TokenBucket,
    has_published: bool,
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
    /// No topics; `epoch` is another number in each run of the server.
    pub(crate) fn new(limits: &TopicsConfig, epoch: u64) -> Self {
        let words = |List(words): &List| words.clone();
        let rights =
            TopicRights { publish: words(&limits.publish), subscribe: words(&limits.subscribe) };
        let topics = Topics::new(limits.clone(), epoch);
        let state = Mutex::new(HubState { topics, sessions: HashMap::new(), now_ms: 0 });
        TopicHub { state, rights, limits: limits.clone() }
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
        let limits = &self.limits;
        let session = state.sessions.entry(player).or_insert_with(|| HubSession {
            signal: Arc::clone(&signal),
            publishes: TokenBucket::new(limits.publish_burst, limits.publish_hz, now),
            has_published: false,
        });
        let before = std::mem::replace(&mut session.signal, Arc::clone(&signal));
        drop(state);
        // The task of an earlier connection looks once more, and ends.
        before.notify_one();
        TopicConnection { player, number, signal }
    }

    /// Whether a session may publish another message now.
    pub(crate) fn may_publish(&self, player: PlayerId, now: Instant) -> bool {
        self.state().sessions.get_mut(&player).is_some_and(|session| session.publishes.take(now))
    }

    /// Publishes a message, by the rights of the session if it has any of its own. Returns its sequence number, and the
    /// subscriptions that end by it.
    ///
    /// # Errors
    /// Why it is not published.
    pub(crate) fn publish(
        &self,
        rights: Option<&TopicRights>,
        new: NewTopicMessage,
        time_ms: u64,
    ) -> Result<(u64, Vec<EndedSubscription>), TopicRefusal> {
        self.check_on()?;
        let rights = rights.unwrap_or(&self.rights);
        if !rights.publish.iter().any(|pattern| covers(pattern, &new.topic)) {
            return Err(forbidden("publish to this topic"));
        }
        let mut state = self.state();
        let (now_ms, from) = (state.advance(time_ms), new.from);
        let sequence = state.topics.handle_publish(now_ms, new)?;
        if let Some(session) = state.sessions.get_mut(&from) {
            session.has_published = true;
        }
        let ended = std::iter::from_fn(|| state.topics.poll_ended()).collect();
        wake(state);
        Ok((sequence, ended))
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
        let rights = rights.unwrap_or(&self.rights);
        if !rights.subscribe.iter().any(|pattern| covers(pattern, &new.pattern)) {
            return Err(forbidden("subscribe to all topics of this pattern"));
        }
        let mut state = self.state();
        let now_ms = state.advance(time_ms);
        state.topics.handle_subscribe(now_ms, player, new)?;
        wake(state);
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
            session.signal.notify_one();
        }
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

    fn check_on(&self) -> Result<(), TopicRefusal> {
        if self.limits.enabled {
            return Ok(());
        }
        let text = "this server offers no topics; its operator can set topics.enabled";
        Err(TopicRefusal::new(RefuseCode::TopicsOff, text))
    }

    fn state(&self) -> MutexGuard<'_, HubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HubState {
    /// The topics' time.
    fn advance(&mut self, time_ms: u64) -> u64 {
        self.now_ms = self.now_ms.max(time_ms);
        self.now_ms
    }

    /// The signals of the sessions that have something to read.
    fn take_woken(&mut self) -> Vec<Arc<Notify>> {
        let HubState { topics, sessions, .. } = self;
        let players = std::iter::from_fn(|| topics.poll_woken());
        players.filter_map(|player| Some(Arc::clone(&sessions.get(&player)?.signal))).collect()
    }
}

/// Unlocks the topics, and wakes the sessions that have something to read: the first of them may run at once, and takes the lock.
fn wake(mut state: MutexGuard<'_, HubState>) {
    let woken = state.take_woken();
    drop(state);
    woken.iter().for_each(|signal| signal.notify_one());
}

fn forbidden(what: &str) -> TopicRefusal {
    TopicRefusal::new(RefuseCode::TopicForbidden, format!("you may not {what} on this server"))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tickwire_shared::control::{TopicDelivery, TopicStart};

    use super::*;

    const ANN: PlayerId = PlayerId(1);
    const BOB: PlayerId = PlayerId(2);

    #[test]
    fn a_connection_that_reads_no_longer_takes_no_wake_up_of_the_next_one() {
        let enabled = TopicsConfig { enabled: true, ..TopicsConfig::default() };
        let hub = TopicHub::new(&enabled, 1);
        let all = TopicRights { publish: vec!["**".into()], subscribe: vec!["**".into()] };
        let now = Instant::now();
        let before = hub.begin(BOB, &[], now);
        let (id, delivery, start) = (SubscriptionId(1), TopicDelivery::Ordered, TopicStart::New);
        let new = NewSubscription { id, pattern: "a".into(), delivery, start, cursors: Vec::new() };
        hub.subscribe(BOB, Some(&all), new, 0).unwrap();
        let poll = |connection| hub.poll_delivery(connection, 0, &mut Vec::new());
        assert_eq!(poll(&before), DeliveryOutcome::Drained);
        // Its task has found nothing, and does not wait yet.
        let after = hub.begin(BOB, &[], now);
        assert_eq!(poll(&after), DeliveryOutcome::Drained);
        let mut context = Context::from_waker(Waker::noop());
        let (mut old, mut new) = (pin!(before.signal.notified()), pin!(after.signal.notified()));
        assert_eq!(old.as_mut().poll(&mut context), Poll::Ready(()), "it is to end");
        assert_eq!(poll(&before), DeliveryOutcome::Elsewhere);
        assert_eq!(new.as_mut().poll(&mut context), Poll::Pending);
        let message =
            NewTopicMessage { from: ANN, topic: "a".into(), key: String::new(), payload: vec![1] };
        hub.publish(Some(&all), message, 0).unwrap();
        assert_eq!(new.as_mut().poll(&mut context), Poll::Ready(()));
    }
}
