//! A native client on a real server: it joins, and its runner moves.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use my_game::{Collected, Entity, Game, Keys};
use tickwire::client::{Client, ClientEvent, ConnectOptions};
use tickwire::control::{RoomChoice, ServerFrame};
use tickwire::server::{Server, ServerConfig};

/// Updates the client until `done`, half a minute at most. Fails when the rules are not predicted by.
async fn until(client: &mut Client<Game>, mut done: impl FnMut(&Client<Game>) -> bool) {
    for _ in 0..6000 {
        client.update();
        while let Some(event) = client.poll_event() {
            check(&event);
        }
        if done(client) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come about; {:?}", client.stats());
}

fn check(event: &ClientEvent<Collected>) {
    let wrong = matches!(
        event,
        ClientEvent::NotPredicted { .. }
            | ClientEvent::Over { .. }
            | ClientEvent::Control(ServerFrame::Refused { .. })
    );
    assert!(!wrong, "{event:?}");
}

fn own_x(client: &Client<Game>) -> Option<f32> {
    let own = client.entities().find(|seen| seen.mine)?;
    let Entity::Runner(runner) = own.entity else {
        return None;
    };
    Some(runner.pos.x)
}

#[tokio::test]
async fn a_client_joins_and_moves() -> anyhow::Result<()> {
    let certs = tempfile::tempdir()?;
    let config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: false,
        certs_dir: certs.path().to_owned(),
        ..ServerConfig::default()
    };
    let server = Server::<Game>::bind(config).await?;
    let address = format!("quic://{}", server.local_addr());
    tokio::spawn(server.run(std::future::pending()));

    let mut client = Client::<Game>::connect(&address, ConnectOptions::default()).await?;
    client.predict();
    client.join(RoomChoice::Quick, "Ann");
    until(&mut client, |client| own_x(client).is_some()).await;
    let start = own_x(&client).unwrap_or_default();
    client.set_input(Keys { right: 1, up: 0 });
    until(&mut client, |client| own_x(client) > Some(start + 10.0)).await;
    client.close().await;
    Ok(())
}
