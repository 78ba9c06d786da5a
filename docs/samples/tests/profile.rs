//! A purse outlives its session and its server.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tickwire::client::{Client, ConnectOptions};
use tickwire::control::RoomChoice;
use tickwire::prelude::*;
use tickwire::server::{Server, ServerConfig};
use tickwire_samples::accounts::Database;
use tickwire_samples::profile::{Dig, Purse, Spade};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

async fn serve(dir: &Path) -> (String, oneshot::Sender<()>, JoinHandle<()>) {
    let config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: false,
        certs_dir: dir.join("certs"),
        store: Some(dir.join("store")),
        ..ServerConfig::default()
    };
    let server = Server::<Dig>::bind(config).await.unwrap().with_authenticator(Database);
    let address = format!("quic://{}", server.local_addr());
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async {
        let stop = async {
            let _ = stopped.await;
        };
        server.run(stop).await.unwrap();
    });
    (address, stop, task)
}

/// Joins by a ticket, and digs until its heap is on disk, if `digs`. Returns the coins of the heap.
async fn heap(address: &str, digs: bool) -> u32 {
    let options = ConnectOptions { token: "ticket of ann".into(), ..ConnectOptions::default() };
    let mut client = Client::<Dig>::connect(address, options).await.unwrap();
    client.join(RoomChoice::Quick, "Ann");
    client.set_input(Spade { digs });
    let own = EntityId::of_player(client.player());
    for _ in 0..6000 {
        client.update();
        while client.poll_event().is_some() {}
        let heap = client.entities().find(|seen| seen.id == own).map(|seen| seen.entity);
        if digs && heap.is_some_and(|heap| heap.coins >= 100) {
            client.set_input(Spade { digs: false });
        }
        if let Some(heap) = heap.filter(|heap| !digs || heap.coins > 100) {
            client.close().await;
            return heap.coins;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no heap came");
}

#[tokio::test]
async fn a_purse_outlives_its_session_and_its_server() {
    let dir = tempfile::tempdir().unwrap();
    let (address, stop, task) = serve(dir.path()).await;
    let dug = heap(&address, true).await;
    stop.send(()).unwrap();
    task.await.unwrap();
    let (address, _stop, _task) = serve(dir.path()).await;
    let found = heap(&address, false).await;
    assert!(found >= dug, "{found} of {dug}");
}

#[test]
fn a_purse_of_the_version_before_is_migrated_and_no_other() {
    assert_eq!(Dig::migrate_profile(1, "42"), Some(Purse { coins: 42, gems: 0 }));
    assert_eq!(Dig::migrate_profile(1, "coins"), None);
    assert_eq!(Dig::migrate_profile(3, "42"), None);
}
