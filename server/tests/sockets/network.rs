//! Network faults of connections, and the state they leave behind.

use std::net::UdpSocket;

use tickwire_shared::control::{ClientFrame, CloseCode};

use crate::client::{Client, Connection, Over, PROTOCOL, quic_config, vanished};
use crate::game::Keys;
use crate::harness::{Running, soon};

const RIGHT: Keys = Keys { right: 1, panic: false };

/// A native client and its endpoint.
async fn with_endpoint(server: &Running) -> (quinn::Endpoint, Client) {
    let config = quic_config(server, PROTOCOL, quinn::TransportConfig::default());
    let endpoint = quinn::Endpoint::client("[::1]:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(config, server.udp, "localhost").unwrap();
    let quic = soon("a connection", connecting).await.unwrap();
    (endpoint, Client::on(Connection::Quic(quic)))
}

async fn play_until(client: &mut Client, steps: i32) {
    soon("the own dot to move", async {
        while client.steps().is_none_or(|so_far| so_far < steps) {
            client.play(RIGHT).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_whose_address_changes_keeps_its_session() {
    let server = Running::start().await;
    let (endpoint, mut client) = with_endpoint(&server).await;
    client.greet().await;
    client.join("roaming", "roamer").await;
    play_until(&mut client, 10).await;
    for steps in [30, 50] {
        endpoint.rebind(UdpSocket::bind("[::1]:0").unwrap()).unwrap();
        play_until(&mut client, steps).await;
    }
    client.ask(|request| ClientFrame::Goodbye { request }).await;
    assert_eq!(client.goodbye().await.0, CloseCode::Normal);
    let stats = server.stats().await;
    assert_eq!(stats["sessions_started"], 1);
}

#[tokio::test]
async fn a_client_that_acknowledges_nothing_holds_nobody_up() {
    let server = Running::start().await;
    let silent = vanished(&server, "mixed", "silent").await;
    let mut active = server.player(Over::WebTransport, "mixed", "active").await;
    play_until(&mut active, 100).await;
    let out = server.stats().await["datagrams_out"].as_u64().unwrap();
    for _ in 0..200 {
        active.play(RIGHT).await;
    }
    // Snapshots for both are still made and handed over; some of the 200 had left already.
    assert!(server.stats().await["datagrams_out"].as_u64().unwrap() >= out + 300);
    drop(silent);
}

#[tokio::test]
async fn connections_that_come_and_go_leave_nothing_behind() {
    let server = Running::start().await;
    for round in 0..10 {
        let mut clients = Vec::new();
        for over in [Over::Quic, Over::WebTransport, Over::Quic, Over::WebTransport] {
            clients.push(server.greeted(over).await);
        }
        if round % 2 == 0 {
            for (number, client) in clients.iter_mut().enumerate() {
                client.join("passage", &format!("{round} {number}")).await;
                client.play(RIGHT).await;
            }
        }
    }
    // Connections that never reach a session.
    for _ in 0..10 {
        drop(with_endpoint(&server).await);
    }
    server.until_stats("connections", |count| count == 0).await;
    server.until_stats("quic_connections", |count| count == 0).await;
    assert_eq!(server.stats().await["sessions_ended"], 40);
    server.greeted(Over::Quic).await;
}

#[tokio::test]
async fn a_client_hears_of_a_server_that_died_from_the_one_that_was_started_anew() {
    let server = Running::start_with(|config| config.http = false).await;
    let port = server.udp.port();
    let (_endpoint, mut client) = with_endpoint(&server).await;
    client.greet().await;
    client.join("crash", "survivor").await;
    let dir = server.killed().await;
    let _anew = Running::start_with(|config| {
        config.http = false;
        config.listen.set_port(port);
        config.certs_dir = dir.path().join("certs");
    })
    .await;
    let Connection::Quic(quic) = &client.connection else { unreachable!() };
    let why = soon("the end of the connection", async {
        loop {
            client.set_input(RIGHT);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            if let Some(why) = quic.close_reason() {
                return why;
            }
        }
    })
    .await;
    // The reset ended it, not its timeout.
    assert!(matches!(why, quinn::ConnectionError::Reset), "{why}");
}
