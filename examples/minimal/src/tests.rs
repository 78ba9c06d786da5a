use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_server::{Server, ServerConfig};
use tickwire_shared::control::{RoomChoice, ServerFrame};

use super::*;

/// Updates until `done`, half a minute at most.
async fn until(client: &mut Client<Plane>, mut done: impl FnMut(&mut Client<Plane>) -> bool) {
    for _ in 0..6000 {
        client.update();
        if done(client) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come about; {:?}", client.stats());
}

async fn join(address: SocketAddr, name: &str) -> Client<Plane> {
    let target = format!("quic://{address}");
    let mut client = Client::<Plane>::connect(&target, ConnectOptions::default()).await.unwrap();
    client.join(RoomChoice::Named("plane".to_owned()), name);
    let joined = |client: &mut Client<Plane>| {
        let event = client.poll_event();
        matches!(event, Some(ClientEvent::Control(ServerFrame::Joined { .. })))
    };
    until(&mut client, joined).await;
    client
}

#[tokio::test]
async fn two_clients_see_each_other_walk() {
    let certs = std::env::temp_dir().join(format!("tickwire-minimal-{}", std::process::id()));
    let config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: false,
        certs_dir: certs.clone(),
        ..ServerConfig::default()
    };
    let server = Server::<Plane>::bind(config).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));

    let mut walker = join(address, "walker").await;
    let mut watcher = join(address, "watcher").await;
    walker.send_input(Keys { right: 1, up: -1 });
    let walked = |dot: &Dot| dot.pos.x > 5.0 && dot.pos.y < -5.0;
    let id = EntityId(walker.player().0);
    until(&mut watcher, |watcher| {
        walker.update();
        watcher.entities().any(|seen| seen.id == id && !seen.mine && walked(&seen.entity))
    })
    .await;
    assert!(walker.entities().any(|seen| seen.mine && seen.id == id));
    assert!(watcher.entities().all(|seen| seen.id == id || seen.entity.pos == Vec2::ZERO));

    walker.close().await;
    until(&mut watcher, |watcher| watcher.entities().all(|seen| seen.id != id)).await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    std::fs::remove_dir_all(certs).unwrap();
}
