//! A client that loses its connection resumes over another one: with the same seat, and each
//! message and command once, in order.

use std::collections::hash_map::{Entry, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tickwire_arena::rules::{Arena, ChangeTeam, Command, Controls};
use tickwire_client::{Client, ClientEvent, ConnectOptions, ConnectionEvent, Transport};
use tickwire_server::{Server, ServerConfig};
use tickwire_shared::control::{CloseCode, RoomChoice, ServerChat, ServerFrame};
use tickwire_shared::{PlayerId, Simulation};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

type Event = ClientEvent<<Arena as Simulation>::Event>;

/// The time after which a wait fails; no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// States of a network: everything passes, nothing passes to clients, or nothing passes.
const WHOLE: u8 = 0;
const DEAF: u8 = 1;
const CUT: u8 = 2;

/// A network between clients and a server, which can be cut.
struct Network {
    address: SocketAddr,
    state: Arc<AtomicU8>,
}

impl Network {
    /// Between its own address and the server's, with a socket towards the server for each client.
    async fn to(server: SocketAddr) -> Network {
        let socket = Arc::new(UdpSocket::bind("[::1]:0").await.unwrap());
        let address = socket.local_addr().unwrap();
        let state = Arc::new(AtomicU8::new(WHOLE));
        let network = Network { address, state: Arc::clone(&state) };
        tokio::spawn(async move {
            let mut ways = HashMap::<SocketAddr, Arc<UdpSocket>>::new();
            let mut packet = vec![0; 2048];
            while let Ok((bytes, client)) = socket.recv_from(&mut packet).await {
                if state.load(Ordering::SeqCst) == CUT {
                    continue;
                }
                if let Entry::Vacant(entry) = ways.entry(client) {
                    let way = Arc::new(UdpSocket::bind("[::1]:0").await.unwrap());
                    way.connect(server).await.unwrap();
                    let (back, state) = (Arc::clone(&socket), Arc::clone(&state));
                    tokio::spawn(pass_back(Arc::clone(&way), back, client, state));
                    entry.insert(way);
                }
                let _ = ways[&client].send(&packet[..bytes]).await;
            }
        });
        network
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::SeqCst);
    }
}

async fn pass_back(
    way: Arc<UdpSocket>,
    socket: Arc<UdpSocket>,
    client: SocketAddr,
    state: Arc<AtomicU8>,
) {
    let mut packet = vec![0; 2048];
    while let Ok(bytes) = way.recv(&mut packet).await {
        if state.load(Ordering::SeqCst) == WHOLE {
            let _ = socket.send_to(&packet[..bytes], client).await;
        }
    }
}

/// A server in this process that soon gives up a silent connection.
async fn serve(change: impl FnOnce(&mut ServerConfig)) -> (SocketAddr, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = impatient(dir.path());
    change(&mut config);
    let server = Server::<Arena>::bind(config).await.unwrap();
    let address = server.local_addr();
    tokio::spawn(server.run(std::future::pending()));
    (address, dir)
}

fn impatient(dir: &Path) -> ServerConfig {
    ServerConfig {
        listen: "[::1]:0".parse().unwrap(),
        certs_dir: dir.join("certs"),
        idle_ms: 1000,
        keep_alive_ms: 200,
        ..ServerConfig::default()
    }
}

/// A client and the events that it got.
struct Player {
    client: Client<Arena>,
    heard: Vec<Event>,
}

impl Player {
    async fn join(target: SocketAddr, name: &str) -> Player {
        Player::join_over(&format!("quic://{target}"), name).await
    }

    async fn join_over(target: &str, name: &str) -> Player {
        let mut client = Client::connect(target, ConnectOptions::default()).await.unwrap();
        client.join(RoomChoice::Named("lasting".to_owned()), name);
        let mut player = Player { client, heard: Vec::new() };
        player.until(|event| matches!(event, Event::Control(ServerFrame::Joined { .. }))).await;
        player
    }

    fn update(&mut self) {
        self.client.update();
        while let Some(event) = self.client.poll_event() {
            self.heard.push(event);
        }
    }

    async fn until(&mut self, wanted: impl Fn(&Event) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !self.heard.iter().any(&wanted) {
            assert!(Instant::now() < end, "it did not come: {:?}", self.heard);
            self.update();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn chat(&self) -> Vec<String> {
        let said = |event: &Event| match event {
            Event::Chat(ServerChat::Message(message)) => Some(message.text.clone()),
            _ => None,
        };
        self.heard.iter().filter_map(said).collect()
    }

    /// The number of its requests that were done.
    fn done(&self) -> usize {
        let is_done = |event: &&Event| matches!(event, Event::Control(ServerFrame::Done { .. }));
        self.heard.iter().filter(is_done).count()
    }
}

fn is_lost(event: &Event) -> bool {
    matches!(event, Event::Connection(ConnectionEvent::Reconnecting { .. }))
}

fn is_told_away(player: &Player, number: PlayerId) -> bool {
    player.heard.iter().any(|event| {
        matches!(event, Event::Control(ServerFrame::MemberAway { player }) if *player == number)
    })
}

fn is_resumed(event: &Event) -> bool {
    matches!(event, Event::Connection(ConnectionEvent::Resumed { .. }))
}

async fn both(
    a: &mut Player,
    b: &mut Player,
    mut wanted: impl FnMut(&mut Player, &mut Player) -> bool,
) {
    let end = Instant::now() + PATIENCE;
    while !wanted(a, b) {
        assert!(
            Instant::now() < end,
            "it did not come: {:?} and {:?}, {:?}",
            a.heard,
            b.heard,
            b.client.stats()
        );
        a.update();
        b.update();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_lost_connection_loses_nothing() {
    let (server, _dir) = serve(|_| {}).await;
    let network = Network::to(server).await;
    let mut near = Player::join(server, "near").await;
    let mut far = Player::join(network.address, "far").await;
    let number = far.client.player();
    far.client.set_input(Controls { thrust: true, ..Controls::default() });
    for (round, state) in [CUT, DEAF, CUT, DEAF].into_iter().enumerate() {
        near.heard.clear();
        far.heard.clear();
        network.set(state);
        // Sent over the connection that is lost: the server gets it in the state DEAF.
        far.client.say(&format!("far {round} before"));
        far.client.command(&Command::ChangeTeam(ChangeTeam {}));
        both(&mut near, &mut far, |near, far| {
            far.heard.iter().any(is_lost) && (state == DEAF || is_told_away(near, number))
        })
        .await;
        // Asked without a connection.
        far.client.say(&format!("far {round} meanwhile"));
        far.client.command(&Command::ChangeTeam(ChangeTeam {}));
        near.client.say(&format!("near {round}"));
        both(&mut near, &mut far, |near, _| near.chat().contains(&format!("near {round}"))).await;
        network.set(WHOLE);
        both(&mut near, &mut far, |_, far| far.heard.iter().any(is_resumed)).await;
        // A repeated message would come before this one.
        far.client.say("last");
        let has_last = |player: &Player| player.chat().iter().any(|line| line == "last");
        both(&mut near, &mut far, |near, far| has_last(near) && has_last(far) && far.done() >= 2)
            .await;
        assert_eq!(near.chat(), far.chat(), "both heard the same, once, in the same order");
        let of_far: Vec<_> =
            near.chat().into_iter().filter(|line| !line.starts_with("near")).collect();
        let expected = [format!("far {round} before"), format!("far {round} meanwhile")];
        assert_eq!(of_far, [&expected[..], &["last".to_owned()]].concat());
        assert_eq!(near.chat().len(), 4);
        assert_eq!(far.done(), 2);
        assert_eq!(far.client.player(), number);
        assert!(!near.client.session().room().unwrap().is_away(number));
        // Its ship flies on.
        let snapshots = far.client.stats().snapshots;
        both(&mut near, &mut far, |_, far| {
            far.client.stats().snapshots > snapshots + 10
                && far.client.entities().any(|seen| seen.mine)
        })
        .await;
    }
    let refused = |event: &Event| matches!(event, Event::Over { .. });
    assert!(!near.heard.iter().any(refused) && !far.heard.iter().any(refused));
}

#[tokio::test]
async fn a_client_that_never_comes_back_has_left_after_the_grace() {
    let (server, _dir) = serve(|config| config.resume_grace_ms = 1500).await;
    let network = Network::to(server).await;
    let mut near = Player::join(server, "near").await;
    let mut far = Player::join(network.address, "far").await;
    let number = far.client.player();
    network.set(CUT);
    both(&mut near, &mut far, |near, _| {
        near.heard.iter().any(|event| {
            matches!(event, Event::Control(ServerFrame::MemberLeft { player, code })
                if *player == number && *code == CloseCode::ConnectionLost)
        })
    })
    .await;
    assert!(is_told_away(&near, number), "it was away before");
    network.set(WHOLE);
    far.until(|event| matches!(event, Event::Over { .. })).await;
    let over = far.heard.iter().find_map(|event| match event {
        Event::Over { code, .. } => Some(*code),
        _ => None,
    });
    assert!(
        matches!(over, Some(CloseCode::ResumeRefused | CloseCode::ConnectionLost)),
        "{over:?}: told so by the server, or given up by itself"
    );
}

#[tokio::test]
async fn players_come_back_by_themselves_to_a_server_with_a_journal_that_is_stopped_and_started_again()
 {
    let dir = tempfile::tempdir().unwrap();
    let mut config = impatient(dir.path());
    config.journal = Some(dir.path().join("journals"));
    let server = Server::<Arena>::bind(config.clone()).await.unwrap();
    config.listen = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async move {
        let _ = stopped.await;
    }));
    let mut near = Player::join(config.listen, "near").await;
    let mut far = Player::join_over(&format!("ws://{}/ws", config.listen), "far").await;
    let has_ship = |player: &Player| player.client.entities().any(|seen| seen.mine);
    both(&mut near, &mut far, |near, far| has_ship(near) && has_ship(far)).await;
    let numbers = [near.client.player(), far.client.player()];
    near.client.command(&Command::ChangeTeam(ChangeTeam {}));
    both(&mut near, &mut far, |near, _| near.done() == 1).await;
    stop.send(()).unwrap();
    both(&mut near, &mut far, |near, far| {
        near.heard.iter().any(is_lost) && far.heard.iter().any(is_lost) && running.is_finished()
    })
    .await;
    running.await.unwrap().unwrap();
    // Asked without a server.
    near.client.command(&Command::ChangeTeam(ChangeTeam {}));
    far.client.say("is anybody there?");

    let server = Server::<Arena>::bind(config).await.unwrap();
    tokio::spawn(server.run(std::future::pending()));
    both(&mut near, &mut far, |near, far| {
        near.heard.iter().any(is_resumed)
            && far.heard.iter().any(is_resumed)
            && near.done() == 2
            && far.chat() == ["is anybody there?"]
            && has_ship(near)
            && has_ship(far)
    })
    .await;
    assert_eq!([near.client.player(), far.client.player()], numbers);
    for player in [&near, &far] {
        let rejoined =
            |event: &&Event| matches!(event, Event::Control(ServerFrame::Rejoined { .. }));
        assert_eq!(player.heard.iter().filter(rejoined).count(), 1);
        assert!(!player.heard.iter().any(|event| matches!(event, Event::Over { .. })));
    }
}

fn is_moved(event: &Event) -> bool {
    matches!(event, Event::Connection(ConnectionEvent::Moved))
}

#[tokio::test]
async fn a_session_moves_from_a_websocket_to_quic_and_loses_nothing() {
    // Nothing is lost before the network is cut: a machine that stands still for a second cuts nothing.
    let (server, _dir) = serve(|config| config.idle_ms = 10_000).await;
    let network = Network::to(server).await;
    let quic = format!("quic://{}", network.address);
    let mut near = Player::join(server, "near").await;
    let mut far = Player::join_over(&format!("ws://{server}/ws"), "far").await;
    let number = far.client.player();
    far.client.set_input(Controls { thrust: true, ..Controls::default() });

    // Where UDP does not pass, the session stays.
    network.set(CUT);
    far.client.move_to(&quic).unwrap();
    both(&mut near, &mut far, |_, far| !far.client.is_moving()).await;
    assert_eq!(far.client.transport(), Transport::WebSocket);
    network.set(WHOLE);
    far.client.move_to(&quic).unwrap();

    let (mut asked, mut newest, mut gap_ticks) = (0, far.client.stats().tick, 0);
    both(&mut near, &mut far, |near, far| {
        // Commands and chat go out the whole time, before the move and after it.
        if asked < 30 && asked <= far.done() + 3 {
            far.client.command(&Command::ChangeTeam(ChangeTeam {}));
            asked += 1;
            if asked % 10 == 0 {
                far.client.say(&format!("line {asked}"));
            }
        }
        let tick = far.client.stats().tick;
        gap_ticks = gap_ticks.max(tick.saturating_sub(newest));
        newest = tick;
        let is_over = far.heard.iter().any(is_moved) && far.done() == 30;
        is_over && [near, far].iter().all(|player| player.chat().len() == 3)
    })
    .await;
    println!("most ticks from one snapshot to the next: {gap_ticks}");
    assert!(gap_ticks < 2 * Arena::TICK_HZ, "{gap_ticks} ticks without a snapshot");
    assert_eq!((far.client.transport(), far.client.player()), (Transport::Quic, number));
    let snapshots = far.client.stats().snapshots;
    both(&mut near, &mut far, |_, far| far.client.stats().snapshots > snapshots + 60).await;
    assert_eq!(far.chat(), ["line 10", "line 20", "line 30"]);
    assert_eq!((near.chat(), far.done()), (far.chat(), 30));
    let told = |event: &Event| is_lost(event) || is_resumed(event);
    assert!(!far.heard.iter().any(told), "{:?}", far.heard);
    let others = |event: &Event| {
        matches!(
            event,
            Event::Control(ServerFrame::MemberAway { .. } | ServerFrame::MemberBack { .. })
        )
    };
    assert!(!near.heard.iter().any(others), "{:?}", near.heard);
    // It may be between two ships just now.
    both(&mut near, &mut far, |_, far| far.client.entities().any(|seen| seen.mine)).await;
    // Its connection is the new one: that one's loss is seen, by the server or by the client first.
    network.set(CUT);
    both(&mut near, &mut far, |_, far| far.heard.iter().any(is_lost)).await;
    both(&mut near, &mut far, |_, far| far.heard.iter().any(is_resumed)).await;
    assert_eq!((far.client.transport(), far.client.player()), (Transport::WebSocket, number));
}
