//! Requests that a client sends again to a server that was started again.

use tickwire_shared::control::{ClientChat, RequestId, ServerChat};

use crate::client::{Client, Over};
use crate::restored::{Files, resumed, resumed_again, seated, walk};

#[tokio::test]
async fn a_saved_message_that_is_said_again_after_a_kill_is_answered_and_nobody_gets_it_twice() {
    let mut files = Files::new();
    let store = tempfile::tempdir().unwrap();
    let server = files.server(|config| config.store = Some(store.path().join("first"))).await;
    let (mut alice, secret) = seated(&server, Over::Quic, "bay", "alice").await;
    let (mut bob, bobs) = seated(&server, Over::Quic, "bay", "bob").await;
    let said = alice.say_chat("once").await;
    let id = heard_saved(&mut alice, said).await;
    walk(&mut bob, 3).await;
    files.until_kept(bob.tick.0).await;
    files.kill(server).await;
    // The thread of the killed server may still have its file open.
    let next = store.path().join("next");
    std::fs::create_dir(&next).unwrap();
    std::fs::copy(store.path().join("first/store.redb"), next.join("store.redb")).unwrap();

    let server = files.server(|config| config.store = Some(next)).await;
    let mut bob = resumed(&server, Over::Quic, (bob.player, bobs), bob.requests).await;
    // Saved messages come after the restart.
    let mut heard = loop {
        if let ServerChat::History { messages, .. } = bob.hear_chat().await {
            break messages.iter().map(|message| message.id).collect::<Vec<_>>();
        }
    };
    // The answer was lost with the server.
    let seat = (alice.player, secret);
    let mut alice =
        resumed_again(&server, Over::WebSocket, seat, (&[said], alice.requests)).await.0;
    let again = ClientChat::Say { request: said, text: "once".into() };
    alice.chat.as_mut().unwrap().write(&again).await;
    assert_eq!(heard_saved(&mut alice, said).await, id);
    let next = alice.say_chat("next").await;
    let next_id = heard_saved(&mut alice, next).await;
    while heard.last() != Some(&next_id) {
        if let ServerChat::Message(message) = bob.hear_chat().await {
            heard.push(message.id);
        }
    }
    assert_eq!(heard, [id, next_id]);
}

/// The number of a message of this client's once it is saved.
async fn heard_saved(client: &mut Client, said: RequestId) -> u64 {
    loop {
        match client.hear_chat().await {
            ServerChat::Sent { request, id, is_saved } if request == said => {
                assert!(is_saved);
                return id;
            }
            ServerChat::Refused { text, .. } => panic!("{text}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn requests_that_are_sent_again_wait_for_none_that_was_answered() {
    let mut files = Files::new();
    let server = files.server(|_| {}).await;
    let (mut ann, secret) = seated(&server, Over::Quic, "bay", "ann").await;
    walk(&mut ann, 3).await;
    files.until_kept(ann.tick.0).await;
    // Longer than a test waits.
    let server = files.again(server, |config| config.request_wait_ms = 60_000).await;
    let (first, second) = (RequestId(ann.requests + 1), RequestId(ann.requests + 4));
    let asked = ann.requests + 6;
    let seat = (ann.player, secret);
    let mut ann =
        resumed_again(&server, Over::WebTransport, seat, (&[first, second], asked)).await.0;
    for request in [first, second] {
        let again = ClientChat::Say { request, text: format!("say {}", request.0) };
        ann.chat.as_mut().unwrap().write(&again).await;
    }
    let mut heard = Vec::new();
    let new = ann.say_chat("new").await;
    while heard.last() != Some(&new) {
        if let ServerChat::Message(message) = ann.hear_chat().await {
            heard.push(message.request);
        }
    }
    assert_eq!(heard, [first, second, new]);
}
