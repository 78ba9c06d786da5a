//! Readers that take several topics as one list, against a list of all that was published.

use proptest::prelude::*;
use tickwire_shared::control::TopicMessage;

use super::*;

const ONLY: SubscriptionId = SubscriptionId(1);

/// A reader whose connections are lost: it has the cursor of the last message alone.
pub(super) struct Merged {
    delivery: TopicDelivery,
    start: TopicStart,
    pub(super) cursor: Option<MergedCursor>,
    /// Topic, key and payload of each message that it got.
    read: Vec<(String, String, String)>,
    pub(super) missed: Vec<MergedItem>,
}

impl Merged {
    pub(super) fn new(delivery: TopicDelivery, start: TopicStart) -> Self {
        Merged { delivery, start, cursor: None, read: Vec::new(), missed: Vec::new() }
    }

    /// Reads over a new connection.
    pub(super) fn begin(&mut self, topics: &mut Topics, pattern: &str) {
        topics.handle_leave(0, BOB);
        let (id, pattern, cursors) = (ONLY, pattern.to_owned(), Vec::new());
        let (delivery, start) = (self.delivery, self.start);
        let new = NewSubscription { id, pattern, delivery, start, cursors };
        let missed = topics.handle_read(0, BOB, new, self.cursor).unwrap();
        self.missed.extend(missed);
    }

    /// Reads all that there is, but takes `most` items: the others are lost with the connection.
    pub(super) fn read(&mut self, topics: &mut Topics, most: usize) {
        let (mut items, mut all) = (Vec::new(), None);
        while all.is_none() && items.len() < most {
            all = topics.poll_merged(0, BOB, &mut items);
        }
        let has_all = items.len() <= most;
        for item in items.into_iter().take(most) {
            match item {
                MergedItem::Message { topic, cursor, coded } => {
                    let message: TopicMessage = postcard::from_bytes(&coded).unwrap();
                    let payload = String::from_utf8(message.payload).unwrap();
                    self.read.push((topic, message.key, payload));
                    self.cursor = Some(cursor);
                }
                missed => self.missed.push(missed),
            }
        }
        if has_all && all.is_some() {
            self.cursor = all;
        }
    }

    pub(super) fn payloads(&self) -> Vec<&str> {
        self.read.iter().map(|(.., payload)| payload.as_str()).collect()
    }
}

#[derive(Clone, Debug)]
enum MergedStep {
    Publish { topic: u8, key: u8 },
    Read { most: usize },
    Reconnect,
}

fn step() -> impl Strategy<Value = MergedStep> {
    prop_oneof![
        6 => (0..6u8, 0..3u8).prop_map(|(topic, key)| MergedStep::Publish { topic, key }),
        2 => prop_oneof![0..4usize, Just(usize::MAX)].prop_map(|most| MergedStep::Read { most }),
        2 => Just(MergedStep::Reconnect),
    ]
}

proptest! {
    #[test]
    fn whatever_connections_are_lost_each_message_comes_once_in_the_order_of_all_topics(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut topics = topics(|_| {});
        let mut ordered = Merged::new(TopicDelivery::Ordered, TopicStart::New);
        let mut published = Vec::new();
        publish(&mut topics, "t/0", "", "before").unwrap();
        ordered.begin(&mut topics, "t/*");
        ordered.read(&mut topics, usize::MAX);
        for (number, step) in steps.iter().enumerate() {
            match step {
                MergedStep::Publish { topic, key } => {
                    let (topic, key) = (format!("t/{topic}"), key.to_string());
                    let payload = number.to_string();
                    publish(&mut topics, &topic, &key, &payload).unwrap();
                    publish(&mut topics, "other", "", "x").unwrap();
                    published.push((topic, key, payload));
                }
                // What a connection has not taken is lost with it.
                MergedStep::Read { most } => {
                    ordered.read(&mut topics, *most);
                    ordered.begin(&mut topics, "t/*");
                }
                MergedStep::Reconnect => ordered.begin(&mut topics, "t/*"),
            }
        }
        ordered.begin(&mut topics, "t/*");
        ordered.read(&mut topics, usize::MAX);
        prop_assert_eq!(&ordered.read, &published);
        prop_assert_eq!(&ordered.missed, &[]);
    }

    #[test]
    fn the_last_value_of_each_key_comes_whatever_connections_are_lost(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut topics = topics(|limits| limits.history_messages = 1);
        let mut latest = Merged::new(TopicDelivery::Latest, TopicStart::Last(u32::MAX));
        let mut newest = std::collections::BTreeMap::new();
        latest.begin(&mut topics, "**");
        for (number, step) in steps.iter().enumerate() {
            match step {
                MergedStep::Publish { topic, key } => {
                    let (topic, key) = (format!("t/{topic}"), key.to_string());
                    let payload = number.to_string();
                    publish(&mut topics, &topic, &key, &payload).unwrap();
                    newest.insert((topic, key), payload);
                }
                MergedStep::Read { most } => {
                    latest.read(&mut topics, *most);
                    latest.begin(&mut topics, "**");
                }
                MergedStep::Reconnect => latest.begin(&mut topics, "**"),
            }
        }
        latest.begin(&mut topics, "**");
        latest.read(&mut topics, usize::MAX);
        let read = latest.read.iter().map(|(topic, key, payload)| {
            ((topic.clone(), key.clone()), payload.clone())
        });
        let last: std::collections::BTreeMap<_, _> = read.collect();
        prop_assert_eq!(last, newest);
        let mut each = latest.payloads();
        each.sort_unstable();
        let all = each.len();
        each.dedup();
        prop_assert_eq!(all, each.len(), "one came twice");
        prop_assert_eq!(&latest.missed, &[]);
    }
}

#[test]
fn a_reader_without_messages_goes_on_where_it_began() {
    let mut topics = topics(|_| {});
    let mut bob = Merged::new(TopicDelivery::Ordered, TopicStart::New);
    bob.begin(&mut topics, "later/*");
    bob.read(&mut topics, usize::MAX);
    topics.handle_leave(0, BOB);
    publish(&mut topics, "later/1", "", "a").unwrap();
    publish(&mut topics, "later/2", "", "b").unwrap();
    bob.begin(&mut topics, "later/*");
    bob.read(&mut topics, usize::MAX);
    assert_eq!(bob.payloads(), ["a", "b"]);
}

#[test]
fn messages_that_are_gone_are_missed_and_named_as_far_as_they_are_known() {
    let mut topics = topics(|limits| (limits.history_messages, limits.topics_max) = (2, 2));
    let mut bob = Merged::new(TopicDelivery::Ordered, TopicStart::New);
    bob.begin(&mut topics, "**");
    for number in 0..5 {
        publish(&mut topics, "a", "", &number.to_string()).unwrap();
    }
    bob.read(&mut topics, usize::MAX);
    let topic = Some("a".to_owned());
    let (from, to) = (Some(1), Some(3));
    assert_eq!(bob.missed, [MergedItem::Missed { topic: topic.clone(), from, to }]);
    assert_eq!(bob.payloads(), ["3", "4"]);

    // While it is away it is not known which ones it has.
    topics.handle_leave(0, BOB);
    (5..8).for_each(|number| drop(publish(&mut topics, "a", "", &number.to_string())));
    bob.missed.clear();
    bob.begin(&mut topics, "**");
    bob.read(&mut topics, usize::MAX);
    assert_eq!(bob.missed, [MergedItem::Missed { topic, from: None, to: Some(6) }]);
    assert_eq!(bob.payloads()[2..], ["6", "7"]);

    // A topic that is gone, and whose messages nobody knows any more.
    topics.handle_leave(0, BOB);
    publish(&mut topics, "b", "", "x").unwrap();
    let (topic, key, payload) = ("c".to_owned(), String::new(), b"y".to_vec());
    let new = NewTopicMessage { from: ANN, topic, key, payload, lifetime: KEPT };
    topics.handle_publish(700_000, new).unwrap();
    bob.missed.clear();
    bob.begin(&mut topics, "**");
    bob.read(&mut topics, usize::MAX);
    assert_eq!(bob.missed, [], "the one that is gone had nothing new");
    topics.handle_leave(0, BOB);
    let (topic, key, payload) = ("d".to_owned(), String::new(), b"z".to_vec());
    let cursor = bob.cursor;
    topics
        .handle_publish(
            1_400_000,
            NewTopicMessage { from: ANN, topic, key, payload, lifetime: KEPT },
        )
        .unwrap();
    bob.begin(&mut topics, "**");
    bob.read(&mut topics, usize::MAX);
    assert_eq!(bob.missed, [], "it had read what b had: {cursor:?}");
    bob.cursor = "00000000000003e8-1".parse().ok();
    bob.begin(&mut topics, "**");
    assert_eq!(bob.missed[0], MergedItem::Missed { topic: None, from: None, to: None });
}

#[test]
fn a_cursor_of_another_run_brings_all_that_is_kept_and_says_so() {
    for cursor in ["00000000000003e7-1", "00000000000003e8-9"] {
        let mut topics = topics(|_| {});
        publish(&mut topics, "a", "", "1").unwrap();
        publish(&mut topics, "b", "", "2").unwrap();
        let mut bob = Merged::new(TopicDelivery::Ordered, TopicStart::New);
        bob.cursor = Some(cursor.parse().unwrap());
        bob.begin(&mut topics, "**");
        bob.read(&mut topics, usize::MAX);
        assert_eq!(bob.missed, [MergedItem::Missed { topic: None, from: None, to: None }]);
        assert_eq!(bob.payloads(), ["1", "2"]);
        let text = bob.cursor.unwrap().to_string();
        assert_eq!(text, "00000000000003e8-2");
    }
}

#[test]
fn a_page_of_history_ends_where_it_is_asked_to() {
    let mut topics = topics(|_| {});
    for number in 1..=10u64 {
        let (topic, key) = ("t".to_owned(), (number % 2).to_string());
        let payload = vec![b'0'; 1000];
        let new = NewTopicMessage { from: ANN, topic, key, payload, lifetime: KEPT };
        topics.handle_publish(number * 1000, new).unwrap();
    }
    let mut page = |change: &dyn Fn(&mut HistoryQuery)| {
        let mut query = HistoryQuery {
            topic: "t".to_owned(),
            delivery: TopicDelivery::Ordered,
            before: u64::MAX,
            since_ms: None,
            messages_max: 100,
            bytes_max: 1_000_000,
        };
        change(&mut query);
        let page = topics.page(10_000, &query);
        let sequence =
            |coded: &bytes::Bytes| postcard::from_bytes::<TopicMessage>(coded).unwrap().sequence;
        (page.messages.iter().map(sequence).collect::<Vec<_>>(), page.has_older)
    };
    assert_eq!(page(&|_| {}), ((1..=10).collect(), false));
    assert_eq!(page(&|query| query.messages_max = 3), (vec![8, 9, 10], true));
    assert_eq!(page(&|query| (query.messages_max, query.before) = (3, 4)), (vec![1, 2, 3], false));
    assert_eq!(page(&|query| query.since_ms = Some(2000)), (vec![8, 9, 10], false));
    assert_eq!(page(&|query| query.bytes_max = 2100), (vec![9, 10], true));
    assert_eq!(page(&|query| query.bytes_max = 1), (vec![10], true));
    assert_eq!(page(&|query| query.messages_max = 0), (vec![], true));
    assert_eq!(page(&|query| query.delivery = TopicDelivery::Latest), (vec![9, 10], false));
    assert_eq!(page(&|query| query.topic = "u".to_owned()), (vec![], false));
}
