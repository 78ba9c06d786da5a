//! Topics over HTTP: publishing, history, streams of events, and who may.

use serde_json::{Value, json};
use tickwire_server::ServerConfig;
use tickwire_server::config::List;
use tickwire_server::identity::TopicRights;
use tickwire_shared::control::CloseCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::Over;
use crate::curl::EventReader;
use crate::harness::{Running, soon};
use crate::identity::{Backend, enter, knock};

pub(crate) fn open_to_all(config: &mut ServerConfig) {
    config.topics.enabled = true;
    config.topics.publish = List::of(&["**"]);
    config.topics.subscribe = List::of(&["**"]);
}

/// A request with these header lines, and its answer.
async fn send(server: &Running, line: &str, lines: &str, body: &str) -> (u16, String, String) {
    let length = body.len();
    let text = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{lines}\r\n{body}"
    );
    server.request(&text).await
}

/// Publishes a message and returns its number.
pub(crate) async fn publish(server: &Running, topic: &str, body: &str) -> u64 {
    let (status, _, answer) = send(server, &format!("POST /topics/{topic}"), "", body).await;
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str::<Value>(&answer).unwrap()["sequence"].as_u64().unwrap()
}

async fn history(server: &Running, path: &str) -> Value {
    let (status, head, body) = server.get(path).await;
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(&body).unwrap()
}

/// The code of a refused request.
fn code_of((status, _, body): &(u16, String, String)) -> (u16, String) {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{status}: {body}"));
    assert!(body["text"].as_str().is_some_and(|text| text.len() > 10), "{body}");
    (*status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_message_is_published_and_its_topic_is_read() {
    let server = Running::start_with(open_to_all).await;
    assert_eq!(publish(&server, "chat/de?key=a%26b", "{\"x\": 1}").await, 1);
    assert_eq!(publish(&server, "chat%2Fde", "hi").await, 2);
    assert_eq!(publish(&server, "chat/de", "").await, 3);
    let page = history(&server, "/topics/chat/de").await;
    assert_eq!((&page["topic"], &page["last"]), (&json!("chat/de"), &json!(3)));
    assert_eq!(page["has_older"], false);
    let messages = page["messages"].as_array().unwrap();
    let fields = |name: &str| messages.iter().map(|it| it[name].clone()).collect::<Vec<_>>();
    assert_eq!(fields("text"), ["{\"x\": 1}", "hi", ""]);
    assert_eq!(fields("key"), ["a&b", "", ""]);
    assert_eq!(fields("sequence"), [1, 2, 3]);
    let from = fields("from");
    assert!(from[0] != 0 && from[0] == from[2], "one publisher, and not the server: {from:?}");
    let page = history(&server, "/topics/chat/de?last=1&before=3&payload=base64").await;
    assert_eq!(page["messages"][0]["base64"], "aGk=");
    assert_eq!(page["has_older"], true);
    let page = history(&server, "/topics/chat/de?delivery=latest&payload=json").await;
    assert_eq!(page["messages"][0]["json"], json!({ "x": 1 }));
    assert_eq!(page["messages"].as_array().unwrap().len(), 2);
    let page = history(&server, "/topics/none").await;
    assert_eq!((&page["last"], &page["messages"]), (&json!(0), &json!([])));
    let (status, head, body) = send(&server, "HEAD /topics/chat/de", "", "").await;
    assert_eq!((status, &*body), (200, ""), "{head}");
    server.until_stats("topics_published", |count| count == 3).await;
}

#[tokio::test]
async fn a_request_that_is_wrong_is_answered_with_what_to_do() {
    let server = Running::start_with(|config| {
        open_to_all(config);
        config.topics.payload_bytes_max = 100;
        config.topics.publish = List::of(&["chat/**"]);
        config.topics.subscribe = List::of(&["chat/*"]);
        (config.topics.publish_hz, config.topics.publish_burst) = (1, 4);
        config.http_stall_ms = 300;
    })
    .await;
    for (line, expected) in [
        ("GET /topics/chat/%zz", (400, "RequestInvalid")),
        ("GET /topics/chat/%ff", (400, "RequestInvalid")),
        ("GET /topics/chat/x?last=many", (400, "RequestInvalid")),
        ("GET /topics/chat//x", (400, "TopicInvalid")),
        ("GET /topics/chat/*", (400, "TopicInvalid")),
        ("GET /topics/chat/x/y", (403, "TopicForbidden")),
        ("POST /topics/news", (403, "TopicForbidden")),
        ("POST /topics/chat/x?token=secret", (400, "RequestInvalid")),
        ("GET /topics", (400, "RequestInvalid")),
        ("GET /topics?pattern=a/**/b", (403, "TopicForbidden")),
        ("GET /topics?pattern=chat/**", (403, "TopicForbidden")),
        ("GET /topics?pattern=chat/*&lastEventId=7", (400, "RequestInvalid")),
    ] {
        let (status, code) = code_of(&send(&server, line, "", "").await);
        assert_eq!((status, &*code), expected, "{line}");
    }
    for (line, allowed) in [
        ("DELETE /topics/chat/x", "get, head, post, options"),
        ("PUT /topics/chat/x", "get, head, post, options"),
        ("POST /topics", "get, head, options"),
    ] {
        let answer = send(&server, line, "", "").await;
        assert_eq!(code_of(&answer), (405, "MethodInvalid".to_owned()));
        assert!(answer.1.contains(&format!("allow: {allowed}\r\n")), "{}", answer.1);
    }
    let answer = send(&server, "GET /topics?pattern=chat/*", "accept: text/html\r\n", "").await;
    assert_eq!(answer.0, 406);
    let answer = send(&server, "GET /topics/chat/x", "authorization: Basic eA==\r\n", "").await;
    assert_eq!(code_of(&answer), (401, "TokenInvalid".to_owned()));

    // Bodies: too long as it says and as it is, and too slow.
    let head = "POST /topics/chat/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
    let long = server.request(&format!("{head}content-length: 101\r\n\r\n")).await;
    assert_eq!(code_of(&long), (413, "TopicTooLong".to_owned()));
    let chunk = format!("{head}transfer-encoding: chunked\r\n\r\n65\r\n{}", "x".repeat(101));
    assert_eq!(code_of(&server.request(&chunk).await), (413, "TopicTooLong".to_owned()));
    let slow = server.request(&format!("{head}content-length: 5\r\n\r\nhell")).await;
    assert_eq!(code_of(&slow), (408, "RequestSlow".to_owned()));
    assert_eq!(server.stats().await["topics_published"], 0);

    // Each of these counted as a message, whatever became of it.
    let mut answer = send(&server, "POST /topics/chat/x", "", "x").await;
    while answer.0 == 200 {
        answer = send(&server, "POST /topics/chat/x", "", "x").await;
    }
    assert_eq!(code_of(&answer), (429, "TopicTooFast".to_owned()));
    assert!(answer.1.contains("retry-after: 1"), "{}", answer.1);
}

#[tokio::test]
async fn a_server_without_topics_has_nothing_there() {
    let server = Running::start().await;
    assert_eq!(server.get("/topics/x").await.0, 404);
    let server = Running::start_with(|config| {
        open_to_all(config);
        config.topics.http = false;
    })
    .await;
    assert_eq!(server.get("/topics/x").await.0, 404);
}

#[tokio::test]
async fn a_token_is_for_one_session_or_for_many_requests() {
    let backend = Backend::new("one");
    let server = Running::start_with(|config| {
        open_to_all(config);
        backend.is_known_to(config);
    })
    .await;
    let line = "POST /topics/chat/ann";
    let missing = send(&server, line, "", "x").await;
    assert_eq!(code_of(&missing), (401, "TokenMissing".to_owned()));
    assert!(missing.1.contains("www-authenticate: bearer"), "{}", missing.1);
    let (publish, subscribe) = (vec!["chat/ann".to_owned()], vec!["chat/*".to_owned()]);
    let rights = TopicRights { publish, subscribe };
    let token = backend.token("ann", |claims| claims.topics = Some(rights));
    let bearer = format!("authorization: bearer {token}\r\n");
    for _ in 0..3 {
        assert_eq!(send(&server, line, &bearer, "x").await.0, 200);
    }
    let answer = send(&server, "POST /topics/chat/bob", &bearer, "x").await;
    assert_eq!(code_of(&answer), (403, "TopicForbidden".to_owned()));
    assert_eq!(send(&server, "GET /topics/chat/bob", &bearer, "").await.0, 200);
    let answer = send(&server, "GET /topics?pattern=**", &bearer, "").await;
    assert_eq!(code_of(&answer), (403, "TopicForbidden".to_owned()));
    let mut late = knock(&server, Over::Quic, &token).await;
    assert_eq!(late.goodbye().await.0, CloseCode::TokenUsed);

    let used = backend.token("ann", |_| {});
    let mut ann = enter(&server, Over::Quic, &used).await;
    let bearer = format!("authorization: Bearer {used}\r\n");
    let answer = send(&server, line, &bearer, "x").await;
    assert_eq!(code_of(&answer), (401, "TokenUsed".to_owned()));
    assert!(!answer.2.contains(&used[..20]));
    // A request of her account ends nothing of her session.
    let other = backend.token("ann", |_| {});
    let bearer = format!("authorization: Bearer {other}\r\n");
    assert_eq!(send(&server, "GET /topics/chat/ann", &bearer, "").await.0, 200);
    ann.join("room", "ann").await;
    for bad in ["garbage", &"A".repeat(4097)] {
        let bearer = format!("authorization: Bearer {bad}\r\n");
        let answer = send(&server, line, &bearer, "x").await;
        assert_eq!(code_of(&answer), (401, "TokenInvalid".to_owned()));
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_may_and_others_may_not() {
    let server = Running::start_with(|config| {
        open_to_all(config);
        config.allowed_origins = List::of(&["https://play.example"]);
    })
    .await;
    let (good, bad) = ("origin: https://play.example\r\n", "origin: https://evil.example\r\n");
    let (status, head, _) = send(&server, "POST /topics/a", good, "x").await;
    assert_eq!(status, 200);
    assert!(head.contains("access-control-allow-origin: https://play.example"), "{head}");
    assert!(head.contains("vary: origin"), "{head}");
    let (status, head, _) = send(&server, "GET /topics/a?last=x", good, "").await;
    assert!(status == 400 && head.contains("access-control-allow-origin: "), "{head}");
    let ask = format!("{good}access-control-request-method: POST\r\n");
    let (status, head, _) = send(&server, "OPTIONS /topics/a", &ask, "").await;
    assert_eq!(status, 204);
    for line in [
        "access-control-allow-origin: https://play.example",
        "access-control-allow-methods: get, head, post",
        "access-control-allow-headers: authorization, content-type, last-event-id",
    ] {
        assert!(head.contains(line), "{head}");
    }
    for line in ["POST /topics/a", "GET /topics/a", "OPTIONS /topics/a", "GET /topics?pattern=a"] {
        let answer = send(&server, line, bad, "x").await;
        assert_eq!(code_of(&answer), (403, "OriginRefused".to_owned()), "{line}");
        assert!(!answer.1.contains("access-control"), "{}", answer.1);
    }
    assert_eq!(history(&server, "/topics/a").await["last"], 1);
    assert_eq!(server.stats().await["origins_refused"], 4);
}

#[tokio::test]
async fn a_stream_has_events_and_goes_on_after_the_last_one() {
    let server = Running::start_with(|config| {
        open_to_all(config);
        config.topics.http_heartbeat_s = 1;
    })
    .await;
    publish(&server, "a/1", "before").await;
    let mut reader = EventReader::start(&server, "pattern=a/*", None);
    let id = reader.id().await;
    publish(&server, "a/2", "one").await;
    publish(&server, "b/1", "other").await;
    publish(&server, "a/1", "two").await;
    assert_eq!(reader.texts(2).await, ["one", "two"]);
    server.until_stats("topic_readers", |count| count == 1).await;
    // A pause has lines without events, by which the id comes to be that of other topics' messages.
    let last = reader.last_id.clone().unwrap();
    publish(&server, "b/1", "other").await;
    let mut beat = reader.id().await;
    while beat == last {
        beat = reader.id().await;
    }
    drop(reader);
    server.until_stats("topic_readers", |count| count == 0).await;
    publish(&server, "a/1", "three").await;
    for from in [last, beat] {
        let mut reader = EventReader::start(&server, "pattern=a/*", Some(&from));
        assert_eq!(reader.texts(1).await, ["three"]);
    }
    let mut reader = EventReader::start(&server, &format!("pattern=a/*&lastEventId={id}"), None);
    assert_eq!(reader.texts(3).await, ["one", "two", "three"]);
    let mut reader = EventReader::start(&server, "pattern=a/1&last=2", None);
    assert_eq!(reader.texts(2).await, ["two", "three"]);
    let mut reader = EventReader::start(&server, "pattern=**&delivery=latest&last=99", None);
    assert_eq!(reader.texts(3).await, ["one", "other", "three"]);
    assert!(server.stats().await["topic_event_bytes_out"].as_u64().unwrap() > 100);
}

#[tokio::test]
async fn a_reader_of_another_run_or_that_was_away_for_too_long_is_told_so() {
    let server = Running::start_with(|config| {
        open_to_all(config);
        config.topics.history_messages = 2;
    })
    .await;
    let mut reader = EventReader::start(&server, "pattern=a", None);
    let id = reader.id().await;
    drop(reader);
    for text in ["1", "2", "3"] {
        publish(&server, "a", text).await;
    }
    let mut reader = EventReader::start(&server, "pattern=a", Some(&id));
    let missed = reader.event().await;
    assert_eq!((&*missed.name, &missed.data["topic"]), ("missed", &json!("a")));
    assert_eq!(missed.data["to"], 1);
    assert_eq!(reader.texts(2).await, ["2", "3"]);
    let mut reader = EventReader::start(&server, "pattern=a", Some("0000000000000001-1"));
    let missed = reader.event().await;
    assert_eq!((&*missed.name, &missed.data["topic"]), ("missed", &Value::Null));
    assert_eq!(reader.texts(2).await, ["2", "3"]);
}

#[tokio::test]
async fn streams_are_bounded_and_one_that_matches_too_much_ends() {
    let server = Running::start_with(|config| {
        open_to_all(config);
        (config.topics.http_readers_max, config.topics.http_readers_prefix_max) = (3, 2);
        config.topics.followed_max = 2;
    })
    .await;
    let mut readers = Vec::new();
    for _ in 0..2 {
        let mut reader = EventReader::start(&server, "pattern=a/*", None);
        reader.id().await;
        readers.push(reader);
    }
    let answer = send(&server, "GET /topics?pattern=a/*", "", "").await;
    assert_eq!(code_of(&answer), (503, "StreamsFull".to_owned()));
    for topic in ["a/1", "a/2", "a/3"] {
        publish(&server, topic, "x").await;
    }
    for reader in &mut readers {
        assert_eq!(reader.event().await.data["topic"], "a/1");
        assert_eq!(reader.event().await.data["topic"], "a/2");
        let ended = reader.event().await;
        assert_eq!((&*ended.name, &ended.data["code"]), ("ended", &json!("TopicsFull")));
        assert_eq!(reader.end().await, 0, "a whole answer");
    }
    let answer = send(&server, "GET /topics?pattern=a/*", "", "").await;
    assert_eq!(code_of(&answer), (507, "TopicsFull".to_owned()));
    server.until_stats("topic_readers", |count| count == 0).await;
}

#[tokio::test]
async fn a_stream_ends_whole_with_its_connection_and_with_the_server() {
    let mut server = Running::start_with(|config| {
        open_to_all(config);
        config.http_connection_s = 2;
    })
    .await;
    let mut reader = EventReader::start(&server, "pattern=a", None);
    let id = reader.id().await;
    assert_eq!(reader.end().await, 0, "it was whole");
    let mut reader = EventReader::start(&server, "pattern=a", Some(&id));
    reader.id().await;
    let mut ann = server.greeted(Over::Quic).await;
    server.ask_to_stop();
    assert_eq!(reader.end().await, 0, "it was whole");
    assert_eq!(ann.goodbye().await.0, CloseCode::ServerStopping);
    server.stopped().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_nobody_and_ends() {
    let server = Running::start_with(|config| {
        open_to_all(config);
        (config.topics.publish_hz, config.topics.publish_burst) = (100_000, 100_000);
        config.http_stall_ms = 1000;
    })
    .await;
    let mut slow = TcpStream::connect(server.http).await.unwrap();
    let request = "GET /topics?pattern=log HTTP/1.1\r\nhost: localhost\r\n\r\n";
    slow.write_all(request.as_bytes()).await.unwrap();
    slow.read_exact(&mut [0; 100]).await.unwrap();
    let mut reader = EventReader::start(&server, "pattern=log", None);
    reader.id().await;
    let body = "x".repeat(16_000);
    for _ in 0..800 {
        publish(&server, "log", &body).await;
        assert_eq!(reader.texts(1).await.len(), 1);
    }
    // Its bytes are in the system's buffers, which are full.
    soon("the end of the slow one", server.until_stats("topic_readers", |count| count == 1)).await;
    drop(slow);
    publish(&server, "log", "end").await;
    assert_eq!(reader.texts(1).await, ["end"]);
}
