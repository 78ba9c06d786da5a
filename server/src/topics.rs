//! Topics: named channels beside rooms, without sockets, threads and clocks.
//!
//! Messages and the time go in by `handle_*`, frames for the topics stream of each session come out by `poll_*`:
//!
//! - `pattern` and `level_trie` find topics by patterns, and patterns by topics;
//! - `log` keeps the messages of a topic: the last ones, and the newest one of each key;
//! - `lossy` has the numbers of messages that came by datagram, of which late ones are dropped;
//! - `lifetimes` knows which values end with a session, or at a time, and `values` removes them;
//! - `subscriber` has how far a session has read each topic that it follows;
//! - `merged` reads several topics as one list, for readers of event streams;
//! - `shown` writes messages as JSON;
//! - `stored` has what a store is to write of them, and has them go on where a store has them.
//!
//! A topic has no queue for a subscriber, only the subscriber a cursor in the topic's log: it reads at its own pace, and who
//! is slow costs nothing and delays nobody. Publishing finds the subscribers that have read everything, and those alone, in
//! the topic's list of who waits.
//!
//! `hub` is what the sessions share, and knows the time. `requests` has its part for HTTP, `publishers` the rates of those who
//! publish by that.

mod hub;
mod level_trie;
mod lifetimes;
mod log;
mod lossy;
mod merged;
mod orders;
mod pattern;
mod publishers;
mod requests;
mod shown;
mod stored;
mod subscriber;
#[cfg(test)]
mod tests;
mod usage;
mod values;

use std::collections::{BTreeSet, HashMap};

use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    RefuseCode, SubscriptionId, TOPIC_KEY_BYTES_MAX, TopicCursor, TopicDelivery, TopicLifetime,
    TopicMessageKind, TopicPosition,
};

use crate::config::TopicsConfig;
pub(crate) use hub::{TopicConnection, TopicHub};
use level_trie::LevelTrie;
use lifetimes::{AfterLeave, Lifetimes, ValueId};
pub(crate) use log::StoredTopicMessage;
use log::{TopicLog, kept_bytes};
pub(crate) use lossy::{LossyArrival, LossySequence};
pub(crate) use merged::MergedItem;
pub use merged::{MergedCursor, NoCursor};
pub(crate) use orders::{
    DeliveryOutcome, EndedSubscription, NewSubscription, NewTopicMessage, TopicRefusal,
};
use pattern::name_mistake;
pub(crate) use pattern::{covers, pattern_mistake};
pub(crate) use publishers::PublisherKey;
pub(crate) use requests::{HistoryQuery, MergedReader, NewReader, ReadState, TopicPage};
pub(crate) use shown::{push_text, write_fields, write_message, write_page};
pub(crate) use stored::{NewStoredMessage, RestoredTopics, StoredRuns, StoredTopic, TopicChange};
use stored::{StoredTopics, known_sequence};
use subscriber::{Subscriber, Subscription, TopicFollower, deliver};
use usage::Usage;

/// Bytes of frames of one delivery, beyond which it takes no further messages.
const DELIVERY_BYTES: usize = 16 * 1024;

/// All topics and their subscribers.
#[derive(Debug)]
pub(crate) struct Topics {
    limits: TopicsConfig,
    /// The number of the list of all messages, which that of another run does not have.
    run: u64,
    /// That of the next topic's log.
    epoch: u64,
    topics: HashMap<TopicId, Topic>,
    next_topic: u64,
    names: LevelTrie<TopicId>,
    patterns: LevelTrie<BTreeSet<(PlayerId, SubscriptionId)>>,
    subscribers: HashMap<PlayerId, Subscriber>,
    /// Topics without followers, by the time of their newest message.
    idle: BTreeSet<(u64, TopicId)>,
    usage: Usage,
    lifetimes: Lifetimes,
    /// Messages published so far.
    published: u64,
    /// The place of the newest message of all topics that are gone; 0 for none.
    gone_order: u64,
    /// Sessions that have something to read since they had nothing.
    woken: Vec<PlayerId>,
    ended: Vec<EndedSubscription>,
    /// What a store keeps of them, if there is one.
    stored: Option<StoredTopics>,
}

/// A topic's number on this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct TopicId(u64);

#[derive(Debug)]
struct Topic {
    name: String,
    log: TopicLog,
    followers: usize,
    /// Those of the server itself, for which no topic stays.
    own: Vec<(PlayerId, u32)>,
    /// Followers that have read everything: a session and the topic's number in it.
    waiting: BTreeSet<(PlayerId, u32)>,
}

impl Topic {
    fn new(name: &str, log: TopicLog) -> Self {
        let (name, own, waiting) = (name.to_owned(), Vec::new(), BTreeSet::new());
        Topic { name, log, followers: 0, own, waiting }
    }
}

impl Topics {
    /// No topics. `epoch` numbers the first topic's log, and those after it the later ones': another run of the server must
    /// begin far from it.
    pub(crate) fn new(limits: TopicsConfig, epoch: u64) -> Self {
        Topics {
            limits,
            run: epoch,
            epoch,
            topics: HashMap::new(),
            next_topic: 0,
            names: LevelTrie::default(),
            patterns: LevelTrie::default(),
            subscribers: HashMap::new(),
            idle: BTreeSet::new(),
            usage: Usage::default(),
            lifetimes: Lifetimes::default(),
            published: 0,
            gone_order: 0,
            woken: Vec::new(),
            ended: Vec::new(),
            stored: None,
        }
    }

    /// Puts a message into its topic, which is made if there is none. Returns its sequence number.
    ///
    /// # Errors
    /// Why it is not published. Topics whose time is over may have gone nevertheless.
    pub(crate) fn handle_publish(
        &mut self,
        now_ms: u64,
        new: NewTopicMessage,
    ) -> Result<u64, TopicRefusal> {
        self.handle_time(now_ms);
        self.check(&new)?;
        let id = match self.find_place(now_ms, &new)? {
            Some(id) => id,
            None => self.make(now_ms, &new.topic)?,
        };
        let NewTopicMessage { from, key, payload, lifetime, .. } = new;
        let message = (from, &*key, payload);
        let kind = (TopicMessageKind::Value, lifetime == TopicLifetime::Kept);
        let sequence = self.append(now_ms, id, message, kind);
        let value = ValueId { topic: id, key: key.into() };
        self.lifetimes.set(value, from, lifetime, now_ms);
        Ok(sequence)
    }

    /// Appends a message to a topic's log and wakes those who wait for it: of this kind, and whether its value is there until the
    /// next of its key. Returns its sequence number.
    fn append(
        &mut self,
        now_ms: u64,
        id: TopicId,
        message: (PlayerId, &str, Vec<u8>),
        kind: (TopicMessageKind, bool),
    ) -> u64 {
        let limits = &self.limits;
        let topic = self.topics.get_mut(&id).expect("a topic with a name is there");
        if topic.followers == 0 {
            self.idle.remove(&(topic.log.newest_ms(), id));
            self.idle.insert((now_ms, id));
        }
        self.published += 1;
        let at = (now_ms, self.published);
        let (sequence, is_written) =
            self.usage.change(id, &mut topic.log, |log| log.push(message, kind, at, limits));
        for (player, number) in std::mem::take(&mut topic.waiting) {
            let Some(subscriber) = self.subscribers.get_mut(&player) else { continue };
            if subscriber.ready.is_empty() {
                self.woken.push(player);
            }
            subscriber.ready.push_back(number);
        }
        if is_written {
            self.note_kept(id);
        }
        self.drop_oldest();
        sequence
    }

    /// Begins a subscription of a session.
    ///
    /// # Errors
    /// Why there is none; then nothing has changed.
    pub(crate) fn handle_subscribe(
        &mut self,
        now_ms: u64,
        player: PlayerId,
        new: NewSubscription,
    ) -> Result<(), TopicRefusal> {
        if let Some(mistake) = pattern_mistake(&new.pattern) {
            return Err(TopicRefusal::new(RefuseCode::TopicInvalid, mistake));
        }
        let TopicsConfig { subscriptions_max, followed_max, .. } = self.limits;
        let subscriber = self.subscribers.entry(player).or_default();
        if subscriber.subscriptions.contains_key(&new.id) {
            let text = "the session has a subscription of this number; end that one first";
            return Err(TopicRefusal::new(RefuseCode::TopicInvalid, text));
        }
        if subscriber.subscriptions.len() >= subscriptions_max && !subscriber.is_own {
            let text = format!("a session has at most {subscriptions_max} subscriptions; end one");
            return Err(TopicRefusal::new(RefuseCode::TopicsFull, text));
        }
        let mut matching = Vec::new();
        self.names.for_each_name_of(&new.pattern, &mut |id| matching.push(*id));
        if subscriber.followers.len() + matching.len() > followed_max && !subscriber.is_own {
            return Err(TopicRefusal::followed_too_many(followed_max));
        }
        let NewSubscription { id, pattern, delivery, start, cursors } = new;
        self.patterns.get_or_default(&pattern).insert((player, id));
        subscriber.subscriptions.insert(id, Subscription { pattern, delivery });
        let cursors: HashMap<&str, &TopicCursor> =
            cursors.iter().map(|cursor| (&*cursor.topic, cursor)).collect();
        for topic in matching {
            let Some(Topic { name, log, .. }) = self.topics.get_mut(&topic) else { continue };
            self.usage.change(topic, log, |log| log.expire(now_ms, &self.limits));
            let cursor = cursors.get(&**name);
            let known = cursor
                .and_then(|cursor| known_sequence(cursor, (log, delivery), self.stored.as_ref()));
            let begin = match (known, cursor) {
                (Some(sequence), _) => sequence,
                (None, Some(_)) => log.oldest(delivery),
                (None, None) => log.begin(delivery, start, now_ms),
            };
            self.follow(player, (id, delivery), topic, (begin, known.is_some()));
        }
        Ok(())
    }

    /// Ends a subscription, if there is one of this number.
    pub(crate) fn handle_unsubscribe(&mut self, player: PlayerId, id: SubscriptionId) {
        let Some(subscriber) = self.subscribers.get_mut(&player) else { return };
        let Some(subscription) = subscriber.subscriptions.remove(&id) else { return };
        for number in subscriber.numbers_of(id) {
            let Some(follower) = subscriber.followers.remove(&number) else { continue };
            if let Some(topic) = self.topics.get_mut(&follower.topic) {
                topic.waiting.remove(&(player, number));
                if subscriber.is_own {
                    topic.own.retain(|own| *own != (player, number));
                    continue;
                }
                topic.followers -= 1;
                if topic.followers == 0 {
                    self.idle.insert((topic.log.newest_ms(), follower.topic));
                }
            }
        }
        let Subscriber { ready, followers, .. } = subscriber;
        ready.retain(|number| followers.contains_key(number));
        let same = self.patterns.get_or_default(&subscription.pattern);
        same.remove(&(player, id));
        if same.is_empty() {
            self.patterns.remove(&subscription.pattern);
        }
    }

    /// A session reads from now on over a new connection, whose number is returned: from what the client says that it has, and
    /// all of the topics that it was not told of.
    pub(crate) fn handle_begin(&mut self, player: PlayerId, positions: &[TopicPosition]) -> u32 {
        let subscriber = self.subscribers.entry(player).or_default();
        subscriber.connection = subscriber.connection.wrapping_add(1);
        let known: HashMap<u32, &TopicPosition> =
            positions.iter().map(|position| (position.topic, position)).collect();
        let numbers: Vec<u32> = subscriber.followers.keys().copied().collect();
        for number in numbers {
            let id = subscriber.followers.get(&number).map(|follower| follower.topic);
            let Some(topic) = id.and_then(|id| self.topics.get_mut(&id)) else { continue };
            let position = known.get(&number).copied();
            let has_moved = subscriber.rewind(number, position, topic.log.last());
            if has_moved && topic.waiting.remove(&(player, number)) {
                subscriber.ready.push_back(number);
            }
        }
        subscriber.connection
    }

    /// Ends all subscriptions of a session, and the values that it alone holds.
    pub(crate) fn handle_leave(&mut self, now_ms: u64, player: PlayerId) {
        for (value, after) in self.lifetimes.leave(player) {
            match after {
                AfterLeave::Removed => self.remove(now_ms, player, &value),
                AfterLeave::Away => self.publish_again(now_ms, &value, TopicMessageKind::Away),
            }
        }
        let Some(subscriber) = self.subscribers.get(&player) else { return };
        let ids: Vec<SubscriptionId> = subscriber.subscriptions.keys().copied().collect();
        for id in ids {
            self.handle_unsubscribe(player, id);
        }
        self.subscribers.remove(&player);
    }

    /// The next session that has something to read since it had nothing.
    pub(crate) fn poll_woken(&mut self) -> Option<PlayerId> {
        self.woken.pop()
    }

    /// The next subscription that ended by itself.
    pub(crate) fn poll_ended(&mut self) -> Option<EndedSubscription> {
        self.ended.pop()
    }

    /// True while a session has subscriptions.
    pub(crate) fn has_subscriptions(&self, player: PlayerId) -> bool {
        self.subscribers.get(&player).is_some_and(|it| !it.subscriptions.is_empty())
    }

    /// Appends the next frames for a session's topics stream to `out`: 16 KiB and the rest of a message at most, nothing if
    /// there is nothing to read or another connection reads now.
    pub(crate) fn poll_delivery(
        &mut self,
        now_ms: u64,
        (player, connection): (PlayerId, u32),
        out: &mut Vec<u8>,
    ) -> DeliveryOutcome {
        let subscriber = self.subscribers.get_mut(&player);
        let Some(subscriber) = subscriber.filter(|it| it.connection == connection) else {
            return DeliveryOutcome::Elsewhere;
        };
        let full = out.len() + DELIVERY_BYTES;
        while out.len() < full
            && let Some(number) = subscriber.ready.pop_front()
        {
            let Some(follower) = subscriber.followers.get_mut(&number) else { continue };
            let Some(topic) = self.topics.get_mut(&follower.topic) else { continue };
            self.usage
                .change(follower.topic, &mut topic.log, |log| log.expire(now_ms, &self.limits));
            deliver(number, follower, topic, out);
            if follower.cursor < topic.log.last() {
                subscriber.ready.push_back(number);
            } else {
                topic.waiting.insert((player, number));
            }
        }
        match subscriber.ready.is_empty() {
            true => DeliveryOutcome::Drained,
            false => DeliveryOutcome::More,
        }
    }

    fn check(&self, new: &NewTopicMessage) -> Result<(), TopicRefusal> {
        let NewTopicMessage { topic, key, payload, .. } = new;
        let payload_bytes_max = self.limits.payload_bytes_max;
        if let Some(mistake) = name_mistake(topic) {
            return Err(TopicRefusal::new(RefuseCode::TopicInvalid, mistake));
        }
        if key.len() > TOPIC_KEY_BYTES_MAX {
            let text = format!("a key has at most {TOPIC_KEY_BYTES_MAX} bytes");
            return Err(TopicRefusal::new(RefuseCode::TopicInvalid, text));
        }
        if payload.len() > payload_bytes_max {
            let text =
                format!("a message has at most {payload_bytes_max} bytes; send less at once");
            return Err(TopicRefusal::new(RefuseCode::TopicTooLong, text));
        }
        self.check_lifetime(new)
    }

    /// The topic of a message, if there is one, once there is place for the message: topics whose time is over go for it.
    fn find_place(
        &mut self,
        now_ms: u64,
        new: &NewTopicMessage,
    ) -> Result<Option<TopicId>, TopicRefusal> {
        let (keys_max, bytes_max) = (self.limits.keys_max, self.limits.bytes_max);
        let bytes = kept_bytes(&new.key, &new.payload);
        loop {
            let id = self.names.get(&new.topic).copied();
            let log = id.and_then(|id| self.topics.get(&id)).map(|topic| &topic.log);
            if log.is_some_and(|log| !log.has_place_for(&new.key, &self.limits)) {
                let text = format!("a topic has at most {keys_max} keys; use one that it has");
                return Err(TopicRefusal::new(RefuseCode::TopicsFull, text));
            }
            let replaced = log.map_or(0, |log| log.value_bytes(&new.key));
            if self.usage.has_place_for_value(bytes, replaced, bytes_max) {
                return Ok(id);
            }
            if !self.drop_idle(now_ms) {
                let text = "the server keeps as much of its topics as it may; try again later";
                return Err(TopicRefusal::new(RefuseCode::TopicsFull, text));
            }
        }
    }

    /// Makes a topic, which those follow whose patterns it matches.
    fn make(&mut self, now_ms: u64, name: &str) -> Result<TopicId, TopicRefusal> {
        if self.topics.len() >= self.limits.topics_max && !self.drop_idle(now_ms) {
            let text = "the server has as many topics as it may; use one that it has";
            return Err(TopicRefusal::new(RefuseCode::TopicsFull, text));
        }
        self.next_topic += 1;
        let id = TopicId(self.next_topic);
        let log = self.new_log(name);
        let topic = Topic::new(name, log);
        self.topics.insert(id, topic);
        self.names.insert(name, id);
        self.idle.insert((0, id));
        let mut subscriptions = Vec::new();
        self.patterns
            .for_each_pattern_of(name, &mut |same| subscriptions.extend(same.iter().copied()));
        for (player, subscription) in subscriptions {
            let Some(subscriber) = self.subscribers.get(&player) else { continue };
            let Some(own) = subscriber.subscriptions.get(&subscription) else { continue };
            if subscriber.followers.len() < self.limits.followed_max || subscriber.is_own {
                self.follow(player, (subscription, own.delivery), id, (0, false));
            } else {
                self.handle_unsubscribe(player, subscription);
                self.ended.push(EndedSubscription { player, id: subscription });
            }
        }
        Ok(id)
    }

    /// A session follows a topic after a cursor.
    fn follow(
        &mut self,
        player: PlayerId,
        (subscription, delivery): (SubscriptionId, TopicDelivery),
        id: TopicId,
        (start, is_continued): (u64, bool),
    ) {
        let Some(subscriber) = self.subscribers.get_mut(&player) else { return };
        let Some(topic) = self.topics.get_mut(&id) else { return };
        if subscriber.ready.is_empty() {
            self.woken.push(player);
        }
        let number = subscriber.follow(TopicFollower {
            topic: id,
            subscription,
            delivery,
            start,
            is_continued,
            cursor: start,
            removals: 0,
            is_announced: false,
        });
        if subscriber.is_own {
            return topic.own.push((player, number));
        }
        if topic.followers == 0 {
            self.idle.remove(&(topic.log.newest_ms(), id));
        }
        topic.followers += 1;
    }

    /// Removes a topic that nobody follows and whose messages are too old. Returns false if there is none.
    fn drop_idle(&mut self, now_ms: u64) -> bool {
        let Some((newest_ms, id)) = self.idle.first().copied() else { return false };
        if now_ms.saturating_sub(newest_ms) <= u64::from(self.limits.history_s) * 1000 {
            return false;
        }
        self.idle.remove(&(newest_ms, id));
        if let Some(mut topic) = self.topics.remove(&id) {
            self.names.remove(&topic.name);
            self.note_gone(&topic);
            for (player, number) in &topic.own {
                let subscriber = self.subscribers.get_mut(player);
                subscriber.into_iter().for_each(|it| it.lose(*number, topic.log.last()));
            }
            self.usage.change(id, &mut topic.log, |log| *log = TopicLog::new(log.epoch));
            self.lifetimes.forget(id);
        }
        true
    }

    /// Drops the oldest messages of all histories while all together are too large.
    fn drop_oldest(&mut self) {
        while let Some(id) = self.usage.excess(self.limits.bytes_max)
            && let Some(topic) = self.topics.get_mut(&id)
        {
            self.usage.change(id, &mut topic.log, TopicLog::drop_oldest);
        }
    }
}
