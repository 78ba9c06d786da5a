//! How others learn that a client left: `Normal` if it said so in any way, otherwise
//! `ConnectionLost`. `server/tests/http3/test_leaving.py` tests QUIC and HTTP/3.

use futures_util::SinkExt as _;
use tickwire_shared::control::{
    ClientFrame, CloseCode, RequestId, RoomChoice, STREAM_CHAT, STREAM_CONTROL, ServerFrame,
    write_frame,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as Number;

use crate::client::{Client, Connection, Over, hello};
use crate::harness::Running;
use crate::laned::connect_socket;

/// Attempts that would reveal a race.
const TRIES: usize = 8;

type Socket = WebSocketStream<TcpStream>;

/// A WebSocket whose client has a seat.
async fn seated(server: &Running, witness: &mut Client, name: &str) -> (Socket, u32) {
    let mut socket = connect_socket(server, None).await.unwrap();
    let (request, room) = (RequestId(1), RoomChoice::Named("leaving".to_owned()));
    let join = ClientFrame::Join {
        request,
        room,
        name: name.to_owned(),
        options: "".into(),
        password: "".into(),
    };
    let mut control = vec![STREAM_CONTROL];
    write_frame(&hello(), &mut control);
    write_frame(&join, &mut control);
    for message in [control, vec![STREAM_CHAT]] {
        socket.send(Message::Binary(message.into())).await.unwrap();
    }
    let player = witness
        .hear_until(|frame| match frame {
            ServerFrame::MemberJoined(member) if member.name == name => Some(member.player.0),
            _ => None,
        })
        .await;
    (socket, player)
}

async fn told(witness: &mut Client, left: u32) -> CloseCode {
    witness
        .hear_until(|frame| match frame {
            ServerFrame::MemberLeft { player, code } if player.0 == left => Some(code),
            _ => None,
        })
        .await
}

fn close(number: u16) -> Option<CloseFrame> {
    Some(CloseFrame { code: Number::from(number), reason: "".into() })
}

#[tokio::test]
async fn a_websocket_that_was_closed_has_left() {
    let server = Running::start().await;
    let mut witness = server.player(Over::Quic, "leaving", "witness").await;
    // The client's own closes, a closed tab's, and one without a number.
    for frame in [close(4000), close(4017), close(1001), close(1000), None] {
        for number in 0..TRIES {
            let (mut socket, player) = seated(&server, &mut witness, &format!("p{number}")).await;
            socket.close(frame.clone()).await.unwrap();
            // A browser also closes the connection beneath.
            drop(socket);
            assert_eq!(told(&mut witness, player).await, CloseCode::Normal, "{frame:?}");
        }
    }
}

#[tokio::test]
async fn a_websocket_whose_tcp_connection_ends_without_a_word_was_lost() {
    let server = Running::start().await;
    let mut witness = server.player(Over::Quic, "leaving", "witness").await;
    for number in 0..TRIES {
        let (mut socket, player) = seated(&server, &mut witness, &format!("p{number}")).await;
        // One in two ends its side and waits; the others are closed with something unread, which resets the connection.
        if number % 2 == 0 {
            socket.get_mut().shutdown().await.unwrap();
        }
        let waiting = Some(socket).filter(|_| number % 2 == 0);
        assert_eq!(told(&mut witness, player).await, CloseCode::ConnectionLost);
        drop(waiting);
    }
}

#[tokio::test]
async fn a_session_that_its_client_closes_has_left_on_every_transport() {
    let server = Running::start().await;
    let mut witness = server.player(Over::Quic, "leaving", "witness").await;
    for over in Over::ALL {
        for number in 0..TRIES {
            let mut client = server.player(over, "leaving", &format!("p{number}")).await;
            match &client.connection {
                Connection::Quic(quic) => quic.close(0u32.into(), b""),
                Connection::WebTransport(web) => web.close(0u32.into(), b""),
                Connection::WebSocket(_) => {
                    client.ask(|request| ClientFrame::Goodbye { request }).await;
                }
            }
            let code = told(&mut witness, client.player.0).await;
            assert_eq!(code, CloseCode::Normal, "over {over:?}");
        }
    }
}
