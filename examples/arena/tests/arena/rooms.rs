//! Rooms of the arena by the Rust client: made with options, found by a query, followed.

use std::time::{Duration, Instant};

use tickwire_arena::rules::{Arena, ArenaOptions, Entity, REFUSED_OPTIONS};
use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_server::{Server, ServerConfig};
use tickwire_shared::control::{RefuseCode, RequestId, RoomChoice, RoomQuery, ServerFrame};
use tokio::sync::oneshot;

/// Not how long anything takes, but when it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Updates a client until `wanted` makes something of it and what came.
async fn until<T>(
    client: &mut Client<Arena>,
    mut wanted: impl FnMut(&Client<Arena>, Option<&ServerFrame>) -> Option<T>,
) -> T {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        client.update();
        if let Some(found) = wanted(client, None) {
            return found;
        }
        while let Some(event) = client.poll_event() {
            if let ClientEvent::Control(frame) = &event
                && let Some(found) = wanted(client, Some(frame))
            {
                return found;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen");
}

/// What comes of a request: the code and text of a refusal.
async fn answer(client: &mut Client<Arena>, asked: RequestId) -> Result<(), (RefuseCode, String)> {
    until(client, |_, frame| match frame? {
        ServerFrame::Refused { request, code, text } if *request == asked => {
            Some(Err((*code, text.clone())))
        }
        frame if frame.answers() == Some(asked) => Some(Ok(())),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn rooms_are_made_with_options_and_found() {
    let dir = tempfile::tempdir().unwrap();
    let config = ServerConfig {
        listen: "[::1]:0".parse().unwrap(),
        http: false,
        certs_dir: dir.path().join("certs"),
        rooms_push_ms: 100,
        ..ServerConfig::default()
    };
    let server = Server::<Arena>::bind(config).await.unwrap();
    let target = format!("quic://{}", server.local_addr());
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    let connect = || Client::<Arena>::connect(&target, ConnectOptions::default());
    let (mut maker, mut guest) = (connect().await.unwrap(), connect().await.unwrap());

    let asked = guest.subscribe_rooms(RoomQuery::default());
    assert_eq!(answer(&mut guest, asked).await, Ok(()));
    assert_eq!(guest.rooms(), []);

    let options = ArenaOptions { round_seconds: 1, ..ArenaOptions::default() };
    let asked = maker.create("duel", &options, "Ann", &());
    let (code, text) = answer(&mut maker, asked).await.unwrap_err();
    assert_eq!(code, RefuseCode::ByGame(REFUSED_OPTIONS));
    assert_eq!(text, "a round has 30 to 3600 seconds");

    let password = "sesame".to_owned();
    let options = ArenaOptions { round_seconds: 60, rocks: 2, seats: 2, bots: 0, password };
    let asked = maker.create("duel", &options, "Ann", &());
    assert_eq!(answer(&mut maker, asked).await, Ok(()));
    let seconds_left = until(&mut maker, |client, _| {
        client.entities().find_map(|seen| match seen.entity {
            Entity::Round(round) => Some(round.seconds_left),
            _ => None,
        })
    });
    assert!(seconds_left.await <= 60);

    let told = until(&mut guest, |client, _| {
        client.rooms().iter().find(|room| room.players == 1).cloned()
    });
    let told = told.await;
    assert_eq!((told.name.as_str(), told.players_max, told.needs_password), ("duel", 2, true));
    assert_eq!(told.metadata, r#"{"roundSeconds":60,"rocks":2}"#);
    let open = RoomQuery { no_password: true, ..RoomQuery::default() };
    let asked = guest.list_rooms(open);
    let found = until(&mut guest, |_, frame| match frame? {
        ServerFrame::Rooms { request, rooms, found } if *request == asked => {
            Some((rooms.len(), *found))
        }
        _ => None,
    });
    assert_eq!(found.await, (0, 0));

    let duel = || RoomChoice::Named("duel".to_owned());
    let asked = guest.join(duel(), "Bob");
    assert_eq!(answer(&mut guest, asked).await.unwrap_err().0, RefuseCode::WrongPassword);
    let asked = guest.join_with(duel(), "Bob", &(), "sesame");
    assert_eq!(answer(&mut guest, asked).await, Ok(()));
    until(&mut guest, |client, _| client.rooms().iter().any(|room| room.is_full()).then_some(()))
        .await;
    let asked = guest.unsubscribe_rooms();
    assert_eq!(answer(&mut guest, asked).await, Ok(()));
    assert_eq!(guest.rooms(), []);

    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}
