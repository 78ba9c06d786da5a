//! Rooms made and joined with options: what reaches the game, the game's decisions, and refusals.

use serde_json::{Value, json};
use tickwire_shared::control::{ClientFrame, RefuseCode, RoomChoice, RoomInfo, ServerFrame};

use crate::client::{Client, Over};
use crate::game::{Keys, TEAM_STEPS};
use crate::harness::Running;

/// The reason for a refused seat.
pub(crate) type NoSeat = (RefuseCode, String);

/// The answer to a join.
async fn answer(client: &mut Client) -> Result<RoomInfo, NoSeat> {
    let answered = client.hear_until(|frame| match frame {
        ServerFrame::Joined { room, .. } => Some(Ok(room)),
        ServerFrame::Refused { code, text, .. } => Some(Err((code, text))),
        _ => None,
    });
    answered.await
}

/// Makes a room from options in their wire form.
pub(crate) async fn create_raw(
    client: &mut Client,
    room: &str,
    options: &str,
) -> Result<RoomInfo, NoSeat> {
    let room = RoomChoice::Create { name: room.to_owned(), options: options.into() };
    let name = format!("maker {}", client.player.0);
    let (options, password) = ("".into(), "".into());
    client.ask(|request| ClientFrame::Join { request, room, name, options, password }).await;
    answer(client).await
}

pub(crate) async fn create(
    client: &mut Client,
    room: &str,
    options: Value,
) -> Result<RoomInfo, NoSeat> {
    create_raw(client, room, &options.to_string()).await
}

async fn join(
    client: &mut Client,
    room: &str,
    (options, password): (&str, &str),
) -> Result<RoomInfo, NoSeat> {
    let (room, name) = (RoomChoice::Named(room.to_owned()), format!("guest {}", client.player.0));
    let (options, password) = (options.into(), password.into());
    client.ask(|request| ClientFrame::Join { request, room, name, options, password }).await;
    answer(client).await
}

async fn watch(client: &mut Client, room: &str, password: &str) -> Result<RoomInfo, NoSeat> {
    let (room, name) = (room.to_owned(), format!("watcher {}", client.player.0));
    let password = password.into();
    client.ask(|request| ClientFrame::Spectate { request, room, name, password }).await;
    answer(client).await
}

fn code<T>(answer: Result<T, NoSeat>) -> Option<RefuseCode> {
    answer.err().map(|(code, _)| code)
}

#[tokio::test]
async fn options_reach_the_game_over_every_transport() {
    let server = Running::start().await;
    for over in Over::ALL {
        let mut client = server.greeted(over).await;
        let name = format!("{over:?}");
        let options = json!({ "start": 500, "seats": 4, "tags": ["eu", "ctf"] });
        let room = RoomChoice::Create { name: name.clone(), options: options.to_string().into() };
        let (options, password) = (r#"{"team":1}"#.into(), "".into());
        client
            .ask(|request| ClientFrame::Join {
                request,
                room,
                name: "maker".to_owned(),
                options,
                password,
            })
            .await;
        client.joined().await;
        while client.steps().is_none() {
            client.play(Keys::default()).await;
        }
        assert_eq!(client.steps(), Some(500 + TEAM_STEPS as i32));
        let mut guest = server.greeted(over).await;
        let info = join(&mut guest, &name, ("", "")).await.unwrap();
        let told = (info.players, info.players_max, info.needs_password, info.metadata.as_str());
        assert_eq!(told, (2, 4, false, r#"{"start":500}"#));
        assert_eq!(info.tags, ["eu", "ctf"]);
    }
}

#[tokio::test]
async fn a_room_that_cannot_be_made_is_refused_in_words_and_its_name_stays_free() {
    let server = Running::start_with(|config| config.joins_burst = 100).await;
    let mut client = server.greeted(Over::Quic).await;
    let long = format!(r#"{{"password":"{}"}}"#, "x".repeat(5000));
    let nested = format!(r#"{{"tags":{}{}}}"#, "[".repeat(1500), "]".repeat(1500));
    let large = format!(r#"{{"start":{}}}"#, "9".repeat(4000));
    for (options, words) in [
        ("{", "EOF"),
        ("[]]", "none of this game's"),
        (r#"{"start":-1}"#, "invalid value"),
        (r#"{"start":1e400}"#, "out of range"),
        (large.as_str(), "none of this game's"),
        (nested.as_str(), "none of this game's"),
        (long.as_str(), "4096 are the most"),
        (r#"{"fault":"panic"}"#, "the game failed"),
        (r#"{"tags":["a b"]}"#, "tag"),
    ] {
        let (code, text) = create_raw(&mut client, "bay", options).await.unwrap_err();
        assert_eq!(code, RefuseCode::OptionsInvalid, "{options}: {text}");
        assert!(text.contains(words) && text.len() < 400, "{options}: {text}");
    }
    let refused = create(&mut client, "bay", json!({ "fault": "refused" })).await.unwrap_err();
    assert_eq!(refused, (RefuseCode::ByGame(7), "no such board; take another".to_owned()));
    assert_eq!(
        code(create_raw(&mut client, "no spaces", "").await),
        Some(RefuseCode::RoomNameInvalid)
    );
    assert_eq!(create_raw(&mut client, "bay", "").await.unwrap().name, "bay");
    let mut other = server.greeted(Over::WebTransport).await;
    let (taken, text) = create_raw(&mut other, "bay", "").await.unwrap_err();
    assert_eq!(taken, RefuseCode::RoomTaken);
    assert!(text.contains("\"bay\""), "{text}");
}

#[tokio::test]
async fn a_room_whose_maker_was_not_let_in_is_in_nobodys_way() {
    let server = Running::start().await;
    let mut client = server.greeted(Over::Quic).await;
    for (name, options, refused) in [
        ("", "", RefuseCode::NameInvalid),
        ("maker", r#"{"team":9}"#, RefuseCode::ByGame(49)),
        ("maker", "[", RefuseCode::OptionsInvalid),
    ] {
        let room = RoomChoice::Create { name: "bay".to_owned(), options: "".into() };
        let (name, options, password) = (name.to_owned(), options.into(), "".into());
        client.ask(|request| ClientFrame::Join { request, room, name, options, password }).await;
        assert_eq!(client.refused().await, refused);
    }
    assert!(create_raw(&mut client, "bay", "").await.is_ok());
}

#[tokio::test]
async fn the_game_turns_players_down_by_its_own_code_and_text() {
    let server = Running::start().await;
    let _first = server.player(Over::Quic, "bay", "first").await;
    for over in Over::ALL {
        let mut client = server.greeted(over).await;
        let refused = join(&mut client, "bay", (r#"{"team":2}"#, "")).await.unwrap_err();
        assert_eq!(refused, (RefuseCode::ByGame(42), "there are two teams; choose one".to_owned()));
        let long = format!(r#"{{"team":{}1}}"#, " ".repeat(20_000));
        let (code, text) = join(&mut client, "bay", (&long, "")).await.unwrap_err();
        assert_eq!(code, RefuseCode::OptionsInvalid, "{text}");
        assert!(join(&mut client, "bay", (r#"{"team":1}"#, "")).await.is_ok());
    }
}

#[tokio::test]
async fn only_the_password_opens_a_room_but_for_the_one_who_made_it() {
    let server = Running::start_with(|config| config.joins_burst = 100).await;
    // Before the room exists: the client did not mean to make an open one.
    let mut guest = server.greeted(Over::WebSocket).await;
    let (code, text) = join(&mut guest, "cave", ("", "sesame")).await.unwrap_err();
    assert_eq!(code, RefuseCode::WrongPassword);
    assert!(text.contains("make it"), "{text}");
    let mut maker = server.greeted(Over::Quic).await;
    let made = create(&mut maker, "cave", json!({ "password": "sesame" })).await.unwrap();
    assert!(made.needs_password);
    for wrong in ["", "sesam", "sesame ", "Sesame"] {
        let (code, text) = join(&mut guest, "cave", ("", wrong)).await.unwrap_err();
        assert_eq!(code, RefuseCode::WrongPassword);
        assert!(text.contains("password") && !text.contains("sesam"), "{text}");
        assert_eq!(self::code(watch(&mut guest, "cave", wrong).await), Some(code));
    }
    let mut watcher = server.greeted(Over::Quic).await;
    assert!(watch(&mut watcher, "cave", "sesame").await.is_ok());
    let joined = join(&mut guest, "cave", ("", "sesame")).await.unwrap();
    assert!(!format!("{joined:?}").contains("sesame"));
}

#[tokio::test]
async fn the_game_says_how_many_seats_a_room_has_within_the_servers_limit() {
    let server = Running::start_with(|config| config.room.players_max = 3).await;
    let mut makers = Vec::new();
    for (room, seats, made) in [("duel", 1, 1), ("crowd", 1_000_000, 3), ("none", 0, 1)] {
        let mut maker = server.greeted(Over::Quic).await;
        let info = create(&mut maker, room, json!({ "seats": seats })).await.unwrap();
        assert_eq!(info.players_max, made, "{room}");
        makers.push(maker);
    }
    let mut late = server.greeted(Over::Quic).await;
    let (code, text) = join(&mut late, "duel", ("", "")).await.unwrap_err();
    assert_eq!(code, RefuseCode::RoomFull);
    assert!(text.contains("1 of 1") && text.contains("or watch"), "{text}");
    assert!(watch(&mut late, "duel", "").await.is_ok());
}

#[tokio::test]
async fn quick_matches_go_where_the_game_lets_them() {
    let server = Running::start().await;
    let mut makers = Vec::new();
    for (room, options) in [
        ("closed", json!({})),
        ("locked", json!({ "quick_join": true, "password": "x" })),
        ("open", json!({ "quick_join": true })),
    ] {
        let mut maker = server.greeted(Over::Quic).await;
        create(&mut maker, room, options).await.unwrap();
        makers.push(maker);
    }
    let mut client = server.greeted(Over::Quic).await;
    let (room, name, options, password) = (RoomChoice::Quick, "x".to_owned(), "".into(), "".into());
    client.ask(|request| ClientFrame::Join { request, room, name, options, password }).await;
    assert_eq!(answer(&mut client).await.unwrap().name, "open");
}
