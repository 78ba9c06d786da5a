//! Lists of rooms: their content, and the changes sent to subscribers.

use serde_json::json;
use tickwire_shared::control::{
    ClientFrame, RefuseCode, RoomInfo, RoomOrder, RoomQuery, ServerFrame,
};

use crate::client::{Client, Over};
use crate::harness::Running;
use crate::room_options::create;

async fn rooms(client: &mut Client) -> (Vec<RoomInfo>, u32) {
    let answered = client.hear_until(|frame| match frame {
        ServerFrame::Rooms { rooms, found, .. } => Some((rooms, found)),
        _ => None,
    });
    answered.await
}

async fn list(client: &mut Client, query: RoomQuery) -> Vec<String> {
    client.ask(|request| ClientFrame::ListRooms { request, query }).await;
    let (rooms, found) = rooms(client).await;
    assert_eq!(rooms.len(), found as usize);
    rooms.into_iter().map(|room| room.name).collect()
}

async fn subscribe(client: &mut Client, query: RoomQuery) -> Vec<RoomInfo> {
    client.ask(|request| ClientFrame::SubscribeRooms { request, query }).await;
    rooms(client).await.0
}

/// The next change: changed rooms with their players, and removed rooms.
async fn change(client: &mut Client) -> (Vec<(String, u32)>, Vec<String>) {
    let told = client.hear_until(|frame| match frame {
        ServerFrame::RoomsChanged { anew, changed, removed } => {
            assert!(!anew);
            Some((changed.into_iter().map(|room| (room.name, room.players)).collect(), removed))
        }
        _ => None,
    });
    told.await
}

#[tokio::test]
async fn a_list_has_what_its_query_says_and_never_what_is_unlisted() {
    let server = Running::start().await;
    let mut makers = Vec::new();
    for (room, options) in [
        ("bay-1", json!({ "tags": ["eu"] })),
        ("bay-2", json!({ "tags": ["eu", "ctf"], "seats": 1 })),
        ("cave", json!({ "tags": ["eu"], "password": "sesame" })),
        ("den", json!({ "tags": ["eu"], "unlisted": true })),
    ] {
        let mut maker = server.greeted(Over::Quic).await;
        create(&mut maker, room, options).await.unwrap();
        makers.push(maker);
    }
    let mut guest = server.player(Over::Quic, "bay-1", "guest").await;
    let eu = RoomQuery { tag: "eu".to_owned(), ..RoomQuery::default() };
    assert_eq!(list(&mut guest, eu.clone()).await, ["bay-1", "bay-2", "cave"]);
    assert_eq!(
        list(&mut guest, RoomQuery { has_seat: true, ..eu.clone() }).await,
        ["bay-1", "cave"]
    );
    let open = RoomQuery { no_password: true, order: RoomOrder::Emptiest, ..eu };
    assert_eq!(list(&mut guest, open).await, ["bay-2", "bay-1"]);
    let query = RoomQuery { name_prefix: "ca".to_owned(), ..RoomQuery::default() };
    assert_eq!(list(&mut guest, query).await, ["cave"]);
    let query = RoomQuery { tag: "x".repeat(60_000), ..RoomQuery::default() };
    assert_eq!(list(&mut guest, query).await, [""; 0]);
    let mut other = server.greeted(Over::Quic).await;
    other.join("den", "who knows the name").await;
}

#[tokio::test]
async fn who_follows_a_list_is_told_what_is_new_changes_and_goes() {
    let server = Running::start_with(|config| {
        config.rooms_push_ms = 100;
        config.room_empty_s = 1;
    })
    .await;
    for over in Over::ALL {
        let tag = format!("{over:?}");
        let mut follower = server.greeted(over).await;
        let query = RoomQuery { tag: tag.clone(), ..RoomQuery::default() };
        assert_eq!(subscribe(&mut follower, query).await, []);
        let mut maker = server.greeted(Over::Quic).await;
        let room = format!("bay-{tag}");
        // A room with another tag: no change is sent.
        let mut elsewhere = server.greeted(Over::Quic).await;
        create(&mut elsewhere, &format!("else-{tag}"), json!({})).await.unwrap();
        create(&mut maker, &room, json!({ "tags": [tag] })).await.unwrap();
        let mut players = 0;
        while players < 1 {
            let (changed, removed) = change(&mut follower).await;
            assert_eq!((changed[0].0.as_str(), removed.len()), (room.as_str(), 0));
            players = changed[0].1;
        }
        let mut guest = server.player(Over::Quic, &room, "guest").await;
        assert_eq!(change(&mut follower).await.0, [(room.clone(), 2)]);
        for client in [&mut maker, &mut guest] {
            client.ask(|request| ClientFrame::Leave { request }).await;
        }
        while change(&mut follower).await.1 != [room.clone()] {}
        let asked = follower.ask(|request| ClientFrame::UnsubscribeRooms { request }).await;
        let done = follower.hear_until(|frame| match frame {
            ServerFrame::Done { request } => Some(request),
            _ => None,
        });
        assert_eq!(done.await, asked);
    }
}

#[tokio::test]
async fn so_many_different_lists_are_followed_and_one_that_nobody_follows_makes_place() {
    let server = Running::start_with(|config| config.rooms_queries_max = 1).await;
    let tagged = |tag: &str| RoomQuery { tag: tag.to_owned(), ..RoomQuery::default() };
    let mut first = server.greeted(Over::Quic).await;
    subscribe(&mut first, tagged("a")).await;
    let mut second = server.greeted(Over::WebTransport).await;
    let query = tagged("b");
    second.ask(|request| ClientFrame::SubscribeRooms { request, query }).await;
    assert_eq!(second.refused().await, RefuseCode::Busy);
    subscribe(&mut second, tagged("a")).await;
    // An ended session follows no list.
    first.ask(|request| ClientFrame::Goodbye { request }).await;
    first.goodbye().await;
    assert_eq!(subscribe(&mut second, tagged("b")).await, []);
}
