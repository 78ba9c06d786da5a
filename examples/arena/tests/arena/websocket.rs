//! A native client where UDP is blocked: the same game over a WebSocket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tickwire_arena::rules::{Arena, ChangeTeam, Command, Controls, Entity, Event as ArenaEvent};
use tickwire_client::{Client, ClientEvent, ConnectError, ConnectOptions, Transport, Trust};
use tickwire_server::{Server, ServerConfig, ServerError};
use tickwire_shared::control::{CloseCode, RefuseCode, RoomChoice, ServerChat, ServerFrame};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

type Event = ClientEvent<<Arena as tickwire_shared::Simulation>::Event>;

/// A server in this process.
struct Running {
    udp: SocketAddr,
    http: SocketAddr,
    dir: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServerError>>,
}

async fn serve(change: impl FnOnce(&mut ServerConfig, PathBuf)) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let certs_dir = dir.path().join("certs");
    let listen = "[::1]:0".parse().unwrap();
    let mut config = ServerConfig { listen, certs_dir, ..ServerConfig::default() };
    config.room.bots_max = 0;
    change(&mut config, dir.path().to_owned());
    let server = Server::<Arena>::bind(config).await.unwrap();
    let (udp, http) = (server.local_addr(), server.http_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    Running { udp, http, dir, stop, task }
}

async fn joined(target: &str, name: &str) -> Client<Arena> {
    let mut client = Client::connect(target, ConnectOptions::default()).await.unwrap();
    client.join(RoomChoice::Named("walled".to_owned()), name);
    until(&mut client, |event| match event {
        Event::Control(ServerFrame::Joined { .. }) => Some(()),
        _ => None,
    })
    .await;
    client
}

/// Not how long anything takes, but when it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Updates a client until `wanted` makes something of an event.
async fn until<T>(client: &mut Client<Arena>, wanted: impl Fn(Event) -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        client.update();
        while let Some(event) = client.poll_event() {
            if let Some(found) = wanted(event) {
                return found;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come");
}

fn over(event: Event) -> Option<(CloseCode, String)> {
    match event {
        Event::Over { code, text } => Some((code, text)),
        _ => None,
    }
}

#[tokio::test]
async fn a_client_joins_flies_and_chats() {
    let server = serve(|_, _| {}).await;
    let mut near = joined(&format!("quic://{}", server.udp), "near").await;
    let mut walled = joined(&format!("ws://{}/ws", server.http), "walled").await;
    assert_eq!(walled.transport(), Transport::WebSocket);
    assert_ne!(walled.player(), near.player());

    walled.set_input(Controls { thrust: true, ..Controls::default() });
    let end = Instant::now() + PATIENCE;
    let speed = |client: &Client<Arena>| {
        let own = client.entities().find(|seen| seen.mine)?;
        if let Entity::Ship(ship) = own.entity { Some(ship.vel.length()) } else { None }
    };
    while speed(&walled).is_none_or(|speed| speed < 50.0) {
        assert!(Instant::now() < end, "it does not fly");
        walled.update();
        near.update();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let stats = walled.stats();
    // How much of either depends on the machine.
    assert!(stats.rtt_ms > 0.0 && stats.snapshots > 0, "{stats:?}");
    assert_eq!(stats.snapshots_malformed, 0);
    assert!(walled.wire().bytes_in > 1000 && walled.wire().datagrams_out > 10);

    let said = |event: Event| match event {
        Event::Chat(ServerChat::Message(message)) => Some((message.name, message.text)),
        _ => None,
    };
    walled.say("over the wall");
    for client in [&mut near, &mut walled] {
        let message = until(client, said).await;
        assert_eq!(message, ("walled".to_owned(), "over the wall".to_owned()));
    }
    walled.close().await;
    let left = until(&mut near, |event| match event {
        Event::Control(ServerFrame::MemberLeft { code, .. }) => Some(code),
        _ => None,
    })
    .await;
    assert_eq!(left, CloseCode::Normal);
}

#[tokio::test]
async fn a_pilot_changes_its_team_over_either_transport() {
    let server = serve(|_, _| {}).await;
    let mut near = joined(&format!("quic://{}", server.udp), "near").await;
    let mut walled = joined(&format!("ws://{}/ws", server.http), "walled").await;
    let change = Command::ChangeTeam(ChangeTeam {});
    let answered = |event| match event {
        Event::Control(ServerFrame::Done { request }) => Some((request, None)),
        Event::Control(ServerFrame::Refused { request, code, .. }) => Some((request, Some(code))),
        _ => None,
    };
    let told = |event| match event {
        Event::Game { event: ArenaEvent::TeamChange(change), .. } => Some(change),
        _ => None,
    };
    // One each, so either may: then two are on one side, and any of them may go.
    for _ in 0..2 {
        let request = walled.command(&change);
        assert_eq!(until(&mut walled, answered).await, (request, None));
        let heard = until(&mut near, told).await;
        assert!(heard.is_granted && heard.player == walled.player(), "{heard:?}");
    }
    let request = near.command(&change);
    assert_eq!(until(&mut near, answered).await, (request, None));
    near.leave();
    let late = near.command(&change);
    let refused = until(&mut near, answered).await;
    assert_eq!(refused, (late, Some(RefuseCode::NotInRoom)));
}

#[tokio::test]
async fn a_client_hears_why_its_stay_or_its_session_ends() {
    let server = serve(|_, _| {}).await;
    let target = format!("ws://{}", server.http);
    let mut host = joined(&target, "host").await;
    let mut guest = joined(&target, "guest").await;
    host.kick(guest.player(), "no camping");
    let text = until(&mut guest, |event| match event {
        Event::Control(ServerFrame::Removed { text }) => Some(text),
        _ => None,
    })
    .await;
    assert!(text.contains("no camping"), "{text}");
    assert_eq!(guest.room(), None);
    server.stop.send(()).unwrap();
    for client in [&mut host, &mut guest] {
        assert_eq!(until(client, over).await.0, CloseCode::ServerStopping);
    }
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_with_what_to_check() {
    let server = serve(|_, _| {}).await;
    let closed = std::net::TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap();
    for target in [format!("ws://{closed}/ws"), format!("ws://{}/elsewhere", server.http)] {
        match Client::<Arena>::connect(&target, ConnectOptions::default()).await {
            Err(error @ ConnectError::Unreachable { .. }) => {
                assert!(error.to_string().contains("TCP is not blocked"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn with_a_certificate_it_is_over_tls_and_the_certificate_is_looked_at() {
    let server = serve(|config, dir| {
        let made = tickwire_certs::generate(&[], time::OffsetDateTime::now_utc()).unwrap();
        let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        std::fs::write(&cert, made.chain_pem()).unwrap();
        std::fs::write(&key, made.key_pem()).unwrap();
        (config.cert_file, config.key_file) = (Some(cert), Some(key));
    })
    .await;
    let target = format!("wss://{}/ws", server.http);
    let client = joined(&target, "secret").await;
    client.close().await;
    let options = ConnectOptions { trust: Trust::Hashes(vec![[0; 32]]), ..Default::default() };
    let refused = Client::<Arena>::connect(&target, options).await;
    assert!(matches!(refused, Err(ConnectError::Unreachable { .. })), "{refused:?}");
    drop(server.dir);
}
