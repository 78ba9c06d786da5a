//! Readers of the server itself, by several patterns: no limit of a session is theirs, and no topic stays for them.

use std::collections::BTreeMap;

use tickwire_shared::control::TopicMessage;

use super::*;

/// Begins to read for the server itself.
fn begin(topics: &mut Topics, patterns: &[&str]) {
    for (number, pattern) in (1..).zip(patterns) {
        let (id, pattern, cursors) = (SubscriptionId(number), (*pattern).to_owned(), Vec::new());
        let (delivery, start) = (TopicDelivery::Ordered, TopicStart::Last(u32::MAX));
        let new = NewSubscription { id, pattern, delivery, start, cursors };
        assert_eq!(topics.handle_read_own(0, BOB, new, None), Ok(Vec::new()));
    }
}

/// The payloads of the messages that come next, and the number of notes that some are missed.
fn read(topics: &mut Topics, now_ms: u64) -> (Vec<String>, usize) {
    let mut items = Vec::new();
    while topics.poll_merged(now_ms, BOB, &mut items).is_none() {}
    let mut payloads = Vec::new();
    let mut missed = 0;
    for item in items {
        match item {
            MergedItem::Message { coded, .. } => {
                let message: TopicMessage = postcard::from_bytes(&coded).unwrap();
                payloads.push(String::from_utf8(message.payload).unwrap());
            }
            MergedItem::Missed { .. } => missed += 1,
        }
    }
    (payloads, missed)
}

#[test]
fn the_server_reads_more_topics_than_a_session_may() {
    let mut topics = topics(|limits| (limits.subscriptions_max, limits.followed_max) = (1, 2));
    for name in ["a/1", "a/2", "a/3"] {
        publish(&mut topics, name, "", name).unwrap();
    }
    begin(&mut topics, &["a/*", "b/*"]);
    for name in ["b/1", "c/1", "b/2", "a/4"] {
        publish(&mut topics, name, "", name).unwrap();
    }
    assert_eq!(topics.poll_ended(), None);
    assert_eq!(read(&mut topics, 0).0, ["a/1", "a/2", "a/3", "b/1", "b/2", "a/4"]);
    topics.handle_leave(0, BOB);
    assert!(topics.topics.values().all(|topic| topic.own.is_empty() && topic.followers == 0));
    assert!(topics.subscribers.is_empty());
}

#[test]
fn an_old_topic_goes_for_a_new_one_whatever_the_server_reads_and_what_is_lost_is_told() {
    let mut topics = topics(|limits| (limits.topics_max, limits.history_s) = (2, 10));
    begin(&mut topics, &["a/*", "**"]);
    let publish = |topics: &mut Topics, now_ms, name: &str| {
        let (topic, key, payload) = (name.to_owned(), String::new(), name.as_bytes().to_vec());
        let new = NewTopicMessage { from: ANN, topic, key, payload, lifetime: KEPT };
        topics.handle_publish(now_ms, new)
    };
    publish(&mut topics, 0, "a/1").unwrap();
    assert_eq!(read(&mut topics, 0), (vec!["a/1".to_owned(); 2], 0), "by both patterns");
    publish(&mut topics, 0, "a/2").unwrap();
    assert_eq!(code_of(publish(&mut topics, 10_000, "a/3")), RefuseCode::TopicsFull);
    // The first one was read, and the second one was not.
    publish(&mut topics, 10_001, "a/3").unwrap();
    assert_eq!(topics.topics.len(), 2);
    publish(&mut topics, 10_001, "a/4").unwrap();
    assert_eq!(
        read(&mut topics, 10_001),
        (["a/3", "a/3", "a/4", "a/4"].map(str::to_owned).into(), 1)
    );
    assert_eq!(read(&mut topics, 10_001), (Vec::new(), 0), "told once");
    assert_eq!(topics.subscribers[&BOB].followers.len(), 4, "two topics by two patterns");
    let mut session = ReadingClient::begin(&mut topics, PlayerId(3));
    session.subscribe(&mut topics, 10_001, ("a/3", TopicDelivery::Ordered), TopicStart::New);
    publish(&mut topics, 30_000, "a/5").unwrap();
    assert!(topics.names.get("a/3").is_some(), "it stays for a session");
    topics.handle_leave(30_000, PlayerId(3));
    publish(&mut topics, 30_000, "a/6").unwrap();
    assert!(topics.names.get("a/3").is_none());
}

#[test]
fn a_place_is_renewed_by_each_run_that_knows_its_own() {
    let begins = BTreeMap::from([(1, 0), (2, 5), (3, 9)]);
    let runs = |run| StoredRuns { list: 7, run, begins: begins.clone(), gone_order: 0 };
    let (now, place) = (runs(3), |run, order| MergedCursor { order, ..runs(run).end() });
    assert_eq!(now.renew(place(1, 3)), place(3, 3));
    assert_eq!(now.renew(place(2, 8)), place(3, 8));
    assert_eq!(now.renew(place(2, 12)), place(3, 9), "what was not written is gone");
    assert_eq!(now.renew(place(3, 9)), place(3, 9));
    let forgotten = StoredRuns { list: 7, run: 9, begins: BTreeMap::new(), gone_order: 0 };
    assert_eq!(now.renew(forgotten.end()), forgotten.end());
}
