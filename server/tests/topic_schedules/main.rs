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

/// What a schedule is about: most publish much, and some lose many connections, with little time for the server between them.
#[derive(Clone, Copy)]
struct StepWeights {
    publish: u32,
    lose: u32,
    come_back: u32,
    /// Turns of the server's tasks after a step, at most.
    turns_max: usize,
}

const STEADY: StepWeights = StepWeights { publish: 9, lose: 3, come_back: 4, turns_max: 30 };
const UNSTEADY: StepWeights = StepWeights { publish: 3, lose: 10, come_back: 12, turns_max: 2 };

fn schedule() -> impl Strategy<Value = Vec<PathStep>> {
    let of = |weights| proptest::collection::vec(path_step(weights), 1..70);
    prop_oneof![2 => of(STEADY), 1 => of(UNSTEADY)]
}

fn path_step(weights: StepWeights) -> impl Strategy<Value = PathStep> {
    let StepWeights { publish, lose, come_back, turns_max } = weights;
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
        publish => (client.clone(), 0..NAMES.len(), 0..KEYS.len(), bytes)
            .prop_map(|(client, topic, key, bytes)| PathStep::Publish { client, topic, key, bytes }),
        4 => (client.clone(), 0..PATTERNS.len(), delivery, start).prop_map(
            |(client, pattern, delivery, start)| PathStep::Subscribe { client, pattern, delivery, start }
        ),
        1 => (client.clone(), 0usize..4)
            .prop_map(|(client, which)| PathStep::Unsubscribe { client, which }),
        9 => (client.clone(), amount.clone(), 0..turns_max)
            .prop_map(|(client, bytes, turns)| PathStep::Up { client, bytes, turns }),
        8 => (client.clone(), amount.clone(), amount)
            .prop_map(|(client, bytes, control_bytes)| PathStep::Down { client, bytes, control_bytes }),
        lose => (client.clone(), any::<bool>())
            .prop_map(|(client, is_server_told)| PathStep::Lose { client, is_server_told }),
        come_back => client.clone().prop_map(|client| PathStep::ComeBack { client }),
        1 => client.prop_map(|client| PathStep::BeginAnew { client }),
        1 => Just(PathStep::Restart),
        4 => (0..turns_max).prop_map(|turns| PathStep::Settle { turns }),
    ]
}

/// Runs a schedule to its end, where everyone comes back and has everything that it asked for.
fn run(steps: &[PathStep], history_messages: usize) {
    // Its clock is paused: a machine that stands still for a while ends no handshake.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
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

/// A request to resume that waited while its client lost that connection as well and opened another one. The server finds it
/// with the one of the newer connection, and later than that.
#[test]
fn a_connection_that_was_given_up_takes_nothing_from_the_one_after_it() {
    let (client, everything) = (1, usize::MAX);
    for bytes in 1..60 {
        run(
            &[
                PathStep::Up { client, bytes: everything, turns: 1 },
                PathStep::Down { client, bytes: everything, control_bytes: everything },
                PathStep::Lose { client, is_server_told: false },
                PathStep::ComeBack { client },
                PathStep::Up { client, bytes, turns: 0 },
                PathStep::Lose { client, is_server_told: false },
            ],
            1000,
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Every message exactly once and in order, or the newest value of each key, whatever connections, sessions and servers end.
    #[test]
    fn every_message_of_a_topic_comes_once_from_core_to_core(
        steps in schedule(),
    ) {
        run(&steps, 1000);
    }

    /// The same where the server keeps few messages: what is missed is named.
    #[test]
    fn every_message_of_a_topic_comes_or_is_named_as_missed_from_core_to_core(
        steps in schedule(),
    ) {
        run(&steps, 4);
    }
}
