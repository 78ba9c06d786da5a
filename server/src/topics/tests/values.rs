//! Values that end by a request, with the sessions that hold them, or at a time: what a reader of the newest values has is what
//! there is, over schedules of lost connections.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tickwire_shared::control::FrameReader;

use super::*;

const NAMES: [&str; 2] = ["a", "a/x"];
const KEYS: [&str; 4] = ["", "k", "l", "m"];
const SESSIONS: u32 = 3;
const READERS: usize = 2;

/// What a value is, and whether those who hold it are away.
type Table = BTreeMap<(String, String), (Vec<u8>, bool)>;

#[derive(Clone, Debug)]
enum ValueStep {
    Publish { session: u32, topic: usize, key: usize, lifetime: TopicLifetime },
    Remove { session: u32, topic: usize, key: usize },
    Away { session: u32 },
    Back { session: u32 },
    Leave { session: u32 },
    Wait { ms: u64 },
    Read { reader: usize, frames: usize },
    ComeBack { reader: usize },
    BeginAnew { reader: usize },
}

fn step() -> impl Strategy<Value = ValueStep> {
    let session = 0..SESSIONS;
    let place = (0..NAMES.len(), 0..KEYS.len());
    let lifetime = prop_oneof![
        1 => Just(TopicLifetime::Kept),
        3 => Just(TopicLifetime::Session),
        1 => (0u32..3000).prop_map(TopicLifetime::Milliseconds),
    ];
    prop_oneof![
        6 => (session.clone(), place.clone(), lifetime).prop_map(
            |(session, (topic, key), lifetime)| ValueStep::Publish { session, topic, key, lifetime }
        ),
        2 => (session.clone(), place).prop_map(|(session, (topic, key))| ValueStep::Remove { session, topic, key }),
        2 => session.clone().prop_map(|session| ValueStep::Away { session }),
        2 => session.clone().prop_map(|session| ValueStep::Back { session }),
        1 => session.prop_map(|session| ValueStep::Leave { session }),
        1 => (0u64..2000).prop_map(|ms| ValueStep::Wait { ms }),
        4 => (0..READERS, 0usize..5).prop_map(|(reader, frames)| ValueStep::Read { reader, frames }),
        2 => (0..READERS).prop_map(|reader| ValueStep::ComeBack { reader }),
        1 => (0..READERS).prop_map(|reader| ValueStep::BeginAnew { reader }),
    ]
}

/// A value as the list of all that happened has it.
#[derive(Clone, Debug)]
struct Listed {
    payload: Vec<u8>,
    holders: BTreeSet<u32>,
    end_ms: Option<u64>,
}

/// A session that keeps a table of all newest values.
struct TableReader {
    player: PlayerId,
    connection: u32,
    /// Frames on their way.
    wire: Vec<ServerTopics>,
    /// The topics that it was told of: their names, and the last messages that it has.
    known: BTreeMap<u32, (String, u64, u64)>,
    table: Table,
}

impl TableReader {
    fn begin(topics: &mut Topics, player: PlayerId, cursors: Vec<TopicCursor>) -> Self {
        let connection = topics.handle_begin(player, &[]);
        let (id, pattern, start) = (SubscriptionId(1), "**".to_owned(), TopicStart::Last(u32::MAX));
        let new = NewSubscription { id, pattern, delivery: TopicDelivery::Latest, start, cursors };
        topics.handle_subscribe(0, player, new).expect("a subscription");
        let (wire, known, table) = (Vec::new(), BTreeMap::new(), Table::new());
        TableReader { player, connection, wire, known, table }
    }

    fn come_back(&mut self, topics: &mut Topics) {
        let positions = self.known.iter();
        let position = |(topic, known): (&u32, &(String, u64, u64))| TopicPosition {
            topic: *topic,
            sequence: known.2,
        };
        let positions: Vec<TopicPosition> = positions.map(position).collect();
        self.wire.clear();
        self.connection = topics.handle_begin(self.player, &positions);
    }

    fn cursors(&self) -> Vec<TopicCursor> {
        let known = self.known.values().cloned();
        known.map(|(topic, epoch, sequence)| TopicCursor { topic, epoch, sequence }).collect()
    }

    fn poll(&mut self, topics: &mut Topics, now_ms: u64) -> bool {
        let mut bytes = Vec::new();
        let outcome = topics.poll_delivery(now_ms, (self.player, self.connection), &mut bytes);
        assert_ne!(outcome, DeliveryOutcome::Elsewhere);
        let mut frames = FrameReader::default();
        frames.push(&bytes);
        while let Some(frame) = frames.poll().expect("whole frames") {
            self.wire.push(frame);
        }
        !bytes.is_empty()
    }

    fn take(&mut self, frames: usize) {
        for frame in self.wire.drain(..frames.min(self.wire.len())) {
            match frame {
                ServerTopics::Following { topic, name, epoch, after, is_continued, .. } => {
                    if !is_continued {
                        self.table.retain(|(of, _), _| *of != name);
                    }
                    self.known.insert(topic, (name, epoch, after));
                }
                ServerTopics::Messages { topic, messages } => {
                    let (name, _, last) = self.known.get_mut(&topic).expect("a known topic");
                    for message in messages {
                        assert!(message.sequence > *last);
                        *last = message.sequence;
                        let value = (name.clone(), message.key);
                        let is_away = message.kind == TopicMessageKind::Away;
                        match message.kind {
                            TopicMessageKind::Removed => self.table.remove(&value),
                            _ => self.table.insert(value, (message.payload, is_away)),
                        };
                    }
                }
                ServerTopics::Missed { topic, .. } => {
                    let (name, _, last) = self.known.get_mut(&topic).expect("a known topic");
                    self.table.retain(|(of, _), _| of != name);
                    *last = 0;
                }
            }
        }
    }
}

struct ValueWorld {
    topics: Topics,
    now_ms: u64,
    values: BTreeMap<(usize, usize), Listed>,
    away: BTreeSet<u32>,
    published: u32,
    readers: Vec<TableReader>,
    next_player: u32,
}

impl ValueWorld {
    fn new(change: impl FnOnce(&mut TopicsConfig)) -> Self {
        let mut topics = topics(change);
        let reader = |at| TableReader::begin(&mut topics, PlayerId(100 + at), Vec::new());
        let readers = (0..READERS as u32).map(reader).collect();
        let (values, away) = (BTreeMap::new(), BTreeSet::new());
        ValueWorld { topics, now_ms: 0, values, away, published: 0, readers, next_player: 200 }
    }

    fn run(&mut self, step: &ValueStep) {
        let now_ms = self.now_ms;
        match *step {
            ValueStep::Publish { session, topic, key, lifetime } => {
                self.publish(session, (topic, key), lifetime);
            }
            ValueStep::Remove { session, topic, key } => {
                let place = (NAMES[topic], KEYS[key]);
                self.topics
                    .handle_remove(now_ms, PlayerId(session), place)
                    .expect("a topic's name");
                self.values.remove(&(topic, key));
            }
            ValueStep::Away { session } => {
                self.topics.handle_away(now_ms, PlayerId(session));
                self.away.insert(session);
            }
            ValueStep::Back { session } => {
                self.topics.handle_back(now_ms, PlayerId(session));
                self.away.remove(&session);
            }
            ValueStep::Leave { session } => {
                self.topics.handle_leave(now_ms, PlayerId(session));
                self.away.remove(&session);
                self.values.retain(|_, value| {
                    !value.holders.remove(&session) || !value.holders.is_empty()
                });
            }
            ValueStep::Wait { ms } => {
                self.now_ms += ms;
                self.topics.handle_time(self.now_ms);
                self.values.retain(|_, value| value.end_ms.is_none_or(|end| end > self.now_ms));
            }
            ValueStep::Read { reader, frames } => {
                self.readers[reader].poll(&mut self.topics, now_ms);
                self.readers[reader].take(frames);
            }
            ValueStep::ComeBack { reader } => self.readers[reader].come_back(&mut self.topics),
            ValueStep::BeginAnew { reader } => {
                let reader = &mut self.readers[reader];
                self.topics.handle_leave(now_ms, reader.player);
                self.next_player += 1;
                let (cursors, table) = (reader.cursors(), std::mem::take(&mut reader.table));
                *reader = TableReader::begin(&mut self.topics, PlayerId(self.next_player), cursors);
                reader.table = table;
            }
        }
    }

    fn publish(&mut self, session: u32, (topic, key): (usize, usize), lifetime: TopicLifetime) {
        // A session publishes only while it is connected.
        if self.away.remove(&session) {
            self.topics.handle_back(self.now_ms, PlayerId(session));
        }
        self.published += 1;
        let payload = self.published.to_le_bytes().to_vec();
        let new = NewTopicMessage {
            from: PlayerId(session),
            topic: NAMES[topic].to_owned(),
            key: KEYS[key].to_owned(),
            payload: payload.clone(),
            lifetime,
        };
        self.topics.handle_publish(self.now_ms, new).expect("published");
        let before = self.values.remove(&(topic, key));
        let mut holders = BTreeSet::new();
        let mut end_ms = None;
        match lifetime {
            TopicLifetime::Kept => {}
            TopicLifetime::Session => {
                holders = before.map(|before| before.holders).unwrap_or_default();
                holders.insert(session);
            }
            TopicLifetime::Milliseconds(ms) => end_ms = Some(self.now_ms + u64::from(ms)),
        }
        self.values.insert((topic, key), Listed { payload, holders, end_ms });
    }

    fn finish(&mut self) {
        // Values whose time is over at this very moment are gone at the next look.
        self.run(&ValueStep::Wait { ms: 0 });
        let table: Table = self
            .values
            .iter()
            .map(|((topic, key), value)| {
                let is_away = !value.holders.is_empty() && value.holders.is_subset(&self.away);
                let place = (NAMES[*topic].to_owned(), KEYS[*key].to_owned());
                (place, (value.payload.clone(), is_away))
            })
            .collect();
        for reader in &mut self.readers {
            while reader.poll(&mut self.topics, self.now_ms) {}
            reader.take(usize::MAX);
            assert_eq!(reader.table, table);
        }
        for session in 0..SESSIONS {
            self.topics.handle_leave(self.now_ms, PlayerId(session));
        }
        self.topics.handle_time(u64::MAX);
        assert!(self.topics.lifetimes.is_empty());
    }
}

fn run(steps: &[ValueStep], change: impl FnOnce(&mut TopicsConfig)) {
    let mut world = ValueWorld::new(change);
    steps.iter().for_each(|step| world.run(step));
    world.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn a_table_of_the_newest_values_is_what_there_is(steps in proptest::collection::vec(step(), 1..80)) {
        run(&steps, |_| {});
    }

    /// Removals that are gone take the values of those with them who may have missed them.
    #[test]
    fn a_reader_that_missed_removals_begins_anew(steps in proptest::collection::vec(step(), 1..80)) {
        run(&steps, |limits| (limits.keys_max, limits.history_s) = (4, 1));
    }
}

fn publish_for(
    topics: &mut Topics,
    from: PlayerId,
    lifetime: TopicLifetime,
    (topic, key, payload): (&str, &str, &str),
) -> Result<u64, TopicRefusal> {
    let (topic, key, payload) = (topic.to_owned(), key.to_owned(), payload.as_bytes().to_vec());
    topics.handle_publish(0, NewTopicMessage { from, topic, key, payload, lifetime })
}

#[test]
fn a_session_holds_so_many_values_of_so_many_bytes() {
    let mut topics = topics(|limits| (limits.held_max, limits.held_bytes_max) = (2, 4));
    let mut hold =
        |key, payload| publish_for(&mut topics, ANN, TopicLifetime::Session, ("who", key, payload));
    assert_eq!(code_of(hold("a", "12345")), RefuseCode::TopicTooLong);
    hold("a", "1234").unwrap();
    hold("b", "").unwrap();
    assert_eq!(code_of(hold("c", "")), RefuseCode::TopicsFull);
    hold("a", "4321").unwrap();
    // A value that is removed, or kept instead, leaves its place to another.
    topics.handle_remove(0, ANN, ("who", "a")).unwrap();
    publish_for(&mut topics, ANN, TopicLifetime::Session, ("who", "c", "")).unwrap();
    publish_for(&mut topics, ANN, KEPT, ("who", "b", "")).unwrap();
    publish_for(&mut topics, ANN, TopicLifetime::Session, ("who", "d", "")).unwrap();
    let more = publish_for(&mut topics, ANN, TopicLifetime::Session, ("who", "e", ""));
    assert_eq!(code_of(more), RefuseCode::TopicsFull);
}

#[test]
fn removals_take_no_keys_and_their_number_is_bounded() {
    let mut topics = topics(|limits| (limits.keys_max, limits.history_messages) = (8, 1));
    for number in 0..100 {
        publish(&mut topics, "t", &format!("k{number}"), "x").unwrap();
        topics.handle_remove(0, ANN, ("t", &format!("k{number}"))).unwrap();
        topics.handle_remove(0, ANN, ("t", &format!("k{number}"))).unwrap();
    }
    let log = &topics.topics.values().next().unwrap().log;
    assert_eq!(log.last(), 200, "what is not there is not removed again");
    assert!(log.bytes() < 9 * 200, "{}", log.bytes());
    for number in 0..8 {
        publish(&mut topics, "t", &format!("n{number}"), "x").unwrap();
    }
    assert_eq!(code_of(publish(&mut topics, "t", "n8", "x")), RefuseCode::TopicsFull);
}

#[test]
fn a_topic_that_goes_takes_the_lifetimes_of_its_values_with_it() {
    let mut topics = topics(|limits| (limits.topics_max, limits.history_s) = (1, 10));
    publish_for(&mut topics, ANN, TopicLifetime::Session, ("a", "k", "")).unwrap();
    publish_for(&mut topics, ANN, TopicLifetime::Milliseconds(60_000), ("a", "", "")).unwrap();
    let (topic, key, payload) = ("b".to_owned(), String::new(), Vec::new());
    let new = NewTopicMessage { from: ANN, topic, key, payload, lifetime: KEPT };
    topics.handle_publish(10_001, new).unwrap();
    assert!(topics.names.get("a").is_none() && topics.lifetimes.is_empty());
}
