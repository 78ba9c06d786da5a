//! Dying threads, and ticks that do not end.

use tickwire_server::ServerError;
use tickwire_shared::control::{ClientFrame, CloseCode, RoomChoice, RoomQuery};

use crate::client::{Client, Over};
use crate::game::{BOMB_NAME, HOLD_NAME, Keys, let_go};
use crate::harness::{Running, soon};

/// Asks to join a room; the answer may never come.
async fn ask_to_join(client: &mut Client, room: &str, name: &str) {
    client.ask_to_join(RoomChoice::Named(room.to_owned()), name).await;
}

/// Waits until `/readyz` answers with this status; returns its text.
async fn until_ready_is(server: &Running, status: u16) -> String {
    soon("the answer of /readyz", async {
        loop {
            let (found, _, text) = server.get("/readyz").await;
            if found == status {
                return text;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_tick_that_does_not_end_is_named_until_it_does() {
    let server = Running::start_with(|config| config.watchdog_ms = 100).await;
    let name = format!("{HOLD_NAME} a");
    let mut client = server.greeted(Over::Quic).await;
    ask_to_join(&mut client, "pit", &name).await;
    let text = until_ready_is(&server, 503).await;
    assert!(text.contains("\"pit\"") && text.contains("the tick after"), "{text}");
    let stall = server.stats().await["stalls"][0].clone();
    assert_eq!(stall["room"], "pit");
    assert!(stall["for_ms"].as_u64().unwrap() >= 100, "{stall}");
    // The process is alive, and `/healthz` says so.
    assert_eq!(server.get("/healthz").await.0, 200);
    let_go(&name);
    client.joined().await;
    client.play(Keys::default()).await;
    assert_eq!(until_ready_is(&server, 200).await, "ready\n");
    assert_eq!(server.stats().await["stalls"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn new_rooms_go_where_ticks_end() {
    let server = Running::start_with(|config| {
        config.watchdog_ms = 100;
        config.sim_threads = 2;
    })
    .await;
    let name = format!("{HOLD_NAME} b");
    let mut held = server.greeted(Over::Quic).await;
    ask_to_join(&mut held, "pit", &name).await;
    until_ready_is(&server, 503).await;
    for room in ["one", "two", "three"] {
        server.player(Over::Quic, room, "player").await.play(Keys::default()).await;
    }
    let_go(&name);
    held.joined().await;
}

#[tokio::test]
async fn a_tick_that_never_ends_does_not_outlive_the_time_for_a_stop() {
    let mut server = Running::start_with(|config| config.stop_ms = 1000).await;
    let name = format!("{HOLD_NAME} c");
    let mut client = server.greeted(Over::Quic).await;
    ask_to_join(&mut client, "pit", &name).await;
    let mut other = server.greeted(Over::WebSocket).await;
    // The thread is in that tick, not before it.
    let mut second = server.greeted(Over::Quic).await;
    second.ask(|request| ClientFrame::ListRooms { request, query: RoomQuery::default() }).await;
    server.ask_to_stop();
    assert_eq!(other.goodbye().await.0, CloseCode::ServerStopping);
    let ended = server.ended().await;
    let_go(&name);
    let Err(ServerError::Stuck { what }) = ended else { panic!("{ended:?}") };
    assert!(what.contains("room \"pit\""), "{what}");
}

#[tokio::test]
async fn a_simulation_thread_that_dies_ends_the_server_loudly() {
    let server = Running::start().await;
    let mut client = server.greeted(Over::WebSocket).await;
    let mut other = server.greeted(Over::WebSocket).await;
    ask_to_join(&mut client, "crater", BOMB_NAME).await;
    assert_eq!(other.goodbye().await.0, CloseCode::ServerStopping);
    let ended = server.ended().await;
    let Err(ServerError::Died { what }) = ended else { panic!("{ended:?}") };
    assert!(what.contains("simulation thread 0") && what.contains("room \"crater\""), "{what}");
}
