//! The program with a store, killed and started again.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tickwire::NoGame;
use tickwire::client::{Client, ClientEvent, ConnectOptions, SubscribeOptions, TopicEvent};
use tickwire::control::{RefuseCode, ServerFrame, TopicStart};

struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(dir: &Path) -> Self {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("rooms.toml");
        let mut child = Command::new(env!("CARGO_BIN_EXE_tickwire-rooms"))
            .args(["--listen", "127.0.0.1:0", "--store", "store", "--certs-dir", "certs"])
            .arg("--config")
            .arg(config)
            .env("ROOMS_MODERATORS", "ann")
            .current_dir(dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let udp = line.split("udp=").nth(1).unwrap().split(' ').next().unwrap();
        Program { child, address: format!("quic://{udp}") }
    }

    /// Kills it.
    fn kill(self) {}

    async fn connect(&self, token: &str) -> Result<Client<NoGame>, String> {
        let options = ConnectOptions { token: token.into(), ..ConnectOptions::default() };
        Client::connect(&self.address, options).await.map_err(|error| error.to_string())
    }
}

impl Drop for Program {
    /// A test that fails leaves nothing behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client was told.
#[derive(Default)]
struct Heard {
    messages: Vec<(String, String, Value)>,
    published: usize,
    refused: Vec<RefuseCode>,
}

/// Reads until `enough`.
async fn read(client: &mut Client<NoGame>, heard: &mut Heard, enough: impl Fn(&Heard) -> bool) {
    for _ in 0..4000 {
        client.update();
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Topic(TopicEvent::Message { topic, message, .. }) => {
                    let value = serde_json::from_slice(&message.payload).unwrap();
                    heard.messages.push((topic.to_string(), message.key, value));
                }
                ClientEvent::Control(ServerFrame::Published { .. }) => heard.published += 1,
                ClientEvent::Control(ServerFrame::Refused { code, .. }) => heard.refused.push(code),
                _ => {}
            }
        }
        if enough(heard) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited in vain: {:?}, {:?}", heard.messages, heard.refused);
}

fn token(name: &str, digit: &str) -> String {
    format!("{name}~{}", digit.repeat(64))
}

fn results(heard: &Heard) -> usize {
    heard.messages.iter().filter(|(topic, ..)| topic.starts_with("account/")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_marks_names_and_mutes_survive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(dir.path());
    let mut bob = program.connect(&token("Bob", "b")).await.unwrap();
    let mut ann = program.connect(&token("ann", "a")).await.unwrap();
    let all = SubscribeOptions { start: TopicStart::Last(u32::MAX), ..Default::default() };
    bob.subscribe("account/bob", all.clone());
    let posts = (1..=3).map(|at| {
        json!({"request": format!("r{at}"), "do": "post", "place": "channel/general", "text": format!("{at}")})
    });
    let posts: Vec<Vec<u8>> = posts.map(|it| it.to_string().into_bytes()).collect();
    let mut heard = Heard::default();
    for post in &posts {
        bob.publish("say/bob", "", post);
    }
    read(&mut bob, &mut heard, |heard| heard.published == 3 && results(heard) == 3).await;
    let mute = json!({"request": "m", "do": "mute", "account": "bob", "minutes": 60});
    ann.subscribe("account/ann", all.clone());
    ann.publish("say/ann", "", mute.to_string().as_bytes());
    read(&mut ann, &mut Heard::default(), |heard| results(heard) == 1).await;
    // Until the disk has what was published last.
    tokio::time::sleep(Duration::from_millis(500)).await;
    program.kill();

    let program = Program::start(dir.path());
    assert!(program.connect(&token("Bob", "c")).await.unwrap_err().contains("taken"));
    let mut bob = program.connect(&token("Bob", "b")).await.unwrap();
    for pattern in ["channel/*", "account/bob", "marks/bob"] {
        bob.subscribe(pattern, all.clone());
    }
    // What was sent, once more, as a page does that was not told what became of it; and one more, which is refused.
    for post in &posts {
        bob.publish("say/bob", "", post);
    }
    let late = json!({"request": "r4", "do": "post", "place": "channel/general", "text": "4"});
    bob.publish("say/bob", "", late.to_string().as_bytes());
    let mut heard = Heard::default();
    let is_late = |it: &(String, String, Value)| it.2["request"] == "r4";
    read(&mut bob, &mut heard, |heard| heard.messages.iter().any(is_late)).await;
    let refused = heard.messages.iter().find(|it| is_late(it)).unwrap();
    assert_eq!(refused.2["refused"]["code"], "Muted");
    let texts = heard.messages.iter().filter(|(_, _, value)| value["type"] == "post");
    let texts: Vec<&Value> = texts.map(|(_, _, value)| &value["text"]).collect();
    assert_eq!(texts, ["1", "2", "3"], "each is there, and none twice");
    let mark = heard.messages.iter().rev().find(|(topic, ..)| topic == "marks/bob").unwrap();
    assert_eq!((&*mark.1, &mark.2), ("channel/general", &json!(3)));
    program.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_or_reads_what_is_not_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::start(dir.path());
    let mut cid = program.connect(&token("Cid", "c")).await.unwrap();
    for topic in [
        "channel/general",
        "say/bob",
        "account/cid",
        "marks/cid",
        "here/bob",
        "typing/bob",
        "people",
    ] {
        cid.publish(topic, "", b"{}");
    }
    for pattern in [
        "dm/ann/bob",
        "dm/*/*",
        "account/bob",
        "account/*",
        "marks/bob",
        "say/*",
        "say/cid",
        "accounts",
        "**",
    ] {
        cid.subscribe(pattern, SubscribeOptions::default());
    }
    let mut heard = Heard::default();
    read(&mut cid, &mut heard, |heard| heard.refused.len() == 16).await;
    assert_eq!(heard.refused, [RefuseCode::TopicForbidden; 16]);
    // Who has no name may do nothing.
    let mut guest = program.connect("").await.unwrap();
    guest.subscribe("channel/*", SubscribeOptions::default());
    guest.publish("say/bob", "", b"{}");
    let mut heard = Heard::default();
    read(&mut guest, &mut heard, |heard| heard.refused.len() == 2).await;
    assert_eq!(heard.refused, [RefuseCode::TopicForbidden; 2]);
    program.kill();
}
