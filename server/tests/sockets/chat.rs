//! Chat on its own stream.

use tickwire_shared::control::{ChatMessage, ClientChat, RefuseCode, ServerChat};

use crate::client::{Client, Over};
use crate::harness::Running;

async fn message(client: &mut Client) -> ChatMessage {
    loop {
        match client.hear_chat().await {
            ServerChat::Message(message) => return message,
            ServerChat::Refused { text, .. } => panic!("{text}"),
            _ => {}
        }
    }
}

async fn refusal(client: &mut Client) -> RefuseCode {
    loop {
        if let ServerChat::Refused { code, .. } = client.hear_chat().await {
            return code;
        }
    }
}

#[tokio::test]
async fn messages_reach_the_room_over_all_transports() {
    let server = Running::start().await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    let mut bob = server.player(Over::WebTransport, "talk", "bob").await;
    let mut carl = server.player(Over::WebSocket, "talk", "carl").await;
    let mut eve = server.player(Over::Quic, "elsewhere", "eve").await;
    alice.say_chat("hello\u{202e} bob\u{7}").await;
    let heard = message(&mut bob).await;
    assert_eq!((heard.from, heard.name.as_str()), (alice.player, "alice"));
    assert_eq!(heard.text, "hello bob");
    assert_eq!(heard.to, None);
    assert!(heard.time_ms > 1_600_000_000_000);
    for other in [&mut alice, &mut carl] {
        assert_eq!(message(other).await, heard);
    }
    for answerer in [&mut bob, &mut carl] {
        answerer.say_chat("hello alice").await;
        let answer = message(&mut alice).await;
        assert_eq!((answer.from, answer.text.as_str()), (answerer.player, "hello alice"));
        assert!(answer.id > heard.id);
    }
    eve.say_chat("anyone?").await;
    assert_eq!(message(&mut eve).await.from, eve.player);
}

#[tokio::test]
async fn a_direct_message_is_for_one() {
    let server = Running::start().await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    let mut bob = server.player(Over::WebTransport, "talk", "bob").await;
    let mut carol = server.player(Over::Quic, "talk", "carol").await;
    let (request, player, text) = (alice.number(), bob.player, "psst".to_owned());
    let tell = ClientChat::Tell { request, player, text };
    alice.chat.as_mut().unwrap().write(&tell).await;
    let heard = message(&mut bob).await;
    assert_eq!((heard.text.as_str(), heard.to), ("psst", Some(bob.player)));
    alice.say_chat("all").await;
    assert_eq!(message(&mut carol).await.text, "all");
}

#[tokio::test]
async fn what_cannot_be_said_is_refused() {
    let server = Running::start().await;
    let mut client = server.greeted(Over::Quic).await;
    client.say_chat("is anyone here?").await;
    assert_eq!(refusal(&mut client).await, RefuseCode::NotInRoom);
    client.join("talk", "alice").await;
    client.say_chat(&"x".repeat(501)).await;
    assert_eq!(refusal(&mut client).await, RefuseCode::ChatTooLong);
    client.say_chat(" \u{200f} ").await;
    assert_eq!(refusal(&mut client).await, RefuseCode::ChatEmpty);
    for _ in 0..10 {
        client.say_chat("again").await;
    }
    assert_eq!(refusal(&mut client).await, RefuseCode::ChatTooFast);
}

#[tokio::test]
async fn coming_and_going_is_noticed_on_the_chat_stream() {
    let server = Running::start().await;
    let mut alice = server.player(Over::Quic, "talk", "alice").await;
    let bob = server.player(Over::WebTransport, "talk", "bob").await;
    let mut notices = Vec::new();
    while !notices.iter().any(|text: &String| text.contains("bob")) {
        if let ServerChat::Notice { text, .. } = alice.hear_chat().await {
            notices.push(text);
        }
    }
    drop(bob);
    notices.clear();
    while !notices.iter().any(|text: &String| text.contains("bob")) {
        if let ServerChat::Notice { text, .. } = alice.hear_chat().await {
            notices.push(text);
        }
    }
}
