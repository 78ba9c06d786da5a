//! The time from an input to the snapshot that shows its effect, through a real server and real
//! sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use serde::{Deserialize, Serialize};
use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_server::{Server, ServerConfig, ServerError};
use tickwire_shared::control::{RoomChoice, RoomQuery, ServerFrame};
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation,
};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::measure::warm_up_ticks;

/// Interval at which the client looks for news.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// Ticks until the client's clock has settled on the server's.
const SETTLE_TICKS: u32 = 180;
/// Time without an answer that counts as a fault.
const PATIENCE: Duration = Duration::from_secs(10);

/// Both transports at the usual tick rate, and QUIC at a high one.
pub(crate) fn all(c: &mut Criterion) {
    let runtime = Runtime::new().expect("the network threads start");
    let mut group = c.benchmark_group("round_trip");
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(3));
    group.sample_size(20);
    group.sampling_mode(SamplingMode::Flat);
    echo::<60>(&mut group, &runtime, "quic");
    echo::<240>(&mut group, &runtime, "quic");
    echo::<60>(&mut group, &runtime, "https");
    let mut line = None;
    group.bench_function("control_frame/quic", |b| {
        let line = line.get_or_insert_with(|| Line::<60>::open(&runtime, "quic"));
        b.iter_custom(|iterations| (0..iterations).map(|_| line.ask()).sum());
    });
    if let Some(line) = line {
        line.close(&runtime);
    }
}

fn echo<const HZ: u32>(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, scheme: &str) {
    let mut line = None;
    let transport = if scheme == "https" { "webtransport" } else { scheme };
    group.bench_function(format!("input_to_snapshot/{transport}_{HZ}hz"), |b| {
        let line = line.get_or_insert_with(|| Line::<HZ>::open(runtime, scheme));
        b.iter_custom(|iterations| (0..iterations).map(|_| line.echo()).sum());
    });
    if let Some(line) = line {
        line.close(runtime);
    }
}

/// A server and a client in one of its rooms.
struct Line<const HZ: u32> {
    client: Client<Echo<HZ>>,
    sent: u16,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), ServerError>>,
    _certs: tempfile::TempDir,
}

impl<const HZ: u32> Line<HZ> {
    fn open(runtime: &Runtime, scheme: &str) -> Self {
        let certs = tempfile::tempdir().expect("a directory for the certificates");
        let config = ServerConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            http: false,
            certs_dir: certs.path().to_owned(),
            control_frames_hz: 10_000,
            control_frames_burst: 10_000,
            ..ServerConfig::default()
        };
        let (stop, stopped) = oneshot::channel();
        let (client, server) = runtime.block_on(async {
            let server = Server::<Echo<HZ>>::bind(config).await.expect("the server starts");
            let target = format!("{scheme}://{}", server.local_addr());
            let server = tokio::spawn(server.run(async move {
                let _ = stopped.await;
            }));
            let client = Client::connect(&target, ConnectOptions::default()).await;
            (client.expect("the server answers"), server)
        });
        let mut line = Line { client, sent: 0, stop, server, _certs: certs };
        line.client.join(RoomChoice::Named("bench".to_owned()), "bench");
        line.until(|client| client.session().room().is_some());
        for _ in 0..warm_up_ticks(SETTLE_TICKS) {
            line.play(Duration::from_secs(1) / HZ);
        }
        line
    }

    /// The time from `set_input` to the first snapshot that shows it.
    fn echo(&mut self) -> Duration {
        // A trip ends with a snapshot: without a pause of varying length, all trips would begin at
        // the same point of a tick.
        let golden = f64::from(self.sent) * 0.618_034;
        self.play(Duration::from_secs_f64(golden.fract() / f64::from(HZ)));
        self.sent = self.sent.wrapping_add(1);
        let number = self.sent;
        let start = Instant::now();
        self.client.set_input(Number { number });
        self.until(|client| heard(client) == Some(i32::from(number)));
        start.elapsed()
    }

    /// The time from a request on the control stream to its answer.
    fn ask(&mut self) -> Duration {
        let start = Instant::now();
        self.client.list_rooms(RoomQuery::default());
        self.until(|client| {
            std::iter::from_fn(|| client.poll_event())
                .any(|event| matches!(event, ClientEvent::Control(ServerFrame::Rooms { .. })))
        });
        start.elapsed()
    }

    fn play(&mut self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            self.client.update();
            sleep(LOOK_EVERY);
        }
    }

    fn until(&mut self, mut done: impl FnMut(&mut Client<Echo<HZ>>) -> bool) {
        let start = Instant::now();
        loop {
            self.client.update();
            if done(&mut self.client) {
                return;
            }
            assert!(!self.client.is_over() && start.elapsed() < PATIENCE, "no answer");
            sleep(LOOK_EVERY);
        }
    }

    fn close(self, runtime: &Runtime) {
        runtime.block_on(async {
            self.client.close().await;
            // Fails if the server has already stopped.
            let _ = self.stop.send(());
            let ended = self.server.await.expect("the server stops");
            ended.expect("the server stops as it should");
        });
    }
}

/// The number in the newest snapshot.
fn heard<const HZ: u32>(client: &Client<Echo<HZ>>) -> Option<i32> {
    let own = client.session().room()?.replica().entities().iter().find(|entity| entity.mine)?;
    own.states.state(own.states.len() - 1).next()
}

/// Shows each player's number to everyone.
#[derive(Serialize, Deserialize)]
struct Echo<const HZ: u32> {
    heard: Vec<(PlayerId, u16)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
struct Number {
    number: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
struct Heard {
    number: u16,
}

#[tickwire_shared::game]
impl<const HZ: u32> Simulation for Echo<HZ> {
    const NAME: &'static str = "echo";
    const TICK_HZ: u32 = HZ;
    type Input = Number;
    type Entity = Heard;

    fn new(_room: &NewRoom<Self>) -> Self {
        Echo { heard: Vec::new() }
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.heard.push((player.id, 0));
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.heard.retain(|(other, _)| *other != player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        for (player, number) in &mut self.heard {
            *number = inputs.get(*player).number;
        }
    }

    fn capture(&self, world: &mut Capture<Heard>) {
        for &(player, number) in &self.heard {
            world.show(EntityId(player.0), Heard { number }).owned_by(player);
        }
    }
}
