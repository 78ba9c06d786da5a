//! Bots of the server's own, over the network.

use std::time::Duration;

use serde_json::json;
use tickwire_shared::control::{ClientFrame, Member, RefuseCode, RoomQuery, ServerFrame};

use crate::client::{Client, Over};
use crate::game::Keys;
use crate::harness::{Running, soon};
use crate::room_options::create;

async fn bots_of(client: &mut Client) -> u32 {
    client.ask(|request| ClientFrame::ListRooms { request, query: RoomQuery::default() }).await;
    let rooms = client.hear_until(|frame| match frame {
        ServerFrame::Rooms { rooms, .. } => Some(rooms),
        _ => None,
    });
    rooms.await[0].bots
}

#[tokio::test]
async fn a_room_has_bots_until_people_come_and_sleeps_without_people() {
    let server = Running::start().await;
    let mut ann = server.greeted(Over::Quic).await;
    let told = create(&mut ann, "bay", json!({ "bots": 3, "seats": 3 })).await.unwrap();
    assert_eq!((told.players, told.bots), (1, 2));
    server.until_stats("bots", |bots| bots == 2).await;
    assert_eq!(bots_of(&mut ann).await, 2);

    let mut bob = server.greeted(Over::WebSocket).await;
    assert!(bob.player.0 > ann.player.0 + 3, "the numbers between are those of the bots");
    bob.join("bay", "Bob").await;
    let gone = ann.hear_until(|frame| match frame {
        ServerFrame::MemberLeft { player, .. } => Some(player),
        _ => None,
    });
    let gone = gone.await;
    assert!((ann.player..bob.player).contains(&gone));
    let mut cy = server.player(Over::WebTransport, "bay", "Cy").await;
    let mut di = server.greeted(Over::Quic).await;
    di.ask_to_join(tickwire_shared::control::RoomChoice::Named("bay".to_owned()), "Di").await;
    assert_eq!(di.refused().await, RefuseCode::RoomFull, "three people");
    assert_eq!(bots_of(&mut ann).await, 0);

    cy.ask(|request| ClientFrame::Leave { request }).await;
    let came = bob.hear_until(|frame| match frame {
        ServerFrame::MemberJoined(member) if member.bot => Some(member),
        _ => None,
    });
    let Member { player, name, spectator, .. } = came.await;
    assert_eq!((name.as_str(), spectator), ("Bot 1", false));
    // A bot of this game moves right, and a client sees it move.
    soon("a bot that moves", async {
        while bob.steps_of(player).is_none_or(|steps| steps < 3) {
            bob.play(Keys::default()).await;
        }
    })
    .await;

    for client in [&mut ann, &mut bob] {
        client.ask(|request| ClientFrame::Leave { request }).await;
        client.hear_until(|frame| matches!(frame, ServerFrame::Left { .. }).then_some(())).await;
    }
    server.until_stats("players", |players| players == 0).await;
    assert_eq!(server.stats().await["bots"], 2, "who was there is there for the next");
    soon("a server that stands still", async {
        let mut before = 0;
        loop {
            let ticks = server.stats().await["ticks"].as_u64().unwrap();
            if ticks == before {
                break;
            }
            before = ticks;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_settings_may_forbid_bots() {
    let server = Running::start_with(|config| config.room.bots_max = 0).await;
    let mut ann = server.greeted(Over::Quic).await;
    let told = create(&mut ann, "bay", json!({ "bots": 3 })).await.unwrap();
    assert_eq!((told.players, told.bots), (1, 0));
}
