//! Rooms: found and made by name, listed, filled, left, emptied, broken.

use tickwire_shared::control::{
    ClientFrame, CloseCode, RefuseCode, RequestId, RoomChoice, ServerFrame,
};

use crate::client::{Client, Over};
use crate::game::Keys;
use crate::harness::Running;

async fn quick(client: &mut Client, name: &str) -> String {
    let (room, name) = (RoomChoice::Quick, name.to_owned());
    client.ask(|request| ClientFrame::Join { request, room, name }).await;
    client
        .hear_until(|frame| match frame {
            ServerFrame::Joined { room, .. } => Some(room.name),
            ServerFrame::Refused { text, .. } => panic!("{text}"),
            _ => None,
        })
        .await
}

async fn leave(client: &mut Client) {
    client.ask(|request| ClientFrame::Leave { request }).await;
    client.hear_until(|frame| matches!(frame, ServerFrame::Left { .. }).then_some(())).await;
}

async fn list(client: &mut Client) -> Vec<(String, u32, u32)> {
    client.ask(|request| ClientFrame::ListRooms { request }).await;
    let rooms = client
        .hear_until(|frame| match frame {
            ServerFrame::Rooms { rooms, .. } => Some(rooms),
            _ => None,
        })
        .await;
    rooms.into_iter().map(|room| (room.name, room.players, room.spectators)).collect()
}

#[tokio::test]
async fn a_quick_match_fills_a_room_before_it_opens_another() {
    let server = Running::start_with(|config| config.room.players_max = 2).await;
    let mut rooms = Vec::new();
    let mut clients = Vec::new();
    for number in 0..5 {
        let mut client = server.greeted(Over::Quic).await;
        rooms.push(quick(&mut client, &format!("p{number}")).await);
        clients.push(client);
    }
    assert_eq!(rooms, ["room-1", "room-1", "room-2", "room-2", "room-3"]);
}

#[tokio::test]
async fn a_quick_match_goes_where_most_players_are() {
    let server = Running::start().await;
    let mut clients = Vec::new();
    for (room, name) in [("few", "a"), ("many", "b"), ("many", "c"), ("alone", "d")] {
        clients.push(server.player(Over::Quic, room, name).await);
    }
    let mut client = server.greeted(Over::Quic).await;
    assert_eq!(quick(&mut client, "e").await, "many");
}

#[tokio::test]
async fn the_list_shows_who_is_where() {
    let server = Running::start().await;
    let _a = server.player(Over::Quic, "busy", "a").await;
    let _b = server.player(Over::WebTransport, "busy", "b").await;
    let _c = server.player(Over::Quic, "calm", "c").await;
    let mut watcher = server.greeted(Over::Quic).await;
    let (room, name) = ("calm".to_owned(), "w".to_owned());
    watcher.ask(|request| ClientFrame::Spectate { request, room, name }).await;
    watcher.joined().await;
    watcher.recv_datagram().await;
    let rooms = list(&mut watcher).await;
    assert_eq!(rooms, [("busy".to_owned(), 2, 0), ("calm".to_owned(), 1, 1)]);
}

#[tokio::test]
async fn what_cannot_be_granted_is_refused_and_the_session_goes_on() {
    let server = Running::start_with(|config| {
        config.room.players_max = 2;
        config.rooms_max = 1;
    })
    .await;
    let mut first = server.player(Over::Quic, "only", "first").await;
    let mut client = server.greeted(Over::WebTransport).await;
    let request = RequestId(1);
    let join = |room: &str, name: &str| ClientFrame::Join {
        request,
        room: RoomChoice::Named(room.to_owned()),
        name: name.to_owned(),
    };
    let watch = ClientFrame::Spectate { request, room: "other".to_owned(), name: "x".to_owned() };
    let kick = ClientFrame::Kick { request, player: first.player, reason: "because".to_owned() };
    for (frame, code) in [
        (ClientFrame::Leave { request }, RefuseCode::NotInRoom),
        (kick.clone(), RefuseCode::NotInRoom),
        (join("no spaces", "x"), RefuseCode::RoomNameInvalid),
        (join("other", "x"), RefuseCode::TooManyRooms),
        (watch, RefuseCode::NoSuchRoom),
        (join("only", "first"), RefuseCode::NameTaken),
        (join("only", ""), RefuseCode::NameInvalid),
    ] {
        client.say(&frame).await;
        assert_eq!(client.refused().await, code, "{frame:?}");
    }
    client.join("only", "second").await;
    client.say(&join("only", "again")).await;
    assert_eq!(client.refused().await, RefuseCode::AlreadyInRoom);
    client.say(&kick).await;
    assert_eq!(client.refused().await, RefuseCode::NotHost);
    let mut third = server.greeted(Over::Quic).await;
    third.say(&join("only", "third")).await;
    assert_eq!(third.refused().await, RefuseCode::RoomFull);
    first.play(Keys::default()).await;
}

#[tokio::test]
async fn leaving_gives_the_seat_back() {
    let server = Running::start_with(|config| config.room.players_max = 1).await;
    let mut client = server.player(Over::Quic, "single", "one").await;
    leave(&mut client).await;
    let mut other = server.player(Over::Quic, "single", "two").await;
    other.play(Keys::default()).await;
    client.join("another", "one").await;
    // A client that vanishes gives its seat back as well.
    drop(other);
    server.until_stats("sessions", |count| count == 1).await;
    server.player(Over::Quic, "single", "three").await;
}

#[tokio::test]
async fn the_host_removes_a_player() {
    let server = Running::start().await;
    let mut host = server.player(Over::Quic, "strict", "host").await;
    let mut rude = server.player(Over::WebTransport, "strict", "rude").await;
    // The reason is cut, however long it is.
    let reason = "rude ".repeat(10_000);
    let player = rude.player;
    host.ask(|request| ClientFrame::Kick { request, player, reason }).await;
    let (code, text) = rude.goodbye().await;
    assert_eq!(code, CloseCode::Kicked);
    assert!(text.contains("rude") && text.len() < 1000, "{text}");
    let left = host
        .hear_until(|frame| match frame {
            ServerFrame::MemberLeft { player, code } => Some((player, code)),
            _ => None,
        })
        .await;
    assert_eq!(left, (rude.player, CloseCode::Kicked));
}

#[tokio::test]
async fn an_empty_room_is_removed() {
    let server = Running::start_with(|config| config.room_empty_s = 1).await;
    let mut client = server.player(Over::Quic, "brief", "one").await;
    assert_eq!(server.stats().await["rooms"], 1);
    leave(&mut client).await;
    server.until_stats("rooms", |count| count == 0).await;
    assert_eq!(list(&mut client).await, []);
    client.join("brief", "one").await;
}

#[tokio::test]
async fn a_room_that_breaks_takes_no_other_with_it() {
    let server = Running::start().await;
    let mut breaker = server.player(Over::Quic, "fragile", "breaker").await;
    let mut victim = server.player(Over::WebTransport, "fragile", "victim").await;
    let mut other = server.player(Over::Quic, "solid", "other").await;
    breaker.play(Keys::default()).await;
    // For many ticks: the client does not know how far the room is by now.
    for _ in 0..30 {
        breaker.send_input(Keys { right: 0, panic: true });
        breaker.tick = breaker.tick.next();
    }
    server.until_stats("rooms_failed", |count| count == 1).await;
    for client in [&mut breaker, &mut victim] {
        assert_eq!(client.goodbye().await.0, CloseCode::RoomFailed);
    }
    let before = other.tick;
    while other.tick.since(before) < 5 {
        other.play(Keys::default()).await;
    }
    // Its name can be used again.
    let mut again = server.player(Over::Quic, "fragile", "again").await;
    again.play(Keys::default()).await;
}

#[tokio::test]
async fn a_slow_game_is_counted_and_does_not_burst() {
    let server = Running::start_with(|config| config.sim_threads = 1).await;
    let mut player = server.player(Over::Quic, "slow", "player").await;
    player.play(Keys::default()).await;
    let _slow = server.player(Over::Quic, "slow", crate::game::SLOW_NAME).await;
    server.until_stats("ticks_skipped", |count| count > 0).await;
    let stats = server.stats().await;
    assert!(stats["overruns"].as_u64().unwrap() > 0);
    assert!(stats["tick_duration_us"]["max"].as_u64().unwrap() > 300_000);
    let before = player.tick;
    while player.tick.since(before) < 5 {
        player.play(Keys::default()).await;
    }
}
