//! Sessions resume over another connection, of any transport, with the right secret only.

use tickwire_shared::control::{ClientFrame, CloseCode, Received, ResumeSecret, ServerFrame};
use tickwire_shared::{PlayerId, Tick};

use crate::client::{Client, Over, hello};
use crate::game::Keys;
use crate::harness::Running;

/// A client with a session that can resume, in a room, and its secret.
async fn resumable(server: &Running, over: Over, room: &str) -> (Client, ResumeSecret) {
    let mut client = server.connect(over).await;
    client.open_both().await;
    let ClientFrame::Hello { client: name, schema, .. } = hello() else { unreachable!() };
    client
        .say(&ClientFrame::Hello { client: name, schema, resumable: true, token: "".into() })
        .await;
    let ServerFrame::Welcome { player, resume: Some(secret), .. } = client.hear().await else {
        panic!("no secret");
    };
    client.player = player;
    client.join(room, "owner").await;
    (client, secret)
}

/// A new connection that asks to resume the session.
async fn resume(
    server: &Running,
    over: Over,
    (player, secret): (PlayerId, ResumeSecret),
    received: Received,
) -> Client {
    let mut client = server.connect(over).await;
    client.open_both().await;
    client.say(&ClientFrame::Resume { player, secret, received }).await;
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
