//! What is in a player's sight is known to its client, however ships fly and the network loses.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tickwire_arena::bot::Bot;
use tickwire_arena::rules::{Arena, Controls, Entity, Random};
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{CloseCode, RequestId, ServerFrame};
use tickwire_shared::input::{InputDatagram, InputHead};
use tickwire_shared::quantize::Kinds as _;
use tickwire_shared::replica::Replica;
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Capture, EntityId, PlayerId, Simulation as _, Viewer};

/// What is so deep in sight is surely seen.
const SURELY_SEEN: f32 = 0.8;
/// For so long it may be unknown, or its state old: some snapshots in a row are lost.
const WAIT_TICKS_MAX: u32 = 40;

struct Client {
    player: PlayerId,
    seat: u8,
    bot: Bot,
    controls: Controls,
    replica: Replica,
    on_the_way: Vec<Vec<u8>>,
    /// Ticks that each entity was surely seen and not known as it was.
    missing: HashMap<EntityId, u32>,
}

struct Table {
    room: Room<Arena>,
    clients: Vec<Client>,
    random: Random,
    now: Instant,
    newest: u32,
}

impl Table {
    fn join(&mut self) {
        self.newest += 1;
        let player = PlayerId(self.newest);
        let name = format!("player {}", self.newest);
        let join = ToRoom::Join {
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
        };
        self.room.handle(self.now, 0, join);
        let seat = std::iter::from_fn(|| self.room.poll()).find_map(|out| match out {
            FromRoom::Control { frame: ServerFrame::Joined { seat, .. }, .. } => Some(seat),
            _ => None,
        });
        let seat = seat.expect("there is room");
        self.clients.push(Client {
            player,
            seat,
            bot: Bot::new(u64::from(self.newest)),
            controls: Controls::default(),
            replica: Replica::new(&schema_of::<Arena>(), seat),
            on_the_way: Vec::new(),
            missing: HashMap::new(),
        });
    }

    fn tick(&mut self, loss_percent: u32) {
        self.now += Duration::from_micros(16_667);
        if self.random.below(120) == 0 && self.clients.len() > 4 {
            let at = self.random.below(self.clients.len() as u32) as usize;
            let player = self.clients.remove(at).player;
            self.room.handle(
                self.now,
                0,
                ToRoom::Leave { request: None, player, code: CloseCode::Normal },
            );
            self.join();
        }
        for client in &self.clients {
            if self.random.below(100) < loss_percent {
                continue;
            }
            let datagram = InputDatagram {
                head: InputHead {
                    seat: client.seat,
                    ack: client.replica.ack(),
                    newest_low16: self.room.tick().offset(2).low16(),
                    view_delay: 0,
                    keyframes: None,
                },
                inputs: vec![client.controls; 3],
            };
            let at = self.now;
            self.room.handle(self.now, 0, ToRoom::Input { player: client.player, at, datagram });
        }
        self.room.step(self.now);
        while self.room.poll().is_some() {}
        let tick = self.room.tick();
        for (player, bytes) in self.room.datagrams() {
            let client = self.clients.iter_mut().find(|client| client.player == player).unwrap();
            client.on_the_way.push(bytes.to_vec());
        }
        for client in &mut self.clients {
            if client.on_the_way.len() > 2 {
                let bytes = client.on_the_way.remove(0);
                if self.random.below(100) >= loss_percent {
                    client.replica.apply(&bytes, tick).expect("every snapshot is good");
                }
            }
            if tick.0.is_multiple_of(3) {
                let seen = client.replica.entities().iter().filter_map(|entity| {
                    let lanes = entity.states.lanes(entity.states.len() - 1);
                    Some((entity.id, Entity::from_lanes(entity.kind, lanes)?))
                });
                client.controls = client.bot.decide(client.player, seen);
            }
        }
    }

    /// Counts what every client surely sees and has not, or has not had for long.
    fn check(&mut self) {
        let mut capture = Capture::default();
        self.room.simulation().capture(&mut capture);
        let world: Vec<_> = capture.drain().collect();
        let now = self.room.tick();
        for client in &mut self.clients {
            let view = self.room.simulation().view(Viewer::Player(client.player));
            let area = view.areas().next().expect("a circle");
            let mut missing = HashMap::new();
            for shown in &world {
                let sure = shown.place.is_none_or(|place| area.contains(place, SURELY_SEEN));
                let mut lanes = [0; LANES_MAX];
                shown.entity.to_lanes(&mut lanes);
                let known = client.replica.entities().iter().find(|known| known.id == shown.id);
                let fresh = known.is_some_and(|known| {
                    let newest = known.states.len() - 1;
                    let same =
                        known.states.lanes(newest) == &lanes[..known.states.lanes(newest).len()];
                    known.kind == shown.entity.kind()
                        && (same
                            || now.since(known.states.tick(newest)) < WAIT_TICKS_MAX as i32 / 2)
                });
                if sure && !fresh {
                    let ticks = client.missing.get(&shown.id).copied().unwrap_or(0) + 1;
                    assert!(
                        ticks < WAIT_TICKS_MAX,
                        "at tick {}: {:?} lacks {:?} of kind {}",
                        now.0,
                        client.player,
                        shown.id,
                        shown.entity.kind(),
                    );
                    missing.insert(shown.id, ticks);
                }
            }
            client.missing = missing;
        }
    }
}

fn play(seed: u64, players: u32, loss_percent: u32, ticks: u32) {
    let room = Room::new("sight".into(), seed, RoomConfig::default());
    let random = Random::new(seed);
    let mut table = Table { room, clients: Vec::new(), random, now: Instant::now(), newest: 0 };
    (0..players).for_each(|_| table.join());
    for _ in 0..ticks {
        table.tick(loss_percent);
        table.check();
    }
}

#[test]
fn two_players_see_each_other() {
    for seed in 0..3 {
        play(seed, 2, 0, 1500);
        play(seed, 2, 5, 1500);
    }
}

#[test]
fn a_crowd_sees_itself() {
    play(1, 30, 0, 600);
    play(2, 30, 10, 600);
    play(3, 100, 5, 120);
}
