//! Streams of events through the program `curl`, also over connections that are cut at random.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::client::Over;
use crate::harness::{Running, soon};
use crate::topics_http::{open_to_all, publish};

/// An event as a browser's `EventSource` has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StreamEvent {
    /// `message` where the stream has no name for it.
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// The program `curl`, reading a stream of events.
pub(crate) struct EventReader {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    /// Of the last event that was whole, as a browser gives it when it comes back.
    pub(crate) last_id: Option<String>,
}

impl EventReader {
    pub(crate) fn start(server: &Running, query: &str, last_id: Option<&str>) -> Self {
        EventReader::start_at(server.http, query, last_id)
    }

    pub(crate) fn start_at(address: SocketAddr, query: &str, last_id: Option<&str>) -> Self {
        let mut command = Command::new("curl");
        command.args(["--silent", "--no-buffer", "--globoff", "--fail"]);
        command.args(["--header", "accept: text/event-stream"]);
        if let Some(id) = last_id {
            command.args(["--header", &format!("last-event-id: {id}")]);
        }
        command.arg(format!("http://{address}/topics?{query}"));
        let child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn();
        let mut child = child.expect("this test needs the program curl");
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        EventReader { child, lines, last_id: last_id.map(str::to_owned) }
    }

    /// The next block of lines, which ends with an empty one; `None` at the end of the stream.
    async fn block(&mut self) -> Option<Vec<String>> {
        let mut block = Vec::new();
        loop {
            match soon("a line of the stream", self.lines.recv()).await? {
                line if line.is_empty() => break,
                line => block.push(line),
            }
        }
        if let Some(id) = block.iter().find_map(|line| line.strip_prefix("id: ")) {
            self.last_id = Some(id.to_owned());
        }
        Some(block)
    }

    /// The next event, if one comes before the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<StreamEvent> {
        loop {
            let block = self.block().await?;
            let field =
                |name: &str| block.iter().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let Some(data) = field("data:") {
                let data = serde_json::from_str(data).expect("the data is JSON");
                let name = field("event:").unwrap_or("message").to_owned();
                return Some(StreamEvent { name, data });
            }
        }
    }

    pub(crate) async fn event(&mut self) -> StreamEvent {
        self.next().await.expect("an event")
    }

    /// The texts of the next messages.
    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let event = self.event().await;
            assert_eq!(event.name, "message", "{event:?}");
            texts.push(event.data["text"].as_str().unwrap().to_owned());
        }
        texts
    }

    /// The next id of a block without an event.
    pub(crate) async fn id(&mut self) -> String {
        loop {
            let block = self.block().await.expect("the stream goes on");
            assert!(!block.iter().any(|line| line.starts_with("data:")), "{block:?}");
            if let Some(id) = block.iter().find_map(|line| line.strip_prefix("id: ")) {
                return id.to_owned();
            }
        }
    }

    /// Waits for the end of the stream. Returns what curl thinks of it: 0 for a whole answer.
    pub(crate) async fn end(&mut self) -> i32 {
        while let Some(block) = self.block().await {
            assert!(!block.iter().any(|line| line.starts_with("data:")), "{block:?}");
        }
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes connections on to a server, and cuts each after some bytes.
async fn cut(server: SocketAddr) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, cuts) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&cuts);
    tokio::spawn(async move {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(server).await.unwrap();
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let bytes = random % 6000;
            let cuts = Arc::clone(&counted);
            tokio::spawn(async move {
                let ((mut near_in, mut near_out), (far_in, mut far_out)) =
                    (near.into_split(), far.into_split());
                let there = tokio::io::copy(&mut near_in, &mut far_out);
                let mut limited = far_in.take(bytes);
                let back = tokio::io::copy(&mut limited, &mut near_out);
                tokio::select! {
                    _ = there => {}
                    _ = back => drop(cuts.fetch_add(1, Ordering::Relaxed)),
                }
                let _ = near_out.shutdown().await;
            });
        }
    });
    (address, cuts)
}

#[tokio::test]
async fn each_message_comes_once_and_in_order_through_curl_over_cut_connections() {
    const MESSAGES: u64 = 400;
    let server = Arc::new(
        Running::start_with(|config| {
            open_to_all(config);
            (config.topics.publish_hz, config.topics.publish_burst) = (100_000, 100_000);
        })
        .await,
    );
    let (address, cuts) = cut(server.http).await;
    // Its first id comes over a connection that nobody cuts.
    let mut reader = EventReader::start(&server, "pattern=t/**", None);
    let mut last_id = Some(reader.id().await);
    let publisher = Arc::clone(&server);
    let publishing = tokio::spawn(async move {
        for number in 1..=MESSAGES {
            let topic = format!("t/{}/{}", number % 3, number % 7);
            publish(&publisher, &topic, &format!("{number} {}", "x".repeat(200))).await;
            publish(&publisher, "other", "x").await;
            if number % 20 == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let mut numbers = Vec::new();
    while numbers.len() < MESSAGES as usize {
        let mut reader = EventReader::start_at(address, "pattern=t/**", last_id.as_deref());
        while let Some(event) = reader.next().await {
            assert_eq!(event.name, "message", "{event:?}");
            let text = event.data["text"].as_str().unwrap();
            numbers.push(text.split_once(' ').unwrap().0.parse::<u64>().unwrap());
            if numbers.len() == MESSAGES as usize {
                break;
            }
        }
        last_id.clone_from(&reader.last_id);
    }
    publishing.await.unwrap();
    assert_eq!(numbers, (1..=MESSAGES).collect::<Vec<_>>());
    let cuts = cuts.load(Ordering::Relaxed);
    assert!(cuts > 10, "{cuts} cuts");
    // The session's side of the server was there all the time.
    let _ = server.greeted(Over::Quic).await;
}
