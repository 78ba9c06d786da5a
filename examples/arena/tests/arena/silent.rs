//! A native client whose connection lives and brings nothing goes on over another one, before the connection counts as lost.

use std::net::SocketAddr;

use tickwire_arena::rules::Controls;
use tickwire_client::{ConnectOptions, ConnectionEvent, Transport};
use tickwire_shared::control::ServerFrame;

use crate::resume::{
    CUT, DEAF, Event, Network, Player, WHOLE, both, is_lost, is_moved, is_resumed, serve,
};

/// The server's time for a silent connection; the client's own is 15 s.
const IDLE_MS: u32 = 60_000;

/// A player beside a server, and one behind a network, with a fallback or without.
async fn company(has_fallback: bool) -> (Network, Player, Player, tempfile::TempDir) {
    let (server, dir) = serve(|config| config.idle_ms = IDLE_MS).await;
    let network = Network::to(server).await;
    let near = Player::join(server, "near").await;
    let options = if has_fallback { with_fallback(server) } else { ConnectOptions::default() };
    let far = join_behind(&network, options).await;
    (network, near, far, dir)
}

/// The fallback is a WebSocket past the network.
fn with_fallback(server: SocketAddr) -> ConnectOptions {
    ConnectOptions { fallback: Some(format!("ws://{server}/ws")), ..ConnectOptions::default() }
}

async fn join_behind(network: &Network, options: ConnectOptions) -> Player {
    Player::join_with(&format!("quic://{}", network.address), "far", options).await
}

/// The connection events, in their order.
fn told(player: &Player) -> Vec<&'static str> {
    let name = |event: &Event| match event {
        Event::Connection(ConnectionEvent::Reconnecting { .. }) => Some("reconnecting"),
        Event::Connection(ConnectionEvent::Resumed { .. }) => Some("resumed"),
        Event::Connection(ConnectionEvent::Moved) => Some("moved"),
        Event::Over { .. } => Some("over"),
        _ => None,
    };
    player.heard.iter().filter_map(name).collect()
}

/// True if this player was told that another one's connection was lost: then it ended by its time, not by the silence.
fn saw_a_loss(player: &Player) -> bool {
    let is_away = |event: &Event| matches!(event, Event::Control(ServerFrame::MemberAway { .. }));
    player.heard.iter().any(is_away)
}

/// Both hear a message of each, once and in the same order, and the far one's ship obeys.
async fn plays_on(near: &mut Player, far: &mut Player) {
    let before = near.chat();
    far.client.say("far again");
    both(near, far, |near, _| near.chat().len() == before.len() + 1).await;
    near.client.say("near again");
    both(near, far, |near, far| near.chat().len() == before.len() + 2 && far.chat() == near.chat())
        .await;
    let snapshots = far.client.stats().snapshots;
    both(near, far, |_, far| {
        far.client.stats().snapshots > snapshots + 30 && far.client.entities().any(|seen| seen.mine)
    })
    .await;
}

#[tokio::test]
async fn where_datagrams_stop_in_the_middle_of_a_game_the_session_goes_on_over_the_fallback() {
    for state in [CUT, DEAF] {
        let (network, mut near, mut far, _dir) = company(true).await;
        let number = far.client.player();
        assert_eq!(far.client.transport(), Transport::Quic);
        far.client.set_input(Controls { thrust: true, ..Controls::default() });
        plays_on(&mut near, &mut far).await;
        network.set(state);
        far.client.say("into the dark");
        both(&mut near, &mut far, |_, far| far.heard.iter().any(is_moved)).await;
        assert_eq!(told(&far), ["reconnecting", "resumed", "moved"]);
        assert_eq!((far.client.transport(), far.client.player()), (Transport::WebSocket, number));
        both(&mut near, &mut far, |near, _| near.chat().contains(&"into the dark".to_owned()))
            .await;
        plays_on(&mut near, &mut far).await;
        assert!(!saw_a_loss(&near), "it waited until the connection was lost");
    }
}

#[tokio::test]
async fn without_a_fallback_it_goes_on_over_a_new_connection_of_the_same_transport() {
    let (network, mut near, mut far, _dir) = company(false).await;
    let number = far.client.player();
    for round in 1..=2 {
        network.forget();
        let line = format!("into the dark {round}");
        far.client.say(&line);
        both(&mut near, &mut far, |near, far| {
            let resumed = far.heard.iter().filter(|event| is_resumed(event)).count();
            resumed == round && near.chat().contains(&line)
        })
        .await;
        plays_on(&mut near, &mut far).await;
    }
    assert_eq!(told(&far), ["reconnecting", "resumed"].repeat(2));
    assert_eq!((far.client.transport(), far.client.player()), (Transport::Quic, number));
    assert!(!saw_a_loss(&near), "it waited until the connection was lost");
}

#[tokio::test]
async fn a_connection_that_speaks_again_in_time_is_kept() {
    let (network, mut near, mut far, _dir) = company(false).await;
    both(&mut near, &mut far, |_, far| far.client.stats().snapshots > 10).await;
    network.set(DEAF);
    both(&mut near, &mut far, |_, far| far.client.stats().silence_ms > 2000.0).await;
    network.set(WHOLE);
    let snapshots = far.client.stats().snapshots;
    both(&mut near, &mut far, |_, far| far.client.stats().snapshots > snapshots + 120).await;
    assert!(!far.heard.iter().any(is_lost), "{:?}", told(&far));
}

#[tokio::test]
async fn a_client_with_a_fallback_connects_where_datagrams_do_not_pass_at_all() {
    let (server, _dir) = serve(|_| {}).await;
    let network = Network::to(server).await;
    network.set(CUT);
    let far = join_behind(&network, with_fallback(server)).await;
    assert_eq!(far.client.transport(), Transport::WebSocket);
}
