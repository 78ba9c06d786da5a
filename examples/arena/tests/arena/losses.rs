//! Losses are counted by the transport that carries the session: over a WebSocket nothing is lost, whatever the server
//! leaves out for newer snapshots.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tickwire_arena::rules::Arena;
use tickwire_client::{Client, ConnectOptions, Transport};
use tickwire_server::{Server, ServerConfig};
use tickwire_shared::control::RoomChoice;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Notify;

/// The time after which a wait fails; no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Snapshots that must be left out, or lost, before they are judged.
const LEFT_OUT: u64 = 60;

/// A TCP path whose way to the client stands still now and then, and which can be cut.
struct Path {
    address: SocketAddr,
    stands_still: Arc<AtomicBool>,
    cut: Arc<Notify>,
}

impl Path {
    async fn to(server: SocketAddr) -> Path {
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stands_still, cut) = (Arc::<AtomicBool>::default(), Arc::new(Notify::new()));
        let path = Path { address, stands_still, cut };
        let (stands_still, cut) = (Arc::clone(&path.stands_still), Arc::clone(&path.cut));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.unwrap();
                let (stands_still, cut) = (Arc::clone(&stands_still), Arc::clone(&cut));
                tokio::spawn(async move {
                    tokio::select! {
                        () = pass(client, server, stands_still) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        path
    }
}

async fn pass(client: TcpStream, server: TcpStream, stands_still: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
    let down = async {
        let mut bytes = vec![0; 4096];
        loop {
            while stands_still.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let count = from_server.read(&mut bytes).await?;
            if count == 0 {
                return Ok(());
            }
            to_client.write_all(&bytes[..count]).await?;
        }
    };
    let _: (std::io::Result<()>, std::io::Result<()>) = tokio::join!(up, down);
}

/// A path for datagrams, of which every second one to the client is lost once that is asked for.
async fn lossy(server: SocketAddr, is_lossy: Arc<AtomicBool>) -> SocketAddr {
    let (near, far) = (UdpSocket::bind("[::1]:0").await, UdpSocket::bind("[::1]:0").await);
    let (near, far) = (near.unwrap(), far.unwrap());
    far.connect(server).await.unwrap();
    let address = near.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut up, mut down) = (vec![0; 2048], vec![0; 2048]);
        let (mut client, number) = (None, AtomicU32::new(0));
        loop {
            tokio::select! {
                Ok((bytes, from)) = near.recv_from(&mut up) => {
                    client = Some(from);
                    let _ = far.send(&up[..bytes]).await;
                }
                Ok(bytes) = far.recv(&mut down) => {
                    let is_odd = number.fetch_add(1, Ordering::Relaxed) % 2 == 1;
                    if let Some(client) = client.filter(|_| !(is_odd && is_lossy.load(Ordering::SeqCst))) {
                        let _ = near.send_to(&down[..bytes], client).await;
                    }
                }
            }
        }
    });
    address
}

/// Updates the client until `wanted`, while the path to it, if one is given, stands still every other quarter of a second.
async fn until(
    client: &mut Client<Arena>,
    path: Option<&Path>,
    wanted: impl Fn(&Client<Arena>) -> bool,
) {
    let (begin, mut updates) = (Instant::now(), 0);
    while !wanted(client) {
        assert!(begin.elapsed() < PATIENCE, "it did not come: {:?}", client.stats());
        if let Some(path) = path {
            path.stands_still.store(updates / 50 % 2 == 1, Ordering::SeqCst);
        }
        updates += 1;
        client.update();
        while client.poll_event().is_some() {}
        let stats = client.stats();
        assert!(stats.interpolation_ms >= 0.0, "{stats:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if let Some(path) = path {
        path.stands_still.store(false, Ordering::SeqCst);
    }
}

/// Snapshots of the room's ticks that did not come.
fn left_out(client: &Client<Arena>) -> u64 {
    let stats = client.stats();
    stats.snapshots_expected.saturating_sub(stats.snapshots)
}

#[tokio::test]
async fn nothing_counts_as_lost_over_a_websocket_and_what_is_lost_over_quic_does() {
    let dir = tempfile::tempdir().unwrap();
    let (listen, certs_dir) = ("[::1]:0".parse().unwrap(), dir.path().join("certs"));
    // A path that stands still for a quarter of a second makes the server leave snapshots out.
    let websocket_unconfirmed_ms = 50;
    let config =
        ServerConfig { listen, certs_dir, websocket_unconfirmed_ms, ..ServerConfig::default() };
    let server = Server::<Arena>::bind(config).await.unwrap();
    let (udp, http) = (server.local_addr(), server.http_addr().unwrap());
    tokio::spawn(server.run(std::future::pending()));
    let path = Path::to(http).await;

    let target = format!("ws://{}/ws", path.address);
    let mut client = Client::<Arena>::connect(&target, ConnectOptions::default()).await.unwrap();
    client.join(RoomChoice::Named("walled".to_owned()), "walled");
    until(&mut client, Some(&path), |client| left_out(client) > LEFT_OUT).await;
    assert_eq!(client.stats().loss_fraction(), 0.0, "{:?}", client.stats());

    // Another connection of the same session.
    path.cut.notify_waiters();
    until(&mut client, None, Client::is_reconnecting).await;
    until(&mut client, None, |client| !client.is_reconnecting()).await;
    let before = left_out(&client);
    until(&mut client, Some(&path), |client| left_out(client) > before + LEFT_OUT).await;
    assert_eq!(client.transport(), Transport::WebSocket);
    assert_eq!(client.stats().loss_fraction(), 0.0, "{:?}", client.stats());

    // The same session over QUIC.
    let is_lossy = Arc::<AtomicBool>::default();
    client.move_to(&format!("quic://{}", lossy(udp, Arc::clone(&is_lossy)).await)).unwrap();
    until(&mut client, None, |client| client.transport() == Transport::Quic).await;
    is_lossy.store(true, Ordering::SeqCst);
    let before = left_out(&client);
    until(&mut client, None, |client| left_out(client) > before + LEFT_OUT).await;
    assert!(client.stats().loss_fraction() > 0.0, "{:?}", client.stats());
}
