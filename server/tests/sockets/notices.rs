//! What a program says to those who play on its server.

use tickwire_shared::control::{ClientFrame, ServerFrame};

use crate::client::{Client, Over};
use crate::harness::Running;

/// The notices that come until a request is answered.
async fn notices(client: &mut Client) -> Vec<String> {
    client.ask(|request| ClientFrame::UnsubscribeRooms { request }).await;
    let mut heard = Vec::new();
    loop {
        match client.hear().await {
            ServerFrame::Notice(text) => heard.push(text),
            ServerFrame::Done { .. } => return heard,
            _ => {}
        }
    }
}

async fn next_notice(client: &mut Client) -> String {
    let notice = client.hear_until(|frame| match frame {
        ServerFrame::Notice(text) => Some(text),
        _ => None,
    });
    notice.await
}

#[tokio::test]
async fn a_notice_reaches_everyone_or_those_in_a_room() {
    let server = Running::start().await;
    let mut silent = server.connect(Over::Quic).await;
    let mut lobby = server.greeted(Over::WebSocket).await;
    let mut ann = server.player(Over::Quic, "bay", "Ann").await;
    let mut bob = server.player(Over::WebTransport, "cove", "Bob").await;
    let long = "\u{1f642}".repeat(1001);
    server.notices.send(&long);
    for client in [&mut lobby, &mut ann, &mut bob] {
        assert_eq!(next_notice(client).await, "\u{1f642}".repeat(1000));
    }
    assert!(server.notices.send_to_room("cove", "the match is over").await);
    assert_eq!(next_notice(&mut bob).await, "the match is over");
    for client in [&mut lobby, &mut ann] {
        assert_eq!(notices(client).await, [""; 0], "it was for another room");
    }
    assert!(!server.notices.send_to_room("creek", "is anybody here?").await);
    silent.greet().await;
    assert_eq!(notices(&mut silent).await, [""; 0], "it had not said hello");
}
