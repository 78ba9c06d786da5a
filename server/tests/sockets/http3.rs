//! Hand-written HTTP/3: what the server skips, what it refuses, and what ends a session.

use tickwire_shared::control::{FrameReader, STREAM_CONTROL, ServerFrame, write_frame};
use wtransport_proto::session::SessionRequest;
use wtransport_proto::settings::Settings;

use crate::client::{connect_quic, hello, quic_config};
use crate::harness::{Running, soon};

/// The first byte of a control stream.
const CONTROL: u8 = 0x00;
/// A kind of frame, stream and setting without meaning (RFC 9114, section 7.2.8).
const GREASE: u8 = 0x21;
const FRAME_UNEXPECTED: u64 = 0x105;

async fn browser(server: &Running) -> quinn::Connection {
    let config = quic_config(server, "h3", quinn::TransportConfig::default());
    connect_quic(server, config).await.unwrap()
}

/// Opens a unidirectional stream. Keep it: dropping it ends it.
async fn send_one_way(quic: &quinn::Connection, bytes: &[u8]) -> quinn::SendStream {
    let mut send = quic.open_uni().await.unwrap();
    send.write_all(bytes).await.unwrap();
    send
}

async fn send_both_ways(
    quic: &quinn::Connection,
    bytes: &[u8],
) -> (quinn::SendStream, quinn::RecvStream) {
    let (mut send, recv) = quic.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    (send, recv)
}

fn settings() -> Vec<u8> {
    let mut bytes = vec![CONTROL];
    let ours = Settings::builder().enable_webtransport().enable_h3_datagrams().build();
    ours.generate_frame().write(&mut bytes).unwrap();
    bytes
}

fn connect_request() -> Vec<u8> {
    let mut bytes = Vec::new();
    let request = SessionRequest::new("https://localhost:4433/").unwrap();
    request.headers().generate_frame().write(&mut bytes).unwrap();
    bytes
}

/// A frame with one-byte kind and length.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, u8::try_from(payload.len()).unwrap()], payload].concat()
}

/// A session: its control stream, and both halves of its CONNECT stream.
async fn session(
    quic: &quinn::Connection,
) -> (quinn::SendStream, quinn::SendStream, quinn::RecvStream) {
    let control = send_one_way(quic, &settings()).await;
    let (send, mut recv) = send_both_ways(quic, &connect_request()).await;
    let mut head = [0; 2];
    soon("an answer", recv.read_exact(&mut head)).await.unwrap();
    assert_eq!(head[0], 0x01, "a HEADERS frame");
    (control, send, recv)
}

async fn close_code(quic: &quinn::Connection) -> u64 {
    match soon("the close", quic.closed()).await {
        quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        other => panic!("not closed by the server: {other}"),
    }
}

#[tokio::test]
async fn what_means_nothing_is_skipped() {
    let server = Running::start().await;
    let quic = browser(&server).await;
    let nothing = frame(GREASE, b"nothing");
    let priority = [&[0x80, 0x0f, 0x07, 0x00, 1], &[0][..]].concat();
    let _control = send_one_way(&quic, &[settings(), nothing.clone(), priority].concat()).await;
    let _grease = send_one_way(&quic, &[GREASE, 1, 2, 3]).await;
    // An encoder stream with an empty table.
    let _encoder = send_one_way(&quic, &[0x02, 0x20, 0x20]).await;
    let request = [frame(GREASE, &[0; 60]), connect_request()].concat();
    let (_connect, _answer) = send_both_ways(&quic, &request).await;
    // A stream of the session: its kind, the session's id, then our bytes.
    let mut bytes = vec![0x40, 0x41, 0, STREAM_CONTROL];
    write_frame(&hello(), &mut bytes);
    // It may overtake the answer to the request.
    let (_send, mut recv) = send_both_ways(&quic, &bytes).await;
    let mut frames = FrameReader::default();
    let welcome = soon("the welcome", async {
        loop {
            if let Some(frame) = frames.poll::<ServerFrame>().unwrap() {
                return frame;
            }
            let chunk = recv.read_chunk(4096, true).await.unwrap().unwrap();
            frames.push(&chunk.bytes);
        }
    });
    assert!(matches!(welcome.await, ServerFrame::Welcome { .. }));
}

#[tokio::test]
async fn what_breaks_a_rule_ends_the_connection_with_its_code() {
    let server = Running::start().await;
    let again = settings()[1..].to_vec();
    // On the control stream.
    for (what, bytes, code) in [
        ("no settings", [vec![CONTROL], frame(0x00, b"x")].concat(), 0x10a),
        ("settings twice", [settings(), again].concat(), FRAME_UNEXPECTED),
        ("a request for control", [settings(), connect_request()].concat(), FRAME_UNEXPECTED),
        ("a reserved setting", [vec![CONTROL], frame(0x04, &[0x02, 0])].concat(), 0x109),
    ] {
        let quic = browser(&server).await;
        let _control = send_one_way(&quic, &bytes).await;
        assert_eq!(close_code(&quic).await, code, "{what}");
    }
    // On bidirectional streams.
    for (what, bytes, code) in [
        ("data without a request", frame(0x00, b"x"), FRAME_UNEXPECTED),
        ("settings as a request", frame(0x04, &[]), FRAME_UNEXPECTED),
        ("headers of garbage", frame(0x01, &[0xff; 20]), 0x200),
    ] {
        let quic = browser(&server).await;
        let _control = send_one_way(&quic, &settings()).await;
        let _request = send_both_ways(&quic, &bytes).await;
        assert_eq!(close_code(&quic).await, code, "{what}");
    }
    let quic = browser(&server).await;
    let _both = (send_one_way(&quic, &settings()).await, send_one_way(&quic, &[CONTROL]).await);
    assert_eq!(close_code(&quic).await, 0x103, "a second control stream");
    let quic = browser(&server).await;
    send_one_way(&quic, &settings()).await.finish().unwrap();
    assert_eq!(close_code(&quic).await, 0x104, "an ended control stream");
    server.until_stats("quic_connections", |count| count == 0).await;
}

#[tokio::test]
async fn the_end_of_its_own_stream_ends_a_session() {
    let server = Running::start().await;
    // A capsule in a DATA frame: its kind, its length, and a code of four bytes.
    let close = frame(0x00, &[0x68, 0x43, 4, 0, 0, 0, 0]);
    let other = frame(0x00, &[0x37, 1, 0]);
    for (what, bytes, finishes) in
        [("its end", Vec::new(), true), ("a capsule that says so", [other, close].concat(), false)]
    {
        let quic = browser(&server).await;
        let (_control, mut connect, _answer) = session(&quic).await;
        connect.write_all(&bytes).await.unwrap();
        if finishes {
            connect.finish().unwrap();
        }
        assert_eq!(close_code(&quic).await, 0x100, "{what}");
    }
    let quic = browser(&server).await;
    let (_control, mut connect, _answer) = session(&quic).await;
    connect.reset(quinn::VarInt::from_u32(0)).unwrap();
    assert_eq!(close_code(&quic).await, 0x100, "its loss");
}

#[tokio::test]
async fn a_second_session_and_streams_of_no_session_are_refused() {
    let server = Running::start().await;
    let quic = browser(&server).await;
    let (_control, _connect, _answer) = session(&quic).await;
    for bytes in [connect_request(), vec![0x40, 0x41, 0x08, STREAM_CONTROL]] {
        let (send, _recv) = send_both_ways(&quic, &bytes).await;
        assert!(soon("the refusal", send.stopped()).await.unwrap().is_some());
    }
    assert!(quic.close_reason().is_none());
}
