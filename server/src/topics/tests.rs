//! Topics against a list of all that was published, over schedules of lost connections, and one by one.

mod merged;
mod own_readers;
mod reader;
mod schedule;
mod stored;
mod values;

use tickwire_shared::control::{ServerTopics, TopicStart};

use super::*;
use reader::ReadingClient;

const KEPT: TopicLifetime = TopicLifetime::Kept;
const ANN: PlayerId = PlayerId(1);
const BOB: PlayerId = PlayerId(2);

fn topics(change: impl FnOnce(&mut TopicsConfig)) -> Topics {
    let mut limits = TopicsConfig { enabled: true, ..TopicsConfig::default() };
    change(&mut limits);
    Topics::new(limits, 1000)
}

fn publish(
    topics: &mut Topics,
    topic: &str,
    key: &str,
    payload: &str,
) -> Result<u64, TopicRefusal> {
    let (topic, key, payload) = (topic.to_owned(), key.to_owned(), payload.as_bytes().to_vec());
    topics.handle_publish(0, NewTopicMessage { from: ANN, topic, key, payload, lifetime: KEPT })
}

fn code_of<T: std::fmt::Debug>(result: Result<T, TopicRefusal>) -> RefuseCode {
    result.expect_err("it is refused").code
}

/// The payloads of messages, as text.
fn payloads(frames: &[ServerTopics]) -> Vec<String> {
    let mut payloads = Vec::new();
    for frame in frames {
        if let ServerTopics::Messages { messages, .. } = frame {
            let texts = messages.iter().map(|it| String::from_utf8_lossy(&it.payload).into_owned());
            payloads.extend(texts);
        }
    }
    payloads
}

#[test]
fn a_slow_reader_gets_the_newest_value_of_each_key_alone() {
    let mut topics = topics(|_| {});
    let mut bob = ReadingClient::begin(&mut topics, BOB);
    bob.subscribe(&mut topics, 0, ("prices/*", TopicDelivery::Latest), TopicStart::New);
    for round in 0..100 {
        for key in ["a", "b", "c"] {
            publish(&mut topics, "prices/x", key, &format!("{key}{round}")).unwrap();
        }
    }
    publish(&mut topics, "prices/x", "a", "a-last").unwrap();
    let frames = bob.read_all(&mut topics, 0);
    assert_eq!(payloads(&frames), ["b99", "c99", "a-last"]);
}

#[test]
fn a_reader_that_does_not_read_delays_and_costs_nobody() {
    let mut topics = topics(|limits| limits.history_messages = 10);
    let mut ann = ReadingClient::begin(&mut topics, ANN);
    let mut bob = ReadingClient::begin(&mut topics, BOB);
    for reader in [&mut ann, &mut bob] {
        reader.subscribe(&mut topics, 0, ("log", TopicDelivery::Ordered), TopicStart::New);
    }
    let before = topics.usage.bytes();
    for number in 0..1000 {
        publish(&mut topics, "log", "", &number.to_string()).unwrap();
        assert_eq!(payloads(&ann.read_all(&mut topics, 0)), [number.to_string()]);
    }
    assert!(topics.usage.bytes() - before < 20 * 200, "{}", topics.usage.bytes());
    assert_eq!(topics.subscribers[&BOB].ready.len(), 1);
    let frames = bob.read_all(&mut topics, 0);
    assert!(frames.contains(&ServerTopics::Missed { topic: 1, from: 1, to: 990 }), "{frames:?}");
    assert_eq!(payloads(&frames).len(), 10);
}

#[test]
fn a_session_is_woken_once_until_it_has_read() {
    let mut topics = topics(|_| {});
    let mut bob = ReadingClient::begin(&mut topics, BOB);
    bob.subscribe(&mut topics, 0, ("**", TopicDelivery::Ordered), TopicStart::New);
    let woken = |topics: &mut Topics| std::iter::from_fn(|| topics.poll_woken()).count();
    for topic in ["a", "a", "b", "a"] {
        publish(&mut topics, topic, "", "x").unwrap();
    }
    assert_eq!(woken(&mut topics), 1);
    bob.read_all(&mut topics, 0);
    publish(&mut topics, "b", "", "x").unwrap();
    assert_eq!(woken(&mut topics), 1);
}

#[test]
fn a_subscription_begins_where_it_asks_to() {
    let mut topics = topics(|limits| limits.history_s = 100);
    for number in 0..10u64 {
        let (topic, key) = ("t".to_owned(), (number % 3).to_string());
        let payload = number.to_string().into_bytes();
        let new = NewTopicMessage { from: ANN, topic, key, payload, lifetime: KEPT };
        topics.handle_publish(number * 1000, new).unwrap();
    }
    let mut read = |delivery, start| {
        let mut bob = ReadingClient::begin(&mut topics, BOB);
        bob.subscribe(&mut topics, 9_500, ("t", delivery), start);
        let read = payloads(&bob.read_all(&mut topics, 9_500));
        topics.handle_leave(0, BOB);
        read
    };
    let (ordered, latest) = (TopicDelivery::Ordered, TopicDelivery::Latest);
    assert_eq!(read(ordered, TopicStart::New), [""; 0]);
    assert_eq!(read(ordered, TopicStart::Last(0)), [""; 0]);
    assert_eq!(read(ordered, TopicStart::Last(2)), ["8", "9"]);
    assert_eq!(read(ordered, TopicStart::Last(u32::MAX)).len(), 10);
    assert_eq!(read(ordered, TopicStart::Since(1500)), ["8", "9"]);
    assert_eq!(read(ordered, TopicStart::Since(0)), [""; 0]);
    assert_eq!(read(latest, TopicStart::New), [""; 0]);
    assert_eq!(read(latest, TopicStart::Last(1)), ["9"]);
    assert_eq!(read(latest, TopicStart::Last(u32::MAX)), ["7", "8", "9"]);
    assert_eq!(read(latest, TopicStart::Since(1500)), ["8", "9"]);
}

#[test]
fn a_subscription_begins_after_messages_that_are_too_old_already() {
    let mut topics = topics(|limits| limits.history_s = 10);
    publish(&mut topics, "t", "", "old").unwrap();
    let mut bob = ReadingClient::begin(&mut topics, BOB);
    bob.subscribe(&mut topics, 10_001, ("t", TopicDelivery::Ordered), TopicStart::Last(9));
    let frames = bob.read_all(&mut topics, 10_001);
    assert!(matches!(&frames[..], [ServerTopics::Following { after: 1, .. }]), "{frames:?}");
}

#[test]
fn a_topic_gets_no_number_that_another_has_however_often_they_were_counted() {
    let mut subscriber = Subscriber::default();
    let follower = || TopicFollower {
        topic: TopicId(1),
        subscription: SubscriptionId(1),
        delivery: TopicDelivery::Ordered,
        start: 0,
        is_continued: false,
        cursor: 0,
        removals: 0,
        is_announced: false,
    };
    let numbers: Vec<u32> = (0..3).map(|_| subscriber.follow(follower())).collect();
    subscriber.followers.remove(&numbers[1]);
    subscriber.next_number = u32::MAX - 1;
    let more: Vec<u32> = (0..3).map(|_| subscriber.follow(follower())).collect();
    assert_eq!((numbers, more), (vec![1, 2, 3], vec![u32::MAX, 0, 2]));
}

#[test]
fn old_messages_leave_the_history_and_the_newest_value_stays() {
    let mut topics = topics(|limits| limits.history_s = 10);
    publish(&mut topics, "t", "k", "old").unwrap();
    let mut bob = ReadingClient::begin(&mut topics, BOB);
    bob.subscribe(&mut topics, 0, ("t", TopicDelivery::Ordered), TopicStart::Last(9));
    bob.subscribe(&mut topics, 0, ("t", TopicDelivery::Latest), TopicStart::Last(9));
    let frames = bob.read_all(&mut topics, 10_001);
    assert!(frames.contains(&ServerTopics::Missed { topic: 1, from: 1, to: 1 }), "{frames:?}");
    assert_eq!(payloads(&frames), ["old"], "by the second subscription");
}

#[test]
fn every_limit_is_kept_and_named() {
    let mut topics = topics(|limits| {
        limits.topics_max = 3;
        limits.subscriptions_max = 2;
        limits.followed_max = 2;
        limits.payload_bytes_max = 10;
        limits.keys_max = 2;
        limits.history_s = 10;
    });
    assert_eq!(code_of(publish(&mut topics, "a//b", "", "")), RefuseCode::TopicInvalid);
    assert_eq!(code_of(publish(&mut topics, "a", &"k".repeat(65), "")), RefuseCode::TopicInvalid);
    assert_eq!(code_of(publish(&mut topics, "a", "", "12345678901")), RefuseCode::TopicTooLong);
    for (topic, key) in [("a", "1"), ("a", "2"), ("a", "1"), ("b", ""), ("c", "")] {
        publish(&mut topics, topic, key, "x").unwrap();
    }
    assert_eq!(code_of(publish(&mut topics, "a", "3", "")), RefuseCode::TopicsFull);
    assert_eq!(code_of(publish(&mut topics, "d", "", "")), RefuseCode::TopicsFull);

    let mut bob = ReadingClient::begin(&mut topics, BOB);
    let refused =
        bob.try_subscribe(&mut topics, 0, ("**", TopicDelivery::Ordered), TopicStart::New);
    assert_eq!(code_of(refused), RefuseCode::TopicsFull, "it would follow three");
    let refused =
        bob.try_subscribe(&mut topics, 0, ("**/a", TopicDelivery::Ordered), TopicStart::New);
    assert_eq!(code_of(refused), RefuseCode::TopicInvalid);
    bob.subscribe(&mut topics, 0, ("a", TopicDelivery::Ordered), TopicStart::New);
    bob.subscribe(&mut topics, 0, ("later/*", TopicDelivery::Ordered), TopicStart::New);
    let refused = bob.try_subscribe(&mut topics, 0, ("b", TopicDelivery::Ordered), TopicStart::New);
    assert_eq!(code_of(refused), RefuseCode::TopicsFull, "two subscriptions");

    // A topic that nobody follows goes for a new one once its messages are too old.
    let later = |topics: &mut Topics, topic: &str| {
        let (topic, key, payload) = (topic.to_owned(), String::new(), Vec::new());
        topics.handle_publish(
            10_001,
            NewTopicMessage { from: ANN, topic, key, payload, lifetime: KEPT },
        )
    };
    assert_eq!(later(&mut topics, "later/1"), Ok(1));
    assert_eq!(topics.poll_ended(), None, "it follows two");
    assert_eq!(later(&mut topics, "later/2"), Ok(1));
    let ended = topics.poll_ended().unwrap();
    assert_eq!((ended.player, topics.subscribers[&BOB].followers.len()), (BOB, 1));
    assert_eq!(code_of(later(&mut topics, "later/3")), RefuseCode::TopicsFull);
    assert!(topics.names.get("a").is_some(), "it is followed");
}

#[test]
fn the_histories_of_all_topics_share_a_bound_and_values_stay() {
    let mut topics = topics(|limits| limits.bytes_max = 64 * 1024);
    let payload = "x".repeat(1000);
    for number in 0..1000 {
        publish(&mut topics, &format!("t/{}", number % 10), "", &payload).unwrap();
        assert!(topics.usage.bytes() <= 64 * 1024);
    }
    let kept: u64 = topics
        .topics
        .values()
        .map(|it| it.log.last() - it.log.oldest(TopicDelivery::Ordered))
        .sum();
    assert!((30..60).contains(&kept), "{kept}");
    let mut refused = 0;
    for number in 0..100 {
        refused +=
            usize::from(publish(&mut topics, &format!("more/{number}"), "", &payload).is_err());
    }
    assert!((60..90).contains(&refused), "values leave half of the place: {refused}");
}

#[test]
fn values_without_place_take_that_of_old_topics_and_replace_their_own() {
    let mut topics = topics(|limits| (limits.bytes_max, limits.history_s) = (64 * 1024, 10));
    let fill = |topics: &mut Topics, now_ms: u64, topic: String, bytes: usize| {
        let (key, payload) = (String::new(), vec![0; bytes]);
        topics.handle_publish(
            now_ms,
            NewTopicMessage { from: ANN, topic, key, payload, lifetime: KEPT },
        )
    };
    let mut bob = ReadingClient::begin(&mut topics, BOB);
    bob.subscribe(&mut topics, 0, ("t/0", TopicDelivery::Latest), TopicStart::New);
    let made = (0..100).take_while(|at| fill(&mut topics, 0, format!("t/{at}"), 1000).is_ok());
    let made = made.count();
    assert!((20..33).contains(&made), "{made}");
    // A value that is no longer than the one before takes no more place.
    assert_eq!(fill(&mut topics, 0, "t/1".to_owned(), 1000), Ok(2));
    assert_eq!(code_of(fill(&mut topics, 0, "t/1".to_owned(), 3000)), RefuseCode::TopicsFull);
    assert_eq!(code_of(fill(&mut topics, 10_000, "new".to_owned(), 3000)), RefuseCode::TopicsFull);
    // Later as many topics go as it needs, but not one that is followed.
    assert_eq!(fill(&mut topics, 10_001, "new".to_owned(), 3000), Ok(1));
    assert!((made - 3..made).contains(&topics.topics.len()), "{}", topics.topics.len());
    let new =
        (0..100).take_while(|at| fill(&mut topics, 10_001, format!("new/{at}"), 1000).is_ok());
    assert!(new.count() > 10, "all old topics went but one");
    assert!(topics.names.get("t/0").is_some() && topics.names.get("t/2").is_none());
    let all = topics.topics.values().map(|topic| topic.log.bytes()).sum::<usize>();
    assert_eq!(topics.usage.bytes(), all);
    assert!(all <= 64 * 1024);
}

#[test]
fn what_is_gone_leaves_nothing_behind() {
    let mut topics = topics(|_| {});
    for player in 0..20 {
        let mut reader = ReadingClient::begin(&mut topics, PlayerId(player));
        for pattern in ["a/*", "**", "a/b"] {
            reader.subscribe(&mut topics, 0, (pattern, TopicDelivery::Latest), TopicStart::New);
        }
        publish(&mut topics, "a/b", "", "x").unwrap();
        if player % 2 == 0 {
            reader.read_all(&mut topics, 0);
        }
    }
    (0..20).for_each(|player| topics.handle_leave(0, PlayerId(player)));
    assert!(topics.subscribers.is_empty());
    assert!(topics.topics.values().all(|topic| topic.followers == 0 && topic.waiting.is_empty()));
    assert_eq!(topics.idle.len(), 1);
    let mut patterns = 0;
    topics.patterns.for_each_pattern_of("a/b", &mut |_| patterns += 1);
    assert_eq!(patterns, 0);
}
