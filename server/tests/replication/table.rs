//! A room and clients with a bad network between them.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{RequestId, ServerFrame};
use tickwire_shared::glam::Vec3;
use tickwire_shared::input::{InputDatagram, InputHead};
use tickwire_shared::quantize::{Kinds, Lanes};
use tickwire_shared::replica::{Replica, SnapshotError};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Capture, EntityId, PlayerId, Simulation, Tick, Viewer};

use crate::balls::{Ball, BallEvent, Balls, Push, Thing, Wall};

/// A client with its half of a bad network.
pub(crate) struct Client {
    pub(crate) player: PlayerId,
    pub(crate) seat: u8,
    pub(crate) replica: Replica,
    pub(crate) in_flight: Vec<Vec<u8>>,
    /// Keyframe parts and resyncs on the control stream.
    pub(crate) stream: VecDeque<ServerFrame>,
    /// Keyframe parts that arrived since the stay or the last resync began.
    pub(crate) keyframes: u32,
    /// The room began anew for this client: datagrams of either seat may be under way.
    pub(crate) is_resynced: bool,
    pub(crate) acks: Vec<InputDatagram<Push>>,
    pub(crate) pings: Vec<u32>,
    /// Ticks of the flashes that arrived.
    pub(crate) flashes: Vec<u32>,
    pub(crate) snapshots: usize,
}

pub(crate) struct Table {
    pub(crate) room: Room<Balls>,
    pub(crate) clients: Vec<Client>,
    pub(crate) now: Instant,
}

impl Table {
    pub(crate) fn new(seed: u64, clients: u32, snapshot_bytes_max: usize) -> Self {
        Table::with_far_interval(seed, clients, snapshot_bytes_max, 1)
    }

    pub(crate) fn with_far_interval(
        seed: u64,
        clients: u32,
        snapshot_bytes_max: usize,
        far_interval_ticks: u32,
    ) -> Self {
        let config = RoomConfig { snapshot_bytes_max, far_interval_ticks, ..RoomConfig::default() };
        Table::with_config(seed, clients, config)
    }

    pub(crate) fn with_config(seed: u64, clients: u32, config: RoomConfig) -> Self {
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
                    profile: None,
                    spectator: false,
                    options: "".into(),
                    datagram_bytes_max: 1200,
                    resume: None,
                    last_seat: 0,
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
    pub(crate) fn tick(&mut self, mut fate: impl FnMut() -> u8) {
        self.hear(&mut fate);
        self.step();
        for client in &mut self.clients {
            client.receive(&mut fate, self.room.tick());
        }
    }

    /// Delivers the clients' datagrams to the room.
    pub(crate) fn hear(&mut self, fate: &mut impl FnMut() -> u8) {
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
    pub(crate) fn step(&mut self) {
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
    pub(crate) fn longest_wait_ticks(&self) -> i32 {
        let client = self.clients.iter().find(|client| client.player.0.is_multiple_of(2)).unwrap();
        let now = self.room.tick();
        let waits = client.replica.entities().iter().filter_map(|entity| {
            let (ball, moving) = self.room.simulation().balls.get(&entity.id.0)?;
            let states = &entity.states;
            (*moving && ball.vel.x != 0.0).then(|| now.since(states.tick(states.len() - 1)))
        });
        waits.max().unwrap_or(0)
    }

    pub(crate) fn assert_equal(&self) {
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
    pub(crate) fn receive(&mut self, fate: &mut impl FnMut() -> u8, near: Tick) {
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

    /// Takes a frame of the control stream, as a session does.
    pub(crate) fn hear(&mut self, frame: ServerFrame, near: Tick) {
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

pub(crate) fn keyframe_bytes(frame: &ServerFrame) -> usize {
    if let ServerFrame::Keyframe(part) = frame { part.len() } else { 0 }
}
