//! Webhooks to a real receiver that refuses, is silent, breaks off, is down, and of servers that are killed meanwhile.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tickwire_server::{Server, ServerConfig};
use tickwire_shared::control::CloseCode;
use time::OffsetDateTime;

use crate::client::Over;
use crate::game::Dots;
use crate::harness::{Running, own_authority, soon};
use crate::hooks::{HookAnswer, HookReceiver, text_of};
use crate::identity::{Backend, enter};
use crate::topics_http::publish;
use crate::topics_stored::{INSIDE, Killable, PublishedTexts, Publishing, ask, tell_port};

const THIS: &str = "webhooks::each_message_arrives_whatever_is_killed_and_one_id_is_one_message";
/// The receiver's address for a server in a process of its own.
const RECEIVER: &str = "TICKWIRE_WEBHOOKS_RECEIVER";

async fn start(
    receiver: &HookReceiver,
    dir: &Path,
    change: impl FnOnce(&mut ServerConfig),
) -> Running {
    Running::start_with(|config| {
        receiver.is_known_to(config, dir.join("store"), &["mentions/*", "orders/**"]);
        change(config);
    })
    .await
}

async fn stop(mut server: Running) {
    server.ask_to_stop();
    server.stopped().await;
}

#[tokio::test]
async fn each_message_of_the_patterns_is_posted_once_and_signed_also_over_a_stop() {
    let (receiver, dir) = (HookReceiver::start().await, tempfile::tempdir().unwrap());
    let server = start(&receiver, dir.path(), |_| {}).await;
    publish(&server, "mentions/ann?key=k", "{\"by\": \"bob\"}").await;
    publish(&server, "prices", "1").await;
    publish(&server, "orders/de/7", "new").await;
    assert_eq!(receiver.texts(2).await, ["{\"by\": \"bob\"}", "new"]);
    let [first, second] = &receiver.requests()[..] else { panic!("more than two") };
    assert_eq!(first.connection, second.connection, "a connection is used again");
    let mut body = first.body.clone();
    for (field, is_right) in [
        ("id", Value::is_string as fn(&Value) -> bool),
        ("time_ms", Value::is_u64),
        ("from", Value::is_u64),
    ] {
        assert!(is_right(&body.as_object_mut().unwrap().remove(field).unwrap()), "{field}");
    }
    let expected = json!({
        "type": "message", "topic": "mentions/ann", "sequence": 1, "key": "k", "text": "{\"by\": \"bob\"}",
    });
    assert_eq!(body, expected);
    server.until_stats("webhooks_delivered", |count| count == 2).await;
    assert_eq!(server.stats().await["webhooks_lag_ms"], 0);
    stop(server).await;

    let server = start(&receiver, dir.path(), |config| {
        config.webhooks.patterns.0.push("mentions/**".to_owned());
        config.webhooks.payload = serde_json::from_value(json!("json")).unwrap();
    })
    .await;
    publish(&server, "mentions/ann", "[1]").await;
    publish(&server, "mentions/ann", "[2]").await;
    receiver.texts(4).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 4, "nothing twice: {requests:?}");
    assert_eq!(
        (&requests[2].body["json"], &requests[2].body["sequence"]),
        (&json!([1]), &json!(2))
    );
    stop(server).await;
}

#[tokio::test]
async fn a_message_is_posted_until_it_is_taken_and_those_after_it_wait() {
    let (receiver, dir) = (HookReceiver::start().await, tempfile::tempdir().unwrap());
    let endless = [b"HTTP/1.1 500 x\r\nx: ".to_vec(), vec![b'a'; 100_000]].concat();
    let failures = [
        HookAnswer::Status(500, ""),
        HookAnswer::Status(503, "retry-after: 99999999\r\n"),
        HookAnswer::Status(404, "retry-after: \u{1b}[31m\r\n"),
        HookAnswer::Silence,
        HookAnswer::End,
        HookAnswer::Raw(b"\xff\x00 what is this?\r\n\r\n".to_vec()),
        HookAnswer::Raw(b"HTTP/1.1 200 OK".to_vec()),
        HookAnswer::Raw(endless),
        HookAnswer::Status(302, "location: http://localhost:1/elsewhere\r\n"),
    ];
    let count = failures.len();
    receiver.answer(failures);
    let server = start(&receiver, dir.path(), |config| config.webhooks.timeout_ms = 300).await;
    for number in 0..3 {
        publish(&server, "orders/a", &number.to_string()).await;
    }
    assert_eq!(receiver.texts(3).await, ["0", "1", "2"]);
    let requests = receiver.requests();
    assert_eq!(requests.len(), count + 3);
    let ids: BTreeSet<_> = requests[..=count].iter().map(|request| &request.id).collect();
    assert_eq!(ids.len(), 1, "one id in all attempts");
    server.until_stats("webhooks_delivered", |delivered| delivered == 3).await;
    let stats = server.stats().await;
    assert_eq!((&stats["webhooks_failed"], &stats["webhooks_dead"]), (&json!(count), &json!(0)));
    stop(server).await;
}

#[tokio::test]
async fn a_message_that_is_never_taken_is_given_up_and_the_next_one_goes_on() {
    let (mut receiver, dir) = (HookReceiver::start().await, tempfile::tempdir().unwrap());
    receiver.answer_always("bad", HookAnswer::Status(500, ""));
    receiver.answer_always("gone", HookAnswer::Status(410, ""));
    let server = start(&receiver, dir.path(), |config| config.webhooks.attempts_max = 3).await;
    for text in ["bad", "gone", "good"] {
        publish(&server, "orders/a", text).await;
    }
    assert_eq!(receiver.texts(1).await, ["good"]);
    let attempts = |text: &str| receiver.requests().iter().filter(|it| text_of(it) == text).count();
    assert_eq!((attempts("bad"), attempts("gone"), attempts("good")), (3, 1, 1));
    server.until_stats("webhooks_delivered", |count| count == 1).await;
    assert_eq!(server.stats().await["webhooks_dead"], 2);
    // A receiver that is away costs no message, however long that is.
    receiver.go_down().await;
    publish(&server, "orders/a", "late").await;
    server.until_stats("webhooks_failed", |count| count > 12).await;
    receiver.come_back().await;
    assert_eq!(receiver.texts(2).await, ["good", "late"]);
    assert_eq!(server.stats().await["webhooks_dead"], 2);
    stop(server).await;
}

#[tokio::test]
async fn messages_of_those_who_are_here_are_left_out_where_the_settings_say_so() {
    let (receiver, dir) = (HookReceiver::start().await, tempfile::tempdir().unwrap());
    let backend = Backend::new("one");
    let server = start(&receiver, dir.path(), |config| {
        backend.is_known_to(config);
        config.token_guests = true;
        config.webhooks.absent_only = true;
    })
    .await;
    let ann = enter(&server, Over::Quic, &backend.token("ann", |_| {})).await;
    publish(&server, "mentions/ann", "to ann, who is here").await;
    publish(&server, "mentions/bob", "to bob").await;
    assert_eq!(receiver.texts(1).await, ["to bob"]);
    ann.close(CloseCode::Normal).await;
    server.until_stats("sessions", |sessions| sessions == 0).await;
    publish(&server, "mentions/ann", "to ann, who has left").await;
    assert_eq!(receiver.texts(2).await, ["to bob", "to ann, who has left"]);
    server.until_stats("webhooks_skipped", |count| count == 1).await;
    stop(server).await;
}

#[tokio::test]
async fn what_the_topics_no_longer_keep_is_told() {
    let (mut receiver, dir) = (HookReceiver::start().await, tempfile::tempdir().unwrap());
    receiver.go_down().await;
    let server = start(&receiver, dir.path(), |config| config.topics.history_messages = 5).await;
    publish(&server, "orders/a", "1").await;
    // It has been read.
    server.until_stats("webhooks_failed", |count| count > 0).await;
    assert!(server.stats().await["webhooks_lag_ms"].as_u64().unwrap() > 0);
    for number in 2..=20 {
        publish(&server, "orders/a", &number.to_string()).await;
    }
    receiver.come_back().await;
    assert_eq!(receiver.texts(7).await, ["1", "missed", "16", "17", "18", "19", "20"]);
    let missed = &receiver.taken()[1].body;
    assert_eq!(
        (&missed["topic"], &missed["from"], &missed["to"]),
        (&json!("orders/a"), &json!(2), &json!(15))
    );
    server.until_stats("webhooks_missed", |count| count == 14).await;
    stop(server).await;
}

#[tokio::test]
async fn a_stop_waits_for_no_receiver_and_the_next_run_goes_on_by_the_same_id() {
    let (receiver, dir) = (HookReceiver::start().await, tempfile::tempdir().unwrap());
    receiver.answer([HookAnswer::Silence]);
    let server = start(&receiver, dir.path(), |config| config.webhooks.timeout_ms = 300_000).await;
    publish(&server, "orders/a", "1").await;
    soon("a request", async {
        while receiver.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    stop(server).await;
    let server = start(&receiver, dir.path(), |_| {}).await;
    assert_eq!(receiver.texts(1).await, ["1"]);
    let requests = receiver.requests();
    assert_eq!((requests.len(), &requests[0].id), (2, &requests[1].id));
    stop(server).await;
}

#[tokio::test]
async fn a_receiver_is_trusted_by_its_authority() {
    let dir = tempfile::tempdir().unwrap();
    let (ca_file, tls) = own_authority(dir.path());
    let receiver = HookReceiver::start_by(Some(tls)).await;
    let server = start(&receiver, dir.path(), |config| {
        config.webhooks.ca_file = Some(ca_file.clone());
    })
    .await;
    publish(&server, "orders/a", "safe").await;
    assert_eq!(receiver.texts(1).await, ["safe"]);
    stop(server).await;
    // Another authority's receiver gets nothing.
    let other = tickwire_certs::generate(&[], OffsetDateTime::now_utc()).unwrap();
    std::fs::write(&ca_file, other.chain_pem()).unwrap();
    let server = start(&receiver, dir.path(), |config| {
        config.webhooks.ca_file = Some(ca_file);
    })
    .await;
    publish(&server, "orders/a", "unsafe").await;
    server.until_stats("webhooks_failed", |count| count > 1).await;
    assert_eq!(receiver.requests().len(), 1);
    stop(server).await;
}

/// Serves until it is killed.
async fn serve(dir: PathBuf) {
    let mut config = ServerConfig {
        listen: "[::]:0".parse().unwrap(),
        certs_dir: dir.join("certs"),
        store: Some(dir.join("store")),
        ..ServerConfig::default()
    };
    crate::topics_http::open_to_all(&mut config);
    (config.topics.publish_hz, config.topics.publish_burst) = (100_000, 100_000);
    config.webhooks.url = Some(std::env::var(RECEIVER).unwrap().try_into().unwrap());
    config.webhooks.secret_file = Some(dir.join("store/webhook.key"));
    config.webhooks.patterns.0.push("t/*".to_owned());
    (config.webhooks.retry_first_ms, config.webhooks.retry_max_ms) = (10, 100);
    let server = Server::<Dots>::bind(config).await.unwrap();
    tell_port(&server, &dir);
    server.run(std::future::pending()).await.unwrap();
}

#[tokio::test]
async fn each_message_arrives_whatever_is_killed_and_one_id_is_one_message() {
    if let Some(dir) = std::env::var_os(INSIDE) {
        return serve(PathBuf::from(dir)).await;
    }
    let (mut receiver, dir) = (HookReceiver::start().await, tempfile::tempdir().unwrap());
    // The key, and the directory of the store.
    receiver.is_known_to(&mut ServerConfig::default(), dir.path().join("store"), &["t/*"]);
    let url = receiver.url();
    let mut published = PublishedTexts::new();
    for round in 0..5u64 {
        let server = Killable::start(THIS, dir.path(), &[(RECEIVER, &url)]).await;
        let publishing = Publishing::start(server.http, round);
        tokio::time::sleep(Duration::from_millis(200 + 70 * round)).await;
        // The server is killed while the receiver is down, or while it takes messages.
        match round % 2 {
            0 => receiver.go_down().await,
            _ => receiver.come_back().await,
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        publishing.kill(server, &mut published).await;
    }
    let server = Killable::start(THIS, dir.path(), &[(RECEIVER, &url)]).await;
    receiver.come_back().await;
    assert!(ask(server.http, "POST /topics/t/0", "end").await.is_some());
    soon("the last webhook", async {
        while !receiver.taken().iter().any(|request| text_of(request) == "end") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    server.kill();
    let taken = receiver.taken();
    for (topic, told) in &published {
        let of_topic = || taken.iter().filter(|request| request.body["topic"] == **topic);
        let texts: Vec<String> = of_topic().map(text_of).collect();
        let times = |text: &String| texts.iter().filter(|it| *it == text).count();
        for (_, text) in told {
            assert_eq!(times(text), 1, "{text} without its doubles");
        }
        let told: Vec<_> = told.iter().map(|(_, text)| text).collect();
        let in_order: Vec<_> = texts.iter().filter(|text| told.contains(text)).collect();
        assert_eq!(in_order, told, "the order of {topic}");
    }
    assert!(taken.iter().all(|request| request.body["type"] == "message"), "nothing was missed");
}
