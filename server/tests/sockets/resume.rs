//! Sessions resume over another connection, of any transport, with the right secret only.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use tickwire_shared::control::{
    ClientFrame, CloseCode, Received, RequestId, ResumeSecret, RoomChoice, STREAM_CHAT,
    STREAM_CONTROL, ServerFrame, write_frame,
};
use tickwire_shared::{PlayerId, Tick, websocket};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, Over, hello};
use crate::game::Keys;
use crate::harness::{Running, soon};
use crate::laned::connect_socket;

/// A client with a session that can resume, in a room, and its secret.
pub(crate) async fn resumable(server: &Running, over: Over, room: &str) -> (Client, ResumeSecret) {
    let (mut client, secret) = resumable_greeted(server, over).await;
    client.join(room, "owner").await;
    (client, secret)
}

/// A client with a session that can resume, and its secret.
pub(crate) async fn resumable_greeted(server: &Running, over: Over) -> (Client, ResumeSecret) {
    let mut client = server.connect(over).await;
    client.open_both().await;
    client.say(&resumable_hello()).await;
    let ServerFrame::Welcome { player, resume: Some(secret), run, .. } = client.hear().await else {
        panic!("no secret");
    };
    assert_eq!(*server.run.get_or_init(|| run), run, "one run is one number");
    client.player = player;
    (client, secret)
}

pub(crate) fn resumable_hello() -> ClientFrame {
    let ClientFrame::Hello { client, schema, .. } = hello() else { unreachable!() };
    ClientFrame::Hello { client, schema, resumable: true, token: "".into() }
}

/// A new connection that asks to resume the session, by a client that was told of the server's run if any was.
pub(crate) async fn resume(
    server: &Running,
    over: Over,
    (player, secret): (PlayerId, ResumeSecret),
    received: Received,
) -> Client {
    let mut client = server.connect(over).await;
    client.open_both().await;
    let run = server.run.get().copied().unwrap_or_default();
    let (unanswered, next) = (Vec::new(), RequestId(1));
    client.say(&ClientFrame::Resume { player, secret, run, received, unanswered, next }).await;
    client
}

#[tokio::test]
async fn a_wrong_secret_disturbs_nobody() {
    let server = Running::start().await;
    for (at, over) in Over::ALL.into_iter().enumerate() {
        let (mut owner, secret) = resumable(&server, over, &format!("safe-{at}")).await;
        let other = server.greeted(over).await;
        let mut flipped = secret;
        flipped.0[15] ^= 1;
        let unknown = PlayerId(owner.player.0 + 1000);
        let all = Received { control: 2, chat: 0 };
        let cases = [
            ((owner.player, flipped), all),
            ((owner.player, ResumeSecret([0; 16])), all),
            ((other.player, secret), all),
            // A session without a secret has no secret of zeros.
            ((other.player, ResumeSecret([0; 16])), Received::default()),
            ((unknown, secret), all),
            // More frames than were ever sent.
            ((owner.player, secret), Received { control: 1000, chat: 0 }),
        ];
        for (of, received) in cases {
            let mut thief = resume(&server, over, of, received).await;
            assert_eq!(thief.goodbye().await.0, CloseCode::ResumeRefused, "{of:?} {received:?}");
        }
        owner.play(Keys::default()).await;
        let before = owner.tick;
        while owner.tick.since(before) < 5 {
            owner.play(Keys::default()).await;
        }
    }
    assert_eq!(server.stats().await["sessions_resumed"], 0);
}

#[tokio::test]
async fn a_session_moves_from_each_transport_to_each() {
    let server = Running::start().await;
    for (at, from) in Over::ALL.into_iter().enumerate() {
        for (to_at, to) in Over::ALL.into_iter().enumerate() {
            let room = format!("moves-{at}-{to_at}");
            let (mut old, secret) = resumable(&server, from, &room).await;
            old.play(Keys::default()).await;
            // It has the welcome and the join, and no chat.
            let received = Received { control: 2, chat: 0 };
            let mut new = resume(&server, to, (old.player, secret), received).await;
            assert!(matches!(new.hear().await, ServerFrame::Resumed { .. }));
            assert_eq!(old.closed().await.0, CloseCode::ConnectionLost);
            // The notice of its join has reached nobody yet.
            new.hear_chat().await;
            (new.player, new.seat, new.tick) = (old.player, old.seat, old.tick);
            new.replica = old.replica.take();
            let before = new.tick;
            while new.tick.since(before) < 5 {
                new.play(Keys::default()).await;
            }
            assert_ne!(new.tick, Tick(0));
        }
    }
}

/// A server that gives a silent connection up soon.
async fn impatient() -> Running {
    Running::start_with(|config| {
        (config.idle_ms, config.keep_alive_ms) = (1000, 200);
        // What a client is told, it is told before its session is given up.
        config.resume_grace_ms = 600_000;
    })
    .await
}

async fn until_away(witness: &mut Client, gone: PlayerId) {
    let told = witness.hear_until(|frame| match frame {
        ServerFrame::MemberAway { player } if player == gone => Some(()),
        ServerFrame::MemberLeft { player, code } if player == gone => panic!("it left: {code:?}"),
        _ => None,
    });
    soon("the others to be told", told).await;
}

async fn until_back(witness: &mut Client, gone: PlayerId) {
    let told = witness.hear_until(|frame| match frame {
        ServerFrame::MemberBack { player } if player == gone => Some(()),
        _ => None,
    });
    soon("the others to be told", told).await;
}

#[tokio::test]
async fn a_session_whose_connection_dies_without_a_word_is_waited_for_on_every_transport() {
    let server = Arc::new(impatient().await);
    let mut witness = server.player(Over::Quic, "waiting", "witness").await;
    for over in Over::ALL {
        // Its runtime is gone with all its tasks: it reads no packets and says no goodbye.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let at = Arc::clone(&server);
        let seated = runtime.spawn(async move { resumable(&at, over, "waiting").await });
        let (gone, secret) = seated.await.unwrap();
        runtime.shutdown_background();
        until_away(&mut witness, gone.player).await;
        let received = Received { control: 2, chat: 0 };
        let mut back = resume(&server, over, (gone.player, secret), received).await;
        assert!(matches!(back.hear().await, ServerFrame::Resumed { .. }), "over {over:?}");
        until_back(&mut witness, gone.player).await;
        back.ask(|request| ClientFrame::Leave { request }).await;
        drop(gone);
    }
}

#[tokio::test]
async fn a_websocket_that_is_silent_is_told_that_it_is_lost_and_waited_for() {
    let server = impatient().await;
    let mut witness = server.player(Over::Quic, "waiting", "witness").await;
    let mut socket = connect_socket(&server, None).await.unwrap();
    let mut control = vec![STREAM_CONTROL];
    write_frame(&resumable_hello(), &mut control);
    let (request, room) = (RequestId(1), RoomChoice::Named("waiting".to_owned()));
    let (name, options, password) = ("silent".to_owned(), "".into(), "".into());
    write_frame(&ClientFrame::Join { request, room, name, options, password }, &mut control);
    for message in [control, vec![STREAM_CHAT]] {
        socket.send(Message::Binary(message.into())).await.unwrap();
    }
    let gone = witness
        .hear_until(|frame| match frame {
            ServerFrame::MemberJoined(member) => Some(member.player),
            _ => None,
        })
        .await;
    // It reads nothing, and so answers no ping.
    until_away(&mut witness, gone).await;
    let closed = soon("the close", async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code),
                Some(Ok(_)) => {}
                other => panic!("no close: {other:?}"),
            }
        }
    });
    assert_eq!(closed.await, websocket::close_number(CloseCode::ConnectionLost));
}

#[tokio::test]
async fn a_client_that_says_of_its_connection_that_it_is_lost_is_waited_for() {
    let server = Running::start().await;
    let mut witness = server.player(Over::Quic, "waiting", "witness").await;
    for over in Over::ALL {
        let (gone, secret) = resumable(&server, over, "waiting").await;
        gone.close(CloseCode::ConnectionLost).await;
        until_away(&mut witness, gone.player).await;
        let received = Received { control: 2, chat: 0 };
        let mut back = resume(&server, over, (gone.player, secret), received).await;
        assert!(matches!(back.hear().await, ServerFrame::Resumed { .. }), "over {over:?}");
        back.ask(|request| ClientFrame::Leave { request }).await;
    }
}
