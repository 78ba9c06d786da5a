//! The hub's signals and its time.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tickwire_shared::control::{TopicDelivery, TopicStart};

use super::*;

const ANN: PlayerId = PlayerId(1);
const BOB: PlayerId = PlayerId(2);

#[test]
fn a_connection_that_reads_no_longer_takes_no_wake_up_of_the_next_one() {
    let enabled = TopicsConfig { enabled: true, ..TopicsConfig::default() };
    let hub = TopicHub::new(&enabled, 1, None);
    let all = TopicRights { publish: vec!["**".into()], subscribe: vec!["**".into()] };
    let now = Instant::now();
    let before = hub.begin(BOB, &[], now);
    let (id, delivery, start) = (SubscriptionId(1), TopicDelivery::Ordered, TopicStart::New);
    let new = NewSubscription { id, pattern: "a".into(), delivery, start, cursors: Vec::new() };
    hub.subscribe(BOB, Some(&all), new, 0).unwrap();
    let poll = |connection| hub.poll_delivery(connection, 0, &mut Vec::new());
    assert_eq!(poll(&before), DeliveryOutcome::Drained);
    // Its task has found nothing, and does not wait yet.
    let after = hub.begin(BOB, &[], now);
    assert_eq!(poll(&after), DeliveryOutcome::Drained);
    let mut context = Context::from_waker(Waker::noop());
    let (mut old, mut new) = (pin!(before.signal.notified()), pin!(after.signal.notified()));
    assert_eq!(old.as_mut().poll(&mut context), Poll::Ready(()), "it is to end");
    assert_eq!(poll(&before), DeliveryOutcome::Elsewhere);
    assert_eq!(new.as_mut().poll(&mut context), Poll::Pending);
    let message = NewTopicMessage {
        from: ANN,
        topic: "a".into(),
        key: String::new(),
        payload: vec![1],
        lifetime: TopicLifetime::Kept,
    };
    hub.publish(Some(&all), message, 0, (None, None)).unwrap();
    assert_eq!(new.as_mut().poll(&mut context), Poll::Ready(()));
}

#[test]
fn values_end_also_where_the_clock_is_set_back() {
    let enabled = TopicsConfig { enabled: true, ..TopicsConfig::default() };
    let hub = TopicHub::new(&enabled, 1, None);
    let all = TopicRights { publish: vec!["**".into()], subscribe: vec!["**".into()] };
    let publish = |time_ms| {
        let (topic, key, payload) = ("a".into(), String::new(), vec![1]);
        let lifetime = TopicLifetime::Milliseconds(500);
        let message = NewTopicMessage { from: ANN, topic, key, payload, lifetime };
        hub.publish(Some(&all), message, time_ms, (None, None)).unwrap();
    };
    publish(10_000_000);
    assert_eq!(hub.end_values(9_999_900), Some(500), "another thread's look at the clock");
    assert_eq!(hub.end_values(1_000_000), Some(500));
    assert_eq!(hub.end_values(1_000_400), Some(100));
    assert_eq!(hub.end_values(1_000_500), None);
    publish(1_000_600);
    assert_eq!(hub.end_values(1_000_700), Some(400));
}
