//! What becomes of connections that are lost.

use std::sync::Weak;
use std::time::Duration;

use tickwire_client::session::Session;
use tickwire_shared::NoGame;

use super::*;

/// A connection with both streams, and what the session says first.
fn connect(
    server: &mut SimulatedServer<NoGame>,
    session: &mut Session,
) -> (SimulatedConnection, [usize; 2]) {
    let wire = server.connect(SocketAddr::from(([10, 0, 0, 1], 1)), 1200).unwrap();
    let streams = [wire.open(), wire.open()];
    wire.write(streams[0], &session.take_control());
    (wire, streams)
}

/// The first bytes that come on a stream.
async fn answer(wire: &SimulatedConnection, stream: usize) -> Vec<u8> {
    loop {
        tokio::task::yield_now().await;
        let bytes = wire.take(stream, 10_000);
        if !bytes.is_empty() {
            return bytes;
        }
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_server_that_is_dropped_with_its_sessions() {
    let mut server = SimulatedServer::<NoGame>::start(ServerConfig::default(), 1).unwrap();
    let mut session = Session::new("test", None);
    let (wire, streams) = connect(&mut server, &mut session);
    wire.write(streams[1], &session.take_chat());
    answer(&wire, streams[0]).await;
    wire.datagram(vec![0]);
    let host: Weak<_> = Arc::downgrade(&server.host);
    drop(server);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.strong_count(), 0, "its connection holds it");
}

#[tokio::test]
async fn a_session_outlives_a_connection_whose_chat_stream_does_not_come() {
    let config = ServerConfig { handshake_ms: 1000, ..ServerConfig::default() };
    let mut server = SimulatedServer::<NoGame>::start(config, 1).unwrap();
    let mut session = Session::resumable("test", None);
    let (wire, streams) = connect(&mut server, &mut session);
    wire.write(streams[1], &session.take_chat());
    session.handle_control(Duration::ZERO, &answer(&wire, streams[0]).await).unwrap();
    for has_chat in [false, true] {
        session.handle_lost(Duration::ZERO, "cut");
        assert!(session.poll_reconnect(Duration::from_secs(5)));
        session.resume();
        let (wire, streams) = connect(&mut server, &mut session);
        if has_chat {
            wire.write(streams[1], &session.take_chat());
        }
        session.handle_control(Duration::ZERO, &answer(&wire, streams[0]).await).unwrap();
        assert!(!session.is_reconnecting(), "it is resumed");
        if has_chat {
            continue;
        }
        let closed = loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if let Some(closed) = wire.closed() {
                break closed;
            }
        };
        assert_eq!(closed.0, CloseCode::ConnectionLost, "{}", closed.1);
    }
    assert_eq!(server.sessions(), 1);
}
