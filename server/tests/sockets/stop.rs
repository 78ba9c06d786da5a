//! A stopping server says goodbye to everyone first.

use tickwire_shared::control::CloseCode;

use crate::client::Over;
use crate::harness::Running;
use crate::laned::connect_socket;

#[tokio::test]
async fn everyone_hears_of_the_stop() {
    let mut server = Running::start().await;
    let mut clients = vec![
        server.player(Over::Quic, "end", "native").await,
        server.player(Over::WebTransport, "end", "browser").await,
        server.player(Over::WebSocket, "end", "walled").await,
        server.greeted(Over::Quic).await,
    ];
    let idle = server.connect(Over::Quic).await;
    assert_eq!(server.get("/readyz").await.0, 200);
    server.ask_to_stop();
    for client in &mut clients {
        let (code, text) = client.goodbye().await;
        assert_eq!(code, CloseCode::ServerStopping);
        assert!(text.contains("stopping"));
    }
    assert_eq!(idle.closed().await.0, CloseCode::ServerStopping);
    server.stopped().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_hold_the_stop_up() {
    let mut server = Running::start_with(|config| config.goodbye_ms = 100).await;
    let client = server.player(Over::Quic, "end", "silent").await;
    let walled = connect_socket(&server, None).await.unwrap();
    server.ask_to_stop();
    server.stopped().await;
    drop((client, walled));
}
