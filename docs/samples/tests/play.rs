//! The tutorial's game over real sockets: a person, a bot and a lobby.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tickwire::client::{Client, ClientEvent, ConnectOptions};
use tickwire::control::RoomChoice;
use tickwire::server::{Server, ServerConfig};
use tickwire_samples::map::{Mine, SIDE, Shovel, TILES};
use tickwire_samples::tag::{Keys, Tag};
use tickwire_samples::{bot, lobby};
use tokio::sync::oneshot;

/// A server on a free port, and what stops it.
async fn serve(certs: &Path, bots_max: usize) -> (String, oneshot::Sender<()>) {
    let mut config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: false,
        certs_dir: certs.to_owned(),
        ..ServerConfig::default()
    };
    config.room.bots_max = bots_max;
    let server = Server::<Tag>::bind(config).await.unwrap();
    let address = format!("quic://{}", server.local_addr());
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    (address, stop)
}

/// Updates until an event is `wanted`, half a minute at most.
async fn until(
    client: &mut Client<Tag>,
    wanted: impl Fn(&ClientEvent<tickwire_samples::tag::Tagged>) -> bool,
) {
    for _ in 0..6000 {
        client.update();
        while let Some(event) = client.poll_event() {
            if wanted(&event) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come about; {:?}", client.stats());
}

#[tokio::test]
async fn a_bot_tags_a_player_who_runs_and_predicts() {
    let certs = tempfile::tempdir().unwrap();
    let (address, stop) = serve(certs.path(), 0).await;
    let mut client = Client::<Tag>::connect(&address, ConnectOptions::default()).await.unwrap();
    client.predict();
    client.join(RoomChoice::Quick, "Ann");
    client.set_input(Keys { right: 1, ..Keys::default() });
    let chasing = tokio::spawn(async move { bot::chase(&address, "Bot").await });
    let own = client.player();
    until(&mut client, |event| {
        assert!(!matches!(event, ClientEvent::NotPredicted { .. }), "{event:?}");
        matches!(event, ClientEvent::Game { event, .. } if event.runner == own)
    })
    .await;
    client.close().await;
    stop.send(()).unwrap();
    chasing.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_plays_alone_is_tagged_by_the_servers_bots() {
    let certs = tempfile::tempdir().unwrap();
    let (address, _stop) = serve(certs.path(), 64).await;
    let mut client = Client::<Tag>::connect(&address, ConnectOptions::default()).await.unwrap();
    client.join(RoomChoice::Quick, "Ann");
    client.set_input(Keys { right: 1, ..Keys::default() });
    let own = client.player();
    until(
        &mut client,
        |event| matches!(event, ClientEvent::Game { event, .. } if event.runner == own),
    )
    .await;
    assert_eq!(client.members().filter(|member| member.bot).count(), 3);
    client.close().await;
}

#[tokio::test]
async fn who_comes_later_has_the_map_as_it_was_dug() {
    let certs = tempfile::tempdir().unwrap();
    let config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: false,
        certs_dir: certs.path().to_owned(),
        ..ServerConfig::default()
    };
    let server = Server::<Mine>::bind(config).await.unwrap();
    let address = format!("quic://{}", server.local_addr());
    tokio::spawn(server.run(std::future::pending()));
    let mut maps = Vec::new();
    let mut clients = Vec::new();
    for name in ["Ann", "Bob"] {
        let mut client =
            Client::<Mine>::connect(&address, ConnectOptions::default()).await.unwrap();
        client.join(RoomChoice::Quick, name);
        client.set_input(Shovel { right: 1, down: 0 });
        clients.push(client);
        // Each of them digs a few tiles before the next one comes, and at last all of a row.
        let dug = if clients.len() == 1 { 5 } else { SIDE };
        for _ in 0..6000 {
            clients.iter_mut().for_each(|client| {
                client.update();
                while client.poll_event().is_some() {}
            });
            maps = clients
                .iter()
                .map(|client| client.static_data(TILES).map(<[u8]>::to_vec))
                .collect();
            let is_dug = |map: &Option<Vec<u8>>| {
                map.as_ref().is_some_and(|map| map.iter().filter(|tile| **tile == 0).count() >= dug)
            };
            if maps.iter().all(is_dug) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let row = [vec![0; SIDE], vec![1; SIDE * (SIDE - 1)]].concat();
    assert!(maps == [Some(row.clone()), Some(row)]);
}

#[tokio::test]
async fn a_message_follows_a_join_without_waiting_for_it() {
    let certs = tempfile::tempdir().unwrap();
    let (address, _stop) = serve(certs.path(), 64).await;
    let mut client = Client::<Tag>::connect(&address, ConnectOptions::default()).await.unwrap();
    lobby::enter(&mut client);
    for line in ["0 rooms are open", "in friends with 4 members", "Ann: hello"] {
        until(&mut client, |event| lobby::describe(event) == line).await;
    }
    client.close().await;
}

#[tokio::test]
async fn a_private_room_is_for_those_who_know_its_password() {
    let certs = tempfile::tempdir().unwrap();
    let (address, _stop) = serve(certs.path(), 0).await;
    let connect = || Client::<Tag>::connect(&address, ConnectOptions::default());
    let (mut ann, mut bob) = (connect().await.unwrap(), connect().await.unwrap());
    lobby::make_private(&mut ann, "den", "sesame");
    until(&mut ann, |event| lobby::describe(event) == "in den with 1 members").await;
    lobby::enter_private(&mut bob, "den", "open");
    until(&mut bob, |event| lobby::describe(event).starts_with("refused")).await;
    lobby::enter_private(&mut bob, "den", "sesame");
    until(&mut bob, |event| lobby::describe(event) == "in den with 2 members").await;
    ann.close().await;
    bob.close().await;
}
