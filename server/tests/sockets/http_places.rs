//! Limits of the HTTP side's connections, in number and time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tickwire_server::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{Running, soon};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A network other than [`HERE`], also on this machine.
const ELSEWHERE: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A server with a file too large for all buffers between it and a client that does not read.
async fn start(change: impl FnOnce(&mut ServerConfig)) -> (Running, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("large"), vec![b'x'; 16 << 20]).unwrap();
    std::fs::write(dir.path().join("index.html"), "small").unwrap();
    let page = PathBuf::from(dir.path());
    let server = Running::start_with(|config| {
        config.page_dir = Some(page);
        change(config);
    })
    .await;
    (server, dir)
}

/// A connection from `from` with a small receive buffer.
async fn connect(server: &Running, from: IpAddr) -> TcpStream {
    let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    soon("a connection", socket.connect(SocketAddr::new(from, server.http.port()))).await.unwrap()
}

async fn ask(server: &Running, from: IpAddr, path: &str) -> TcpStream {
    let mut stream = connect(server, from).await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The status of an answer, 0 without one.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut line = [0; 12];
    match soon("an answer", stream.read_exact(&mut line)).await {
        Ok(_) => std::str::from_utf8(&line[9..]).unwrap().parse().unwrap(),
        Err(_) => 0,
    }
}

async fn status_of(server: &Running, from: IpAddr, path: &str) -> u16 {
    status(&mut ask(server, from, path).await).await
}

/// Reads until the server closes.
async fn until_closed(stream: &mut TcpStream) {
    let mut bytes = vec![0; 65_536];
    soon("the close", async { while !matches!(stream.read(&mut bytes).await, Ok(0) | Err(_)) {} })
        .await;
}

#[tokio::test]
async fn those_of_one_address_that_read_nothing_lock_nobody_out() {
    let (server, _dir) = start(|config| {
        config.http_connections_max = 12;
        config.http_connections_prefix_max = 8;
    })
    .await;
    let mut greedy = Vec::new();
    for at in 0..40 {
        let path = if at % 2 == 0 { "/large" } else { "/" };
        let mut stream = ask(&server, HERE, path).await;
        if at % 4 == 3 {
            // Half a head after a complete one.
            stream.write_all(b"GET / HT").await.unwrap();
        }
        greedy.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(status_of(&server, HERE, "/healthz").await, 200);
        assert_eq!(status_of(&server, HERE, "/readyz").await, 200);
        assert_eq!(status_of(&server, ELSEWHERE, "/").await, 200);
    }
}

#[tokio::test]
async fn health_is_told_while_every_place_is_taken() {
    let (server, _dir) = start(|config| {
        config.http_connections_max = 2;
        config.http_connections_prefix_max = 2;
        config.http_stall_ms = 2000;
    })
    .await;
    let held = [ask(&server, HERE, "/large").await, ask(&server, HERE, "/large").await];
    // More silent connections than may wait.
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(connect(&server, HERE).await);
    }
    assert_eq!(status_of(&server, HERE, "/healthz").await, 200);
    assert_eq!(status_of(&server, ELSEWHERE, "/readyz").await, 200);
    // A waiting connection gets a place that is given back.
    let mut waiting = ask(&server, ELSEWHERE, "/").await;
    drop(held);
    assert_eq!(status(&mut waiting).await, 200);
}

#[tokio::test]
async fn of_those_without_a_place_the_one_that_waits_longest_makes_way() {
    let (server, _dir) = start(|config| {
        config.http_connections_max = 1;
        config.http_connections_prefix_max = 1;
        // Nothing is closed for its silence.
        config.http_stall_ms = 600_000;
    })
    .await;
    let mut held = ask(&server, HERE, "/large").await;
    assert_eq!(status(&mut held).await, 200);
    let mut oldest = connect(&server, HERE).await;
    let mut newest = connect(&server, HERE).await;
    until_closed(&mut oldest).await;
    newest.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(status(&mut newest).await, 200);
}

#[tokio::test]
async fn one_that_takes_no_more_of_an_answer_is_closed() {
    let (server, _dir) = start(|config| {
        config.http_connections_prefix_max = 1;
        config.http_stall_ms = 500;
    })
    .await;
    let mut unread = ask(&server, HERE, "/large").await;
    assert_eq!(status(&mut unread).await, 200);
    // Until then it holds its address's only place.
    soon("the place", async { while status_of(&server, HERE, "/").await != 200 {} }).await;
}

#[tokio::test]
async fn one_that_says_nothing_whole_is_closed() {
    let (server, _dir) = start(|config| config.http_stall_ms = 500).await;
    for bytes in ["", "GET / HTTP/1.1\r\nhost: localh", "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"]
    {
        let mut stream = connect(&server, HERE).await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        until_closed(&mut stream).await;
    }
}

#[tokio::test]
async fn one_that_does_not_end_its_tls_handshake_is_closed() {
    let (server, _whole) = Running::start_tls_with(|config| config.http_stall_ms = 500).await;
    // Nothing, and the head of a record of 512 bytes.
    for bytes in [&[][..], &[22, 3, 1, 2, 0]] {
        let mut stream = connect(&server, HERE).await;
        stream.write_all(bytes).await.unwrap();
        until_closed(&mut stream).await;
    }
}

#[tokio::test]
async fn one_that_reads_a_little_now_and_then_gives_its_place_back_in_the_end() {
    let (server, dir) = start(|config| {
        config.http_connections_prefix_max = 1;
        config.http_stall_ms = 2000;
        config.http_connection_s = 1;
    })
    .await;
    // At this pace it takes twenty minutes, and no write waits for two seconds.
    let endless = std::fs::File::create(dir.path().join("endless")).unwrap();
    endless.set_len(1 << 32).unwrap();
    // With a small receive buffer the system itself would make a write wait.
    let mut slow = TcpStream::connect((HERE, server.http.port())).await.unwrap();
    slow.write_all(b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(status(&mut slow).await, 200);
    let reading = tokio::spawn(async move {
        let mut bytes = vec![0; 65_536];
        while !matches!(slow.read(&mut bytes).await, Ok(0) | Err(_)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    soon("the place", async { while status_of(&server, HERE, "/").await != 200 {} }).await;
    reading.abort();
}

#[tokio::test]
async fn an_upgrade_of_which_the_request_does_not_end_is_closed() {
    let (server, _dir) = start(|config| {
        config.http_stall_ms = 500;
        config.http_connection_s = 1;
    })
    .await;
    let mut stream = connect(&server, HERE).await;
    let lines = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\ncontent-length: 9\r\n";
    let head = format!("GET /ws HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n");
    stream.write_all(format!("{head}half").as_bytes()).await.unwrap();
    until_closed(&mut stream).await;
}
