//! Floods of handshakes that are never completed.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::client::{Client, Connection, Over, PROTOCOL, connect_quic, quic_config};
use crate::game::Keys;
use crate::harness::{Running, soon};

/// First packets with a valid outside and invalid content, each of another connection.
fn garbage(count: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|number| {
        let number = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
        // A long header of version 1, two connection ids of 8 bytes, no token, a length of two
        // bytes.
        let mut packet = vec![0xc3, 0, 0, 0, 1, 8];
        packet.extend([[1; 4], number].concat());
        packet.push(8);
        packet.extend([[2; 4], number].concat());
        packet.extend([0, 0x44, 0x92]);
        packet.extend(number.repeat(300));
        packet.truncate(1200);
        packet
    })
}

/// The first packets of `count` native clients that never hear an answer.
async fn hellos(server: &Running, count: usize) -> Vec<Vec<u8>> {
    let catcher = tokio::net::UdpSocket::bind("[::1]:0").await.unwrap();
    let config = quic_config(server, PROTOCOL, quinn::TransportConfig::default());
    let endpoint = quinn::Endpoint::client("[::1]:0".parse().unwrap()).unwrap();
    let (mut hellos, mut connecting) = (Vec::<Vec<u8>>::new(), Vec::new());
    while hellos.len() < count {
        let address = catcher.local_addr().unwrap();
        connecting.push(endpoint.connect_with(config.clone(), address, "localhost").unwrap());
        let mut bytes = vec![0; 2048];
        let length = soon("a first packet", catcher.recv(&mut bytes)).await.unwrap();
        bytes.truncate(length);
        // A repeated packet belongs to a connection that is known already.
        let number = 5..14;
        if hellos.iter().all(|hello| hello[number.clone()] != bytes[number.clone()]) {
            hellos.push(bytes);
        }
    }
    hellos
}

fn socket_to(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    socket.connect(address).unwrap();
    socket
}

#[tokio::test]
async fn garbage_is_counted_takes_no_place_and_is_soon_asked_for_proof() {
    let server = Running::start_with(|config| {
        config.handshakes_unproven_hz = 20;
        config.udp_receive_bytes = 1 << 24;
    })
    .await;
    let attacker = socket_to(server.udp);
    for packet in garbage(200) {
        attacker.send(&packet).unwrap();
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    server.until_stats("handshakes_retried", |count| count > 0).await;
    let stats = server.stats().await;
    assert!(stats["handshakes_failed"].as_u64().unwrap() > 0, "{stats}");
    assert_eq!(stats["connections"], 0);
    assert_eq!(stats["quic_connections"], 0);
    // An honest client proves its address and gets in.
    let mut client = server.player(Over::Quic, "calm", "honest").await;
    client.play(Keys::default()).await;
}

#[tokio::test]
async fn those_who_play_go_on_while_more_knock_than_there_is_time_for() {
    let server = Running::start_with(|config| {
        config.handshakes_percent = 1;
        config.handshake_packets_max = 16;
    })
    .await;
    let config = quic_config(&server, PROTOCOL, quinn::TransportConfig::default());
    let mut player = Client::on(Connection::Quic(connect_quic(&server, config).await.unwrap()));
    player.greet().await;
    player.join("calm", "player").await;
    player.play(Keys::default()).await;
    let before = player.tick;
    let hellos = hellos(&server, 100).await;
    let attacker = socket_to(server.udp);
    soon("sixty snapshots", async {
        while player.tick.since(before) < 60 {
            for hello in &hellos {
                attacker.send(hello).unwrap();
            }
            player.play(Keys { right: 1, panic: false }).await;
        }
    })
    .await;
    let stats = server.stats().await;
    assert!(stats["handshake_packets_dropped"].as_u64().unwrap() > 0, "{stats}");
    assert_eq!(stats["sessions"], 1);
}

#[tokio::test]
async fn connections_that_are_over_are_kept_for_their_peers_only_up_to_a_bound() {
    let server = Running::start_with(|config| {
        config.handshake_ms = 100;
        config.draining_max = 2;
    })
    .await;
    let attacker = socket_to(server.udp);
    let hellos = hellos(&server, 20).await;
    for hello in &hellos {
        attacker.send(hello).unwrap();
    }
    server.until_stats("handshakes_failed", |count| count == 20).await;
    // Each would be kept for seconds, as nobody answers them. The server has closed them all by the
    // time that another client is in, which takes it some rounds.
    let _honest = server.greeted(Over::Quic).await;
    let kept = server.stats().await["quic_connections"].as_u64().unwrap();
    assert!(kept <= 3, "{kept} connections");
}
