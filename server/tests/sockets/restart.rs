//! A server with journals that is stopped and started again: to members whose sessions can resume that is a lost connection.

use tickwire_server::journal::{JournalEnd, JournalReader};
use tickwire_shared::control::CloseCode;

use crate::client::Over;
use crate::laned::connect_socket;
use crate::restored::{Files, resumed, seated, walk};
use crate::resume::resumable_greeted;

#[tokio::test]
async fn a_stop_keeps_the_seats_of_those_who_can_resume_and_ends_the_sessions_of_others() {
    let files = Files::new();
    let mut server = files.server(|_| {}).await;
    let mut players = Vec::new();
    for over in Over::ALL {
        let (mut client, secret) = seated(&server, over, "bay", &format!("{over:?}")).await;
        walk(&mut client, 5).await;
        players.push((over, client, secret));
    }
    let mut guest = server.player(Over::Quic, "bay", "guest").await;
    let (mut roomless, _) = resumable_greeted(&server, Over::WebSocket).await;
    server.ask_to_stop();
    for session in [&mut guest, &mut roomless] {
        assert_eq!(session.goodbye().await.0, CloseCode::ServerStopping);
    }
    let mut kept = Vec::new();
    for (over, client, secret) in players {
        let (code, text) = client.closed().await;
        assert_eq!(code, CloseCode::ConnectionLost, "{over:?}");
        assert!(over == Over::WebTransport || text.contains("restarting"), "{over:?}: {text}");
        kept.push((over, client, secret));
    }
    server.stopped().await;

    let server = files.server(|_| {}).await;
    let mut all_back = Vec::new();
    for (over, client, secret) in &kept {
        let (player, steps) = (client.player, client.steps().unwrap());
        let mut back = resumed(&server, *over, (player, *secret), client.requests).await;
        assert!(back.tick >= client.tick, "{over:?}: {:?} after {:?}", back.tick, client.tick);
        walk(&mut back, steps + 5).await;
        all_back.push(back);
    }
    let stats = server.stats().await;
    assert_eq!((&stats["sessions_resumed"], &stats["players"]), (&3.into(), &3.into()), "{stats}");
}

#[tokio::test]
async fn a_stop_that_takes_long_does_not_let_the_rooms_go() {
    let files = Files::new();
    // A client that reads nothing holds the stop up for longer than an empty room is kept.
    let settings = |config: &mut tickwire_server::ServerConfig| {
        (config.room_empty_s, config.goodbye_ms, config.stop_ms) = (1, 1500, 10_000);
    };
    let mut server = files.server(settings).await;
    let walled = connect_socket(&server, None).await.unwrap();
    let (mut client, secret) = seated(&server, Over::Quic, "bay", "ann").await;
    walk(&mut client, 3).await;
    server.ask_to_stop();
    assert_eq!(client.closed().await.0, CloseCode::ConnectionLost);
    server.stopped().await;
    drop(walled);
    let [journal] = &files.journals()[..] else { panic!("not one journal") };
    let mut reader = JournalReader::open(journal).unwrap();
    while reader.next_record().unwrap().is_some() {}
    assert_eq!(reader.end(), JournalEnd::Open);
    let server = files.server(settings).await;
    resumed(&server, Over::Quic, (client.player, secret), client.requests).await;
}
