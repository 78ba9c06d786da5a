//! Static data over real connections, by the client's own sessions.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tickwire_client::{Client, ClientEvent, ConnectOptions, DirCache};
use tickwire_server::{Server, ServerConfig};
use tickwire_shared::control::RoomChoice;
use tickwire_shared::{
    Capture, EntityId, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Simulation,
    StaticData,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::game::{Dot, Keys};

const MAP: u8 = 2;

/// A map with as many bytes as the room's options say. Each step changes one byte, if the options
/// say so.
#[derive(Serialize, Deserialize)]
struct Atlas {
    map: Vec<u8>,
    changes: bool,
    steps: u32,
    players: Vec<PlayerId>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Extent {
    bytes: usize,
    changes: bool,
}

#[tickwire_shared::game]
impl Simulation for Atlas {
    const NAME: &'static str = "atlas";
    type Input = Keys;
    type Entity = Dot;
    type RoomOptions = Extent;

    fn new(room: &NewRoom<Self>) -> Self {
        let Extent { bytes, changes } = room.options;
        // Noise, which no codec on the way can compress.
        let noise = |at: usize| (at as u32).wrapping_mul(2_654_435_761) as u8 ^ (at >> 8) as u8;
        Atlas { map: (0..bytes).map(noise).collect(), changes, steps: 0, players: Vec::new() }
    }

    fn static_data(&self, data: &mut StaticData) {
        data.set(MAP, self.map.clone());
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.players.push(player.id);
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.players.retain(|other| *other != player);
    }

    fn step(&mut self, _inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        self.steps += 1;
        if self.changes {
            // The first four bytes count the changes.
            let at = 4 + self.steps as usize % (self.map.len() - 4);
            self.map[at] = self.map[at].wrapping_add(1);
            self.map[..4].copy_from_slice(&self.steps.to_le_bytes());
            outbox.static_data().change(MAP, 0, self.steps.to_le_bytes());
            outbox.static_data().change(MAP, at, [self.map[at]]);
        }
    }

    fn capture(&self, world: &mut Capture<Dot>) {
        for player in &self.players {
            world.show(EntityId(player.0), Dot { steps: self.steps }).owned_by(*player);
        }
    }
}

/// The map after this many steps.
fn map_after(bytes: usize, steps: u32) -> Vec<u8> {
    let options = Extent { bytes, changes: true };
    let mut atlas = Atlas::new(&NewRoom { seed: 0, name: "", options });
    for _ in 0..steps {
        let inputs = Inputs::new(tickwire_shared::Tick(1), &[]);
        atlas.step(&inputs, &mut Outbox::default());
    }
    atlas.map
}

struct AtlasServer {
    udp: SocketAddr,
    http: SocketAddr,
    dir: tempfile::TempDir,
    _stop: oneshot::Sender<()>,
}

async fn serve(change: impl FnOnce(&mut ServerConfig)) -> AtlasServer {
    let dir = tempfile::tempdir().unwrap();
    let mut config = ServerConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        certs_dir: dir.path().join("certs"),
        ..ServerConfig::default()
    };
    change(&mut config);
    let server = Server::<Atlas>::bind(config).await.unwrap();
    let (udp, http) = (server.local_addr(), server.http_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    AtlasServer { udp, http, dir, _stop: stop }
}

impl AtlasServer {
    fn targets(&self) -> [String; 3] {
        let AtlasServer { udp, http, .. } = self;
        [format!("quic://{udp}"), format!("https://{udp}"), format!("ws://{http}/ws")]
    }

    async fn connect(&self, target: &str, cache: Option<&Path>) -> Client<Atlas> {
        let static_cache = cache.map(|dir| {
            Arc::new(DirCache::new(dir, 10_000_000)) as Arc<dyn tickwire_client::StaticCache>
        });
        let options = ConnectOptions { static_cache, ..ConnectOptions::default() };
        Client::<Atlas>::connect(target, options).await.unwrap()
    }

    /// Bytes of static data that clients loaded.
    async fn loaded(&self) -> u64 {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let request = b"GET /stats.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let stats: serde_json::Value = serde_json::from_str(body).unwrap();
        stats["static_bytes_out"].as_u64().unwrap()
    }
}

/// Updates until the whole map is here. Returns the bytes received at each event.
async fn load(client: &mut Client<Atlas>) -> Vec<usize> {
    let begin = Instant::now();
    let mut told = Vec::new();
    while client.static_data(MAP).is_none() {
        assert!(begin.elapsed().as_secs() < 60, "no map: {told:?}");
        client.update();
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::StaticData { key: MAP, received, .. } => told.push(received),
                ClientEvent::Over { text, .. } => panic!("{text}"),
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    told
}

#[tokio::test]
async fn a_map_is_loaded_over_every_transport_while_it_changes() {
    let server = serve(|_| {}).await;
    let bytes = 300_000;
    let options = Extent { bytes, changes: true };
    let mut maker = server.connect(&server.targets()[0], None).await;
    maker.create("land", &options, "maker", &());
    load(&mut maker).await;
    for target in server.targets() {
        let mut client = server.connect(&target, None).await;
        client.join(RoomChoice::Named("land".to_owned()), &format!("by {target}"));
        let told = load(&mut client).await;
        assert!(told.len() > 20 && told.is_sorted() && told[0] == 0, "{target}: {told:?}");
        for _ in 0..20 {
            client.update();
            let map = client.static_data(MAP).unwrap();
            let steps = u32::from_le_bytes(map[..4].try_into().unwrap());
            assert!(map == map_after(bytes, steps), "{target}: as of step {steps}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        maker.update();
    }
    assert_eq!(server.loaded().await, 4 * bytes as u64);
}

#[tokio::test]
async fn a_returning_client_loads_nothing() {
    let server = serve(|_| {}).await;
    let cache = server.dir.path().join("cache");
    let options = Extent { bytes: 100_000, changes: false };
    for (number, target) in server.targets().iter().enumerate() {
        let mut client = server.connect(target, Some(&cache)).await;
        client.create(&format!("land-{number}"), &options, "x", &());
        let told = load(&mut client).await;
        assert_eq!(server.loaded().await, 100_000, "the first loaded it");
        assert_eq!(told.len() == 2, number > 0, "{told:?}");
    }
    // The cache ignores a file whose bytes do not match its name.
    let file = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&file, vec![0; 100_000]).unwrap();
    let mut client = server.connect(&server.targets()[0], Some(&cache)).await;
    client.create("land-3", &options, "x", &());
    load(&mut client).await;
    assert_eq!(server.loaded().await, 200_000);
    let whole = Atlas::new(&NewRoom { seed: 0, name: "", options }).map;
    assert!(client.static_data(MAP) == Some(&whole[..]));
    assert!(std::fs::read(&file).unwrap() == whole);
}

#[test]
fn a_directory_keeps_files_up_to_its_bound() {
    use tickwire_client::StaticCache as _;
    use tickwire_shared::control::ContentHash;
    let dir = tempfile::tempdir().unwrap();
    let cache = DirCache::new(dir.path().join("deep/cache"), 250);
    for number in 1..=4 {
        cache.store(&ContentHash([number; 32]), &[number; 100]);
        // Files of the same moment have no order.
        std::thread::sleep(Duration::from_millis(20));
    }
    let kept: Vec<u8> =
        (1..=4).filter(|number| cache.load(&ContentHash([*number; 32])).is_some()).collect();
    assert_eq!(kept, [3, 4]);
}
