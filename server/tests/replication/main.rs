//! A room and its clients' replicas agree, whatever the network does to the datagrams between them.

mod answers;
mod balls;
mod bots;
mod commands;
mod hidden;
mod joining;
mod slow_path;
mod stage;
mod static_data;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{RequestId, ServerFrame};
use tickwire_shared::glam::Vec3;
use tickwire_shared::input::{InputDatagram, InputHead};
use tickwire_shared::quantize::{Kinds, Lanes};
use tickwire_shared::replica::{Replica, SnapshotError};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Capture, EntityId, PlayerId, Simulation, Tick, Viewer};

use balls::{
    Ball, BallEvent, Balls, CROWD, CROWD_BALLS, ONCE, ONCE_TICK, Push, QUIET, STILL, Thing, URGENT,
    Wall,
};

/// A client with its half of a bad network.
struct Client {
    player: PlayerId,
    seat: u8,
    replica: Replica,
    in_flight: Vec<Vec<u8>>,
    /// Keyframe parts and resyncs on the control stream.
    stream: VecDeque<ServerFrame>,
    /// Keyframe parts that arrived since the stay or the last resync began.
    keyframes: u32,
    /// The room began anew for this client: datagrams of either seat may be under way.
    is_resynced: bool,
    acks: Vec<InputDatagram<Push>>,
    pings: Vec<u32>,
    /// Ticks of the flashes that arrived.
    flashes: Vec<u32>,
    snapshots: usize,
}

struct Table {
    room: Room<Balls>,
    clients: Vec<Client>,
    now: Instant,
}

impl Table {
    fn new(seed: u64, clients: u32, snapshot_bytes_max: usize) -> Self {
        Table::with_far_interval(seed, clients, snapshot_bytes_max, 1)
    }

    fn with_far_interval(
        seed: u64,
        clients: u32,
        snapshot_bytes_max: usize,
        far_interval_ticks: u32,
    ) -> Self {
        let config = RoomConfig { snapshot_bytes_max, far_interval_ticks, ..RoomConfig::default() };
        Table::with_config(seed, clients, config)
    }

    fn with_config(seed: u64, clients: u32, config: RoomConfig) -> Self {
        let mut room = Room::<Balls>::new("test".into(), seed, config);
        let now = Instant::now();
        let clients = (1..=clients).map(|number| {
            let player = PlayerId(number);
            let name = format!("p{number}");
            room.handle(
                now,
                0,
                ToRoom::Join {
                    request: RequestId(1),
                    player,
                    name,
                    account: None,
                    spectator: false,
                    options: "".into(),
                    datagram_bytes_max: 1200,
                },
            );
            let seat = std::iter::from_fn(|| room.poll()).find_map(|out| match out {
                FromRoom::Control { frame: ServerFrame::Joined { seat, .. }, .. } => Some(seat),
                _ => None,
            });
            let seat = seat.expect("there is room");
            Client {
                player,
                seat,
                replica: Replica::new(&schema_of::<Balls>(), seat),
                in_flight: Vec::new(),
                stream: VecDeque::new(),
                keyframes: 0,
                is_resynced: false,
                acks: Vec::new(),
                pings: Vec::new(),
                flashes: Vec::new(),
                snapshots: 0,
            }
        });
        let clients = clients.collect();
        Table { room, clients, now }
    }

    /// Plays one tick. `fate` decides for each datagram: lost, delayed, duplicated or delivered.
    fn tick(&mut self, mut fate: impl FnMut() -> u8) {
        self.hear(&mut fate);
        self.step();
        for client in &mut self.clients {
            client.receive(&mut fate, self.room.tick());
        }
    }

    /// Delivers the clients' datagrams to the room.
    fn hear(&mut self, fate: &mut impl FnMut() -> u8) {
        self.now += Duration::from_micros(16_667);
        for client in &mut self.clients {
            client.acks.retain(|ack| {
                let fate = fate();
                if !fate.is_multiple_of(4) {
                    let datagram = ack.clone();
                    self.room.handle(
                        self.now,
                        0,
                        ToRoom::Input { player: client.player, at: self.now, datagram },
                    );
                }
                fate % 4 == 2
            });
        }
    }

    /// Steps the room and sends its output to the clients.
    fn step(&mut self) {
        self.room.step(self.now);
        while let Some(out) = self.room.poll() {
            let FromRoom::Control { player, frame } = out else { continue };
            let is_resync = matches!(frame, ServerFrame::Resync { .. });
            if is_resync || matches!(frame, ServerFrame::Keyframe(_)) {
                let client = self.clients.iter_mut().find(|c| c.player == player).unwrap();
                client.is_resynced |= is_resync;
                client.stream.push_back(frame);
            }
        }
        for (player, bytes) in self.room.datagrams() {
            let client = self.clients.iter_mut().find(|c| c.player == player).unwrap();
            client.in_flight.push(bytes.to_vec());
        }
    }

    /// The most ticks for which a client that sees everything has heard nothing of some moving
    /// ball.
    fn longest_wait_ticks(&self) -> i32 {
        let client = self.clients.iter().find(|client| client.player.0.is_multiple_of(2)).unwrap();
        let now = self.room.tick();
        let waits = client.replica.entities().iter().filter_map(|entity| {
            let (ball, moving) = self.room.simulation().balls.get(&entity.id.0)?;
            let states = &entity.states;
            (*moving && ball.vel.x != 0.0).then(|| now.since(states.tick(states.len() - 1)))
        });
        waits.max().unwrap_or(0)
    }

    fn assert_equal(&self) {
        let mut capture = Capture::default();
        self.room.simulation().capture(&mut capture);
        let mut world: BTreeMap<EntityId, (Option<PlayerId>, Option<Vec3>, Thing)> =
            BTreeMap::new();
        for shown in capture.drain() {
            world.insert(shown.id, (shown.owner, shown.place, shown.entity));
        }
        for client in &self.clients {
            let view = self.room.simulation().view(Viewer::Player(client.player));
            let mut known = 0;
            for (id, (owner, place, thing)) in &world {
                let mine = *owner == Some(client.player);
                let entity = client.replica.entities().iter().find(|e| e.id == *id);
                let must = mine || place.is_none_or(|place| view.contains(place));
                let Some(entity) = entity else {
                    assert!(!must, "{:?} lacks {id:?}", client.player);
                    continue;
                };
                known += 1;
                let mut lanes = vec![0; if thing.kind() == 0 { Ball::LANES } else { Wall::LANES }];
                thing.to_lanes(&mut lanes);
                if !mine && thing.kind() == 0 {
                    lanes[5] = 0;
                }
                let newest: Vec<i32> = entity.states.state(entity.states.len() - 1).collect();
                assert_eq!(newest, lanes, "{:?} of {:?}", id, client.player);
                assert_eq!(entity.mine, mine);
            }
            assert_eq!(client.replica.entities().len(), known, "{:?} has ghosts", client.player);
        }
    }
}

impl Client {
    fn receive(&mut self, fate: &mut impl FnMut() -> u8, near: Tick) {
        let mut later = Vec::new();
        for bytes in std::mem::take(&mut self.in_flight) {
            let fate = fate();
            if fate.is_multiple_of(8) {
                continue;
            }
            if fate % 8 == 1 {
                later.push(bytes);
                continue;
            }
            for _ in 0..if fate % 8 == 2 { 2 } else { 1 } {
                match self.replica.apply(&bytes, near) {
                    Ok(applied) => {
                        self.snapshots += 1;
                        for event in &applied.events {
                            match BallEvent::from_lanes(event.kind, &event.lanes)
                                .expect("of this game")
                            {
                                BallEvent::Ping(ping) => self.pings.push(ping.number),
                                BallEvent::Flash(flash) => {
                                    assert_eq!(flash.tick, applied.tick.0, "told once, at once");
                                    assert_eq!(event.tick, applied.tick);
                                    self.flashes.push(flash.tick);
                                }
                            }
                        }
                    }
                    Err(SnapshotError::OtherSeat) if self.is_resynced => {}
                    Err(error) => assert_eq!(error, SnapshotError::Late),
                }
            }
        }
        self.in_flight = later;
        // A stream delivers everything in order, sooner or later.
        while !self.stream.is_empty() && !fate().is_multiple_of(4) {
            self.hear(self.stream[0].clone(), near);
            self.stream.pop_front();
        }
        let head = InputHead {
            seat: self.seat,
            ack: self.replica.ack(),
            newest_low16: near.offset(2).low16(),
            view_delay: 0,
            keyframes: (self.keyframes > 0).then_some(self.keyframes as u8),
        };
        let datagram = InputDatagram { head, inputs: vec![Push { x: 1 }] };
        self.acks.push(datagram);
    }
}

impl Client {
    /// Takes a frame of the control stream, as a session does.
    fn hear(&mut self, frame: ServerFrame, near: Tick) {
        match frame {
            ServerFrame::Keyframe(part) => {
                self.replica.apply_keyframe(&part, near).expect("every part is good");
                self.keyframes += 1;
            }
            ServerFrame::Resync { tick, seat } => {
                let mut anew = Replica::new(&schema_of::<Balls>(), seat).since(tick);
                anew.go_on_from(&self.replica);
                (self.replica, self.seat, self.keyframes) = (anew, seat, 0);
            }
            other => unreachable!("{other:?} is not kept"),
        }
    }
}

fn keyframe_bytes(frame: &ServerFrame) -> usize {
    if let ServerFrame::Keyframe(part) = frame { part.len() } else { 0 }
}

/// Ticks without faults at the end, for repeating losses and reporting what left the view.
const CALM_TICKS: usize = 12;

fn play(seed: u64, fates: &[u8], ticks: usize, snapshot_bytes_max: usize) -> Table {
    let mut table = Table::new(seed, 4, snapshot_bytes_max);
    let mut at = 0;
    for _ in 0..ticks {
        table.tick(|| {
            at += 1;
            fates[at % fates.len()]
        });
    }
    let calm_ticks = if seed & CROWD != 0 { 4 * CALM_TICKS } else { CALM_TICKS };
    for _ in 0..calm_ticks {
        table.tick(|| 3);
    }
    table
}

/// The number of schedules to try: few while debugging, 10,000 in `cargo xtask test`.
fn cases() -> u32 {
    let told = std::env::var("TICKWIRE_CASES");
    told.map_or(400, |cases| cases.parse().expect("TICKWIRE_CASES is a number of cases"))
}

/// An input datagram from before the first acknowledgement arrives a second late, while the client is
/// silent. The room takes it for a client that has nothing, and begins anew for it.
#[test]
fn a_datagram_that_is_a_second_late_costs_a_new_beginning_and_no_event() {
    for seed in [0, 1] {
        let table = play(seed, &[25, 50, 40, 186, 43, 7, 11, 26, 72, 2, 129], 64, 1200);
        assert!(table.clients.iter().any(|client| client.is_resynced));
        table.assert_equal();
        for client in &table.clients {
            assert!(client.pings.iter().copied().eq(1..=table.room.simulation().pings));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn any_loss_reorder_and_duplication_ends_in_the_same_world(
        seed in 0..CROWD, fates in prop::collection::vec(any::<u8>(), 1..400), ticks in 1usize..250,
    ) {
        let table = play(seed, &fates, ticks, 1200);
        table.assert_equal();
    }

    #[test]
    fn every_event_comes_exactly_once_and_in_order(
        seed in 1..ONCE, fates in prop::collection::vec(any::<u8>(), 1..400), ticks in 1usize..200,
    ) {
        let table = play(seed, &fates, ticks, 1200);
        let told = table.room.simulation().pings;
        for client in &table.clients {
            prop_assert_eq!(&client.pings, &(1..=told).collect::<Vec<u32>>());
            prop_assert!(client.flashes.len() <= client.snapshots);
            prop_assert!(client.flashes.is_sorted_by(|before, after| before < after));
        }
    }
}

proptest! {
    // Its worlds are large, so fewer cases.
    #![proptest_config(ProptestConfig::with_cases((cases() / 20).max(20)))]
    #[test]
    fn a_keyframe_on_a_slow_stream_ends_in_the_same_world(
        seed: u64, fates in prop::collection::vec(any::<u8>(), 1..400), ticks in 1usize..150,
    ) {
        let table = play(seed | CROWD, &fates, ticks, 1200);
        table.assert_equal();
    }
}

#[test]
fn a_client_that_hears_but_is_not_heard_is_brought_up_to_date() {
    let mut table = play(ONCE, &[3], ONCE_TICK as usize - CALM_TICKS - 1, 1200);
    for _ in 0..1800 {
        // Lose acknowledgements, but no snapshots.
        table.tick(|| 4);
    }
    for _ in 0..CALM_TICKS {
        table.tick(|| 3);
    }
    table.assert_equal();
}

#[test]
fn a_snapshot_never_exceeds_its_budget_and_everything_arrives_in_turn() {
    let mut table = Table::new(7, 2, 60);
    for _ in 0..300 {
        table.tick(|| 3);
        for (_, bytes) in table.room.datagrams() {
            assert!(bytes.len() <= 60, "{} bytes", bytes.len());
        }
    }
    let alive = table.room.simulation().balls.len() + 1;
    let known = table.clients[1].replica.entities().len();
    assert!(known + 2 >= alive, "{known} of {alive}");
}

#[test]
fn a_second_of_snapshots_is_as_large_as_allowed_and_nobody_waits_for_ever() {
    const BYTES_PER_S: u32 = 1200;
    let mut table = Table::with_config(
        QUIET | 7,
        2,
        RoomConfig { snapshot_bytes_per_s_max: BYTES_PER_S, ..RoomConfig::default() },
    );
    let mut sent = 0;
    let mut wait_ticks_max = 0;
    for tick in 0..600 {
        table.tick(|| 3);
        let (_, bytes) = table.room.datagrams().next().unwrap();
        assert!(bytes.len() <= 1200);
        sent += bytes.len();
        if tick > 60 {
            wait_ticks_max = wait_ticks_max.max(table.longest_wait_ticks());
        }
    }
    let (least, most) = (9 * BYTES_PER_S as usize, 10 * BYTES_PER_S as usize);
    assert!((least..=most).contains(&sent), "{sent} bytes in ten seconds");
    // Twice the pending bits divided by the bits that fit a tick: 21 records of at most 80 bits,
    // and 88 bits of 160 beside the header.
    assert!(wait_ticks_max <= 2 * 21 * 80 / 88, "a moving ball waited {wait_ticks_max} ticks");
}

#[test]
fn a_client_silent_for_half_a_minute_is_brought_up_to_date() {
    let mut table = play(11, &[3], 60, 1200);
    for _ in 0..1800 {
        table.tick(|| 0);
    }
    for _ in 0..CALM_TICKS {
        table.tick(|| 3);
    }
    table.assert_equal();
}

#[test]
fn what_stands_still_is_not_sent_again() {
    let mut table = Table::new(STILL, 1, 1200);
    let mut sizes = Vec::new();
    for _ in 0..40 {
        table.tick(|| 3);
        sizes.push(table.room.datagrams().map(|(_, bytes)| bytes.len()).sum::<usize>());
    }
    assert_eq!(table.clients[0].replica.entities().len(), 1, "the wall");
    let header_bytes = (8 + 16 + 8 + 1 + 20 + 1 + 7 + 3 + 1usize).div_ceil(8);
    assert_eq!(sizes[20..], [header_bytes; 20]);
}

#[test]
fn one_snapshot_that_was_long_under_way_does_not_hold_up_what_was_lost() {
    let table = play(1, &[105, 2, 24, 0, 0, 217, 2, 8, 2, 169, 26], 58, 1200);
    table.assert_equal();
}

#[test]
fn what_is_far_is_sent_at_its_own_interval() {
    let bytes = |far_interval_ticks| {
        let mut table = Table::with_far_interval(5, 1, 1200, far_interval_ticks);
        let mut bytes = 0;
        for _ in 0..200 {
            table.tick(|| 3);
            bytes += table.room.datagrams().map(|(_, bytes)| bytes.len()).sum::<usize>();
        }
        bytes
    };
    let (always, seldom) = (bytes(1), bytes(6));
    assert!(seldom < always, "{seldom} of {always} bytes");
}

#[test]
fn one_who_joins_a_crowd_sees_all_of_it_within_a_few_round_trips() {
    let mut table = Table::new(CROWD | 3, 2, 1200);
    let mut ticks = 0;
    let known = |table: &Table| table.clients[1].replica.entities().len();
    while known(&table) < CROWD_BALLS as usize - 20 {
        table.tick(|| 3);
        ticks += 1;
        assert!(ticks < 100, "{} known after {ticks} ticks", known(&table));
    }
    let bytes_all = CROWD_BALLS as usize * 12;
    assert!(table.clients[1].keyframes > 0);
    // In snapshots alone, each 1200 bytes take a tick.
    assert!(ticks <= bytes_all / 1200, "{ticks} ticks");
}

#[test]
fn a_keyframe_of_few_bytes_a_second_is_saved_up_for() {
    const BYTES_PER_S: u32 = 6000;
    let config = RoomConfig {
        keyframe_bytes_per_s_max: BYTES_PER_S,
        snapshot_bytes_max: 60,
        ..RoomConfig::default()
    };
    let mut table = Table::with_config(CROWD | QUIET | 3, 2, config);
    let mut bytes = 0;
    for _ in 0..60 {
        table.hear(&mut || 3);
        table.step();
        bytes += table.clients[1].stream.iter().map(keyframe_bytes).sum::<usize>();
        for client in &mut table.clients {
            client.receive(&mut || 3, table.room.tick());
        }
    }
    let most = BYTES_PER_S as usize;
    assert!((most * 3 / 5..=most).contains(&bytes), "{bytes} bytes in a second");
}

#[test]
fn what_matters_more_is_told_more_often_where_not_all_fits() {
    let told_per_ball_and_tick = |seed| {
        let config = RoomConfig { snapshot_bytes_per_s_max: 1200, ..RoomConfig::default() };
        let mut table = Table::with_config(seed, 2, config);
        let mut told = [(0u32, 0u32); 2];
        for _ in 0..900 {
            table.tick(|| 3);
            let balls = table.room.simulation();
            // The player's own entities come first in any case.
            let entities = table.clients[1].replica.entities();
            for entity in entities.iter().filter(|entity| !entity.mine) {
                let Some((_, true)) = balls.balls.get(&entity.id.0) else { continue };
                let newest = entity.states.tick(entity.states.len() - 1);
                let (ticks, times) = &mut told[usize::from(entity.id.0.is_multiple_of(2))];
                *ticks += 1;
                *times += u32::from(newest == table.room.tick());
            }
        }
        told.map(|(ticks, times)| f64::from(times) / f64::from(ticks))
    };
    let [others, same] = told_per_ball_and_tick(7);
    assert!((0.7..1.4).contains(&(same / others)), "{same} and {others} without priorities");
    let [others, urgent] = told_per_ball_and_tick(URGENT | 7);
    assert!(urgent > 2.0 * others, "{urgent} of what matters more, {others} of the others");
}

#[test]
fn what_is_told_unreliably_comes_with_the_snapshot_of_its_tick_or_never() {
    let told = |fates: &[u8]| {
        let table = play(5, fates, 60, 1200);
        let sum = |value: fn(&Client) -> usize| table.clients.iter().map(value).sum::<usize>();
        (sum(|client| client.flashes.len()), sum(|client| client.snapshots))
    };
    let all = 4 * (60 + CALM_TICKS);
    assert_eq!(told(&[3]), (all, all), "one with each");
    let (flashes, snapshots) = told(&[3, 3, 3, 0, 3, 8, 3, 3, 9]);
    assert_eq!(flashes, snapshots);
    assert!(snapshots < all, "some are lost");
}
