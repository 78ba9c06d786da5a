//! What a session holds and follows, against frames of a server.

use std::time::Duration;

use tickwire_shared::PlayerId;
use tickwire_shared::control::{RefuseCode, TopicMessageKind};

use super::*;
use crate::session::tests::{bytes_of, restarted, resumable_within, resume_anew};

fn following(subscription: SubscriptionId, topic: u32, name: &str) -> ServerTopics {
    let (name, epoch, after) = (name.to_owned(), u64::MAX, u64::MAX - 1000);
    ServerTopics::Following { subscription, topic, name, epoch, after, is_continued: false }
}

fn message(sequence: u64, key_bytes: usize) -> ServerTopics {
    let (key, payload) = ("k".repeat(key_bytes), Vec::new());
    let kind = TopicMessageKind::Value;
    let message = TopicMessage { sequence, time_ms: 0, from: PlayerId(2), key, kind, payload };
    ServerTopics::Messages { topic: 1, messages: vec![message] }
}

#[test]
fn a_server_that_tells_of_topics_without_end_ends_the_session() {
    let mut session = resumable_within(1000);
    let (id, _) = session.subscribe("**", SubscribeOptions::default());
    for at in 0..FOLLOWED_MAX as u32 {
        session.handle_topics(&bytes_of(&[following(id, u32::MAX - at, "a")])).unwrap();
    }
    // Positions of the largest numbers fit the frame that names them.
    session.topics.resume();
    let more = session.handle_topics(&bytes_of(&[following(id, 0, "a")]));
    assert!(matches!(more, Err(SessionError::Unexpected { .. })), "{more:?}");
    let mut session = resumable_within(1000);
    let (id, _) = session.subscribe("**", SubscribeOptions::default());
    let long = following(id, 1, &"a".repeat(TOPIC_NAME_BYTES_MAX + 1));
    let long = session.handle_topics(&bytes_of(&[long]));
    assert!(matches!(long, Err(SessionError::Unexpected { .. })), "{long:?}");
}

#[test]
fn a_caller_that_polls_no_events_has_a_bound_for_messages_with_their_keys() {
    let mut session = resumable_within(1000);
    let (id, _) = session.subscribe("a", SubscribeOptions::default());
    session.handle_topics(&bytes_of(&[following(id, 1, "a")])).unwrap();
    let message = |at| bytes_of(&[message(u64::MAX - 1000 + at, 60_000)]);
    let taken = (1..).map(|at| session.handle_topics(&message(at)));
    let taken = taken.take_while(Result::is_ok).count();
    assert!((200..300).contains(&taken), "{taken} messages of 60 kB are kept in 16 MiB");
    let events = std::iter::from_fn(|| session.topics.poll_event()).count();
    assert_eq!((events, session.topics.events_bytes), (taken + 2, 0));
}

fn hear(session: &mut Session, frames: &[ServerFrame]) {
    session.handle_control(Duration::ZERO, &bytes_of(frames)).unwrap();
}

/// The frames that the session has to send on the topics stream, behind the byte that opens it.
fn said(session: &mut Session) -> Vec<ClientTopics> {
    let mut frames = FrameReader::default();
    let bytes = session.take_topics();
    frames.push(bytes.strip_prefix(&[STREAM_TOPICS]).unwrap_or(&bytes));
    std::iter::from_fn(|| frames.poll().unwrap()).collect()
}

#[test]
fn values_that_a_session_holds_are_published_again_to_a_server_that_was_started_again() {
    let mut session = resumable_within(60_000);
    let hold = |session: &mut Session, key: &str, payload: &str| {
        session.publish_for(TopicLifetime::Session, ("who", key), payload.as_bytes())
    };
    let published = |request| ServerFrame::Published { request, sequence: 1 };
    let refused = |request| ServerFrame::Refused {
        request,
        code: RefuseCode::TopicsFull,
        text: String::new(),
    };
    let first = hold(&mut session, "held", "1");
    let again = hold(&mut session, "held", "2");
    let kept = session.publish_for(TopicLifetime::Kept, ("who", "kept"), b"");
    let gone = hold(&mut session, "gone", "");
    hear(&mut session, &[first, again, kept, gone].map(published));
    let removed = session.remove_value("who", "gone");
    hear(&mut session, &[ServerFrame::Done { request: removed }]);
    let full = hold(&mut session, "held", "refused");
    let later = hold(&mut session, "later", "");
    hear(&mut session, &[refused(full), published(later)]);
    let replaced = session.publish_for(TopicLifetime::Kept, ("who", "later"), b"");
    hear(&mut session, &[published(replaced)]);
    hold(&mut session, "unanswered", "3");
    session.take_topics();

    resume_anew(&mut session);
    hear(&mut session, &[restarted(2)]);
    let mut values: Vec<(String, Vec<u8>)> = said(&mut session)
        .into_iter()
        .filter_map(|frame| match frame {
            ClientTopics::Publish { key, payload, lifetime, .. } => {
                assert_eq!(lifetime, TopicLifetime::Session);
                Some((key, payload))
            }
            _ => None,
        })
        .collect();
    values.sort();
    let value = |key: &str, payload: &str| (key.to_owned(), payload.as_bytes().to_vec());
    assert_eq!(values, [value("held", "2"), value("unanswered", "3")]);
}

#[test]
fn after_removals_that_are_gone_all_values_come_again() {
    let mut session = resumable_within(1000);
    let options =
        SubscribeOptions { delivery: TopicDelivery::Latest, ..SubscribeOptions::default() };
    let (id, _) = session.subscribe("a", options);
    let following = ServerTopics::Following {
        subscription: id,
        topic: 1,
        name: "a".to_owned(),
        epoch: 1,
        after: 0,
        is_continued: false,
    };
    let missed = ServerTopics::Missed { topic: 1, from: 6, to: 9 };
    let frames = [following, message(3, 1), message(5, 1), missed, message(3, 1)];
    session.handle_topics(&bytes_of(&frames)).unwrap();
    let told: Vec<u64> = std::iter::from_fn(|| session.topics.poll_event())
        .map(|event| match event {
            TopicEvent::Following { .. } => 0,
            TopicEvent::Message { message, .. } => message.sequence,
            TopicEvent::Missed { to, .. } => to,
        })
        .collect();
    assert_eq!(told, [0, 3, 5, 9, 3]);
}

#[test]
fn newest_values_of_a_server_that_was_started_again_are_told_as_gone() {
    let mut session = resumable_within(60_000);
    let options =
        SubscribeOptions { delivery: TopicDelivery::Latest, ..SubscribeOptions::default() };
    let (latest, first) = session.subscribe("a", options);
    let (ordered, second) = session.subscribe("a", SubscribeOptions::default());
    hear(&mut session, &[first, second].map(|request| ServerFrame::Done { request }));
    for (topic, subscription) in [(1, latest), (2, ordered)] {
        let following = ServerTopics::Following {
            subscription,
            topic,
            name: "a".to_owned(),
            epoch: 1,
            after: 0,
            is_continued: false,
        };
        session.handle_topics(&bytes_of(&[following])).unwrap();
    }
    session.handle_topics(&bytes_of(&[message(7, 1)])).unwrap();
    while session.topics.poll_event().is_some() {}
    resume_anew(&mut session);
    hear(&mut session, &[restarted(2)]);
    let told: Vec<TopicEvent> = std::iter::from_fn(|| session.topics.poll_event()).collect();
    let gone = TopicEvent::Missed { subscription: latest, topic: "a".into(), from: 1, to: 7 };
    assert_eq!(told, [gone]);
}
