//! A room and its players, connected by simulated links in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tickwire_arena::rules::Random;
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, InputCounts, Room, ToRoom};
use tickwire_shared::control::RequestId;
use tickwire_shared::input::InputCodec;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Capture, PlayerId, Tick};

use super::game::Flown;
use super::inputs::Margins;
use super::motion::{Motion, p99};
use super::player::{Player, Way, bytes_of};
use super::websocket::Arrived;
use super::{Ships, Transport};
use crate::network::Profile;

/// Of each game.
const TICK_HZ: u32 = 60;
const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / TICK_HZ as u64);
/// Ticks in which the players join.
const JOIN_TICKS: u32 = 60;
/// Ticks from the last join to the first one that counts.
const WARM_UP_TICKS: u32 = 180;
/// Bytes of the IPv4 and UDP headers.
const HEADER_BYTES: usize = 28;
/// Bytes of a datagram on every path.
const DATAGRAM_BYTES_MAX: usize = 1200;

/// The room, its players, and the data on its way between them.
pub(crate) struct World<G: Flown> {
    profile: Profile,
    /// Virtual time zero.
    zero: Instant,
    room: Room<G>,
    codec: InputCodec,
    players: Vec<Player<G>>,
    arrived: Vec<ToRoom<G::Input>>,
    events: BTreeMap<(Duration, u64), Happens>,
    numbers: u64,
    /// Times of pending work of WebSockets.
    awaited: BTreeSet<(usize, Duration)>,
    counted: std::ops::Range<u32>,
    counts_before: Vec<InputCounts>,
    truth: Motion,
    capture: Capture<G::Entity>,
    /// Bytes and number of the snapshots sent.
    sent: (u64, u64),
}

/// The figures of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Felt {
    pub(crate) late_fraction: f64,
    pub(crate) margin_ticks: Option<f64>,
    pub(crate) early_ticks: f64,
    pub(crate) starved_fraction: Option<f64>,
    /// p99 of the shown jumps over p99 of the ships' own jumps.
    pub(crate) velocity_jump: Option<f64>,
    pub(crate) behind_ms: f64,
    /// Mean number of frames from an input to the screen, without the first.
    pub(crate) extra_frames: Option<f64>,
    /// Visible corrections for each player and minute.
    pub(crate) corrections_per_minute: f64,
    /// p99 of the seconds until such a correction is no longer visible.
    pub(crate) fade_s: Option<f64>,
    /// Shots that were confirmed, cancelled and missed.
    pub(crate) shots: [f64; 3],
    /// The same for pickups.
    pub(crate) pickups: [f64; 3],
    pub(crate) bytes_per_snapshot: f64,
    /// Remote ships that a client has, in the mean.
    pub(crate) others: f64,
}

enum Happens {
    Step,
    Join {
        player: usize,
    },
    Frame {
        player: usize,
    },
    Up {
        player: usize,
        bytes: Vec<u8>,
    },
    Down {
        player: usize,
        bytes: Vec<u8>,
    },
    Control {
        player: usize,
        frame: Vec<u8>,
    },
    /// A WebSocket has pending work.
    WebSocket {
        player: usize,
    },
}

impl<G: Flown> World<G> {
    pub(crate) fn new(
        (profile, transport): (Profile, Transport),
        (clients, ships): (u32, Ships),
        seconds: u32,
        seed: u64,
    ) -> Self {
        let mut random = Random::new(seed);
        assert_eq!(G::TICK_HZ, TICK_HZ);
        let first = JOIN_TICKS + WARM_UP_TICKS;
        let mut world = World {
            profile,
            zero: Instant::now(),
            room: Room::new("feel".to_owned(), seed, RoomConfig::default()),
            codec: InputCodec::new(&schema_of::<G>()),
            players: Vec::new(),
            arrived: Vec::new(),
            events: BTreeMap::new(),
            numbers: 0,
            awaited: BTreeSet::new(),
            counted: first..first + seconds * TICK_HZ,
            counts_before: Vec::new(),
            truth: Motion::default(),
            capture: Capture::default(),
            sent: (0, 0),
        };
        for number in 0..clients {
            // No two screens are synchronised with the server or with each other.
            let period = PERIOD.mul_f32(random.between(0.999, 1.001));
            let seed = seed << 20 | u64::from(number);
            let way = Way::new(transport, profile.weather(), seed, world.zero);
            world.players.push(Player::new(number + 1, (seed, ships), way, period));
            let player = number as usize;
            let join = PERIOD.mul_f32(random.between(1.0, JOIN_TICKS as f32));
            world.happen(join, Happens::Join { player });
        }
        world.happen(PERIOD, Happens::Step);
        world
    }

    /// Plays to the end.
    pub(crate) fn run(mut self) -> Felt {
        while self.room.tick().0 < self.counted.end
            && let Some(((now, _), happens)) = self.events.pop_first()
        {
            match happens {
                Happens::Step => self.step(now),
                Happens::Join { player } => self.join(now, player),
                Happens::Frame { player } => self.frame(now, player),
                Happens::Up { player, bytes } => self.arrive(now, player, &bytes),
                Happens::Down { player, bytes } => self.show(now, player, &bytes),
                Happens::Control { player, frame } => {
                    self.players[player].handle_control(now, &frame);
                }
                Happens::WebSocket { player } => self.advance(now, player),
            }
        }
        self.sum_up()
    }

    fn happen(&mut self, at: Duration, happens: Happens) {
        self.numbers += 1;
        self.events.insert((at, self.numbers), happens);
    }

    fn join(&mut self, now: Duration, player: usize) {
        let (id, name) = (self.players[player].id, format!("player {player}"));
        let join = ToRoom::Join {
            request: RequestId(1),
            player: id,
            name,
            account: None,
            profile: None,
            spectator: false,
            options: "".into(),
            datagram_bytes_max: DATAGRAM_BYTES_MAX,
            resume: None,
            last_seat: 0,
        };
        self.room.handle(self.zero + now, 0, join);
        self.send_control(now);
        self.happen(now, Happens::Frame { player });
    }

    fn step(&mut self, now: Duration) {
        for message in self.arrived.drain(..) {
            self.room.handle(self.zero + now, 0, message);
        }
        self.room.step(self.zero + now);
        self.send_control(now);
        let snapshots: Vec<(PlayerId, Vec<u8>)> =
            self.room.datagrams().map(|(player, bytes)| (player, bytes.to_vec())).collect();
        let is_counted = self.counted.contains(&self.room.tick().0);
        for (id, bytes) in snapshots {
            let player = index(id);
            self.sent.0 += bytes.len() as u64 * u64::from(is_counted);
            self.sent.1 += u64::from(is_counted);
            match &mut self.players[player].way {
                Way::Datagrams { down, .. } => {
                    for at in down.send(now, bytes.len(), HEADER_BYTES) {
                        self.happen(at, Happens::Down { player, bytes: bytes.clone() });
                    }
                }
                Way::WebSocket(socket) => {
                    socket.send_down(now, bytes);
                    self.await_socket(player);
                }
            }
        }
        let tick = self.room.tick().0;
        if tick + 1 == self.counted.start {
            self.counts_before = self.input_counts();
        }
        self.see_truth(self.counted.contains(&tick));
        self.happen(now + PERIOD, Happens::Step);
    }

    fn frame(&mut self, now: Duration, player: usize) {
        let server_ticks = now.as_secs_f64() / PERIOD.as_secs_f64();
        let is_counted = self.counted.contains(&self.room.tick().0);
        let datagrams = self.players[player].frame(now, server_ticks, is_counted);
        for bytes in datagrams {
            let (newest, count) = self.inputs_in(&bytes);
            let player_ref = &mut self.players[player];
            player_ref.inputs.sent(now, newest, count);
            match &mut player_ref.way {
                Way::Datagrams { up, .. } => {
                    for at in up.send(now, bytes.len(), HEADER_BYTES) {
                        self.happen(at, Happens::Up { player, bytes: bytes.clone() });
                    }
                }
                Way::WebSocket(socket) => {
                    socket.send_up(now, bytes);
                    self.await_socket(player);
                }
            }
        }
        let next = now + self.players[player].frame_period;
        self.happen(next, Happens::Frame { player });
    }

    fn arrive(&mut self, now: Duration, player: usize, bytes: &[u8]) {
        let (newest, count) = self.inputs_in(bytes);
        self.players[player].inputs.came(now, newest, count);
        let datagram = self.codec.decode(bytes).expect("the client speaks the protocol");
        let player = self.players[player].id;
        self.arrived.push(ToRoom::Input { player, at: self.zero + now, datagram });
    }

    fn show(&mut self, now: Duration, player: usize, bytes: &[u8]) {
        let is_counted = self.counted.contains(&self.room.tick().0);
        self.players[player].handle_datagram(now, bytes, is_counted);
    }

    fn advance(&mut self, now: Duration, player: usize) {
        self.awaited.remove(&(player, now));
        let Way::WebSocket(socket) = &mut self.players[player].way else { return };
        for arrived in socket.advance(now) {
            match arrived {
                Arrived::Up(bytes) => self.arrive(now, player, &bytes),
                Arrived::Down(bytes) => self.show(now, player, &bytes),
                Arrived::Control(frame) => self.players[player].handle_control(now, &frame),
            }
        }
        self.await_socket(player);
    }

    /// Schedules the next pending work of a WebSocket, once.
    fn await_socket(&mut self, player: usize) {
        if let Way::WebSocket(socket) = &self.players[player].way
            && let Some(at) = socket.next()
            && self.awaited.insert((player, at))
        {
            self.happen(at, Happens::WebSocket { player });
        }
    }

    /// The newest input's tick, and the number of inputs.
    fn inputs_in(&self, bytes: &[u8]) -> (Tick, usize) {
        let datagram =
            self.codec.decode::<G::Input>(bytes).expect("the client speaks the protocol");
        (Tick::expand(datagram.head.newest_low16, self.room.tick()), datagram.inputs.len())
    }

    /// Delivers reliable frames after the mean delay; over a WebSocket they travel with everything
    /// else.
    fn send_control(&mut self, now: Duration) {
        let delay = Duration::from_secs_f32(self.profile.weather().delay_ms / 1000.0);
        while let Some(out) = self.room.poll() {
            let (players, frame) = match out {
                FromRoom::Control { player, frame } => (Arc::new([player]) as Arc<[_]>, frame),
                FromRoom::ControlAll { players, frame } => (players, frame),
                _ => continue,
            };
            for &player in players.iter() {
                let (player, frame) = (index(player), bytes_of(&frame));
                if let Way::WebSocket(socket) = &mut self.players[player].way {
                    socket.send_control(now, &frame);
                    self.await_socket(player);
                } else {
                    self.happen(now + delay, Happens::Control { player, frame });
                }
            }
        }
    }

    fn see_truth(&mut self, is_counted: bool) {
        self.truth.begin_frame();
        self.room.simulation().capture(&mut self.capture);
        for seen in self.capture.drain() {
            if let Some((place, _)) = G::flight(&seen.entity) {
                self.truth.see(seen.id, place, PERIOD.as_secs_f64(), is_counted);
            }
        }
    }

    fn input_counts(&self) -> Vec<InputCounts> {
        let counts = |player: &Player<G>| self.room.input_counts(player.id).unwrap_or_default();
        self.players.iter().map(counts).collect()
    }

    fn sum_up(self) -> Felt {
        let counts = self.input_counts();
        let since = |of: fn(&InputCounts) -> u64| {
            let sum = |counts: &[InputCounts]| counts.iter().map(of).sum::<u64>();
            (sum(&counts) - sum(&self.counts_before)) as f64
        };
        let (taken, missing) = (since(|counts| counts.taken), since(|counts| counts.missing));
        let target = self.profile.late_target();
        let deadline = |tick: u32| PERIOD * tick;
        let margins: Vec<Margins> = self
            .players
            .iter()
            .map(|player| player.inputs.margins(self.counted.clone(), deadline, PERIOD, target))
            .collect();
        let beyond_need: Option<f64> = margins.iter().map(|it| it.beyond_need_ticks).sum();
        let mean = |of: fn(&Margins) -> f64| {
            margins.iter().map(of).sum::<f64>() / margins.len().max(1) as f64
        };
        let shown = self.players.into_iter().map(|player| player.shown);
        let (mut ships, mut starved, mut frames, mut behind) = (0, 0, 0, 0.0);
        let mut jumps = Vec::new();
        let (mut corrections, mut faded, mut extra) = (0, Vec::new(), Vec::new());
        let (mut shots, mut pickups) = ([0.0; 3], [0.0; 3]);
        let minutes = f64::from(self.counted.end - self.counted.start) / f64::from(TICK_HZ) / 60.0;
        let players = shown.len() as f64;
        for shown in shown {
            corrections += shown.own.corrections;
            let (stats, before) = (shown.own.stats, shown.own.stats_before.unwrap_or_default());
            shots[0] += (stats.spawns_confirmed - before.spawns_confirmed) as f64;
            shots[1] += (stats.spawns_cancelled - before.spawns_cancelled) as f64;
            shots[2] += (stats.spawns_missed - before.spawns_missed) as f64;
            pickups[0] += (stats.events_confirmed - before.events_confirmed) as f64;
            pickups[1] += (stats.events_cancelled - before.events_cancelled) as f64;
            pickups[2] += shown.pickups_missed as f64;
            faded.extend(shown.own.faded_s);
            extra.extend(shown.own.extra_frames);
            ships += shown.ships;
            starved += shown.starved;
            frames += shown.frames;
            behind += shown.behind_ticks;
            jumps.extend(shown.motion.into_jumps());
        }
        let truth = p99(self.truth.into_jumps()).filter(|jump| *jump > 0.0);
        Felt {
            late_fraction: missing / (taken + missing),
            margin_ticks: beyond_need.map(|sum| sum / players),
            early_ticks: mean(|margins| margins.early_ticks),
            starved_fraction: (ships > 0).then(|| starved as f64 / ships as f64),
            velocity_jump: p99(jumps).zip(truth).map(|(shown, truth)| shown / truth),
            extra_frames: (!extra.is_empty())
                .then(|| extra.iter().sum::<f64>() / extra.len() as f64),
            corrections_per_minute: corrections as f64 / players / minutes,
            fade_s: p99(faded),
            shots: shots.map(|shots| shots / players / minutes),
            pickups: pickups.map(|pickups| pickups / players / minutes),
            bytes_per_snapshot: self.sent.0 as f64 / self.sent.1 as f64,
            others: ships as f64 / frames as f64,
            behind_ms: behind / frames as f64 * PERIOD.as_secs_f64() * 1000.0,
        }
    }
}

fn index(player: PlayerId) -> usize {
    player.0 as usize - 1
}
