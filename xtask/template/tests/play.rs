//! Native clients on a real server: they join, move, make rooms and send commands.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use my_game::{
    ChangeTeam, Collected, Entity, Game, Keys, PlaneOptions, REFUSED_OPTIONS, Runner,
    RunnerOptions, Team,
};
use tickwire::client::{Client, ClientEvent, ConnectOptions};
use tickwire::control::{RefuseCode, RoomChoice, ServerFrame};
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

fn own(client: &Client<Game>) -> Option<Runner> {
    let own = client.entities().find(|seen| seen.mine)?;
    let Entity::Runner(runner) = own.entity else {
        return None;
    };
    Some(runner)
}

/// A server on a free port of this machine: its address, and the folder of its certificates.
async fn start() -> anyhow::Result<(String, tempfile::TempDir)> {
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
    Ok((address, certs))
}

#[tokio::test]
async fn a_client_joins_and_moves() -> anyhow::Result<()> {
    let (address, _certs) = start().await?;
    let mut client = Client::<Game>::connect(&address, ConnectOptions::default()).await?;
    client.predict();
    client.join(RoomChoice::Quick, "Ann");
    until(&mut client, |client| own(client).is_some()).await;
    let start = own(&client).unwrap_or_default().pos.x;
    client.set_input(Keys { right: 1, up: 0 });
    let moved = |runner: Runner| runner.pos.x > start + 10.0;
    until(&mut client, |client| own(client).is_some_and(moved)).await;
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn a_client_makes_a_room_chooses_a_team_and_changes_it() -> anyhow::Result<()> {
    let (address, _certs) = start().await?;
    let mut client = Client::<Game>::connect(&address, ConnectOptions::default()).await?;
    // ANCHOR: options
    let plane = PlaneOptions { coins: 3, bots: 0 };
    let blue = RunnerOptions {
        team: Some(Team::Blue),
    };
    client.create("den", &plane, "Ann", &blue);
    // ANCHOR_END: options
    until(&mut client, |client| {
        let teams = own(client).map(|runner| runner.team);
        teams == Some(Team::Blue) && client.entities().count() == 4
    })
    .await;
    client.command(&ChangeTeam { team: Team::Red });
    let is_red = |runner: Runner| runner.team == Team::Red;
    until(&mut client, |client| own(client).is_some_and(is_red)).await;
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn the_rules_refuse_a_room_by_their_own_code_and_text() -> anyhow::Result<()> {
    let (address, _certs) = start().await?;
    let mut client = Client::<Game>::connect(&address, ConnectOptions::default()).await?;
    let plane = PlaneOptions { coins: 99, bots: 0 };
    client.create("den", &plane, "Ann", &RunnerOptions::default());
    // ANCHOR: refusal
    let (code, text) = loop {
        client.update();
        match client.poll_event() {
            Some(ClientEvent::Control(ServerFrame::Refused { code, text, .. })) => {
                break (code, text);
            }
            Some(ClientEvent::Over { .. } | ClientEvent::Control(ServerFrame::Joined { .. })) => {
                panic!("it was not refused");
            }
            Some(_) => {}
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert_eq!(code, RefuseCode::ByGame(REFUSED_OPTIONS));
    assert_eq!(text, "a plane has 1 to 20 coins");
    // ANCHOR_END: refusal
    client.close().await;
    Ok(())
}
