//! One session's subscriptions, and how far it has read the topics that it follows.

use std::collections::{BTreeMap, VecDeque};

use tickwire_shared::control::{
    ServerTopics, SubscriptionId, TopicDelivery, TopicPosition, write_frame, write_topic_messages,
};

use super::log::TopicLog;
use super::{Topic, TopicId};

/// Bytes of messages of one topic in a delivery before the next topic's turn.
const TURN_BYTES: usize = 8 * 1024;

/// A session with subscriptions.
#[derive(Debug, Default)]
pub(super) struct Subscriber {
    /// Counts the connections over which it read.
    pub(super) connection: u32,
    pub(super) subscriptions: BTreeMap<SubscriptionId, Subscription>,
    /// The topics that it follows, by their numbers in the session.
    pub(super) followers: BTreeMap<u32, TopicFollower>,
    /// Those with something to read, in turn.
    pub(super) ready: VecDeque<u32>,
    pub(super) next_number: u32,
    /// It reads for the server itself: it follows as many topics as there are, and none of them stays for it.
    pub(super) is_own: bool,
    /// Such a topic is gone, with messages that were not read.
    pub(super) has_lost: bool,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) pattern: String,
    pub(super) delivery: TopicDelivery,
}

/// A topic that a session follows by one subscription. Either it is ready, or it waits at the topic.
#[derive(Debug)]
pub(super) struct TopicFollower {
    pub(super) topic: TopicId,
    pub(super) subscription: SubscriptionId,
    pub(super) delivery: TopicDelivery,
    /// Where it began.
    pub(super) start: u64,
    /// It began after a cursor of the client.
    pub(super) is_continued: bool,
    /// The last message that was read.
    pub(super) cursor: u64,
    /// By [`TopicDelivery::Latest`]: what was removed up to here has no value at the client.
    pub(super) removals: u64,
    /// The client was told of the topic.
    pub(super) is_announced: bool,
}

impl TopicFollower {
    /// The first and the last of the removals that are gone and that it may have missed. It begins anew then.
    pub(super) fn take_forgotten(&mut self, log: &TopicLog) -> Option<(u64, u64)> {
        let (from, forgotten) = (self.cursor + 1, log.forgotten());
        let may_miss = self.delivery == TopicDelivery::Latest && self.may_have_values();
        if !may_miss || forgotten <= self.cursor.max(self.removals) {
            return None;
        }
        self.begin_anew(forgotten);
        Some((from, forgotten))
    }

    /// False for one that began without values and has read none.
    fn may_have_values(&self) -> bool {
        self.is_continued || self.cursor > self.start
    }

    /// Reads all newest values again that it ever was to get, after removals up to `forgotten` that are gone.
    fn begin_anew(&mut self, forgotten: u64) {
        if std::mem::replace(&mut self.is_continued, false) {
            self.start = 0;
        }
        (self.cursor, self.removals) = (self.start, forgotten);
    }
}

impl Subscriber {
    /// Adds a topic, about which the client is to be told. Returns its number.
    pub(super) fn follow(&mut self, follower: TopicFollower) -> u32 {
        let mut number = self.next_number.wrapping_add(1);
        while self.followers.contains_key(&number) {
            number = number.wrapping_add(1);
        }
        self.next_number = number;
        self.followers.insert(number, follower);
        self.ready.push_back(number);
        number
    }

    /// A topic is gone whose newest message was `last`.
    pub(super) fn lose(&mut self, number: u32, last: u64) {
        let follower = self.followers.remove(&number);
        self.has_lost |= follower.is_some_and(|follower| follower.cursor < last);
    }

    /// Reads on from what the client has. Returns true if that is not where it was.
    pub(super) fn rewind(
        &mut self,
        number: u32,
        position: Option<&TopicPosition>,
        last: u64,
    ) -> bool {
        let Some(follower) = self.followers.get_mut(&number) else { return false };
        let before = (follower.cursor, follower.is_announced);
        follower.is_announced = position.is_some();
        follower.removals = 0;
        follower.cursor = match position {
            Some(position) => position.sequence.clamp(follower.start.min(last), last),
            None => follower.start,
        };
        before != (follower.cursor, follower.is_announced)
    }

    /// The numbers of the topics that it follows by a subscription.
    pub(super) fn numbers_of(&self, subscription: SubscriptionId) -> Vec<u32> {
        let followers = self.followers.iter();
        let own = followers.filter(|(_, follower)| follower.subscription == subscription);
        own.map(|(number, _)| *number).collect()
    }
}

/// Appends a topic's next frames for a session.
pub(super) fn deliver(number: u32, follower: &mut TopicFollower, topic: &Topic, out: &mut Vec<u8>) {
    let Topic { name, log, .. } = topic;
    if !std::mem::replace(&mut follower.is_announced, true) {
        let following = ServerTopics::Following {
            subscription: follower.subscription,
            topic: number,
            name: name.clone(),
            epoch: log.epoch,
            after: follower.cursor,
            is_continued: follower.is_continued,
        };
        write_frame(&following, out);
    }
    if follower.delivery == TopicDelivery::Ordered
        && let Some((from, to)) = log.missed(follower.cursor)
    {
        write_frame(&ServerTopics::Missed { topic: number, from, to }, out);
        follower.cursor = to;
    }
    if let Some((from, to)) = follower.take_forgotten(log) {
        write_frame(&ServerTopics::Missed { topic: number, from, to }, out);
    }
    let (messages, cursor) = log.read(follower.delivery, follower.cursor, TURN_BYTES);
    if !messages.is_empty() {
        write_topic_messages(number, messages.into_iter(), out);
    }
    follower.cursor = cursor;
}
