//! Reserved seats over real sockets: a backend asks by HTTP, and players come with and without a token of one.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tickwire_server::ServerConfig;
use tickwire_shared::control::{
    ClientFrame, CloseCode, RefuseCode, RoomChoice, RoomInfo, RoomQuery, ServerFrame,
};
use tokio::task::JoinSet;

use crate::client::{Client, Over};
use crate::commands::answer;
use crate::game::Keys;
use crate::harness::{Running, soon};
use crate::identity::{Backend, enter, knock};

const FULL: &str = "every seat in this room is taken, 2 of 2; choose another room, or watch";

/// A server whose rooms have two seats.
async fn start(change: impl FnOnce(&mut ServerConfig)) -> Running {
    Running::start_with(|config| {
        config.room.players_max = 2;
        change(config);
    })
    .await
}

async fn ask(server: &Running, line: &str, body: &str) -> (u16, String) {
    let (status, _, text) = server
        .request(&format!(
            "{line} HTTP/1.1\r\nhost: localhost:1234\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    (status, text)
}

/// Asks for a seat. Returns the status, and the answer or the reason.
async fn try_reserve(server: &Running, body: Value) -> (u16, Value) {
    let (status, text) = ask(server, "POST /reservations", &body.to_string()).await;
    (status, serde_json::from_str(&text).unwrap_or(json!(text)))
}

/// Reserves a seat of the finals.
async fn reserve(server: &Running, account: &str, seconds: u32) -> Value {
    let body = json!({"room": "finals", "account": account, "seconds": seconds});
    let (status, answer) = try_reserve(server, body).await;
    assert_eq!(status, 201, "{answer}");
    answer
}

fn token(reserved: &Value) -> &str {
    reserved["token"].as_str().unwrap()
}

async fn ask_for_finals(client: &mut Client, name: &str) -> ServerFrame {
    client.ask_to_join(RoomChoice::Named("finals".to_owned()), name).await;
    answer(client).await
}

/// The code and the text of a refused join.
async fn refusal(client: &mut Client, name: &str) -> (RefuseCode, String) {
    match ask_for_finals(client, name).await {
        ServerFrame::Refused { code, text, .. } => (code, text),
        other => panic!("{other:?}"),
    }
}

/// The line of the finals in the list of rooms.
async fn listed(client: &mut Client) -> RoomInfo {
    client.ask(|request| ClientFrame::ListRooms { request, query: RoomQuery::default() }).await;
    match answer(client).await {
        ServerFrame::Rooms { rooms, .. } => {
            rooms.into_iter().find(|room| room.name == "finals").expect("a room")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reserved_seat_of_a_full_room_is_its_accounts_alone() {
    let server = start(|_| {}).await;
    let mut ann = server.player(Over::Quic, "finals", "Ann").await;
    let reserved = reserve(&server, "bob", 60).await;
    assert_eq!((&reserved["created"], &reserved["room"]), (&json!(false), &json!("finals")));
    assert_eq!(reserved["url"], "http://localhost:1234/");
    assert_eq!(reserve(&server, "bob", 60).await["created"], false, "the same seat again");
    let mut cat = server.greeted(Over::WebTransport).await;
    assert_eq!(listed(&mut cat).await.players, 2, "it is shown as taken");
    assert_eq!(refusal(&mut cat, "Cat").await, (RefuseCode::RoomFull, FULL.to_owned()));
    let (status, why) = try_reserve(&server, json!({"room": "finals", "account": "dan"})).await;
    assert_eq!((status, why.as_str()), (409, Some(&*format!("{FULL}\n"))));
    let reserved = reserve(&server, "bob", 60).await;
    let mut bob = enter(&server, Over::WebSocket, token(&reserved)).await;
    // A name that the room refuses costs the seat nothing.
    assert_eq!(refusal(&mut bob, "Ann").await.0, RefuseCode::NameTaken);
    assert_eq!(refusal(&mut cat, "Cat").await, (RefuseCode::RoomFull, FULL.to_owned()));
    bob.ask_to_join(RoomChoice::Quick, "Bob").await;
    bob.joined().await;
    assert_eq!(server.get("/reservations.json").await.2, "[]");
    // The room itself says the same.
    assert_eq!(refusal(&mut cat, "Cat").await, (RefuseCode::RoomFull, FULL.to_owned()));
    bob.ask(|request| ClientFrame::Leave { request }).await;
    assert!(matches!(answer(&mut bob).await, ServerFrame::Left { .. }));
    cat.join("finals", "Cat").await;
    for player in [&mut ann, &mut cat] {
        player.play(Keys::default()).await;
    }
}

#[tokio::test]
async fn a_seat_whose_time_is_over_is_anybodys_and_its_token_is_of_no_use() {
    let server = start(|_| {}).await;
    let _ann = server.player(Over::Quic, "finals", "Ann").await;
    let reserved = reserve(&server, "bob", 1).await;
    let mut cat = server.greeted(Over::Quic).await;
    soon("the free seat", async {
        while let ServerFrame::Refused { code, .. } = ask_for_finals(&mut cat, "Cat").await {
            assert_eq!(code, RefuseCode::RoomFull);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let (code, text) = knock(&server, Over::Quic, token(&reserved)).await.goodbye().await;
    assert_eq!(code, CloseCode::TokenExpired);
    assert!(text.starts_with("the seat is reserved no more"), "{text}");
}

#[tokio::test]
async fn a_token_is_used_once_and_is_gone_with_its_reservation() {
    let backend = Backend::new("one");
    // Beside the tokens of the game's own backend.
    let server = start(|config| backend.is_known_to(config)).await;
    let reserved = reserve(&server, "bob", 60).await;
    assert_eq!(reserved["created"], true, "the room is made for it");
    let mut bob = enter(&server, Over::Quic, token(&reserved)).await;
    let (code, text) = knock(&server, Over::Quic, token(&reserved)).await.goodbye().await;
    assert_eq!(code, CloseCode::TokenUsed, "{text}");
    bob.join("finals", "Bob").await;
    let reserved = reserve(&server, "cat", 60).await;
    let replaced = token(&reserved);
    let reserved = reserve(&server, "cat", 60).await;
    assert_eq!(
        knock(&server, Over::Quic, replaced).await.goodbye().await.0,
        CloseCode::TokenExpired
    );
    let line = format!("DELETE /reservations/{}", reserved["id"].as_str().unwrap());
    assert_eq!(ask(&server, &line, "").await.0, 204);
    assert_eq!(ask(&server, &line, "").await.0, 404);
    let (code, _) = knock(&server, Over::Quic, token(&reserved)).await.goodbye().await;
    assert_eq!(code, CloseCode::TokenExpired);
    let mut dan = enter(&server, Over::Quic, &backend.token("dan", |_| {})).await;
    dan.join("finals", "Dan").await;
    let none = knock(&server, Over::Quic, "").await.goodbye().await;
    assert_eq!(none.0, CloseCode::TokenMissing);
}

#[tokio::test]
async fn an_account_with_a_seat_comes_by_a_token_of_its_backend_too_and_needs_no_password() {
    let backend = Backend::new("one");
    let server = start(|config| {
        backend.is_known_to(config);
        config.room_empty_s = 1;
    })
    .await;
    let options = json!({"password": "sesame", "seats": 1});
    let body = json!({"room": "finals", "account": "bob", "seconds": 60, "options": options});
    let (status, answer) = try_reserve(&server, body).await;
    assert_eq!((status, &answer["created"]), (201, &json!(true)), "{answer}");
    // Nobody is in the room, and it waits for him.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let mut cat = enter(&server, Over::Quic, &backend.token("cat", |_| {})).await;
    let room = listed(&mut cat).await;
    assert_eq!((room.players, room.players_max, room.needs_password), (1, 1, true));
    assert_eq!(refusal(&mut cat, "Cat").await.0, RefuseCode::WrongPassword);
    let mut bob = enter(&server, Over::Quic, &backend.token("bob", |_| {})).await;
    bob.join("finals", "Bob").await;
    assert_eq!(server.get("/reservations.json").await.2, "[]");
}

#[tokio::test]
async fn a_reservation_that_cannot_be_is_refused_with_the_reason() {
    let server = start(|config| {
        config.reservations_max = 3;
        config.reservations_room_max = 1;
    })
    .await;
    for (body, status, words) in [
        (json!({"room": "a b", "account": "ann"}), 400, "a room's name is 1 to 32"),
        (json!({"room": "bay", "account": ""}), 400, "\"sub\" of the token is missing or wrong"),
        (json!({"room": "bay", "account": "x".repeat(65)}), 400, "\"sub\" of the token"),
        (json!({"room": "bay", "account": "ann", "seconds": 0}), 400, "1 s to 120 s"),
        (json!({"room": "bay", "account": "ann", "seconds": 121}), 400, "1 s to 120 s"),
        (json!({"room": "bay", "account": "ann", "create": false}), 404, "no room \"bay\""),
        (json!({"room": "bay", "account": "ann", "options": {"seats": "x"}}), 400, "seats"),
        (
            json!({"room": "bay", "account": "ann", "options": {"fault": "refused"}}),
            400,
            "no such board",
        ),
        (
            json!({"room": "bay", "account": "ann", "options": {"fault": "panic"}}),
            400,
            "the game failed",
        ),
        (json!({"room": "bay", "who": "ann"}), 422, "who"),
        (json!({"room": "bay", "account": "ann"}), 201, ""),
        (
            json!({"room": "bay", "account": "bob"}),
            507,
            "1 seats are reserved, as many as reservations_room_max",
        ),
        (json!({"room": "cove", "account": "ann"}), 201, ""),
        (json!({"room": "dock", "account": "ann"}), 201, ""),
        (json!({"room": "fjord", "account": "ann"}), 507, "as many as reservations_max"),
    ] {
        let (got, answer) = try_reserve(&server, body.clone()).await;
        assert!(
            got == status && answer.to_string().replace("\\\"", "\"").contains(words),
            "{body}: {got} {answer}"
        );
    }
    let origin = "POST /reservations HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost\r\n\
                  connection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(server.request(origin).await.0, 403, "no page may");
    let elsewhere = "POST /reservations HTTP/1.1\r\nhost: play.example\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(server.request(elsewhere).await.0, 403, "under another name nobody may");
    let (_, _, list) = server.get("/reservations.json").await;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 3);
    assert!(list[0]["token"].is_null(), "nobody gets a token from it");
}

#[tokio::test]
async fn reservations_and_joins_at_once_never_overbook_a_room() {
    let server = Arc::new(start(|config| config.room.players_max = 8).await);
    // Present, so that the room is there.
    let _first = server.player(Over::Quic, "finals", "first").await;
    let (mut reserving, mut joining) = (JoinSet::new(), JoinSet::new());
    for at in 0..12 {
        let server_of = Arc::clone(&server);
        reserving.spawn(async move {
            let body = json!({"room": "finals", "account": format!("r{at}"), "seconds": 60});
            let (status, answer) = try_reserve(&server_of, body).await;
            assert!(status == 201 || status == 409, "{status} {answer}");
            (status == 201).then(|| token(&answer).to_owned())
        });
        let server_of = Arc::clone(&server);
        joining.spawn(async move {
            let mut client = server_of.greeted(Over::ALL[at % 3]).await;
            let is_in = matches!(
                ask_for_finals(&mut client, &format!("j{at}")).await,
                ServerFrame::Joined { .. }
            );
            is_in.then_some(client)
        });
    }
    let tokens: Vec<String> = reserving.join_all().await.into_iter().flatten().collect();
    let joined: Vec<Client> = joining.join_all().await.into_iter().flatten().collect();
    let taken = 1 + joined.len() + tokens.len();
    assert!((7..=8).contains(&taken), "{} joined, {} reserved", joined.len(), tokens.len());
    // Whoever has a reservation has a seat.
    let mut seated = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let mut client = enter(&server, Over::Quic, token).await;
        client.join("finals", &format!("late {at}")).await;
        seated.push(client);
    }
    server.until_stats("players", |count| count == taken as u64).await;
}
