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

pub(crate) type Event = ClientEvent<<Arena as Simulation>::Event>;

/// The time after which a wait fails; no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// States of a network: everything passes, nothing passes to clients, or nothing passes.
pub(crate) const WHOLE: u8 = 0;
pub(crate) const DEAF: u8 = 1;
pub(crate) const CUT: u8 = 2;

/// A network between clients and a server, which can be cut.
pub(crate) struct Network {
    pub(crate) address: SocketAddr,
    state: Arc<AtomicU8>,
    /// What was sent from a port in an earlier life of it is lost from now on.
    life: Arc<AtomicU8>,
}

impl Network {
    /// Between its own address and the server's, with a socket towards the server for each client.
    pub(crate) async fn to(server: SocketAddr) -> Network {
        let socket = Arc::new(UdpSocket::bind("[::1]:0").await.unwrap());
        let address = socket.local_addr().unwrap();
        let [state, life] = [WHOLE, 0].map(|number| Arc::new(AtomicU8::new(number)));
        let network = Network { address, state: Arc::clone(&state), life: Arc::clone(&life) };
        tokio::spawn(async move {
            let mut ways = HashMap::<SocketAddr, (Arc<UdpSocket>, u8)>::new();
            let mut packet = vec![0; 2048];
            while let Ok((bytes, client)) = socket.recv_from(&mut packet).await {
                if state.load(Ordering::SeqCst) == CUT {
                    continue;
                }
                let now = life.load(Ordering::SeqCst);
                if let Entry::Vacant(entry) = ways.entry(client) {
                    let way = Arc::new(UdpSocket::bind("[::1]:0").await.unwrap());
                    way.connect(server).await.unwrap();
                    let back = WayBack {
                        way: Arc::clone(&way),
                        socket: Arc::clone(&socket),
                        client,
                        state: Arc::clone(&state),
                        life: (Arc::clone(&life), now),
                    };
                    tokio::spawn(back.pass());
                    entry.insert((way, now));
                }
                let (way, begun) = &ways[&client];
                if *begun == now {
                    let _ = way.send(&packet[..bytes]).await;
                }
            }
        });
        network
    }

    pub(crate) fn set(&self, state: u8) {
        self.state.store(state, Ordering::SeqCst);
    }

    /// As a router that was started again: what it passed on before is lost from now on, both ways, and only connections
    /// that begin now pass.
    pub(crate) fn forget(&self) {
        self.life.fetch_add(1, Ordering::SeqCst);
    }
}

/// From the server to one client.
struct WayBack {
    way: Arc<UdpSocket>,
    socket: Arc<UdpSocket>,
    client: SocketAddr,
    state: Arc<AtomicU8>,
    /// The network's life, and the one that this way is of.
    life: (Arc<AtomicU8>, u8),
}

impl WayBack {
    async fn pass(self) {
        let mut packet = vec![0; 2048];
        while let Ok(bytes) = self.way.recv(&mut packet).await {
            let is_whole = self.state.load(Ordering::SeqCst) == WHOLE;
            if is_whole && self.life.0.load(Ordering::SeqCst) == self.life.1 {
                let _ = self.socket.send_to(&packet[..bytes], self.client).await;
            }
        }
    }
}

/// A server in this process that soon gives up a silent connection.
pub(crate) async fn serve(
    change: impl FnOnce(&mut ServerConfig),
) -> (SocketAddr, tempfile::TempDir) {
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
pub(crate) struct Player {
    pub(crate) client: Client<Arena>,
    pub(crate) heard: Vec<Event>,
}

impl Player {
    pub(crate) async fn join(target: SocketAddr, name: &str) -> Player {
        Player::join_over(&format!("quic://{target}"), name).await
    }

    async fn join_over(target: &str, name: &str) -> Player {
        Player::join_with(target, name, ConnectOptions::default()).await
    }

    pub(crate) async fn join_with(target: &str, name: &str, options: ConnectOptions) -> Player {
        let mut client = Client::connect(target, options).await.unwrap();
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

    pub(crate) fn chat(&self) -> Vec<String> {
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

pub(crate) fn is_lost(event: &Event) -> bool {
    matches!(event, Event::Connection(ConnectionEvent::Reconnecting { .. }))
}

fn is_told_away(player: &Player, number: PlayerId) -> bool {
    player.heard.iter().any(|event| {
        matches!(event, Event::Control(ServerFrame::MemberAway { player }) if *player == number)
    })
}

pub(crate) fn is_resumed(event: &Event) -> bool {
    matches!(event, Event::Connection(ConnectionEvent::Resumed { .. }))
}

pub(crate) async fn both(
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

pub(crate) fn is_moved(event: &Event) -> bool {
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
