//! A client that does not read its frames is closed with its own code.

use tickwire_shared::control::{ClientFrame, CloseCode, RequestId, RoomQuery};

use crate::client::{Client, Connection, Over, PROTOCOL, connect_quic, quic_config};
use crate::game::Keys;
use crate::harness::{Running, soon};

/// A client whose streams accept almost nothing until it reads.
async fn reluctant(server: &Running) -> Client {
    let mut transport = quinn::TransportConfig::default();
    transport.stream_receive_window(quinn::VarInt::from_u32(8192));
    let config = quic_config(server, PROTOCOL, transport);
    let mut client = Client::on(Connection::Quic(connect_quic(server, config).await.unwrap()));
    client.greet().await;
    client
}

#[tokio::test]
async fn frames_that_wait_too_long_end_the_session() {
    let server = Running::start_with(|config| {
        config.reliable_ms = 300;
        config.control_frames_burst = 1000;
    })
    .await;
    let mut other = server.player(Over::Quic, "calm", "other").await;
    let mut client = reluctant(&server).await;
    for _ in 0..400 {
        client.ask(|request| ClientFrame::Leave { request }).await;
    }
    let (code, text) = client.closed().await;
    assert_eq!(code, CloseCode::TooSlow, "{text}");
    assert!(text.contains("300 ms"), "{text}");
    assert_eq!(server.stats().await["sessions_too_slow"], 1);
    other.play(Keys::default()).await;
}

#[tokio::test]
async fn frames_beyond_the_bound_end_the_session() {
    let server = Running::start_with(|config| {
        config.reliable_ms = 60_000;
        config.reliable_bytes_max = 65_536;
        config.control_frames_burst = 10_000;
        config.control_frames_hz = 10_000;
    })
    .await;
    let client = reluctant(&server).await;
    let Client { connection, control, .. } = client;
    let mut control = control.unwrap();
    let asking = tokio::spawn(async move {
        for _ in 0..100_000 {
            control.write(&ClientFrame::Leave { request: RequestId(1) }).await;
        }
        control
    });
    let client = Client::on(connection);
    let (code, text) = client.closed().await;
    assert_eq!(code, CloseCode::TooSlow, "{text}");
    assert!(text.contains("65536 bytes"), "{text}");
    asking.abort();
}

#[tokio::test]
async fn a_client_that_reads_none_of_its_snapshots_holds_nobody_up() {
    let server = Running::start().await;
    let mut active = server.player(Over::Quic, "mixed", "active").await;
    let mut deaf = server.player(Over::Quic, "mixed", "deaf").await;
    soon("two hundred snapshots", async {
        for _ in 0..200 {
            active.play(Keys::default()).await;
        }
    })
    .await;
    // The client is still connected, and its frames still arrive.
    deaf.ask(|request| ClientFrame::ListRooms { request, query: RoomQuery::default() }).await;
    deaf.hear().await;
}
