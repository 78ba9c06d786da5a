//! Features of WebSockets only: the upgrade, the messages, and that no old snapshots arrive.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tickwire_shared::control::{
    ClientFrame, CloseCode, RoomQuery, STREAM_CHAT, STREAM_CONTROL, ServerFrame, write_frame,
};
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::websocket::{LANE_DATAGRAM, MESSAGE_BYTES_MAX, close_number, close_text};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::{Client, Connection, Over, hello};
use crate::game::{Dots, Keys};
use crate::harness::{Running, soon};
use crate::laned::{Laned, connect_socket};

const RIGHT: Keys = Keys { right: 1, panic: false };

/// A WebSocket with both streams open, after the hello.
async fn greeted_socket(server: &Running) -> WebSocketStream<TcpStream> {
    let mut socket = connect_socket(server, None).await.unwrap();
    let mut control = vec![STREAM_CONTROL];
    write_frame(&hello(), &mut control);
    for message in [control, vec![STREAM_CHAT]] {
        socket.send(Message::binary(message)).await.unwrap();
    }
    let welcome = soon("the welcome", socket.next()).await;
    assert!(matches!(welcome, Some(Ok(Message::Binary(_)))));
    socket
}

/// A write that takes this long is stuck.
const STUCK: Duration = Duration::from_millis(500);

fn laned(client: &Client) -> &Laned {
    match &client.connection {
        Connection::WebSocket(socket) => socket,
        _ => panic!("not over a WebSocket"),
    }
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_is_told_so_by_a_close() {
    let server = Running::start().await;
    for origin in [None, Some("http://localhost:5173")] {
        let socket = connect_socket(&server, origin).await.unwrap();
        Client::on(Connection::WebSocket(Laned::on(socket))).greet().await;
    }
    let socket = connect_socket(&server, Some("https://evil.example")).await.unwrap();
    let mut client = Client::on(Connection::WebSocket(Laned::on(socket)));
    // The server does not even read its first bytes.
    client.open_both().await;
    client.say(&hello()).await;
    let (code, text) = client.closed().await;
    assert_eq!((code, text.as_str()), (CloseCode::OriginRefused, CloseCode::OriginRefused.text()));
    assert_eq!(server.stats().await["origins_refused"], 1);
    server.until_stats("sessions_started", |count| count == 2).await;
}

#[tokio::test]
async fn a_request_that_asks_for_no_web_socket_is_told_what_to_ask_for() {
    let server = Running::start().await;
    let asking = |lines: &str| {
        format!("GET /ws HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{lines}\r\n")
    };
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for lines in [
        String::new(),
        format!("upgrade: websocket\r\nsec-websocket-version: 8\r\n{key}"),
        format!("upgrade: h2c\r\nsec-websocket-version: 13\r\n{key}"),
        "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: x\r\n".to_owned(),
    ] {
        let (status, head, _) = server.request(&asking(&lines)).await;
        assert_eq!(status, 426, "{lines}");
        assert!(head.contains("sec-websocket-version: 13"), "{head}");
    }
    let (status, _, _) = server.request(&asking("").replace("GET", "POST")).await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn a_server_may_take_none() {
    let server = Running::start_with(|config| config.websocket = false).await;
    match connect_socket(&server, None).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 404),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_that_cannot_be_sorted_end_the_session_with_their_code() {
    let server = Running::start().await;
    let huge = vec![STREAM_CONTROL; MESSAGE_BYTES_MAX + 1];
    let cases = [
        (Message::text("hello"), CloseCode::MalformedFrame, "binary"),
        (Message::binary(Vec::new()), CloseCode::MalformedFrame, "no lane"),
        (Message::binary(vec![9, 1, 2]), CloseCode::UnexpectedStream, "stream"),
        (Message::binary(huge), CloseCode::FrameTooLarge, "send less"),
    ];
    for (message, code, says) in cases {
        for greeted in [false, true] {
            let mut client = server.connect(Over::WebSocket).await;
            if greeted {
                client.greet().await;
            }
            laned(&client).send(message.clone()).await;
            let told = if greeted { client.goodbye().await } else { client.closed().await };
            assert_eq!(told.0, code, "{told:?}");
            assert!(told.1.contains(says), "{told:?}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_web_socket_end_the_session_with_their_code() {
    let server = Running::start().await;
    let reserved = [0xf2, 0x80, 0, 0, 0, 0];
    let unmasked = [0x82, 0x01, LANE_DATAGRAM];
    let opcode = [0x83, 0x80, 0, 0, 0, 0];
    let long_ping = [&[0x89, 0xfe, 0x01, 0x00][..], &[0; 260]].concat();
    for bytes in [&reserved[..], &unmasked, &opcode, &long_ping, &[0xff; 300]] {
        let mut socket = connect_socket(&server, None).await.unwrap();
        socket.get_mut().write_all(bytes).await.unwrap();
        let heard = soon("the close", async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Close(frame))) => return frame.unwrap(),
                    Some(Ok(_)) => {}
                    other => panic!("{bytes:x?}: {other:?}"),
                }
            }
        })
        .await;
        assert_eq!(u16::from(heard.code), close_number(CloseCode::MalformedFrame), "{heard}");
        assert!(heard.reason.contains("update"), "{heard}");
    }
    server.until_stats("connections", |count| count == 0).await;
}

#[tokio::test]
async fn a_long_reason_is_cut_and_the_goodbye_has_it_whole() {
    let server = Running::start().await;
    let mut client = server.connect(Over::WebSocket).await;
    client.open_both().await;
    let schema = Schema { game: "é".repeat(100), ..schema_of::<Dots>() };
    client
        .say(&ClientFrame::Hello {
            client: "test".to_owned(),
            schema: Some(schema),
            resumable: false,
            token: "".into(),
        })
        .await;
    let (code, text) = client.goodbye().await;
    assert_eq!(code, CloseCode::SchemaMismatch);
    assert!(text.len() > close_text(&text).len(), "{text}");
}

/// The low bits of a snapshot's tick.
fn tick_of(snapshot: &[u8]) -> u16 {
    u16::from_le_bytes([snapshot[1], snapshot[2]])
}

#[tokio::test]
async fn a_reader_that_stalls_goes_on_with_the_newest_state() {
    let server = Running::start().await;
    let mut client = server.player(Over::WebSocket, "stalled", "sleeper").await;
    for _ in 0..60 {
        client.play(RIGHT).await;
    }
    let before = client.tick;
    laned(&client).deaf.send_replace(true);
    // Three seconds on a machine that keeps up.
    let ticks = server.stats().await["ticks"].as_u64().unwrap();
    server.until_stats("ticks", |now| now >= ticks + 180).await;
    laned(&client).deaf.send_replace(false);
    let mut old = 0;
    loop {
        let snapshot = client.recv_datagram().await;
        if tick_of(&snapshot).wrapping_sub(before.low16()) > 150 {
            break;
        }
        old += 1;
    }
    // Half a second of the 180 snapshots, and those between two pings.
    assert!(old <= 45, "{old} old snapshots");
    assert!(server.stats().await["snapshots_replaced"].as_u64().unwrap() > 100);
    let steps = client.steps().unwrap();
    soon("the own dot to move", async {
        while client.steps().is_none_or(|now| now < steps + 10) {
            client.play(RIGHT).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_answers_nothing_is_let_go_after_the_idle_time() {
    let server = Running::start_with(|config| {
        config.idle_ms = 2500;
        config.keep_alive_ms = 500;
    })
    .await;
    let mut witness = server.player(Over::Quic, "lost", "witness").await;
    let ghost = server.player(Over::WebSocket, "lost", "ghost").await;
    let mut quiet = server.greeted(Over::WebSocket).await;
    laned(&ghost).deaf.send_replace(true);
    let left = witness
        .hear_until(|frame| match frame {
            ServerFrame::MemberLeft { player, code } => Some((player, code)),
            _ => None,
        })
        .await;
    assert_eq!(left, (ghost.player, CloseCode::ConnectionLost));
    // A silent client that answers pings is kept.
    tokio::time::sleep(Duration::from_secs(3)).await;
    quiet.ask(|request| ClientFrame::ListRooms { request, query: RoomQuery::default() }).await;
    quiet.hear().await;
}

#[tokio::test]
async fn a_message_that_does_not_end_ends_the_session_whatever_comes_in_its_midst() {
    let server = Running::start_with(|config| {
        config.idle_ms = 1500;
        config.keep_alive_ms = 300;
    })
    .await;
    let mut socket = greeted_socket(&server).await;
    let opcode = OpCode::Data(Data::Binary);
    let first = Frame::message(vec![STREAM_CONTROL], opcode, false);
    socket.send(Message::Frame(first)).await.unwrap();
    let told = soon("the close", async {
        loop {
            let _ = socket.send(Message::Pong(Bytes::new())).await;
            let heard = tokio::time::timeout(Duration::from_millis(100), socket.next()).await;
            if let Ok(Some(Ok(Message::Close(frame)))) = heard {
                return frame.unwrap();
            }
        }
    })
    .await;
    assert_eq!(u16::from(told.code), close_number(CloseCode::MalformedFrame), "{told}");
    assert!(told.reason.contains("did not end"), "{told}");
}

#[tokio::test]
async fn what_comes_faster_than_a_game_needs_is_left_with_the_system() {
    let server = Running::start().await;
    let mut socket = greeted_socket(&server).await;
    let began = Instant::now();
    let wire = socket.get_mut();
    let flood = [0x82, 0x81, 0, 0, 0, 0, LANE_DATAGRAM].repeat(10_000);
    // More than half a million messages, or as many as both systems buffer.
    for _ in 0..60 {
        match tokio::time::timeout(STUCK, wire.write_all(&flood)).await {
            Ok(written) => written.unwrap(),
            Err(_) => break,
        }
    }
    tokio::time::sleep(STUCK).await;
    let read = server.stats().await["datagrams_in"].as_u64().unwrap();
    // 180 messages a second, a burst of two seconds, and the content of one read.
    let allowed = 2000 + 2 * 180 * began.elapsed().as_secs();
    assert!((1..allowed).contains(&read), "{read} were read, {allowed} may be");
}

#[tokio::test]
async fn frames_that_wait_too_long_end_the_session() {
    let server = Running::start_with(|config| {
        config.reliable_ms = 300;
        config.control_frames_burst = 10_000;
        config.control_frames_hz = 10_000;
    })
    .await;
    let mut client = server.greeted(Over::WebSocket).await;
    laned(&client).deaf.send_replace(true);
    // More than the systems of both sides buffer.
    let asking = tokio::spawn(async move {
        loop {
            client.ask(|request| ClientFrame::Leave { request }).await;
        }
    });
    server.until_stats("sessions_too_slow", |count| count == 1).await;
    server.until_stats("connections", |count| count == 0).await;
    asking.abort();
}

#[tokio::test]
async fn a_session_takes_no_place_of_an_http_connection() {
    let server = Running::start_with(|config| config.http_connections_max = 1).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(server.greeted(Over::WebSocket).await);
    }
    assert_eq!(server.stats().await["sessions"], 3);
    drop(clients);
    server.until_stats("sessions", |count| count == 0).await;
}

#[tokio::test]
async fn with_a_certificate_from_files_it_is_over_tls() {
    let (_server, stream) = Running::start_tls().await;
    let (mut socket, _) = client_async("wss://localhost/ws", stream).await.unwrap();
    socket.send(Message::binary(vec![STREAM_CONTROL, 0, 0, 0, 0])).await.unwrap();
    let close = loop {
        let message = soon("the close", socket.next()).await.unwrap().unwrap();
        if let Message::Close(frame) = message {
            break frame.unwrap();
        }
    };
    assert_eq!(u16::from(close.code), close_number(CloseCode::FrameTooLarge));
}
