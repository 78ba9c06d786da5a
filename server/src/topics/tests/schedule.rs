//! Random schedules of publishing, reading, lost connections and new sessions, in virtual time.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    ServerTopics, SubscriptionId, TopicDelivery, TopicLifetime, TopicMessage, TopicMessageKind,
    TopicStart,
};

use super::reader::{KnownTopic, ReadingClient};
use crate::config::TopicsConfig;
use crate::topics::{NewTopicMessage, Topics, covers};

const NAMES: [&str; 5] = ["a", "b", "a/x", "a/y", "a/x/1"];
const PATTERNS: [&str; 6] = ["a", "*", "a/*", "**", "a/**", "*/x"];
const KEYS: [&str; 3] = ["", "k", "l"];
const READERS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Publish {
        topic: usize,
        key: usize,
        bytes: usize,
    },
    Subscribe {
        reader: usize,
        pattern: usize,
        is_latest: bool,
        start: TopicStart,
    },
    Unsubscribe {
        reader: usize,
        which: usize,
    },
    /// The server writes frames, and the reader takes some of them.
    Read {
        reader: usize,
        frames: usize,
    },
    Lose {
        reader: usize,
    },
    ComeBack {
        reader: usize,
    },
    /// The session ends, and another one goes on by cursors.
    BeginAnew {
        reader: usize,
    },
    Wait {
        ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let reader = 0..READERS;
    let start = prop_oneof![
        Just(TopicStart::New),
        (0u32..9).prop_map(TopicStart::Last),
        (0u32..3000).prop_map(TopicStart::Since),
    ];
    prop_oneof![
        8 => (0..NAMES.len(), 0..KEYS.len(), prop_oneof![4 => 0usize..40, 1 => 5_000usize..12_000])
            .prop_map(|(topic, key, bytes)| Step::Publish { topic, key, bytes }),
        3 => (reader.clone(), 0..PATTERNS.len(), any::<bool>(), start).prop_map(
            |(reader, pattern, is_latest, start)| Step::Subscribe { reader, pattern, is_latest, start }
        ),
        1 => (reader.clone(), 0usize..4).prop_map(|(reader, which)| Step::Unsubscribe { reader, which }),
        6 => (reader.clone(), 0usize..6).prop_map(|(reader, frames)| Step::Read { reader, frames }),
        2 => reader.clone().prop_map(|reader| Step::Lose { reader }),
        2 => reader.clone().prop_map(|reader| Step::ComeBack { reader }),
        1 => reader.prop_map(|reader| Step::BeginAnew { reader }),
        1 => (0u64..2000).prop_map(|ms| Step::Wait { ms }),
    ]
}

/// A subscription as its reader made it.
#[derive(Clone, Debug)]
struct Wanted {
    pattern: &'static str,
    delivery: TopicDelivery,
    /// Where it begins in each topic that there was; in others at 0.
    begins: BTreeMap<String, u64>,
    /// Topics in which it goes on after a cursor.
    continued: Vec<String>,
}

/// All that was published, and who reads it.
struct TopicWorld {
    topics: Topics,
    now_ms: u64,
    published: BTreeMap<&'static str, Vec<TopicMessage>>,
    readers: Vec<(ReadingClient, BTreeMap<SubscriptionId, Wanted>)>,
    next_player: u32,
    /// Messages that every history has at least, if there are as many.
    history: usize,
}

impl TopicWorld {
    fn new(limits: TopicsConfig) -> Self {
        let history = limits.history_messages;
        let mut topics = Topics::new(limits, 7);
        let mut reader = |number: usize| {
            (ReadingClient::begin(&mut topics, PlayerId(number as u32)), BTreeMap::new())
        };
        let readers = (0..READERS).map(&mut reader).collect();
        let published = NAMES.iter().map(|name| (*name, Vec::new())).collect();
        TopicWorld { topics, now_ms: 0, published, readers, next_player: 100, history }
    }

    fn run(&mut self, step: &Step) {
        match step.clone() {
            Step::Publish { topic, key, bytes } => self.publish(NAMES[topic], KEYS[key], bytes),
            Step::Subscribe { reader, pattern, is_latest, start } => {
                let delivery =
                    if is_latest { TopicDelivery::Latest } else { TopicDelivery::Ordered };
                let begins = self.begins(PATTERNS[pattern], delivery, start);
                let (reader, wanted) = &mut self.readers[reader];
                let what = (PATTERNS[pattern], delivery);
                let id = reader.subscribe(&mut self.topics, self.now_ms, what, start);
                let (pattern, continued) = (PATTERNS[pattern], Vec::new());
                wanted.insert(id, Wanted { pattern, delivery, begins, continued });
            }
            Step::Unsubscribe { reader, which } => {
                let (reader, wanted) = &mut self.readers[reader];
                if let Some(id) = wanted.keys().nth(which).copied() {
                    reader.unsubscribe(&mut self.topics, id);
                    wanted.remove(&id);
                }
            }
            Step::Read { reader, frames } if self.readers[reader].0.is_connected => {
                self.readers[reader].0.poll(&mut self.topics, self.now_ms);
                self.take(reader, frames);
            }
            Step::Lose { reader } => self.readers[reader].0.lose(),
            Step::ComeBack { reader } => self.readers[reader].0.come_back(&mut self.topics),
            Step::BeginAnew { reader } => self.begin_anew(reader),
            Step::Wait { ms } => self.now_ms += ms,
            Step::Read { .. } => {}
        }
    }

    fn publish(&mut self, topic: &'static str, key: &str, bytes: usize) {
        let all = self.published.get_mut(topic).unwrap();
        let payload = vec![all.len() as u8; bytes];
        let (key, from, time_ms) = (key.to_owned(), PlayerId(9), self.now_ms);
        let new = NewTopicMessage {
            from,
            topic: topic.to_owned(),
            key: key.clone(),
            payload: payload.clone(),
            lifetime: TopicLifetime::Kept,
        };
        let sequence = self.topics.handle_publish(self.now_ms, new).expect("published");
        assert_eq!(sequence, all.len() as u64 + 1);
        let kind = TopicMessageKind::Value;
        all.push(TopicMessage { sequence, time_ms, from, key, kind, payload });
    }

    /// Where a subscription begins by the list of all that was published.
    fn begins(
        &self,
        pattern: &str,
        delivery: TopicDelivery,
        start: TopicStart,
    ) -> BTreeMap<String, u64> {
        let mut begins = BTreeMap::new();
        for (name, all) in self.published.iter().filter(|(_, all)| !all.is_empty()) {
            let kept: Vec<&TopicMessage> = match delivery {
                TopicDelivery::Ordered => {
                    all.iter().skip(all.len().saturating_sub(self.history)).collect()
                }
                TopicDelivery::Latest => {
                    let is_newest = |message: &&TopicMessage| {
                        newest(all, &message.key) == Some(message.sequence)
                    };
                    all.iter().filter(is_newest).collect()
                }
            };
            let first = match start {
                TopicStart::New => None,
                TopicStart::Last(count) => {
                    kept.iter().rev().take(count as usize).next_back().copied()
                }
                TopicStart::Since(ms) => {
                    let since = self.now_ms.saturating_sub(u64::from(ms));
                    kept.iter().find(|message| message.time_ms >= since).copied()
                }
            };
            let last = all.len() as u64;
            let begin = first.map_or(last, |message| message.sequence - 1);
            // Before the first of all newest values there is nothing that could come.
            let is_all = kept.first().map(|it| it.sequence) == first.map(|it| it.sequence);
            let is_short = matches!(start, TopicStart::Last(count) if count as usize > kept.len());
            let begin =
                if delivery == TopicDelivery::Latest && is_all && is_short { 0 } else { begin };
            if covers(pattern, name) {
                begins.insert((*name).to_owned(), begin);
            }
        }
        begins
    }

    fn begin_anew(&mut self, at: usize) {
        let (old, wanted) = &self.readers[at];
        let wanted: Vec<(Wanted, _)> =
            wanted.iter().map(|(id, wanted)| (wanted.clone(), old.cursors_of(*id))).collect();
        self.topics.handle_leave(self.now_ms, old.player);
        self.next_player += 1;
        let mut reader = ReadingClient::begin(&mut self.topics, PlayerId(self.next_player));
        let mut anew = BTreeMap::new();
        for (Wanted { pattern, delivery, .. }, cursors) in wanted {
            let mut begins = self.begins(pattern, delivery, TopicStart::New);
            let continued = cursors.iter().map(|cursor| cursor.topic.clone()).collect();
            begins.extend(cursors.iter().map(|cursor| (cursor.topic.clone(), cursor.sequence)));
            let after = (TopicStart::New, cursors);
            let id = reader
                .continue_after(&mut self.topics, self.now_ms, (pattern, delivery), after)
                .expect("a subscription");
            anew.insert(id, Wanted { pattern, delivery, begins, continued });
        }
        self.readers[at] = (reader, anew);
    }

    /// A reader takes frames, each of which must be right.
    fn take(&mut self, at: usize, frames: usize) {
        let (reader, wanted) = &mut self.readers[at];
        let published = &self.published;
        let mut check = |known: &KnownTopic, message: &TopicMessage| {
            let all = &published[&*known.name];
            assert_eq!(message, &all[message.sequence as usize - 1]);
            match wanted[&known.subscription].delivery {
                TopicDelivery::Ordered => assert_eq!(message.sequence, known.sequence + 1),
                TopicDelivery::Latest => assert!(message.sequence > known.sequence),
            }
        };
        for _ in 0..frames {
            match reader.take(&mut check) {
                Some(ServerTopics::Following {
                    subscription, name, after, is_continued, ..
                }) => {
                    let wanted = &wanted[&subscription];
                    assert!(covers(wanted.pattern, &name));
                    assert_eq!(wanted.begins.get(&name).copied().unwrap_or(0), after, "{wanted:?}");
                    assert_eq!(is_continued, wanted.continued.contains(&name));
                }
                Some(ServerTopics::Missed { topic, to, .. }) => {
                    let Some(known) = reader.known.get(&topic) else { continue };
                    let kept_from = published[&*known.name].len()
                        - self.history.min(published[&*known.name].len());
                    assert!(to as usize <= kept_from, "missed what was kept");
                }
                Some(ServerTopics::Messages { .. }) => {}
                None => return,
            }
        }
    }

    /// All come back and read to the end: everyone has everything that it asked for.
    fn finish(&mut self) {
        for at in 0..READERS {
            if !self.readers[at].0.is_connected {
                self.readers[at].0.come_back(&mut self.topics);
            }
            while self.readers[at].0.poll(&mut self.topics, self.now_ms) {}
            self.take(at, usize::MAX);
            let (reader, wanted) = &self.readers[at];
            for (id, wanted) in wanted {
                for (name, all) in self.published.iter().filter(|(_, all)| !all.is_empty()) {
                    if covers(wanted.pattern, name) {
                        has_all(reader, (*id, wanted), (name, all));
                    }
                }
            }
        }
    }
}

fn newest(all: &[TopicMessage], key: &str) -> Option<u64> {
    all.iter().rev().find(|message| message.key == key).map(|message| message.sequence)
}

fn has_all(
    reader: &ReadingClient,
    (id, wanted): (SubscriptionId, &Wanted),
    (name, all): (&str, &[TopicMessage]),
) {
    let mut own = reader.known.values().filter(|it| it.subscription == id && it.name == name);
    let known = own.next().unwrap_or_else(|| panic!("not told of {name}: {wanted:?}"));
    assert!(own.next().is_none(), "told twice of {name}");
    match wanted.delivery {
        TopicDelivery::Ordered => assert_eq!(known.sequence, all.len() as u64),
        TopicDelivery::Latest => {
            for key in KEYS {
                let newest = newest(all, key).filter(|sequence| *sequence > known.after);
                assert_eq!(known.values.get(key).copied(), newest, "{key:?} of {known:?}");
            }
        }
    }
    let begin = wanted.begins.get(name).copied().unwrap_or(0);
    assert_eq!(
        (known.after, known.is_continued),
        (begin, wanted.continued.contains(&name.to_owned()))
    );
}

fn run(steps: &[Step], limits: TopicsConfig) {
    let mut world = TopicWorld::new(limits);
    steps.iter().for_each(|step| world.run(step));
    world.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    /// Every message exactly once and in order, or the newest value of each key, whenever connections and sessions end.
    #[test]
    fn each_reader_gets_what_it_asked_for(steps in proptest::collection::vec(step(), 1..80)) {
        run(&steps, TopicsConfig::default());
    }

    /// The same where the server keeps few messages: what is missed is named, and only what is no longer kept.
    #[test]
    fn what_a_reader_misses_is_named(steps in proptest::collection::vec(step(), 1..80)) {
        run(&steps, TopicsConfig { history_messages: 4, ..TopicsConfig::default() });
    }
}
