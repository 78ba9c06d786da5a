//! Topics that the store keeps: over a stop, and over servers that are killed while messages are published.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tickwire_server::config::List;
use tickwire_server::{ReadTopicsOptions, ReaderEnd, Server, ServerConfig, TopicItem, TopicReader};
use tickwire_shared::control::RefuseCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::client::Over;
use crate::curl::EventReader;
use crate::game::Dots;
use crate::harness::{Running, soon};
use crate::topics_http::{open_to_all, publish};

const THIS: &str = "topics_stored::what_was_told_as_published_is_there_after_each_kill";
/// The directory of the server that the run in a process of its own is.
pub(crate) const INSIDE: &str = "TICKWIRE_TOPICS_INSIDE";

async fn start(store: &Path) -> Running {
    Running::start_with(|config| {
        open_to_all(config);
        config.store = Some(store.to_owned());
        config.topics.stored = List::of(&["chat/**"]);
    })
    .await
}

async fn texts(server: &Running, topic: &str) -> Vec<(u64, String)> {
    let (_, _, body) = server.get(&format!("/topics/{topic}?last=1000")).await;
    texts_of(&body)
}

fn texts_of(body: &str) -> Vec<(u64, String)> {
    let page: Value = serde_json::from_str(body).unwrap();
    let messages = page["messages"].as_array().unwrap().iter();
    let text = |it: &Value| it["text"].as_str().unwrap().to_owned();
    messages.map(|it| (it["sequence"].as_u64().unwrap(), text(it))).collect()
}

#[tokio::test]
async fn topics_go_on_after_a_stop_with_their_numbers_and_readers() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = start(dir.path()).await;
    let mut reader = EventReader::start(&server, "pattern=chat/**", None);
    reader.id().await;
    assert_eq!(publish(&server, "chat/a?key=k", "one").await, 1);
    assert_eq!(publish(&server, "prices", "gone").await, 1);
    assert_eq!(reader.texts(1).await, ["one"]);
    let id = reader.last_id.clone().unwrap();
    assert_eq!(publish(&server, "chat/b", "two").await, 1);
    assert_eq!(publish(&server, "chat/a", "three").await, 2);
    server.until_stats("topics_published", |count| count == 4).await;
    assert_eq!(server.stats().await["store"]["topics_kept"], 3);
    server.ask_to_stop();
    server.stopped().await;
    drop(reader);

    let server = start(dir.path()).await;
    let all = [(1, "one".to_owned()), (2, "three".to_owned())];
    assert_eq!(texts(&server, "chat/a").await, all);
    let latest = server.get("/topics/chat/a?delivery=latest").await.2;
    assert_eq!(texts_of(&latest), all, "the newest one of each key");
    assert_eq!(texts(&server, "prices").await, []);
    let mut reader = EventReader::start(&server, "pattern=chat/**", Some(&id));
    assert_eq!(reader.texts(2).await, ["two", "three"]);
    assert_eq!(publish(&server, "chat/a", "four").await, 3);
    assert_eq!(reader.texts(1).await, ["four"]);
    // What was not kept is not known.
    let mut reader = EventReader::start(&server, "pattern=**", Some(&id));
    let missed = reader.event().await;
    assert_eq!((&*missed.name, &missed.data["topic"]), ("missed", &json!(null)));
    assert_eq!(reader.texts(3).await, ["two", "three", "four"]);
    let _ = server.greeted(Over::Quic).await;
}

/// The text of the next message that a program of the server's own reads.
async fn read(reader: &mut TopicReader) -> Result<String, ReaderEnd> {
    match soon("a message to read", reader.next()).await? {
        TopicItem::Message { topic, message } => {
            Ok(format!("{topic} {}", String::from_utf8(message.payload).unwrap()))
        }
        TopicItem::Missed { topic, from, to } => Ok(format!("missed {topic:?} {from:?} {to:?}")),
    }
}

#[tokio::test]
async fn the_servers_own_program_reads_topics_and_goes_on_after_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = start(dir.path()).await;
    let topics = server.handle.topics();
    let refused = topics.subscribe("chat/**/x", ReadTopicsOptions::default()).unwrap_err();
    assert_eq!(refused.code, RefuseCode::TopicInvalid, "{refused}");
    let mut reader = topics.subscribe("chat/**", ReadTopicsOptions::default()).unwrap();
    assert_eq!(reader.cursor(), None);
    publish(&server, "chat/a", "one").await;
    topics.publish("chat/b", "", "two").unwrap();
    topics.publish("prices", "", "not read").unwrap();
    topics.publish("chat/a", "", "three").unwrap();
    assert_eq!(read(&mut reader).await.unwrap(), "chat/a one");
    let cursor = reader.cursor().unwrap().to_string();
    assert_eq!(read(&mut reader).await.unwrap(), "chat/b two");
    assert_eq!(read(&mut reader).await.unwrap(), "chat/a three");
    server.until_stats("topics_published", |count| count == 4).await;
    server.ask_to_stop();
    assert_eq!(read(&mut reader).await, Err(ReaderEnd::Stopped));
    drop(reader);
    server.stopped().await;

    let server = start(dir.path()).await;
    let topics = server.handle.topics();
    let after = Some(cursor.parse().unwrap());
    let on = ReadTopicsOptions { after, ..ReadTopicsOptions::default() };
    let mut reader = topics.subscribe("chat/**", on).unwrap();
    topics.publish("chat/b", "", "four").unwrap();
    for expected in ["chat/b two", "chat/a three", "chat/b four"] {
        assert_eq!(read(&mut reader).await.unwrap(), expected);
    }
    // What the store does not keep has gone with the last run.
    let mut all = topics.subscribe("**", on).unwrap();
    assert_eq!(read(&mut all).await.unwrap(), "missed None None None");
    assert_eq!(read(&mut all).await.unwrap(), "chat/b two");
}

/// A server in a process of its own.
pub(crate) struct Killable {
    child: Child,
    pub(crate) http: SocketAddr,
}

impl Killable {
    /// Runs a test of this program again, in a process that knows its directory and these variables.
    pub(crate) async fn start(test: &str, dir: &Path, variables: &[(&str, &str)]) -> Self {
        let port = dir.join("port");
        let _ = std::fs::remove_file(&port);
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.args(["--exact", test, "--nocapture"]).env(INSIDE, dir);
        command.envs(variables.iter().copied());
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let http = soon("the server in its process", async {
            loop {
                if let Some(port) =
                    std::fs::read_to_string(&port).ok().and_then(|it| it.parse().ok())
                {
                    return SocketAddr::from((Ipv6Addr::LOCALHOST, port));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        Killable { child, http }
    }

    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Killable {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Serves until it is killed.
async fn serve(dir: PathBuf) {
    let mut config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        certs_dir: dir.join("certs"),
        store: Some(dir.join("store")),
        ..ServerConfig::default()
    };
    open_to_all(&mut config);
    (config.topics.publish_hz, config.topics.publish_burst) = (100_000, 100_000);
    let server = Server::<Dots>::bind(config).await.unwrap();
    tell_port(&server, &dir);
    server.run(std::future::pending()).await.unwrap();
}

/// Tells the process that started this one where the server is.
pub(crate) fn tell_port(server: &Server<Dots>, dir: &Path) {
    let port = server.http_addr().unwrap().port();
    std::fs::write(dir.join("new"), port.to_string()).unwrap();
    std::fs::rename(dir.join("new"), dir.join("port")).unwrap();
}

/// The body of an answer; `None` if there is none.
pub(crate) async fn ask(http: SocketAddr, line: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(http).await.ok()?;
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    let text = format!("{head}content-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

/// Publishes until the server is killed. Returns the numbers and texts of the messages that were told as published.
async fn publish_until(
    http: SocketAddr,
    topic: String,
    first: u64,
    is_over: Arc<AtomicBool>,
) -> Vec<(u64, String)> {
    let mut published = Vec::new();
    for number in first.. {
        let text = format!("{topic} {number}");
        match ask(http, &format!("POST /topics/{topic}"), &text).await {
            Some(body) => {
                let answer: Value = serde_json::from_str(&body).unwrap();
                published.push((answer["sequence"].as_u64().unwrap(), text));
            }
            None if is_over.load(Ordering::Relaxed) => break,
            None => panic!("refused"),
        }
    }
    published
}

/// By topic: the numbers and texts of the messages that were told as published.
pub(crate) type PublishedTexts = BTreeMap<String, Vec<(u64, String)>>;

/// Publishes to three topics until the server is killed.
pub(crate) struct Publishing {
    round: u64,
    is_over: Arc<AtomicBool>,
    publishers: Vec<JoinHandle<Vec<(u64, String)>>>,
}

impl Publishing {
    pub(crate) fn start(http: SocketAddr, round: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let publishers = (0..3)
            .map(|topic| {
                let (topic, is_over) = (format!("t/{topic}"), Arc::clone(&is_over));
                tokio::spawn(publish_until(http, topic, round * 1000, is_over))
            })
            .collect();
        Publishing { round, is_over, publishers }
    }

    /// Kills the server, and adds what it had told as published.
    pub(crate) async fn kill(self, server: Killable, published: &mut PublishedTexts) {
        self.is_over.store(true, Ordering::Relaxed);
        server.kill();
        for (topic, publisher) in self.publishers.into_iter().enumerate() {
            let told = publisher.await.unwrap();
            assert!(!told.is_empty(), "nothing was published in round {}", self.round);
            published.entry(format!("t/{topic}")).or_default().extend(told);
        }
    }
}

#[tokio::test]
async fn what_was_told_as_published_is_there_after_each_kill() {
    if let Some(dir) = std::env::var_os(INSIDE) {
        return serve(PathBuf::from(dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut published = PublishedTexts::new();
    let mut last_id = None;
    let mut read = Vec::new();
    for round in 0..4u64 {
        let server = Killable::start(THIS, dir.path(), &[]).await;
        let mut reader = EventReader::start_at(server.http, "pattern=t/*", last_id.as_deref());
        if round == 0 {
            reader.id().await;
        }
        let publishing = Publishing::start(server.http, round);
        tokio::time::sleep(Duration::from_millis(400 + 70 * round)).await;
        publishing.kill(server, &mut published).await;
        while let Some(event) = reader.next().await {
            assert_eq!(event.name, "message", "{event:?}");
            read.push(event.data["text"].as_str().unwrap().to_owned());
        }
        last_id.clone_from(&reader.last_id);
    }
    let server = Killable::start(THIS, dir.path(), &[]).await;
    for (topic, told) in &published {
        let body = ask(server.http, &format!("GET /topics/{topic}?last=1000"), "").await;
        let kept = texts_of(&body.unwrap());
        let numbers: Vec<u64> = kept.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=kept.len() as u64).collect::<Vec<_>>(), "numbers go on");
        for message in told {
            assert!(kept.contains(message), "{message:?} was told as published");
        }
    }
    let end = ask(server.http, "POST /topics/t/0", "end").await;
    assert!(end.is_some());
    let mut reader = EventReader::start_at(server.http, "pattern=t/*", last_id.as_deref());
    loop {
        let event = reader.event().await;
        assert_eq!(event.name, "message", "{event:?}");
        match event.data["text"].as_str().unwrap() {
            "end" => break,
            text => read.push(text.to_owned()),
        }
    }
    for (_, text) in published.values().flatten() {
        let times = read.iter().filter(|it| *it == text).count();
        assert_eq!(times, 1, "{text}");
    }
    server.kill();
}
