//! Small worlds for one behaviour each, and clients that know what they were sent.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{RequestId, ServerFrame};
use tickwire_shared::glam::Vec2;
use tickwire_shared::input::{InputDatagram, InputHead};
use tickwire_shared::replica::{Entity, Event, Replica};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{
    Capture, EntityId, Groups, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId,
    Replicate, Simulation, View, Viewer,
};

use crate::balls::Push;

/// The behaviour of a seed's world.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Scene {
    /// Crate 5 is another entity from tick 10 on.
    Replaced,
    /// Crates and views at invalid places.
    Nowhere,
    /// Many events in tick 10.
    Burst,
    /// A full world; now and then a crate appears with an event that names it, held back for it or
    /// not.
    Named { is_held: bool },
    /// Many events in every tick.
    Loud,
    /// Crates for a group that the first two players come into and leave, and crates that the game is asked of.
    Secret,
}

const SCENES: [Scene; 7] = [
    Scene::Replaced,
    Scene::Nowhere,
    Scene::Burst,
    Scene::Named { is_held: true },
    Scene::Named { is_held: false },
    Scene::Loud,
    Scene::Secret,
];
const BURST_TICK: u32 = 10;
const BURST_EVENTS: u32 = 300;
const LOUD_EVENTS: u32 = 4;
/// Ticks between two named crates, and the ticks for which each stays.
const NAMED_EVERY: u32 = 16;
const NAMED_TICKS: u32 = 80;
/// The other crates are numbered from here on.
const FILLERS_FROM: u32 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
struct Crate {
    #[replicate(range = -500.0..=500.0, step = 0.0625)]
    pos: Vec2,
    #[replicate(initial)]
    color: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
struct Note {
    number: u32,
}

#[derive(Serialize, Deserialize)]
struct Stage {
    scene: Scene,
    tick: u32,
}

impl Stage {
    /// Not in step with the ticks in which clients look around.
    fn is_member(&self) -> bool {
        self.tick / 5 % 2 == 1
    }

    fn is_noticed(&self) -> bool {
        self.tick / 7 % 2 == 1
    }
}

#[tickwire_shared::game]
impl Simulation for Stage {
    const NAME: &'static str = "stage";
    type Input = Push;
    type Entity = Crate;
    type Event = Note;

    fn new(room: &NewRoom<Self>) -> Self {
        Stage { scene: SCENES[room.seed as usize], tick: 0 }
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        self.tick = inputs.tick().0;
        match self.scene {
            Scene::Nowhere => {
                outbox.to_place(Vec2::NAN, Note { number: self.tick });
                let nowhere = Vec2::new(f32::INFINITY, 0.0);
                outbox.unreliable().to_place(nowhere, Note { number: self.tick });
            }
            Scene::Burst if self.tick == BURST_TICK => {
                for number in 1..=BURST_EVENTS {
                    outbox.to_room(Note { number });
                }
            }
            Scene::Named { is_held } if self.tick.is_multiple_of(NAMED_EVERY) => {
                let told = outbox.to_room(Note { number: self.tick });
                if is_held {
                    told.after(EntityId(self.tick));
                }
            }
            Scene::Loud => {
                for number in 0..LOUD_EVENTS {
                    outbox.to_room(Note { number: self.tick * LOUD_EVENTS + number });
                }
            }
            Scene::Replaced | Scene::Burst | Scene::Named { .. } | Scene::Secret => {}
        }
    }

    fn capture(&self, world: &mut Capture<Crate>) {
        let at = |x: f32, y: f32| Crate { pos: Vec2::new(x, y), color: 0 };
        let moving = |id: u32| at((id * 37 + self.tick * (1 + id % 5)) as f32 % 400.0, id as f32);
        match self.scene {
            Scene::Replaced => {
                let (color, x) = if self.tick < 10 { (1, 0.0) } else { (2, 50.0) };
                world.show(EntityId(5), Crate { color, ..at(x, 0.0) });
            }
            Scene::Nowhere => {
                world.show(EntityId(1), at(0.0, 0.0)).at(Vec2::NAN);
                world.show(EntityId(2), at(0.0, 0.0)).at(Vec2::new(0.0, f32::NEG_INFINITY));
                world.show(EntityId(3), at(0.0, 0.0)).at(Vec2::ZERO);
                world.show(EntityId(4), at(0.0, 0.0));
                world.show(EntityId(9), at(0.0, 0.0)).at(Vec2::NAN).owned_by(PlayerId(1));
            }
            Scene::Named { .. } => {
                let since = self.tick.saturating_sub(NAMED_TICKS);
                for id in (since + 1..=self.tick).filter(|id| id.is_multiple_of(NAMED_EVERY)) {
                    world.show(EntityId(id), at(id as f32 % 400.0, 7.0));
                }
                for id in 0..60 {
                    world.show(EntityId(FILLERS_FROM + id), moving(id)).priority(40);
                }
            }
            Scene::Secret => {
                world.show(EntityId(1), at(0.0, 0.0)).at(Vec2::ZERO).only_for(Groups::of(63));
                world.show(EntityId(2), at(0.0, 0.0)).at(Vec2::ZERO).checked();
                let far = world.show(EntityId(3), at(0.0, 0.0)).at(Vec2::new(300.0, 0.0));
                far.only_for(Groups::of(63)).checked();
                world.show(EntityId(4), at(0.0, 0.0)).only_for(Groups::NONE).owned_by(PlayerId(3));
                world.show(EntityId(5), at(0.0, 0.0));
            }
            Scene::Burst | Scene::Loud => {}
        }
    }

    fn view(&self, viewer: Viewer) -> View {
        match (self.scene, viewer.id().0) {
            (Scene::Nowhere, 1) => View::circle(Vec2::ZERO, 100.0),
            (Scene::Nowhere, 2) => View::circle(Vec2::new(0.0, f32::NAN), 100.0),
            (Scene::Nowhere, 3) => View::circle(Vec2::ZERO, f32::NAN),
            (Scene::Nowhere, 4) => View::circle(Vec2::ZERO, -5.0),
            (Scene::Secret, 1) if self.is_member() => {
                View::circle(Vec2::ZERO, 100.0).in_groups(Groups::of(63))
            }
            (Scene::Secret, 1) => View::circle(Vec2::ZERO, 100.0),
            (Scene::Secret, 2) if self.is_member() => View::everything().in_groups(!Groups::NONE),
            _ => View::everything(),
        }
    }

    fn can_see(&self, viewer: Viewer, entity: EntityId) -> bool {
        let is_near = viewer.id() == PlayerId(2) || entity == EntityId(2);
        assert!(is_near, "the game is asked of what is out of {viewer:?}'s area");
        viewer.id() != PlayerId(3) && self.is_noticed()
    }
}

struct Client {
    player: PlayerId,
    seat: u8,
    replica: Replica,
}

struct Table {
    room: Room<Stage>,
    clients: Vec<Client>,
    now: Instant,
}

impl Table {
    fn new(scene: Scene, clients: u32, config: RoomConfig) -> Self {
        let seed = SCENES.iter().position(|known| *known == scene).expect("a scene");
        let mut room = Room::new("stage".into(), seed as u64, config);
        let now = Instant::now();
        let clients = (1..=clients).map(|number| {
            let (player, name) = (PlayerId(number), format!("p{number}"));
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
            room.handle(now, 0, join);
            let seat = std::iter::from_fn(|| room.poll()).find_map(|out| match out {
                FromRoom::Control { frame: ServerFrame::Joined { seat, .. }, .. } => Some(seat),
                _ => None,
            });
            let seat = seat.expect("there is room");
            Client { player, seat, replica: Replica::new(&schema_of::<Stage>(), seat) }
        });
        let clients = clients.collect();
        Table { room, clients, now }
    }

    /// Plays one tick; arrivals are acknowledged before the next. Returns the events that each
    /// client got.
    fn tick(&mut self, mut comes: impl FnMut() -> bool) -> Vec<Vec<Event>> {
        self.now += Duration::from_micros(16_667);
        self.room.step(self.now);
        while self.room.poll().is_some() {}
        let mut told = vec![Vec::new(); self.clients.len()];
        for (player, bytes) in self.room.datagrams().filter(|_| comes()) {
            let client = &mut self.clients[player.0 as usize - 1];
            let applied = client.replica.apply(bytes, self.room.tick()).expect("it can be read");
            told[player.0 as usize - 1] = applied.events;
        }
        for client in &self.clients {
            let (seat, ack) = (client.seat, client.replica.ack());
            let head = InputHead { seat, ack, ..InputHead::default() };
            let (player, at) = (client.player, self.now);
            let datagram = InputDatagram { head, inputs: vec![] };
            self.room.handle(at, 0, ToRoom::Input { player, at, datagram });
        }
        told
    }
}

/// Without keyframes: everything is in snapshots.
fn small(snapshot_bytes_max: usize) -> RoomConfig {
    RoomConfig { snapshot_bytes_max, keyframe_bytes_per_s_max: 0, ..RoomConfig::default() }
}

fn ids(entities: &[Entity]) -> Vec<u32> {
    let mut ids: Vec<u32> = entities.iter().map(|entity| entity.id.0).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn what_takes_an_id_within_a_tick_has_its_own_initial_fields() {
    let mut table = Table::new(Scene::Replaced, 2, RoomConfig::default());
    for tick in 1..=30u32 {
        // The second client misses the tick of the change and the one after it.
        table.tick(|| tick != 10 && tick != 11);
        let color = if tick < 10 { 1 } else { 2 };
        for client in &table.clients {
            let [entity] = client.replica.entities() else { panic!("one crate") };
            let states = &entity.states;
            if states.tick(states.len() - 1) == table.room.tick() || tick > 15 {
                assert_eq!(states.lanes(states.len() - 1)[2], color, "at tick {tick}");
                assert_eq!(entity.first.0 >= 10, tick >= 10, "it is another entity");
            }
        }
    }
}

#[test]
fn what_is_nowhere_is_hidden_and_who_is_nowhere_sees_nothing() {
    let mut table = Table::new(Scene::Nowhere, 5, RoomConfig::default());
    let mut told = vec![0; 5];
    for _ in 0..30 {
        for (sum, events) in told.iter_mut().zip(table.tick(|| true)) {
            *sum += events.len();
        }
    }
    let seen: Vec<_> = table.clients.iter().map(|client| ids(client.replica.entities())).collect();
    assert_eq!(seen[0], [3, 4, 9], "what is in the circle, what has no place, and its own");
    for seen in &seen[1..4] {
        assert_eq!(*seen, [4], "what has no place");
    }
    assert_eq!(seen[4], [1, 2, 3, 4, 9], "everything");
    assert_eq!(told, [0, 0, 0, 0, 60]);
}

#[test]
fn secrets_come_and_go_with_the_very_snapshot() {
    let mut table = Table::new(Scene::Secret, 3, RoomConfig::default());
    for tick in 1..=80 {
        table.tick(|| true);
        let stage = table.room.simulation();
        let (is_member, is_noticed) = (stage.is_member(), stage.is_noticed());
        let [near, all, owner] = [0, 1, 2].map(|at| ids(table.clients[at].replica.entities()));
        let shown = |crates: [(u32, bool); 5]| -> Vec<u32> {
            crates.iter().filter(|(_, is_shown)| *is_shown).map(|(id, _)| *id).collect()
        };
        let of_near = [(1, is_member), (2, is_noticed), (3, false), (4, false), (5, true)];
        let of_all = [(3, is_member && is_noticed), (4, false), (5, true)];
        let of_all = [(1, is_member), (2, is_noticed), of_all[0], of_all[1], of_all[2]];
        assert_eq!(near, shown(of_near), "at tick {tick}");
        assert_eq!(all, shown(of_all), "at tick {tick}");
        assert_eq!(owner, [4, 5], "at tick {tick}");
    }
}

#[test]
fn three_hundred_events_of_a_tick_all_come_in_their_order() {
    let mut table = Table::new(Scene::Burst, 1, RoomConfig::default());
    let mut numbers = Vec::new();
    for tick in 1..60u32 {
        let told = table.tick(|| tick % 3 != 0);
        numbers.extend(told[0].iter().map(|event| event.lanes[0] as u32));
    }
    assert_eq!(numbers, (1..=BURST_EVENTS).collect::<Vec<u32>>());
    assert_eq!(table.room.events_dropped(), 0);
}

#[test]
fn events_beyond_the_bound_are_counted_and_the_others_come_once() {
    let config = RoomConfig { events_queued_max: 100, ..RoomConfig::default() };
    let mut table = Table::new(Scene::Burst, 1, config);
    let mut numbers = Vec::new();
    for _ in 1..60 {
        numbers.extend(table.tick(|| true)[0].iter().map(|event| event.lanes[0] as u32));
    }
    assert_eq!(numbers, (BURST_EVENTS - 99..=BURST_EVENTS).collect::<Vec<u32>>());
    assert_eq!(table.room.events_dropped(), u64::from(BURST_EVENTS) - 100);
}

#[test]
fn however_many_events_were_dropped_the_next_one_comes() {
    // So many events that the low bits of their numbers, had they any, would be those of earlier ones.
    let config = RoomConfig { events_queued_max: 70, ..RoomConfig::default() };
    let mut table = Table::new(Scene::Loud, 1, config);
    let mut numbers = Vec::new();
    for tick in 1..=12_300u32 {
        let told = table.tick(|| !(100..12_000).contains(&tick));
        numbers.extend(told[0].iter().map(|event| event.lanes[0] as u32));
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "each once and in order");
    let last = 12_301 * LOUD_EVENTS - 1;
    assert_eq!(numbers.last(), Some(&last));
    assert_eq!(numbers.len() as u64 + table.room.events_dropped(), 12_300 * u64::from(LOUD_EVENTS));
}

/// Plays a full world in which one in `lost_every` snapshots is lost. Returns the number of events
/// that came, and of those that came before the entity they name.
fn named_events(is_held: bool, lost_every: u32) -> (usize, usize) {
    let mut table = Table::new(Scene::Named { is_held }, 1, small(200));
    let (mut came, mut early, mut sent) = (0, 0, 0);
    for _ in 0..1600 {
        let told = table.tick(|| {
            sent += 1;
            sent % lost_every != 0
        });
        let Table { room, clients, .. } = &table;
        for event in &told[0] {
            let id = event.lanes[0] as u32;
            let is_there = room.tick().0 - id < NAMED_TICKS;
            let is_known = clients[0].replica.entities().iter().any(|entity| entity.id.0 == id);
            came += 1;
            early += usize::from(is_there && !is_known);
        }
    }
    (came, early)
}

#[test]
fn an_event_that_is_held_back_comes_with_the_entity_it_names_or_after_it() {
    for lost_every in [2, 3, 7, u32::MAX] {
        let (came, early) = named_events(true, lost_every);
        assert_eq!(early, 0, "{early} of {came} came before what they name");
        assert!(came > 90, "{came} of 100 came");
    }
    let (_, early) = named_events(false, 3);
    assert!(early > 0, "the world is full enough for it to matter");
}
