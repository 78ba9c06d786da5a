//! A field of every type over real sockets: from a client as input and command, and back as entity and event.

use std::f32::consts::FRAC_PI_2;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tickwire::EntityId;
use tickwire::client::{Client, ClientEvent, ConnectOptions};
use tickwire::control::RoomChoice;
use tickwire::glam::{Quat, Vec2, Vec3};
use tickwire::server::{Server, ServerConfig};
use tickwire_samples::echo::{Echo, Everything, Team, asked, held};

/// Every field as it is not by default, each on its steps.
fn full() -> Everything {
    Everything {
        flag: true,
        count: -5,
        player: tickwire::PlayerId(u32::MAX),
        real: -7.75,
        heading: FRAC_PI_2,
        place: Vec2::new(8.0, -0.25),
        at: Vec3::new(-8.0, 0.5, 8.0),
        turned: Quat::from_xyzw(1.0, 0.0, 0.0, 0.0),
        team: Team::Blue,
        name: "Zoë 🚀".parse().unwrap(),
        aim: Some(Vec2::new(0.0, 3.25)),
        friend: "Ann".parse().ok(),
        slots: [9, 0, 4],
        path: [Vec3::new(1.0, 2.0, 3.0), Vec3::new(-1.0, -2.0, -3.0)],
        teams: Some([Team::Blue, Team::Red]),
    }
}

/// Updates until the entity is `wanted`, half a minute at most. The events that came.
async fn until(client: &mut Client<Echo>, id: EntityId, wanted: Everything) -> Vec<Everything> {
    let mut events = Vec::new();
    for _ in 0..6000 {
        client.update();
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Game { event, .. } => events.push(event),
                ClientEvent::Over { text, .. } => panic!("{text}"),
                _ => {}
            }
        }
        if client.entities().any(|seen| seen.id == id && seen.entity == wanted) {
            return events;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seen: Vec<_> = client.entities().collect();
    panic!("{wanted:?} did not come; {seen:?}");
}

#[tokio::test]
async fn a_field_of_every_type_goes_there_and_back() {
    let certs = tempfile::tempdir().unwrap();
    let config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: false,
        certs_dir: certs.path().to_owned(),
        ..ServerConfig::default()
    };
    let server = Server::<Echo>::bind(config).await.unwrap();
    let address = format!("quic://{}", server.local_addr());
    tokio::spawn(server.run(std::future::pending()));
    let mut client = Client::<Echo>::connect(&address, ConnectOptions::default()).await.unwrap();
    client.join(RoomChoice::Quick, "Ann");
    let player = client.player();
    let none =
        Everything { aim: None, friend: None, teams: None, name: "".parse().unwrap(), ..full() };
    let one = Everything { slots: [9, 1, 4], name: "Zoë".parse().unwrap(), ..full() };
    for value in [Everything::default(), full(), one, none, full(), Everything::default()] {
        client.set_input(value);
        until(&mut client, held(player), value).await;
        client.command(&value);
        let events = until(&mut client, asked(player), value).await;
        let events =
            if events.is_empty() { until(&mut client, asked(player), value).await } else { events };
        assert!(events.contains(&value) || value == Everything::default(), "{events:?}");
    }
    client.close().await;
}
