//! Keys of join tokens from a URL: a real server of a JWKS document, over HTTP and HTTPS, that rotates, fails and lies.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tickwire_server::ServerConfig;
use tickwire_shared::control::{CloseCode, ServerFrame};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::client::Over;
use crate::game::Keys;
use crate::harness::{Running, own_authority, soon};
use crate::identity::{Backend, enter, knock};

/// What the document's server answers.
#[derive(Clone)]
enum Answer {
    /// This document, with an ETag and by a condition.
    Document(String),
    /// These bytes.
    Raw(String),
    /// Nothing, on an open connection.
    Silence,
}

/// A server of a document of keys.
struct KeysServer {
    address: SocketAddr,
    url: String,
    ca_file: Option<PathBuf>,
    answer: Arc<Mutex<Answer>>,
    /// The heads of all requests so far, and the status of the answer.
    asked: Arc<Mutex<Vec<(String, u16)>>>,
    task: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl KeysServer {
    /// Over TLS, by an authority that only its own file names.
    async fn start_tls(keys: &[&Backend]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (ca_file, tls) = own_authority(dir.path());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = KeysServer::listen(any, Some(tls), dir).await;
        server.publish(keys);
        server.ca_file = Some(ca_file);
        server
    }

    async fn start(keys: &[&Backend]) -> Self {
        KeysServer::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), keys).await
    }

    async fn start_at(address: SocketAddr, keys: &[&Backend]) -> Self {
        let server = KeysServer::listen(address, None, tempfile::tempdir().unwrap()).await;
        server.publish(keys);
        server
    }

    async fn listen(address: SocketAddr, tls: Option<TlsAcceptor>, dir: tempfile::TempDir) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let answer = Arc::new(Mutex::new(Answer::Silence));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, heads) = (Arc::clone(&answer), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, answers, heads) = (tls.clone(), Arc::clone(&answers), Arc::clone(&heads));
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &answers, &heads).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &answers, &heads).await,
                            Err(_) => heads.lock().unwrap().push((String::new(), 0)),
                        },
                    }
                });
            }
        });
        let url = format!("{scheme}://localhost:{}/keys/jwks.json", address.port());
        KeysServer { address, url, ca_file: None, answer, asked, task, _dir: dir }
    }

    /// Answers with a document of these keys from now on.
    fn publish(&self, keys: &[&Backend]) {
        let keys: Vec<_> = keys.iter().map(|backend| backend.jwk()).collect();
        self.answer_with(Answer::Document(json!({ "keys": keys }).to_string()));
    }

    fn answer_with(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Answers with these bytes of a body.
    fn answer_with_body(&self, status: &str, headers: &str, body: &str) {
        let bytes = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {bytes}\r\n{headers}\r\n");
        self.answer_with(Answer::Raw(head + body));
    }

    fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Waits for a number of requests, since the start.
    async fn until_requests(&self, wanted: usize) {
        soon("a request for keys", async {
            while self.requests() < wanted {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    fn is_known_to(&self, config: &mut ServerConfig) {
        config.token_keys_url = Some(self.url.clone().try_into().unwrap());
        config.token_keys_ca_file = self.ca_file.clone();
        config.token_keys_pause_s = 1;
    }
}

impl Drop for KeysServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answers: &Mutex<Answer>,
    heads: &Mutex<Vec<(String, u16)>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let answer = answers.lock().unwrap().clone();
    let bytes = match answer {
        Answer::Raw(bytes) => bytes,
        Answer::Silence => {
            heads.lock().unwrap().push((head, 0));
            return std::future::pending().await;
        }
        Answer::Document(text) => {
            let etag = format!("\"{:x}\"", crc(&text));
            match head.contains(&format!("if-none-match: {etag}\r\n")) {
                true => format!("HTTP/1.1 304 Not Modified\r\netag: {etag}\r\n\r\n"),
                false => format!(
                    "HTTP/1.1 200 OK\r\netag: {etag}\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\n\r\n{text}",
                    text.len()
                ),
            }
        }
    };
    let status = bytes.split(' ').nth(1).unwrap().parse().unwrap();
    heads.lock().unwrap().push((head, status));
    let _ = stream.write_all(bytes.as_bytes()).await;
    // The client closes when it has enough.
    let _ = stream.read_u8().await;
}

fn crc(text: &str) -> u64 {
    text.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

/// The code by which a token ends, or `None` if it is let in.
async fn refusal(server: &Running, token: &str) -> Option<(CloseCode, String)> {
    let mut client = knock(server, Over::Quic, token).await;
    match client.hear().await {
        ServerFrame::Welcome { .. } => None,
        ServerFrame::Goodbye { code, text } => Some((code, text)),
        other => panic!("neither in nor out: {other:?}"),
    }
}

#[tokio::test]
async fn new_keys_of_a_url_under_play_disconnect_nobody() {
    let backends = ["one", "two", "three", "four"].map(Backend::new);
    let keys = KeysServer::start_tls(&[&backends[0]]).await;
    let server = Arc::new(Running::start_with(|config| keys.is_known_to(config)).await);
    let mut players = Vec::new();
    for (at, backend) in backends.iter().enumerate() {
        // The old key goes as the new one comes: that is the hardest.
        keys.publish(&[backend]);
        let mut joins = JoinSet::new();
        for number in 0..5 {
            let name = format!("p{at}{number}");
            let token = backend.token(&name, |_| {});
            let (server, over) = (Arc::clone(&server), Over::ALL[number % 3]);
            joins.spawn(async move {
                let mut client = enter(&server, over, &token).await;
                client.join("yard", &name).await;
                client
            });
        }
        players.extend(joins.join_all().await);
        let late = backends[at.saturating_sub(1)].token("late", |_| {});
        let refused = refusal(&server, &late).await;
        assert_eq!(refused.is_none(), at == 0, "a key that is gone signs nobody in: {refused:?}");
    }
    assert_eq!(players.len(), 20);
    for player in &mut players {
        player.play(Keys::default()).await;
    }
    server.until_stats("sessions", |count| count == 20).await;
    let fetched = keys.asked.lock().unwrap().iter().filter(|(_, status)| *status == 200).count();
    assert_eq!(fetched, 4, "each document once");
}

#[tokio::test]
async fn an_unknown_key_is_fetched_at_once_but_not_more_often_than_allowed() {
    let (one, two, stranger) = (Backend::new("one"), Backend::new("two"), Backend::new("three"));
    let keys = KeysServer::start(&[&one]).await;
    let start = Running::start_with(|config| {
        keys.is_known_to(config);
        config.token_keys_pause_s = 2;
    });
    let server = Arc::new(start.await);
    keys.until_requests(1).await;
    let began = std::time::Instant::now();
    keys.publish(&[&one, &two]);
    assert_eq!(refusal(&server, &two.token("bob", |_| {})).await, None);
    assert!(keys.requests() <= 3, "the interval is five minutes");
    let mut refused = JoinSet::new();
    for at in 0..40 {
        let (server, token) = (Arc::clone(&server), stranger.token(&format!("s{at}"), |_| {}));
        refused.spawn(async move { refusal(&server, &token).await });
    }
    for end in refused.join_all().await {
        let (code, text) = end.unwrap();
        assert_eq!(code, CloseCode::TokenInvalid);
        assert!(text.starts_with("the token names a key that this server does not have"), "{text}");
    }
    let most = 2 + began.elapsed().as_secs() as usize / 2;
    assert!(keys.requests() <= most, "{} requests, and {most} are the most", keys.requests());
    assert!(keys.requests() >= 3, "the strangers were looked for");
}

#[tokio::test]
async fn a_document_that_did_not_change_comes_as_a_304_and_its_keys_stay() {
    let one = Backend::new("one");
    let keys = KeysServer::start(&[&one]).await;
    let server = Running::start_with(|config| {
        keys.is_known_to(config);
        config.token_keys_refresh_s = 1;
    })
    .await;
    keys.until_requests(3).await;
    assert_eq!(refusal(&server, &one.token("ann", |_| {})).await, None);
    let asked = keys.asked.lock().unwrap().clone();
    let statuses: Vec<_> = asked.iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses[..3], [200, 304, 304]);
    let head = &asked[0].0;
    assert!(head.starts_with("GET /keys/jwks.json HTTP/1.1\r\n"), "{head}");
    let host = format!("host: localhost:{}\r\n", keys.address.port());
    assert!(head.contains(&host) && !head.contains("if-none-match"), "{head}");
}

/// What is wrong with an answer, and what makes a server give it.
type BadAnswer<'a> = (&'static str, &'a dyn Fn(&KeysServer));

#[tokio::test]
async fn an_answer_that_is_no_use_changes_nothing() {
    let (one, two) = (Backend::new("one"), Backend::new("two"));
    let elsewhere = KeysServer::start(&[&two]).await;
    let moved = format!("location: {}\r\n", elsewhere.url);
    let long = json!({ "keys": [two.jwk()], "more": "x".repeat(70_000) }).to_string();
    let other = json!({ "keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}] }).to_string();
    let endless = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{\"k\r\n";
    let bad: [BadAnswer; 8] = [
        ("oversized", &|keys| keys.answer_with_body("200 OK", "", &long)),
        ("oversized without its length", &|keys| {
            let chunk = format!("fff\r\n{}\r\n", "y".repeat(4095));
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
            keys.answer_with(Answer::Raw(head + &chunk.repeat(20)));
        }),
        ("garbage", &|keys| keys.answer_with_body("200 OK", "", "<html>\u{202e}</html>")),
        ("no HTTP", &|keys| keys.answer_with(Answer::Raw("\0 200 \r\n\r\n".to_owned()))),
        ("no usable key", &|keys| keys.answer_with_body("200 OK", "", &other)),
        ("redirect", &|keys| keys.answer_with_body("302 Found", &moved, "")),
        ("error", &|keys| keys.answer_with_body("500 Oh", "", "")),
        ("slow", &|keys| keys.answer_with(Answer::Raw(endless.to_owned()))),
    ];
    for (what, answer) in bad {
        let keys = KeysServer::start(&[&one]).await;
        let server = Running::start_with(|config| {
            keys.is_known_to(config);
            config.token_keys_fetch_ms = 500;
        })
        .await;
        keys.until_requests(1).await;
        assert_eq!(refusal(&server, &one.token("ann", |_| {})).await, None, "{what}");
        answer(&keys);
        let (code, text) = refusal(&server, &two.token("bob", |_| {})).await.unwrap();
        assert_eq!(code, CloseCode::AuthUnavailable, "{what}: {text}");
        assert_eq!(refusal(&server, &one.token("ann", |_| {})).await, None, "{what}");
        keys.publish(&[&one, &two]);
        soon("the new key", async {
            while refusal(&server, &two.token("bob", |_| {})).await.is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
    assert_eq!(elsewhere.requests(), 0, "no redirect is followed");
}

#[tokio::test]
async fn a_server_whose_keys_cannot_be_fetched_starts_and_lets_players_in_once_they_can() {
    let one = Backend::new("one");
    let gone = KeysServer::start(&[&one]).await;
    let address = gone.address;
    let (url, task) = (gone.url.clone(), gone.task.abort_handle());
    drop(gone);
    soon("the free port", async {
        while !task.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let server = Running::start_with(|config| {
        config.token_keys_url = Some(url.try_into().unwrap());
        config.token_keys_pause_s = 1;
    })
    .await;
    let (code, text) = refusal(&server, &one.token("ann", |_| {})).await.unwrap();
    assert_eq!(code, CloseCode::AuthUnavailable, "{text}");
    let _keys = KeysServer::start_at(address, &[&one]).await;
    soon("the keys", async {
        while refusal(&server, &one.token("ann", |_| {})).await.is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn keys_that_were_not_confirmed_for_too_long_let_nobody_in() {
    let one = Backend::new("one");
    let keys = KeysServer::start(&[&one]).await;
    let server = Running::start_with(|config| {
        keys.is_known_to(config);
        config.token_keys_refresh_s = 1;
        config.token_keys_stale_s = 4;
    })
    .await;
    let mut ann = enter(&server, Over::Quic, &one.token("ann", |_| {})).await;
    ann.join("yard", "Ann").await;
    keys.answer_with_body("503 Later", "", "");
    soon("the end of the keys", async {
        while refusal(&server, &one.token("bob", |_| {})).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let (code, text) = refusal(&server, &one.token("bob", |_| {})).await.unwrap();
    assert_eq!(code, CloseCode::AuthUnavailable, "{text}");
    ann.play(Keys::default()).await;
}

#[tokio::test]
async fn a_server_of_keys_whose_certificate_nobody_vouches_for_is_not_believed() {
    let one = Backend::new("one");
    let keys = KeysServer::start_tls(&[&one]).await;
    let other = KeysServer::start_tls(&[&one]).await;
    let server = Running::start_with(|config| {
        keys.is_known_to(config);
        config.token_keys_ca_file = other.ca_file.clone();
    })
    .await;
    let (code, text) = refusal(&server, &one.token("ann", |_| {})).await.unwrap();
    assert_eq!(code, CloseCode::AuthUnavailable, "{text}");
    assert!(
        keys.asked.lock().unwrap().iter().all(|(head, _)| head.is_empty()),
        "no request was sent"
    );
}
