//! Rooms: found and made by name, listed, filled, left, emptied, failed.

use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    ClientFrame, CloseCode, RefuseCode, RequestId, RoomChoice, RoomQuery, ServerFrame,
};

use crate::client::{Client, Over};
use crate::game::Keys;
use crate::harness::Running;

async fn quick(client: &mut Client, name: &str) -> String {
    let (room, name) = (RoomChoice::Quick, name.to_owned());
    client.ask_to_join(room, &name).await;
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

/// Asks to remove a member, and waits for the answer.
async fn kick(client: &mut Client, player: PlayerId) -> Result<(), RefuseCode> {
    let reason = "rude".to_owned();
    let asked = client.ask(|request| ClientFrame::Kick { request, player, reason }).await;
    client
        .hear_until(|frame| match frame {
            ServerFrame::Done { request } if request == asked => Some(Ok(())),
            ServerFrame::Refused { request, code, .. } if request == asked => Some(Err(code)),
            _ => None,
        })
        .await
}

/// Waits until the client's room reports its new host, or that it has none.
async fn next_host(client: &mut Client) -> Option<PlayerId> {
    client
        .hear_until(|frame| match frame {
            ServerFrame::Host(host) => Some(host),
            _ => None,
        })
        .await
}

async fn list(client: &mut Client) -> Vec<(String, u32, u32)> {
    client.ask(|request| ClientFrame::ListRooms { request, query: RoomQuery::default() }).await;
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
async fn a_quick_match_goes_to_the_fullest_room_of_its_kind_and_never_to_a_host() {
    let server = Running::start_with(|config| config.room.players_max = 3).await;
    let mut clients = Vec::new();
    // A room of two with a host and a free seat is no more attractive than an empty one.
    for (room, name) in [("castle", "a"), ("castle", "b"), ("hut", "c")] {
        clients.push(server.player(Over::Quic, room, name).await);
    }
    for (name, room) in [("d", "room-1"), ("e", "room-1"), ("f", "room-1"), ("g", "room-2")] {
        let mut client = server.greeted(Over::Quic).await;
        assert_eq!(quick(&mut client, name).await, room);
        clients.push(client);
    }
    leave(&mut clients[3]).await;
    let mut last = server.greeted(Over::Quic).await;
    assert_eq!(quick(&mut last, "h").await, "room-1");
    // Such a room has no host, whoever came first and in whatever way.
    let mut named = server.greeted(Over::Quic).await;
    named.join("room-2", "i").await;
    for (client, player) in [(6, named.player), (4, last.player)] {
        assert_eq!(kick(&mut clients[client], player).await, Err(RefuseCode::NotHost));
    }
}

#[tokio::test]
async fn the_list_shows_who_is_where() {
    let server = Running::start().await;
    let _a = server.player(Over::Quic, "busy", "a").await;
    let _b = server.player(Over::WebTransport, "busy", "b").await;
    let _c = server.player(Over::Quic, "calm", "c").await;
    let mut watcher = server.greeted(Over::Quic).await;
    let (room, name) = ("calm".to_owned(), "w".to_owned());
    watcher.ask(|request| ClientFrame::Spectate { request, room, name, password: "".into() }).await;
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
        options: "".into(),
        password: "".into(),
    };
    let watch = ClientFrame::Spectate {
        request,
        room: "other".to_owned(),
        name: "x".to_owned(),
        password: "".into(),
    };
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
async fn a_name_that_looks_like_one_in_the_room_is_taken_and_some_are_reserved() {
    let server = Running::start().await;
    let _bob = server.player(Over::Quic, "mirror", "Bob").await;
    let mut client = server.greeted(Over::Quic).await;
    for (name, code) in [
        ("Bo\u{200d}b", RefuseCode::NameTaken),
        ("Bo\u{fe0f}b", RefuseCode::NameTaken),
        ("Воb", RefuseCode::NameTaken),
        ("\u{200d}", RefuseCode::NameInvalid),
        ("\u{2800}", RefuseCode::NameInvalid),
        ("\u{17b4}\u{34f}", RefuseCode::NameInvalid),
        ("Ѕystem", RefuseCode::NameInvalid),
    ] {
        let (room, name) = (RoomChoice::Named("mirror".to_owned()), name.to_owned());
        let shown = name.clone();
        client.ask_to_join(room, &name).await;
        assert_eq!(client.refused().await, code, "{shown:?}");
    }
    client.join("mirror", "می\u{200c}خواهم").await;
}

#[tokio::test]
async fn leaving_gives_the_seat_back() {
    let server = Running::start_with(|config| config.room.players_max = 1).await;
    let mut client = server.player(Over::Quic, "single", "one").await;
    leave(&mut client).await;
    let mut other = server.player(Over::Quic, "single", "two").await;
    other.play(Keys::default()).await;
    client.join("another", "one").await;
    // A client that vanishes also gives its seat back.
    drop(other);
    server.until_stats("sessions", |count| count == 1).await;
    server.player(Over::Quic, "single", "three").await;
}

#[tokio::test]
async fn the_host_ends_a_stay_and_not_a_session() {
    let server = Running::start().await;
    let mut host = server.player(Over::Quic, "strict", "host").await;
    let mut rude = server.player(Over::WebTransport, "strict", "rude").await;
    // A reason of any length is truncated.
    let reason = "rude ".repeat(10_000);
    let player = rude.player;
    host.ask(|request| ClientFrame::Kick { request, player, reason }).await;
    let text = rude
        .hear_until(|frame| match frame {
            ServerFrame::Removed { text } => Some(text),
            _ => None,
        })
        .await;
    assert!(text.contains("rude") && text.len() < 1000, "{text}");
    let left = host
        .hear_until(|frame| match frame {
            ServerFrame::MemberLeft { player, code } => Some((player, code)),
            _ => None,
        })
        .await;
    assert_eq!(left, (rude.player, CloseCode::Kicked));
    let (room, name) = (RoomChoice::Named("strict".to_owned()), "other".to_owned());
    rude.ask_to_join(room, &name).await;
    assert_eq!(rude.refused().await, RefuseCode::RemovedFromRoom);
    rude.join("lenient", "rude").await;
    rude.play(Keys::default()).await;
}

#[tokio::test]
async fn hosts_remove_at_a_bounded_rate_and_whom_the_game_lets_them() {
    let server = Running::start().await;
    let mut host = server.player(Over::Quic, "strict", "host").await;
    let king = server.player(Over::Quic, "strict", crate::game::KING_NAME).await;
    let mut others = Vec::new();
    for name in ["a", "b"] {
        others.push(server.player(Over::Quic, "strict", name).await);
    }
    assert_eq!(kick(&mut host, king.player).await, Err(RefuseCode::KickNotAllowed));
    assert_eq!(kick(&mut host, others[0].player).await, Ok(()));
    assert_eq!(kick(&mut host, others[1].player).await, Err(RefuseCode::KickTooFast));
}

#[tokio::test]
async fn a_player_becomes_host_before_who_only_watches() {
    let server = Running::start().await;
    let mut host = server.player(Over::Quic, "stage", "host").await;
    // The spectator has a lower number than the player who comes later.
    let mut watcher = server.greeted(Over::Quic).await;
    let (room, name) = ("stage".to_owned(), "watcher".to_owned());
    watcher.ask(|request| ClientFrame::Spectate { request, room, name, password: "".into() }).await;
    watcher.joined().await;
    let mut player = server.player(Over::Quic, "stage", "player").await;
    leave(&mut host).await;
    assert_eq!(next_host(&mut watcher).await, Some(player.player));
    leave(&mut player).await;
    assert_eq!(next_host(&mut watcher).await, None);
    assert_eq!(kick(&mut watcher, player.player).await, Err(RefuseCode::NotHost));
    player.join("stage", "player").await;
    assert_eq!(next_host(&mut watcher).await, Some(player.player));
}

#[tokio::test]
async fn an_empty_room_stands_still_and_goes_on_when_somebody_comes() {
    let server = Running::start_with(|config| config.sim_threads = 1).await;
    let mut client = server.player(Over::Quic, "cabin", "one").await;
    for _ in 0..20 {
        client.play(Keys { right: 1, panic: false }).await;
    }
    leave(&mut client).await;
    let left_at = client.tick;
    // Another room's ticks serve as the clock.
    let mut clock = server.player(Over::Quic, "hall", "clock").await;
    let begun = clock.tick;
    while clock.tick.since(begun) < 60 {
        clock.play(Keys::default()).await;
    }
    client.join("cabin", "one").await;
    let slept = client.tick.since(left_at);
    assert!((0..30).contains(&slept), "{slept} ticks of an empty room");
    let joined_at = client.tick;
    while client.tick.since(joined_at) < 30 {
        client.play(Keys { right: 1, panic: false }).await;
    }
    assert!(client.steps().unwrap() > 0);
}

#[tokio::test]
async fn one_address_makes_so_many_rooms_and_players_keep_their_ticks() {
    let server = Running::start_with(|config| {
        config.sim_threads = 1;
        config.joins_burst = 1000;
        config.control_frames_burst = 1000;
        config.rooms_session_max = 30;
        config.rooms_prefix_max = 70;
        config.rooms_prefix_burst = 1000;
    })
    .await;
    let mut player = server.player(Over::Quic, "game", "player").await;
    let mut refused = 0;
    for session in 0..4 {
        let mut client = server.greeted(Over::Quic).await;
        for number in 0..35 {
            let room = RoomChoice::Named(format!("flood-{session}-{number}"));
            let name = "x".to_owned();
            let asked = client.ask_to_join(room, &name).await;
            client.ask(|request| ClientFrame::Leave { request }).await;
            let answer = |frame: ServerFrame| (frame.answers() == Some(asked)).then_some(frame);
            if let ServerFrame::Refused { code, .. } = client.hear_until(answer).await {
                assert_eq!(code, RefuseCode::TooManyRooms);
                refused += 1;
            }
        }
    }
    // 69 beside the player's own were made of 140 tries; 30 by each session.
    assert_eq!(refused, 140 - 69);
    let rooms = server.stats().await["rooms"].as_u64().unwrap();
    assert_eq!(rooms, 70);
    // Of all those rooms only the player's is ticking.
    let now = server.player(Over::Quic, "game", "late").await.tick;
    let reset = "POST /stats/reset HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    assert_eq!(server.request(reset).await.0, 204);
    while player.tick.since(now) < 120 {
        player.play(Keys::default()).await;
    }
    let ticks = server.stats().await["ticks"].as_u64().unwrap();
    assert!(ticks < 600, "{ticks} ticks of all rooms");
}

#[tokio::test]
async fn joins_beyond_the_rate_wait_and_are_answered_all_the_same() {
    let server = Running::start_with(|config| {
        config.joins_burst = 2;
        config.joins_hz = 10;
    })
    .await;
    let _keeper = server.player(Over::Quic, "door", "keeper").await;
    let mut client = server.greeted(Over::Quic).await;
    let mut ticks = Vec::new();
    for _ in 0..7 {
        client.join("door", "x").await;
        ticks.push(client.tick);
        leave(&mut client).await;
    }
    // Five of them waited for a tenth of a second each, which is six ticks; late ticks are caught
    // up.
    let waited = ticks[6].since(ticks[0]);
    assert!(waited >= 20, "{waited} ticks");
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
    // Sends for many ticks, repeatedly: the client does not know the room's current tick.
    let first = breaker.tick;
    crate::harness::soon("the fault", async {
        while server.stats().await["rooms_failed"] == 0 {
            for _ in 0..4 {
                breaker.set_input(Keys { right: 0, panic: true });
                let next = breaker.tick.next();
                breaker.tick = if next.since(first) < 600 { next } else { first };
            }
        }
    })
    .await;
    for client in [&mut breaker, &mut victim] {
        let (code, text) = client.goodbye().await;
        // The session is over as well.
        assert_eq!((code, text.as_str()), (CloseCode::RoomFailed, CloseCode::RoomFailed.text()));
    }
    let before = other.tick;
    while other.tick.since(before) < 5 {
        other.play(Keys::default()).await;
    }
    // Its name is free again.
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

#[tokio::test]
async fn who_is_in_no_room_for_long_is_told_to_go_and_who_plays_is_not() {
    let server = Running::start_with(|config| config.roomless_ms = 1000).await;
    for over in Over::ALL {
        let mut player = server.player(over, "seated", "player").await;
        let mut idle = server.greeted(over).await;
        let (code, text) = idle.goodbye().await;
        assert_eq!(code, CloseCode::NoRoom);
        assert!(text.contains("room"), "{text}");
        player.play(Keys::default()).await;
        // A place in a room given back does not count.
        player.ask(|request| ClientFrame::Leave { request }).await;
        assert_eq!(player.goodbye().await.0, CloseCode::NoRoom);
    }
    server.until_stats("sessions_without_room", |count| count == 6).await;
}
