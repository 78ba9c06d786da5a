//! All transports carry the same session, two of them through one UDP socket.

use tickwire_shared::control::{ClientFrame, CloseCode, ServerFrame};
use tickwire_shared::snapshot::DATAGRAM_SNAPSHOT;

use crate::client::{
    Client, Connection, Over, PROTOCOL, connect_quic, connect_web, quic_config, session_closed,
    vanished,
};
use crate::game::Keys;
use crate::harness::{Running, soon};

const RIGHT: Keys = Keys { right: 1, panic: false };

#[tokio::test]
async fn clients_of_all_transports_play_in_one_room() {
    let server = Running::start().await;
    let mut native = server.player(Over::Quic, "duel", "native").await;
    let mut browser = server.player(Over::WebTransport, "duel", "browser").await;
    let mut walled = server.player(Over::WebSocket, "duel", "walled").await;
    for client in [&mut native, &mut browser, &mut walled] {
        soon("the own dot to move", async {
            while client.steps().is_none_or(|steps| steps < 20) {
                client.play(RIGHT).await;
            }
        })
        .await;
    }
    let seen = |client: &Client| client.replica.as_ref().unwrap().entities().len();
    for client in [&mut native, &mut browser, &mut walled] {
        client.play(RIGHT).await;
        assert_eq!(seen(client), 3);
    }
}

/// Reading datagrams without `wtransport`'s driver relies on its internals. Of many datagrams from
/// a real `wtransport` client, at most one may be lost to its own reader.
#[tokio::test]
async fn datagrams_of_a_web_transport_session_bypass_its_driver() {
    let server = Running::start().await;
    let mut browser = server.player(Over::WebTransport, "direct", "browser").await;
    let snapshot = browser.recv_datagram().await;
    assert_eq!(snapshot[0], DATAGRAM_SNAPSHOT, "the prefix is part of the payload");
    for _ in 0..50 {
        browser.play(RIGHT).await;
    }
    server.until_stats("datagrams_in", |count| count >= 49).await;
    let stats = server.stats().await;
    assert!(stats["datagrams_in"].as_u64().unwrap() <= 50);
    assert_eq!(stats["inputs_without_room"].as_u64().unwrap(), 0);
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_is_told_so_by_a_close() {
    let server = Running::start().await;
    for origin in [None, Some("http://localhost:5173")] {
        let web = connect_web(&server, origin).await.unwrap();
        Client::on(Connection::WebTransport(web)).greet().await;
    }
    let web = connect_web(&server, Some("https://evil.example")).await.unwrap();
    let (code, text) = session_closed(&web).await;
    assert_eq!((code, text.as_str()), (CloseCode::OriginRefused, CloseCode::OriginRefused.text()));
    server.until_stats("origins_refused", |count| count == 1).await;
}

#[tokio::test]
async fn another_protocol_is_refused_in_the_handshake() {
    let server = Running::start().await;
    let config = quic_config(&server, "tickwire/0", quinn::TransportConfig::default());
    let error = connect_quic(&server, config).await.unwrap_err();
    assert!(error.to_string().contains("protocol"), "{error}");
}

#[tokio::test]
async fn ipv4_and_ipv6_share_the_socket() {
    let mut server = Running::start().await;
    let six = server.greeted(Over::Quic).await;
    server.udp = std::net::SocketAddr::from(([127, 0, 0, 1], server.udp.port()));
    let config = quic_config(&server, PROTOCOL, quinn::TransportConfig::default());
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(config, server.udp, "localhost").unwrap();
    let quic = soon("an IPv4 connection", connecting).await.unwrap();
    let mut four = Client::on(Connection::Quic(quic));
    four.greet().await;
    assert_ne!(six.player, four.player);
}

#[tokio::test]
async fn leaving_politely_ends_with_the_normal_code() {
    let server = Running::start().await;
    for over in Over::ALL {
        let mut client = server.greeted(over).await;
        client.ask(|request| ClientFrame::Goodbye { request }).await;
        assert_eq!(client.goodbye().await.0, CloseCode::Normal);
    }
}

#[tokio::test]
async fn an_address_is_asked_to_prove_itself_when_many_knock() {
    let server = Running::start_with(|config| config.handshakes_retry_above = 0).await;
    for over in [Over::Quic, Over::WebTransport] {
        server.greeted(over).await;
    }
    assert_eq!(server.stats().await["handshakes_retried"], 2);
}

#[tokio::test]
async fn a_browser_that_never_asks_for_a_session_is_let_go() {
    let server = Running::start_with(|config| config.handshake_ms = 2000).await;
    let config = quic_config(&server, "h3", quinn::TransportConfig::default());
    let quic = connect_quic(&server, config).await.unwrap();
    soon("the close", quic.closed()).await;
    server.until_stats("handshakes_failed", |count| count == 1).await;
    assert_eq!(server.stats().await["connections"], 0);
}

#[tokio::test]
async fn a_client_that_vanishes_is_let_go_after_the_idle_time() {
    let server = Running::start_with(|config| {
        config.idle_ms = 3000;
        config.keep_alive_ms = 500;
    })
    .await;
    let mut witness = server.player(Over::Quic, "lost", "witness").await;
    let ghost = vanished(&server, "lost", "ghost").await;
    let left = witness
        .hear_until(|frame| match frame {
            ServerFrame::MemberLeft { player, code } => Some((player, code)),
            _ => None,
        })
        .await;
    assert_eq!(left, (ghost.player, CloseCode::ConnectionLost));
}
