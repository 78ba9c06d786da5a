//! One subscription of a client, over all its sessions, and what must have come by it.

use std::collections::BTreeMap;

use tickwire_client::session::TopicEvent;
use tickwire_shared::control::{
    RequestId, SubscriptionId, TopicCursor, TopicDelivery, TopicMessage, TopicStart,
};

use crate::published::PublishedMessages;

/// A subscription as its client made it.
#[derive(Debug)]
pub(super) struct ExpectedSubscription {
    pub(super) id: SubscriptionId,
    pub(super) request: RequestId,
    pub(super) pattern: &'static str,
    pub(super) delivery: TopicDelivery,
    pub(super) start: TopicStart,
    /// Messages with this number and later ones were given after its client knew that it has begun.
    pub(super) begun: Option<usize>,
    /// The last messages that were known when it was made.
    floor: BTreeMap<String, u64>,
    topics: BTreeMap<String, HeardTopic>,
}

/// What came of one topic.
#[derive(Debug, Default)]
struct HeardTopic {
    is_followed: bool,
    /// The session that it goes on from had a cursor of the same log, or of another one.
    cursor: Option<HeardCursor>,
    /// All after this message came or was named, as far as it has come; `None` until anything did.
    first: Option<u64>,
    last: Option<u64>,
    /// The newest message of each key.
    values: BTreeMap<String, u64>,
    /// The last message that was named as no longer kept.
    missed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeardCursor {
    OfThisLog,
    OfAnother,
}

impl ExpectedSubscription {
    pub(super) fn new(
        (id, request): (SubscriptionId, RequestId),
        pattern: &'static str,
        (delivery, start): (TopicDelivery, TopicStart),
        published: &PublishedMessages,
    ) -> Self {
        let floor = published.topics().map(|topic| (topic.to_owned(), published.last(topic)));
        let (floor, topics) = (floor.collect(), BTreeMap::new());
        ExpectedSubscription { id, request, pattern, delivery, start, begun: None, floor, topics }
    }

    /// Another session makes it again, after these cursors.
    pub(super) fn goes_on(
        &mut self,
        ids: (SubscriptionId, RequestId),
        cursors: &[TopicCursor],
        is_other_run: bool,
        (is_all_kept, published): (bool, &PublishedMessages),
    ) {
        let mut before = std::mem::take(&mut self.topics);
        *self = ExpectedSubscription::new(
            ids,
            self.pattern,
            (self.delivery, TopicStart::New),
            published,
        );
        for cursor in cursors {
            let mut heard = before.remove(&cursor.topic).expect("a cursor of a topic it follows");
            let last = *heard.last.get_or_insert(cursor.sequence);
            assert_eq!(last, cursor.sequence, "the cursor is where it is");
            heard.first.get_or_insert(cursor.sequence);
            heard.is_followed = false;
            heard.cursor = Some(HeardCursor::OfThisLog);
            if is_other_run {
                // Everything comes that the new log has.
                let begin = (is_all_kept || self.delivery == TopicDelivery::Latest).then_some(0);
                let cursor = Some(HeardCursor::OfAnother);
                heard = HeardTopic { cursor, first: begin, last: begin, ..HeardTopic::default() };
            }
            self.topics.insert(cursor.topic.clone(), heard);
        }
    }

    /// Takes what its session tells of it.
    pub(super) fn take(&mut self, event: &TopicEvent, history: u64) {
        match event {
            TopicEvent::Following { topic, is_continued, .. } => {
                assert!(matches(self.pattern, topic), "{topic} for {}", self.pattern);
                let heard = self.topics.entry(topic.to_string()).or_default();
                assert!(!heard.is_followed, "told twice of {topic}");
                heard.is_followed = true;
                assert_eq!(*is_continued, heard.cursor == Some(HeardCursor::OfThisLog), "{topic}");
            }
            TopicEvent::Message { topic, message, .. } => self.take_message(topic, message),
            TopicEvent::Missed { topic, from, to, .. } => {
                if self.delivery == TopicDelivery::Latest {
                    // All values come again.
                    let heard = self.topics.entry(topic.to_string()).or_default();
                    (heard.last, heard.values) = (None, BTreeMap::new());
                    return;
                }
                assert!(*to >= *from && history < 100, "{event:?}");
                let heard = self.topics.get_mut(&**topic).expect("a topic that is followed");
                assert!(heard.is_followed && heard.last.is_none_or(|last| last + 1 == *from));
                heard.first.get_or_insert(from - 1);
                (heard.last, heard.missed) = (Some(*to), *to);
            }
        }
    }

    fn take_message(&mut self, topic: &str, message: &TopicMessage) {
        let heard = self.topics.get_mut(topic).expect("a topic that is followed");
        let sequence = message.sequence;
        assert!(heard.is_followed, "{sequence} of {topic}");
        match self.delivery {
            TopicDelivery::Ordered => {
                let is_next = heard.last.is_none_or(|last| last + 1 == sequence);
                assert!(is_next, "{sequence} of {topic} after {:?}", heard.last);
                heard.first.get_or_insert(sequence - 1);
            }
            TopicDelivery::Latest => {
                let is_later = heard.last.is_none_or(|last| last < sequence);
                assert!(is_later, "{sequence} of {topic} after {:?}", heard.last);
            }
        }
        heard.last = Some(sequence);
        heard.values.insert(message.key.clone(), sequence);
    }

    /// Nothing more is on its way: everything has come.
    pub(super) fn check_whole(&self, published: &PublishedMessages, history: u64) {
        let begun = self.begun.expect("its client knows that it has begun");
        for topic in published.topics().filter(|topic| matches(self.pattern, topic)) {
            let log = published.log(topic).expect("a topic has a log");
            let heard = self.topics.get(topic).filter(|heard| heard.is_followed);
            let heard = heard.unwrap_or_else(|| panic!("not told of {topic}: {self:?}"));
            let is_obliged = |sequence: u64, number: usize| match heard.first {
                Some(first) => sequence > first,
                None => number >= begun,
            };
            match self.delivery {
                TopicDelivery::Ordered => {
                    let last = heard.last.or_else(|| {
                        log.iter()
                            .all(|(at, number)| !is_obliged(*at, *number))
                            .then_some(published.last(topic))
                    });
                    assert_eq!(last, Some(published.last(topic)), "of {topic}: {self:?}");
                    let is_gone =
                        heard.missed == 0 || heard.missed + history <= published.last(topic);
                    assert!(is_gone, "what is kept of {topic} was named as missed: {self:?}");
                }
                TopicDelivery::Latest => {
                    for (key, (sequence, number)) in published.newest(topic) {
                        let has = heard.values.get(key).copied();
                        let is_fit =
                            has == Some(sequence) || has.is_none() && !is_obliged(sequence, number);
                        assert!(is_fit, "{key:?} of {topic} is {has:?}, not {sequence}: {self:?}");
                    }
                }
            }
            self.check_begin(topic, heard, (begun, log));
        }
    }

    /// It began where it was asked to, as far as can be known from outside.
    fn check_begin(
        &self,
        topic: &str,
        heard: &HeardTopic,
        (begun, log): (usize, &BTreeMap<u64, usize>),
    ) {
        let (Some(first), TopicDelivery::Ordered, None) =
            (heard.first, self.delivery, heard.cursor)
        else {
            return;
        };
        let skipped = log.range(..=first).find(|(_, number)| **number >= begun);
        assert!(skipped.is_none(), "{skipped:?} of {topic} did not come: {self:?}");
        let floor = self.floor.get(topic).copied().unwrap_or(0);
        let earliest = match self.start {
            TopicStart::New => floor,
            TopicStart::Last(count) => floor.saturating_sub(u64::from(count)),
            TopicStart::Since(_) => 0,
        };
        assert!(first >= earliest, "it began after {first} of {topic}, not {earliest}: {self:?}");
    }
}

/// Whether a topic's name matches a pattern, level by level.
fn matches(pattern: &str, topic: &str) -> bool {
    let (mut pattern, mut topic) = (pattern.split('/'), topic.split('/'));
    loop {
        match (pattern.next(), topic.next()) {
            (Some("**"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}
