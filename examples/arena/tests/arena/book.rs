//! The book's program for a native client, run against a server.

// ANCHOR: fly
use std::time::Duration;

use tickwire_arena::rules::{Arena, Controls, Entity};
use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_shared::control::RoomChoice;

/// Flies for two seconds.
async fn fly(server: &str) -> anyhow::Result<()> {
    let mut client = Client::<Arena>::connect(server, ConnectOptions::default()).await?;
    client.join(RoomChoice::Quick, "Ann");
    client.set_input(Controls { thrust: true, turn: -0.5, ..Controls::default() });
    client.say("hello");
    for _ in 0..200 {
        client.update();
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Game { tick, event } => println!("tick {}: {event:?}", tick.0),
                ClientEvent::Over { text, .. } => anyhow::bail!(text),
                other => println!("{other:?}"),
            }
        }
        for seen in client.entities().filter(|seen| seen.mine) {
            if let Entity::Ship(ship) = seen.entity {
                println!("at {:.1}, {:.0} ms", ship.pos, client.stats().rtt_ms);
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    client.close().await;
    Ok(())
}
// ANCHOR_END: fly

#[tokio::test]
async fn the_program_of_the_book_flies() {
    let certs = std::env::temp_dir().join(format!("tickwire-book-{}", std::process::id()));
    let config = tickwire_server::ServerConfig {
        listen: "[::1]:0".parse().unwrap(),
        http: false,
        certs_dir: certs.clone(),
        ..Default::default()
    };
    let server = tickwire_server::Server::<Arena>::bind(config).await.unwrap();
    let address = format!("quic://{}", server.local_addr());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    fly(&address).await.unwrap();
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    std::fs::remove_dir_all(certs).unwrap();
}
