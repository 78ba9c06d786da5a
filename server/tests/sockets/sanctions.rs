//! Bans and mutes over real sockets: set while the server runs and while it does not.

use std::path::Path;

use serde_json::{Value, json};
use tickwire_shared::control::{
    ClientFrame, CloseCode, RefuseCode, RoomChoice, ServerChat, ServerFrame,
};

use crate::client::{Client, Over};
use crate::commands::answer;
use crate::harness::Running;
use crate::identity::{enter, knock};
use crate::profiles::Named;

async fn start(store: &Path) -> Running {
    Running::start_asking(Named, |config| {
        config.store = Some(store.to_owned());
        config.store_commit_ms = 10;
    })
    .await
}

async fn stop(mut server: Running) {
    server.ask_to_stop();
    server.stopped().await;
}

/// Posts to `/sanctions`. Returns the status and the answer.
async fn order(server: &Running, body: &Value) -> (u16, String) {
    let body = body.to_string();
    let (status, _, text) = server
        .request(&format!(
            "POST /sanctions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    (status, text)
}

async fn set(server: &Running, body: Value) {
    let (status, text) = order(server, &body).await;
    assert_eq!(status, 204, "{body}: {text}");
}

/// Says something. Returns the refusal, if it is refused.
async fn say(client: &mut Client) -> Option<(RefuseCode, String)> {
    let said = client.say_chat("hello").await;
    loop {
        match client.hear_chat().await {
            ServerChat::Message(message) if message.request == said => return None,
            ServerChat::Refused { request, code, text } if request == said => {
                return Some((code, text));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_ban_ends_the_session_and_keeps_the_account_out_until_it_is_lifted_also_after_a_restart()
{
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let mut ann = enter(&server, Over::Quic, "ann").await;
    ann.join("bay", "Ann").await;
    let mut bob = enter(&server, Over::WebTransport, "bob").await;
    bob.join("bay", "Bob").await;
    let ban = json!({"kind": "ban", "target": "account", "who": "ann", "seconds": 3600, "reason": "spam"});
    set(&server, ban).await;
    let (code, text) = ann.goodbye().await;
    assert_eq!(code, CloseCode::Kicked);
    assert!(text.starts_with("you are banned from this server until 2"), "{text}");
    assert!(text.ends_with(" UTC: spam"), "{text}");
    assert_eq!(say(&mut bob).await, None, "nobody else is concerned");
    for over in Over::ALL {
        let (code, text) = knock(&server, over, "ann").await.goodbye().await;
        assert_eq!(code, CloseCode::Kicked, "{text}");
    }
    assert!(server.stats().await["sessions_banned"].as_u64() >= Some(4));
    stop(server).await;
    let server = start(dir.path()).await;
    assert_eq!(knock(&server, Over::Quic, "ann").await.goodbye().await.0, CloseCode::Kicked);
    let (status, _, list) = server.get("/sanctions.json").await;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((status, &list[0]["target"]), (200, &json!("account ann")));
    set(&server, json!({"kind": "ban", "target": "account", "who": "ann", "lift": true})).await;
    enter(&server, Over::Quic, "ann").await.join("bay", "Ann").await;
    stop(server).await;
}

#[tokio::test]
async fn a_name_is_banned_with_all_that_look_like_it_and_an_address_with_its_range() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    set(&server, json!({"kind": "ban", "target": "name", "who": "Troll"})).await;
    let mut ann = enter(&server, Over::Quic, "ann").await;
    for name in ["troll", "Tr\u{43e}ll"] {
        ann.ask_to_join(RoomChoice::Named("bay".to_owned()), name).await;
        match answer(&mut ann).await {
            ServerFrame::Refused { code, text, .. } => {
                assert_eq!(code, RefuseCode::NameInvalid);
                assert_eq!(text, "this name is banned; choose another");
            }
            other => panic!("{other:?}"),
        }
    }
    ann.join("bay", "Ann").await;
    let own = json!({"kind": "ban", "target": "address", "who": "::1/128", "reason": "proxy"});
    set(&server, own).await;
    let (code, text) = ann.goodbye().await;
    assert_eq!((code, &*text), (CloseCode::Kicked, "you are banned from this server: proxy"));
    assert_eq!(knock(&server, Over::Quic, "bob").await.goodbye().await.0, CloseCode::Kicked);
    stop(server).await;
}

#[tokio::test]
async fn who_is_muted_by_account_name_or_address_plays_on_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let mut ann = enter(&server, Over::Quic, "ann").await;
    ann.join("bay", "Ann").await;
    for (target, who) in [("account", "ann"), ("name", "\u{410}nn"), ("address", "::1")] {
        assert_eq!(say(&mut ann).await, None);
        let mute = json!({"kind": "mute", "target": target, "who": who, "reason": "caps"});
        set(&server, mute).await;
        let told = (RefuseCode::ChatTooFast, "you are muted: caps".to_owned());
        assert_eq!(say(&mut ann).await, Some(told), "{target}");
        set(&server, json!({"kind": "mute", "target": target, "who": who, "lift": true})).await;
    }
    assert_eq!(say(&mut ann).await, None);
    ann.ask(|request| ClientFrame::Leave { request }).await;
    assert!(matches!(answer(&mut ann).await, ServerFrame::Left { .. }));
    stop(server).await;
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    for (body, status, part) in [
        (
            json!({"kind": "ban", "target": "ip", "who": "::1"}),
            400,
            "an account, a name or an address",
        ),
        (json!({"kind": "ban", "target": "address", "who": "x"}), 400, "is no address"),
        (
            json!({"kind": "ban", "target": "account", "who": "a", "seconds": 0}),
            400,
            "1 s to 10 years",
        ),
        (json!({"kind": "kick", "target": "account", "who": "a"}), 422, "kick"),
    ] {
        let (got, text) = order(&server, &body).await;
        assert!(got == status && text.contains(part), "{body}: {got} {text}");
    }
    let origin = "POST /sanctions HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost\r\n\
                  connection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(server.request(origin).await.0, 403, "no page may");
    stop(server).await;
    let server = Running::start().await;
    let (status, text) =
        order(&server, &json!({"kind": "ban", "target": "account", "who": "a"})).await;
    assert!(status == 404 && text.contains("there is no store"), "{status} {text}");
}
