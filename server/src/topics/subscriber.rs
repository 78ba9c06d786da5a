//! One session's subscriptions, and how far it has read the topics that it follows.

use std::collections::{BTreeMap, VecDeque};

use tickwire_shared::control::{SubscriptionId, TopicDelivery, TopicPosition};

use super::TopicId;

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
    /// The client was told of the topic.
    pub(super) is_announced: bool,
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
