//! Topics that a store keeps, over schedules of writes, stops and kills.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tickwire_shared::control::TopicMessage;

use super::merged::Merged;
use super::*;

/// The tables of a store, without the database.
#[derive(Default)]
struct Disk {
    topics: BTreeMap<String, (u64, BTreeMap<u64, StoredTopicMessage>)>,
    begins: BTreeMap<u64, u64>,
    gone_order: u64,
}

impl Disk {
    fn write(&mut self, change: TopicChange) {
        match change {
            TopicChange::Keep(new) => {
                let message: TopicMessage = postcard::from_bytes(&new.coded).unwrap();
                let topic = self.topics.entry(new.topic).or_default();
                if topic.0 != new.log {
                    *topic = (new.log, BTreeMap::new());
                }
                let stored = StoredTopicMessage { order: new.order, message };
                topic.1.insert(new.sequence, stored);
                new.dropped.iter().for_each(|sequence| drop(topic.1.remove(sequence)));
            }
            TopicChange::Drop { topic, order } => {
                self.topics.remove(&topic);
                self.gone_order = self.gone_order.max(order);
            }
        }
    }

    /// The topics of the next run.
    fn begin(&mut self, limits: &TopicsConfig, kept: &str) -> Topics {
        let orders = self.topics.values().flat_map(|(_, messages)| messages.values());
        let newest = orders.map(|stored| stored.order).max().unwrap_or(0);
        let before = self.begins.values().max().copied().unwrap_or(0);
        let run = self.begins.len() as u64 + 1;
        self.begins.insert(run, newest.max(before));
        let topics = self.topics.iter().map(|(name, (log, messages))| StoredTopic {
            name: name.clone(),
            log: *log,
            messages: messages.values().cloned().collect(),
        });
        let restored = RestoredTopics {
            topics: topics.collect(),
            runs: StoredRuns {
                list: 77,
                run,
                begins: self.begins.clone(),
                gone_order: self.gone_order,
            },
        };
        let mut topics = Topics::new(limits.clone(), run * 1_000_000);
        topics.restore(restored, vec![kept.to_owned()]);
        topics
    }

    fn sequences(&self, topic: &str) -> BTreeSet<u64> {
        self.topics.get(topic).iter().flat_map(|topic| topic.1.keys().copied()).collect()
    }
}

#[derive(Clone, Debug)]
enum StoredStep {
    Publish {
        topic: u8,
        key: u8,
    },
    /// Writes all but this many changes.
    Write {
        left: usize,
    },
    Read,
    /// Ends the server, which has written all or is killed.
    Restart {
        is_kill: bool,
    },
}

fn step() -> impl Strategy<Value = StoredStep> {
    prop_oneof![
        8 => (0..4u8, 0..3u8).prop_map(|(topic, key)| StoredStep::Publish { topic, key }),
        2 => (0..4usize).prop_map(|left| StoredStep::Write { left }),
        2 => Just(StoredStep::Read),
        1 => any::<bool>().prop_map(|is_kill| StoredStep::Restart { is_kill }),
    ]
}

fn limits() -> TopicsConfig {
    TopicsConfig { enabled: true, ..TopicsConfig::default() }
}

proptest! {
    #[test]
    fn what_was_written_comes_once_and_in_order_whatever_servers_are_killed(
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let (mut disk, limits) = (Disk::default(), limits());
        let mut topics = disk.begin(&limits, "**");
        let mut changes = std::collections::VecDeque::new();
        let (mut written, mut numbers) = (Vec::new(), BTreeMap::new());
        let mut bob = Merged::new(TopicDelivery::Ordered, TopicStart::New);
        bob.begin(&mut topics, "t/*");
        bob.read(&mut topics, usize::MAX);
        for (number, step) in steps.iter().enumerate() {
            let mut write = |disk: &mut Disk, changes: &mut std::collections::VecDeque<TopicChange>, left| {
                while changes.len() > left && let Some(change) = changes.pop_front() {
                    if let TopicChange::Keep(new) = &change {
                        let message: TopicMessage = postcard::from_bytes(&new.coded).unwrap();
                        written.push(String::from_utf8(message.payload).unwrap());
                        let before = numbers.insert(new.topic.clone(), new.sequence).unwrap_or(0);
                        prop_assert_eq!(new.sequence, before + 1, "numbers go on");
                    }
                    disk.write(change);
                }
                Ok(())
            };
            match step {
                StoredStep::Publish { topic, key } => {
                    let (topic, key) = (format!("t/{topic}"), key.to_string());
                    publish(&mut topics, &topic, &key, &number.to_string()).unwrap();
                    changes.extend(topics.poll_changes());
                }
                StoredStep::Write { left } => write(&mut disk, &mut changes, *left)?,
                StoredStep::Read => bob.read(&mut topics, usize::MAX),
                StoredStep::Restart { is_kill } => {
                    if !is_kill {
                        write(&mut disk, &mut changes, 0)?;
                    }
                    changes.clear();
                    topics = disk.begin(&limits, "**");
                    bob.begin(&mut topics, "t/*");
                }
            }
        }
        bob.begin(&mut topics, "t/*");
        bob.read(&mut topics, usize::MAX);
        while let Some(change) = changes.pop_front() {
            if let TopicChange::Keep(new) = change {
                let message: TopicMessage = postcard::from_bytes(&new.coded).unwrap();
                written.push(String::from_utf8(message.payload).unwrap());
            }
        }
        let read = bob.payloads().into_iter().map(str::to_owned);
        let read: Vec<String> = read.filter(|payload| written.contains(payload)).collect();
        prop_assert_eq!(read, written);
        prop_assert_eq!(&bob.missed, &[]);
    }

    #[test]
    fn the_store_has_what_the_logs_have(
        steps in proptest::collection::vec(step(), 1..120),
        history in 1..4usize,
    ) {
        let (mut disk, mut limits) = (Disk::default(), limits());
        limits.history_messages = history;
        let mut topics = disk.begin(&limits, "**");
        for (number, step) in steps.iter().enumerate() {
            match step {
                StoredStep::Publish { topic, key } => {
                    let (topic, key) = (format!("t/{topic}"), key.to_string());
                    publish(&mut topics, &topic, &key, &number.to_string()).unwrap();
                    topics.poll_changes().into_iter().for_each(|change| disk.write(change));
                }
                StoredStep::Restart { .. } => topics = disk.begin(&limits, "**"),
                StoredStep::Write { .. } | StoredStep::Read => {}
            }
            for topic in topics.topics.values() {
                let (history, _) = topic.log.page(TopicDelivery::Ordered, &super::log::PageRange::ALL);
                let (values, _) = topic.log.page(TopicDelivery::Latest, &super::log::PageRange::ALL);
                let here = history.iter().chain(&values).map(|coded| {
                    postcard::from_bytes::<TopicMessage>(coded).unwrap().sequence
                });
                prop_assert_eq!(here.collect::<BTreeSet<_>>(), disk.sequences(&topic.name));
            }
        }
    }
}

#[test]
fn a_cursor_of_an_earlier_run_goes_on_after_what_was_written() {
    let (mut disk, limits) = (Disk::default(), limits());
    let mut topics = disk.begin(&limits, "t");
    let mut write = |topics: &mut Topics, payload: &str, is_written: bool| {
        publish(topics, "t", "", payload).unwrap();
        let changes = topics.poll_changes();
        changes.into_iter().filter(|_| is_written).for_each(|change| disk.write(change));
        topics.topics.values().next().unwrap().log.epoch
    };
    let first = write(&mut topics, "1", true);
    write(&mut topics, "2", true);
    // It was delivered, and the server was killed before it was written.
    write(&mut topics, "lost", false);
    let mut topics = disk.begin(&limits, "t");
    let mut bob = ReadingClient::begin(&mut topics, BOB);
    let cursor = |epoch, sequence| vec![TopicCursor { topic: "t".to_owned(), epoch, sequence }];
    let mut read = |topics: &mut Topics, cursors: Vec<TopicCursor>| {
        let id = SubscriptionId(9);
        let (pattern, delivery) = ("t".to_owned(), TopicDelivery::Ordered);
        let new = NewSubscription { id, pattern, delivery, start: TopicStart::New, cursors };
        topics.handle_subscribe(0, BOB, new).unwrap();
        let frames = bob.read_all(topics, 0);
        topics.handle_unsubscribe(BOB, id);
        let is_continued = frames.iter().find_map(|frame| match frame {
            ServerTopics::Following { is_continued, .. } => Some(*is_continued),
            _ => None,
        });
        (is_continued, payloads(&frames))
    };
    assert_eq!(read(&mut topics, cursor(first, 1)), (Some(true), vec!["2".to_owned()]));
    assert_eq!(read(&mut topics, cursor(first, 3)), (Some(true), vec![]));
    publish(&mut topics, "t", "", "3").unwrap();
    // Whoever has the lost one, of the same number, gets this one too.
    assert_eq!(read(&mut topics, cursor(first, 3)), (Some(true), vec!["3".to_owned()]));
    assert_eq!(read(&mut topics, cursor(first ^ 1 << 40, 3)).0, Some(false));
    assert_eq!(read(&mut topics, cursor(first + 7, 3)).0, Some(false), "a run that never was");
}

#[test]
fn topics_that_are_not_kept_are_gone_with_the_run_and_that_is_told() {
    let (mut disk, limits) = (Disk::default(), limits());
    let mut topics = disk.begin(&limits, "kept/*");
    let mut bob = Merged::new(TopicDelivery::Ordered, TopicStart::New);
    bob.begin(&mut topics, "**");
    for topic in ["kept/a", "other", "kept/b", "other"] {
        publish(&mut topics, topic, "", topic).unwrap();
        topics.poll_changes().into_iter().for_each(|change| disk.write(change));
    }
    bob.read(&mut topics, usize::MAX);
    assert_eq!(disk.topics.len(), 2);
    let cursor = bob.cursor;
    let mut topics = disk.begin(&limits, "kept/*");
    publish(&mut topics, "kept/a", "", "new").unwrap();
    for (pattern, missed) in [("kept/*", 0), ("kept/b", 0), ("**", 1)] {
        let mut bob = Merged::new(TopicDelivery::Ordered, TopicStart::New);
        bob.cursor = cursor;
        bob.begin(&mut topics, pattern);
        bob.read(&mut topics, usize::MAX);
        assert_eq!(bob.missed.len(), missed, "{pattern}");
        let expected: &[&str] = if pattern == "kept/b" { &[] } else { &["new"] };
        assert_eq!(bob.payloads(), expected, "{pattern}");
    }
}

#[test]
fn a_topic_that_is_gone_is_gone_in_the_store() {
    let (mut disk, mut limits) = (Disk::default(), limits());
    limits.topics_max = 1;
    let mut topics = disk.begin(&limits, "**");
    let mut publish = |topics: &mut Topics, now_ms: u64, topic: &str| {
        let (topic, key, payload) = (topic.to_owned(), String::new(), Vec::new());
        let new = NewTopicMessage { from: ANN, topic, key, payload, lifetime: KEPT };
        topics.handle_publish(now_ms, new).unwrap();
        topics.poll_changes().into_iter().for_each(|change| disk.write(change));
        disk.topics.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(publish(&mut topics, 0, "a"), ["a"]);
    assert_eq!(publish(&mut topics, 700_000, "b"), ["b"]);
    assert_eq!(disk.gone_order, 1);
}

#[test]
fn a_history_with_a_gap_begins_after_it() {
    let (mut disk, limits) = (Disk::default(), limits());
    let mut topics = disk.begin(&limits, "**");
    for number in 1..=6u32 {
        publish(&mut topics, "t", &(number % 2).to_string(), &number.to_string()).unwrap();
        let changes = topics.poll_changes();
        // The disk failed meanwhile.
        changes.into_iter().filter(|_| number != 4).for_each(|change| disk.write(change));
    }
    let mut topics = disk.begin(&limits, "**");
    let mut bob = ReadingClient::begin(&mut topics, BOB);
    bob.subscribe(&mut topics, 0, ("t", TopicDelivery::Ordered), TopicStart::Last(9));
    assert_eq!(payloads(&bob.read_all(&mut topics, 0)), ["5", "6"]);
    bob.subscribe(&mut topics, 0, ("t", TopicDelivery::Latest), TopicStart::Last(9));
    assert_eq!(payloads(&bob.read_all(&mut topics, 0)), ["5", "6"]);
    assert_eq!(publish(&mut topics, "t", "", "7"), Ok(7));
}

#[test]
fn values_that_end_by_themselves_end_with_the_run_and_removals_stay() {
    let (mut disk, limits) = (Disk::default(), limits());
    let mut topics = disk.begin(&limits, "**");
    let mut hold = |topics: &mut Topics, key: &str, lifetime| {
        let (topic, key, payload) = ("t".to_owned(), key.to_owned(), key.as_bytes().to_vec());
        let new = NewTopicMessage { from: ANN, topic, key, payload, lifetime };
        let sequence = topics.handle_publish(0, new).unwrap();
        topics.poll_changes().into_iter().for_each(|change| disk.write(change));
        sequence
    };
    hold(&mut topics, "kept", KEPT);
    hold(&mut topics, "gone", KEPT);
    hold(&mut topics, "here", TopicLifetime::Session);
    hold(&mut topics, "typing", TopicLifetime::Milliseconds(500));
    // A value in place of one that the store has: the removal of both is written.
    hold(&mut topics, "typed", KEPT);
    hold(&mut topics, "typed", TopicLifetime::Milliseconds(500));
    topics.handle_remove(0, ANN, ("t", "gone")).unwrap();
    topics.handle_time(500);
    let mut bob = ReadingClient::begin(&mut topics, BOB);
    let latest = ("t", TopicDelivery::Latest);
    let id = bob.subscribe(&mut topics, 500, latest, TopicStart::Last(u32::MAX));
    bob.read_all(&mut topics, 500);
    let cursors = bob.cursors_of(id);
    topics.poll_changes().into_iter().for_each(|change| disk.write(change));
    assert_eq!(disk.topics["t"].1.values().filter(|it| it.message.key == "here").count(), 0);

    let mut topics = disk.begin(&limits, "**");
    let mut bob = ReadingClient::begin(&mut topics, BOB);
    bob.continue_after(&mut topics, 600, latest, (TopicStart::New, cursors)).unwrap();
    let frames = bob.read_all(&mut topics, 600);
    let is_anew =
        |frame: &ServerTopics| matches!(frame, ServerTopics::Following { is_continued: false, .. });
    assert!(frames.iter().any(is_anew), "{frames:?}");
    let mut table = std::collections::BTreeMap::new();
    for frame in &frames {
        let ServerTopics::Messages { messages, .. } = frame else { continue };
        for TopicMessage { key, kind, .. } in messages {
            table.insert(key.clone(), *kind);
        }
    }
    table.retain(|_, kind| *kind != TopicMessageKind::Removed);
    assert_eq!(table.keys().collect::<Vec<_>>(), ["kept"]);
}

#[test]
fn values_that_end_by_themselves_leave_nothing_for_the_store() {
    let mut limits = limits();
    limits.history_messages = 2;
    let mut topics = Disk::default().begin(&limits, "**");
    for number in 0..1000u64 {
        let (topic, key, payload) = ("t".to_owned(), String::new(), Vec::new());
        let lifetime = TopicLifetime::Milliseconds(10);
        let new = NewTopicMessage { from: ANN, topic, key, payload, lifetime };
        topics.handle_publish(number, new).unwrap();
    }
    assert!(topics.poll_changes().is_empty());
    publish(&mut topics, "t", "k", "kept").unwrap();
    let changes = topics.poll_changes();
    let [TopicChange::Keep(new)] = &changes[..] else { panic!("{changes:?}") };
    assert!(new.dropped.is_empty(), "{} numbers", new.dropped.len());
}

#[test]
fn an_event_stream_is_told_of_what_left_the_history_before_a_restart() {
    let (mut disk, mut limits) = (Disk::default(), limits());
    limits.history_messages = 3;
    let mut topics = disk.begin(&limits, "**");
    let mut bob = Merged::new(TopicDelivery::Ordered, TopicStart::New);
    bob.begin(&mut topics, "**");
    for number in 1..=9u32 {
        publish(&mut topics, "t", "", &number.to_string()).unwrap();
        topics.poll_changes().into_iter().for_each(|change| disk.write(change));
        if number == 2 {
            bob.read(&mut topics, usize::MAX);
        }
    }
    let mut topics = disk.begin(&limits, "**");
    assert_eq!(bob.payloads(), ["1", "2"]);
    bob.begin(&mut topics, "**");
    bob.read(&mut topics, usize::MAX);
    assert_eq!(bob.payloads(), ["1", "2", "7", "8", "9"]);
    assert_eq!(bob.missed.len(), 1, "3 to 6");
}
