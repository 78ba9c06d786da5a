//! Topics from the publisher's session core to the subscriber's: frames, streams, sessions and the hub are the server's and the
//! client's own, over random schedules of lost connections, resumes, new sessions, restarts of the server and slow readers.
//!
//! The bytes of each stream move when a schedule says so, as many as it says. A connection may be lost between any two bytes, with
//! the server told of it or not, and another one opened before the server knows. What is checked is the subscriber's: which
//! messages its session tells of.

mod published;
mod subject;
mod subscription;
mod world;

use proptest::prelude::*;
use tickwire_shared::control::{TopicDelivery, TopicStart};

use world::PathWorld;

const NAMES: [&str; 5] = ["a", "b", "a/x", "a/y", "a/x/1"];
const PATTERNS: [&str; 6] = ["a", "*", "a/*", "**", "a/**", "*/x"];
const KEYS: [&str; 3] = ["", "k", "l"];
const CLIENTS: usize = 3;

/// What happens next.
#[derive(Clone, Debug)]
enum PathStep {
    Publish {
        client: usize,
        topic: usize,
        key: usize,
        bytes: usize,
    },
    Subscribe {
        client: usize,
        pattern: usize,
        delivery: TopicDelivery,
        start: TopicStart,
    },
    Unsubscribe {
        client: usize,
        which: usize,
    },
    /// Bytes of every stream reach the server, which does something with them if it has the time.
    Up {
        client: usize,
        bytes: usize,
        turns: usize,
    },
    /// Bytes of the topics stream, and of the control stream, reach the client.
    Down {
        client: usize,
        bytes: usize,
        control_bytes: usize,
    },
    /// The client's connection is lost, and what is on its way with it.
    Lose {
        client: usize,
        is_server_told: bool,
    },
    /// The client opens another one, if it lost one, and asks to resume.
    ComeBack {
        client: usize,
    },
    /// The client's session ends, and another one goes on by cursors.
    BeginAnew {
        client: usize,
    },
    /// The server is killed and started again.
    Restart,
    /// The server's tasks run.
    Settle {
        turns: usize,
    },
}

fn path_step() -> impl Strategy<Value = PathStep> {
    let client = 0..CLIENTS;
    let amount = prop_oneof![2 => 1usize..60, 3 => Just(usize::MAX)];
    let delivery = prop_oneof![Just(TopicDelivery::Ordered), Just(TopicDelivery::Latest)];
    let start = prop_oneof![
        Just(TopicStart::New),
        (0u32..9).prop_map(TopicStart::Last),
        Just(TopicStart::Last(u32::MAX)),
    ];
    let bytes = prop_oneof![4 => 4usize..40, 1 => 5_000usize..12_000];
    prop_oneof![
        9 => (client.clone(), 0..NAMES.len(), 0..KEYS.len(), bytes)
            .prop_map(|(client, topic, key, bytes)| PathStep::Publish { client, topic, key, bytes }),
        4 => (client.clone(), 0..PATTERNS.len(), delivery, start).prop_map(
            |(client, pattern, delivery, start)| PathStep::Subscribe { client, pattern, delivery, start }
        ),
        1 => (client.clone(), 0usize..4)
            .prop_map(|(client, which)| PathStep::Unsubscribe { client, which }),
        9 => (client.clone(), amount.clone(), 0usize..30)
            .prop_map(|(client, bytes, turns)| PathStep::Up { client, bytes, turns }),
        8 => (client.clone(), amount.clone(), amount)
            .prop_map(|(client, bytes, control_bytes)| PathStep::Down { client, bytes, control_bytes }),
        3 => (client.clone(), any::<bool>())
            .prop_map(|(client, is_server_told)| PathStep::Lose { client, is_server_told }),
        4 => client.clone().prop_map(|client| PathStep::ComeBack { client }),
        1 => client.prop_map(|client| PathStep::BeginAnew { client }),
        1 => Just(PathStep::Restart),
        4 => (0usize..40).prop_map(|turns| PathStep::Settle { turns }),
    ]
}

/// Runs a schedule to its end, where everyone comes back and has everything that it asked for.
fn run(steps: &[PathStep], history_messages: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut world = PathWorld::new(history_messages);
        for step in steps {
            world.run(step).await;
        }
        world.finish().await;
    });
}

/// The number of schedules to try of each kind: few while debugging, 10,000 in `cargo xtask test`.
fn cases() -> u32 {
    let told = std::env::var("TICKWIRE_CASES");
    told.map_or(300, |cases| cases.parse().expect("TICKWIRE_CASES is a number of cases"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Every message exactly once and in order, or the newest value of each key, whatever connections, sessions and servers end.
    #[test]
    fn every_message_of_a_topic_comes_once_from_core_to_core(
        steps in proptest::collection::vec(path_step(), 1..70),
    ) {
        run(&steps, 1000);
    }

    /// The same where the server keeps few messages: what is missed is named.
    #[test]
    fn every_message_of_a_topic_comes_or_is_named_as_missed_from_core_to_core(
        steps in proptest::collection::vec(path_step(), 1..70),
    ) {
        run(&steps, 4);
    }
}
