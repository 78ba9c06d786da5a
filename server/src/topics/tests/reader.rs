//! A client of topics, as far as its reading goes.

use std::collections::{BTreeMap, VecDeque};

use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    FrameReader, ServerTopics, SubscriptionId, TopicCursor, TopicDelivery, TopicMessage,
    TopicPosition, TopicStart,
};

use crate::topics::{DeliveryOutcome, NewSubscription, TopicRefusal, Topics};

/// A session that reads what its stream brings.
#[derive(Debug)]
pub(super) struct ReadingClient {
    pub(super) player: PlayerId,
    connection: u32,
    pub(super) is_connected: bool,
    /// Frames on their way.
    wire: VecDeque<ServerTopics>,
    /// Topics that it was told of, by their numbers.
    pub(super) known: BTreeMap<u32, KnownTopic>,
    next_subscription: u32,
}

/// A topic that a reader was told of.
#[derive(Clone, Debug)]
pub(super) struct KnownTopic {
    pub(super) subscription: SubscriptionId,
    pub(super) name: String,
    pub(super) epoch: u64,
    pub(super) after: u64,
    pub(super) is_continued: bool,
    pub(super) sequence: u64,
    /// The last message of each key.
    pub(super) values: BTreeMap<String, u64>,
}

impl ReadingClient {
    pub(super) fn begin(topics: &mut Topics, player: PlayerId) -> Self {
        let connection = topics.handle_begin(player, &[]);
        ReadingClient {
            player,
            connection,
            is_connected: true,
            wire: VecDeque::new(),
            known: BTreeMap::new(),
            next_subscription: 0,
        }
    }

    pub(super) fn subscribe(
        &mut self,
        topics: &mut Topics,
        now_ms: u64,
        what: (&str, TopicDelivery),
        start: TopicStart,
    ) -> SubscriptionId {
        self.try_subscribe(topics, now_ms, what, start).expect("a subscription")
    }

    pub(super) fn try_subscribe(
        &mut self,
        topics: &mut Topics,
        now_ms: u64,
        what: (&str, TopicDelivery),
        start: TopicStart,
    ) -> Result<SubscriptionId, TopicRefusal> {
        self.continue_after(topics, now_ms, what, (start, Vec::new()))
    }

    pub(super) fn continue_after(
        &mut self,
        topics: &mut Topics,
        now_ms: u64,
        (pattern, delivery): (&str, TopicDelivery),
        (start, cursors): (TopicStart, Vec<TopicCursor>),
    ) -> Result<SubscriptionId, TopicRefusal> {
        self.next_subscription += 1;
        let (id, pattern) = (SubscriptionId(self.next_subscription), pattern.to_owned());
        let new = NewSubscription { id, pattern, delivery, start, cursors };
        topics.handle_subscribe(now_ms, self.player, new)?;
        Ok(id)
    }

    pub(super) fn unsubscribe(&mut self, topics: &mut Topics, id: SubscriptionId) {
        topics.handle_unsubscribe(self.player, id);
        self.known.retain(|_, known| known.subscription != id);
        self.wire.retain(|frame| {
            !matches!(frame, ServerTopics::Following { subscription, .. } if *subscription == id)
        });
    }

    /// Loses the connection, and what is on its way.
    pub(super) fn lose(&mut self) {
        self.is_connected = false;
        self.wire.clear();
    }

    /// Goes on over a new connection, from what it has.
    pub(super) fn come_back(&mut self, topics: &mut Topics) {
        let position = |(topic, known): (&u32, &KnownTopic)| TopicPosition {
            topic: *topic,
            sequence: known.sequence,
        };
        self.wire.clear();
        let positions: Vec<TopicPosition> = self.known.iter().map(position).collect();
        self.connection = topics.handle_begin(self.player, &positions);
        self.is_connected = true;
    }

    /// The last messages that it has of the topics of a subscription.
    pub(super) fn cursors_of(&self, id: SubscriptionId) -> Vec<TopicCursor> {
        let own = self.known.values().filter(|known| known.subscription == id);
        own.map(|known| TopicCursor {
            topic: known.name.clone(),
            epoch: known.epoch,
            sequence: known.sequence,
        })
        .collect()
    }

    /// Lets the topics write the next frames. Returns false if there are none.
    pub(super) fn poll(&mut self, topics: &mut Topics, now_ms: u64) -> bool {
        let mut bytes = Vec::new();
        let left = topics.poll_delivery(now_ms, (self.player, self.connection), &mut bytes);
        assert_ne!(left, DeliveryOutcome::Elsewhere);
        assert!(bytes.len() <= 16 * 1024 + 64 * 1024);
        let mut frames = FrameReader::default();
        frames.push(&bytes);
        while let Some(frame) = frames.poll().expect("whole frames") {
            self.wire.push_back(frame);
        }
        !bytes.is_empty()
    }

    /// Takes the next frame that came, and `check`s each message with the topic as it was before.
    pub(super) fn take(
        &mut self,
        check: &mut impl FnMut(&KnownTopic, &TopicMessage),
    ) -> Option<ServerTopics> {
        let frame = self.wire.pop_front()?;
        match &frame {
            ServerTopics::Following { subscription, topic, name, epoch, after, is_continued } => {
                let known = KnownTopic {
                    subscription: *subscription,
                    name: name.clone(),
                    epoch: *epoch,
                    after: *after,
                    is_continued: *is_continued,
                    sequence: *after,
                    values: BTreeMap::new(),
                };
                assert!(self.known.insert(*topic, known).is_none(), "told of twice: {frame:?}");
            }
            ServerTopics::Messages { topic, messages } => {
                // Of a subscription that has ended otherwise.
                let Some(known) = self.known.get_mut(topic) else { return Some(frame) };
                for message in messages {
                    check(known, message);
                    known.sequence = message.sequence;
                    known.values.insert(message.key.clone(), message.sequence);
                }
            }
            ServerTopics::Missed { topic, from, to } => {
                let Some(known) = self.known.get_mut(topic) else { return Some(frame) };
                assert_eq!(*from, known.sequence + 1, "{frame:?}");
                assert!(to >= from, "{frame:?}");
                known.sequence = *to;
            }
        }
        Some(frame)
    }

    /// Reads until there is nothing more. Returns the frames.
    pub(super) fn read_all(&mut self, topics: &mut Topics, now_ms: u64) -> Vec<ServerTopics> {
        while self.poll(topics, now_ms) {}
        std::iter::from_fn(|| self.take(&mut |_, _| {})).collect()
    }
}
