//! A real receiver of webhooks on this machine: it checks signatures by itself, and answers as it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;
use tickwire_server::ServerConfig;
use tickwire_server::config::List;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite,
    AsyncWriteExt as _, BufReader, split,
};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::harness::soon;
use crate::topics_http::open_to_all;

/// The bytes of the key.
const KEY: [u8; 32] = [7; 32];

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) enum HookAnswer {
    /// A status, and lines of the head.
    Status(u16, &'static str),
    /// These bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// Nothing, on an open connection.
    Silence,
    /// The end of the connection.
    End,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HookRequest {
    pub(crate) id: String,
    pub(crate) body: Value,
    /// It was answered with 200.
    pub(crate) is_taken: bool,
    /// The number of its connection.
    pub(crate) connection: usize,
}

#[derive(Debug, Default)]
struct HookState {
    /// The next answers; after them all are 200.
    answers: VecDeque<HookAnswer>,
    /// Texts of messages, and the answers to all attempts at them.
    always: BTreeMap<String, HookAnswer>,
    requests: Vec<HookRequest>,
    connections: usize,
}

/// A receiver of webhooks.
pub(crate) struct HookReceiver {
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    state: Arc<Mutex<HookState>>,
    task: Option<JoinHandle<()>>,
}

impl HookReceiver {
    pub(crate) async fn start() -> Self {
        HookReceiver::start_by(None).await
    }

    pub(crate) async fn start_by(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut receiver = HookReceiver { address, tls, state: Arc::default(), task: None };
        receiver.serve(listener);
        receiver
    }

    fn serve(&mut self, listener: TcpListener) {
        let (state, tls) = (Arc::clone(&self.state), self.tls.clone());
        self.task = Some(tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, tls) = (Arc::clone(&state), tls.clone());
                state.lock().unwrap().connections += 1;
                let number = state.lock().unwrap().connections;
                connections.spawn(async move {
                    match tls {
                        None => receive(stream, &state, number).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            receive(stream, &state, number).await;
                        }
                    }
                });
            }
        }));
    }

    /// Ends all connections, and takes no more.
    pub(crate) async fn go_down(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Takes connections again, at the same address.
    pub(crate) async fn come_back(&mut self) {
        let listener = soon("the free address", async {
            loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => return listener,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        let listener = listener.await;
        self.serve(listener);
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}/hooks?game=dots", self.address.port())
    }

    /// Has a server post these topics.
    pub(crate) fn is_known_to(&self, config: &mut ServerConfig, store: PathBuf, patterns: &[&str]) {
        open_to_all(config);
        let key = store.join("webhook.key");
        std::fs::create_dir_all(&store).unwrap();
        std::fs::write(&key, format!("whsec_{}\n", STANDARD.encode(KEY))).unwrap();
        config.store = Some(store);
        let webhooks = &mut config.webhooks;
        webhooks.url = Some(self.url().try_into().unwrap());
        webhooks.secret_file = Some(key);
        webhooks.patterns = List::of(patterns);
        (webhooks.retry_first_ms, webhooks.retry_max_ms) = (10, 50);
    }

    /// Answers the next requests so.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = HookAnswer>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// Answers all attempts at messages of this text so.
    pub(crate) fn answer_always(&self, text: &str, answer: HookAnswer) {
        self.state.lock().unwrap().always.insert(text.to_owned(), answer);
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<HookRequest> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Those that were taken, without those of an id that came before.
    pub(crate) fn taken(&self) -> Vec<HookRequest> {
        let mut ids = BTreeMap::new();
        let mut taken = self.requests();
        taken.retain(|request| request.is_taken);
        for HookRequest { id, body, .. } in &taken {
            let first = ids.entry(id.clone()).or_insert_with(|| body.clone());
            assert_eq!(first, body, "one id for two messages");
        }
        taken.retain(|request| ids.remove(&request.id).is_some());
        taken
    }

    /// Waits until this many different messages were taken. Returns their texts.
    pub(crate) async fn texts(&self, count: usize) -> Vec<String> {
        soon("webhooks", async {
            while self.taken().len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        self.taken().iter().map(text_of).collect()
    }
}

impl Drop for HookReceiver {
    fn drop(&mut self) {
        self.task.iter().for_each(JoinHandle::abort);
    }
}

/// The text of a message, or the type of another event.
pub(crate) fn text_of(request: &HookRequest) -> String {
    let text = request.body["text"].as_str().or(request.body["type"].as_str());
    text.unwrap().to_owned()
}

async fn receive(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    state: &Mutex<HookState>,
    connection: usize,
) {
    let (read, mut write) = split(stream);
    let mut read = BufReader::new(read);
    while let Some((head, body)) = next(&mut read).await {
        let id = checked(&head, &body);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["id"], *id, "the body has the id of the head");
        let answer = {
            let mut state = state.lock().unwrap();
            let mut request = HookRequest { id, body, is_taken: false, connection };
            let always = state.always.get(&text_of(&request)).cloned();
            let answer = always.or_else(|| state.answers.pop_front());
            let answer = answer.unwrap_or(HookAnswer::Status(200, ""));
            request.is_taken = matches!(answer, HookAnswer::Status(200, _));
            state.requests.push(request);
            answer
        };
        match answer {
            HookAnswer::Status(status, lines) => {
                let text = format!("HTTP/1.1 {status} Word\r\n{lines}content-length: 2\r\n\r\nok");
                if write.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
            HookAnswer::Raw(bytes) => {
                let _ = write.write_all(&bytes).await;
                return;
            }
            HookAnswer::Silence => std::future::pending().await,
            HookAnswer::End => return,
        }
    }
}

/// The head and the body of the next request.
async fn next(read: &mut (impl AsyncBufRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if read.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let mut body = vec![0; line(&head, "content-length").parse().unwrap()];
    read.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

fn line<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(line, _)| line.eq_ignore_ascii_case(name));
    let (_, value) = found.next().unwrap_or_else(|| panic!("{name} is missing: {head}"));
    value
}

/// Checks the signature of a request, by the words of the standard. Returns its id.
fn checked(head: &str, body: &[u8]) -> String {
    assert!(head.starts_with("POST /hooks?game=dots HTTP/1.1\r\n"), "{head}");
    assert_eq!(line(head, "content-type"), "application/json");
    let (id, timestamp) = (line(head, "webhook-id"), line(head, "webhook-timestamp"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(now.as_secs().abs_diff(timestamp.parse().unwrap()) < 60, "{timestamp}");
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    let signature = line(head, "webhook-signature").strip_prefix("v1,").unwrap();
    let signature = STANDARD.decode(signature).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &KEY);
    hmac::verify(&key, &signed, &signature).expect("it is signed by the key");
    id.to_owned()
}
