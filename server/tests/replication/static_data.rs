//! Static data: every client's copy is the game's of the tick that it names, whatever comes when.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tickwire_client::session::{Session, SessionEvent};
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{Fault, FromRoom, Room, StaticBlob, ToRoom};
use tickwire_shared::control::{
    ClientStatic, CloseCode, ContentHash, FrameReader, RequestId, STREAM_STATIC, ServerFrame,
    ServerRun, ServerStatic, write_frame,
};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{
    Capture, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Simulation, StaticData,
    Tick,
};

use crate::balls::{Ball, Push};

/// A game of nothing but static data, which its steps edit by a script.
#[derive(Default, Serialize, Deserialize)]
struct Atlas {
    maps: BTreeMap<u8, Vec<u8>>,
    script: VecDeque<Vec<Edit>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Edit {
    Set { key: u8, length: usize, fill: u8 },
    Change { key: u8, offset: usize, length: usize, fill: u8 },
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Script(Vec<Vec<Edit>>);

#[tickwire_shared::game]
impl Simulation for Atlas {
    const NAME: &'static str = "atlas";
    type Input = Push;
    type Entity = Ball;
    type RoomOptions = Script;

    fn new(room: &NewRoom<Self>) -> Self {
        let maps = BTreeMap::from([(0, vec![7; 5000]), (3, vec![9; 100])]);
        Atlas { maps, script: room.options.0.clone().into() }
    }

    fn static_data(&self, data: &mut StaticData) {
        for (key, bytes) in &self.maps {
            data.set(*key, bytes.clone());
        }
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}
    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, _inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        for edit in self.script.pop_front().unwrap_or_default() {
            match edit {
                Edit::Set { key, length, fill } => {
                    let bytes = vec![fill; length];
                    outbox.static_data().set(key, bytes.clone());
                    self.maps.insert(key, bytes);
                }
                Edit::Change { key, offset, length, fill } => {
                    outbox.static_data().change(key, offset, vec![fill; length]);
                    let map = self.maps.get_mut(&key);
                    if let Some(part) = map.and_then(|map| map.get_mut(offset..offset + length)) {
                        part.fill(fill);
                    }
                }
            }
        }
        self.maps.retain(|_, bytes| !bytes.is_empty());
    }

    fn capture(&self, _world: &mut Capture<Ball>) {}
}

/// One client, and what is on its way to and from it.
struct Peer {
    session: Session,
    control: VecDeque<Vec<u8>>,
    /// The static stream to the client, and from it.
    chunks: VecDeque<Vec<u8>>,
    answers: FrameReader,
    answers_began: bool,
    offers: Vec<(u8, StaticBlob)>,
    cache: Option<BTreeMap<ContentHash, Vec<u8>>>,
    /// Chunks that it asked for in all.
    fetched: usize,
    progress: BTreeMap<u8, (usize, usize)>,
}

struct World {
    room: Room<Atlas>,
    now: Instant,
    peers: Vec<Option<Peer>>,
    /// By tick and key, where they are others than before.
    history: BTreeMap<(u32, u8), Vec<u8>>,
}

const CHUNK: usize = 900;

impl World {
    fn new(script: Vec<Vec<Edit>>, peers: usize) -> World {
        let new = NewRoom { seed: 1, name: "atlas", options: Script(script) };
        let room = Room::with_options(&new, RoomConfig::default());
        let peers = std::iter::repeat_with(|| None).take(peers).collect();
        let mut world = World { room, now: Instant::now(), peers, history: BTreeMap::new() };
        world.remember();
        world
    }

    fn remember(&mut self) {
        let tick = self.room.tick().0;
        for key in 0..=3 {
            let bytes = self.room.simulation().maps.get(&key).cloned().unwrap_or_default();
            self.history.insert((tick, key), bytes);
        }
    }

    fn join(&mut self, at: usize, cache: Option<BTreeMap<ContentHash, Vec<u8>>>) {
        if self.peers[at].is_some() {
            return;
        }
        let mut session = Session::new("a test", None);
        session.use_static_cache();
        session.take_control();
        let mut control = VecDeque::new();
        let (player, schema) = (PlayerId(at as u32 + 1), schema_of::<Atlas>());
        control.push_back(coded(&ServerFrame::Welcome {
            server: String::new(),
            player,
            schema,
            resume: None,
            resume_grace_ms: 0,
            run: ServerRun::default(),
        }));
        let answers = FrameReader::default();
        self.peers[at] = Some(Peer {
            session,
            control,
            chunks: VecDeque::new(),
            answers,
            answers_began: false,
            offers: Vec::new(),
            cache,
            fetched: 0,
            progress: BTreeMap::new(),
        });
        let join = ToRoom::Join {
            request: RequestId(1),
            player,
            name: format!("p{at}"),
            account: None,
            profile: None,
            spectator: false,
            options: "".into(),
            datagram_bytes_max: 1200,
            resume: None,
            last_seat: 0,
        };
        self.room.handle(self.now, 0, join);
        self.hear();
    }

    fn leave(&mut self, at: usize) {
        let (player, code) = (PlayerId(at as u32 + 1), CloseCode::Normal);
        self.room.handle(self.now, 0, ToRoom::Leave { request: None, player, code });
        self.peers[at] = None;
        self.hear();
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(16);
        self.room.step(self.now);
        self.remember();
        self.hear();
    }

    fn hear(&mut self) {
        while let Some(out) = self.room.poll() {
            match out {
                FromRoom::Control { player, frame } => self.send(player, &frame),
                FromRoom::ControlAll { players, frame } => {
                    players.iter().for_each(|player| self.send(*player, &frame));
                }
                FromRoom::StaticData { players, key, tick, blob } => {
                    for player in players.iter() {
                        let Some(peer) = self.peer(*player) else { continue };
                        peer.offers.retain(|(other, _)| *other != key);
                        let bytes = blob.as_ref().map_or(0, |blob| blob.bytes.len() as u32);
                        let hash = blob.as_ref().map_or(ContentHash([0; 32]), |blob| blob.hash);
                        peer.offers.extend(blob.clone().map(|blob| (key, blob)));
                        self.send(*player, &ServerFrame::StaticData { key, hash, bytes, tick });
                    }
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, player: PlayerId, frame: &ServerFrame) {
        if let Some(peer) = self.peer(player) {
            peer.control.push_back(coded(frame));
        }
    }

    fn peer(&mut self, player: PlayerId) -> Option<&mut Peer> {
        self.peers[player.0 as usize - 1].as_mut()
    }

    /// Every copy is the game's of the tick that it names.
    fn check(&self) {
        for peer in self.peers.iter().flatten() {
            for key in 0..=3 {
                let Some((bytes, tick)) = peer.session.static_data(key) else { continue };
                assert!(self.history[&(tick.0, key)] == bytes, "key {key} of tick {}", tick.0);
                assert_eq!(peer.progress[&key], (bytes.len(), bytes.len()), "it was told so");
            }
        }
    }
}

impl Peer {
    fn control(&mut self) -> bool {
        let Some(frame) = self.control.pop_front() else { return false };
        self.session.handle_control(Duration::ZERO, &frame).unwrap();
        self.listen();
        true
    }

    fn chunk(&mut self) -> bool {
        let Some(frame) = self.chunks.pop_front() else { return false };
        self.session.handle_static(&frame).unwrap();
        self.listen();
        true
    }

    /// The server reads what the client said.
    fn answer(&mut self) -> bool {
        while let Some(hash) = self.session.poll_static_wanted() {
            let found = self.cache.as_ref().and_then(|cache| cache.get(&hash)).cloned();
            self.session.give_static(hash, found.as_deref());
        }
        self.listen();
        let mut bytes = &self.session.take_static()[..];
        let is_first = !bytes.is_empty() && !std::mem::replace(&mut self.answers_began, true);
        if is_first {
            assert_eq!(bytes[0], STREAM_STATIC);
            bytes = &bytes[1..];
        }
        self.answers.push(bytes);
        let mut any = false;
        while let Some(answer) = self.answers.poll::<ClientStatic>().unwrap() {
            any = true;
            let (ClientStatic::Fetch(hash) | ClientStatic::Have(hash)) = answer;
            // As the server does: an offer stays until another takes its place.
            let offer = self.offers.iter().find(|(_, blob)| blob.hash == hash);
            let Some((_, blob)) = offer.filter(|_| answer == ClientStatic::Fetch(hash)) else {
                continue;
            };
            for (number, part) in blob.bytes.chunks(CHUNK).enumerate() {
                let (offset, bytes) = ((number * CHUNK) as u32, part.to_vec());
                self.chunks.push_back(coded(&ServerStatic::Chunk { hash, offset, bytes }));
                self.fetched += 1;
            }
        }
        any
    }

    fn listen(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if let SessionEvent::StaticData { key, received, total } = event {
                self.progress.insert(key, (received, total));
            }
        }
        while let Some((hash, bytes)) = self.session.poll_static_loaded() {
            if let Some(cache) = &mut self.cache {
                cache.insert(hash, bytes);
            }
        }
    }
}

fn coded<T: Serialize>(frame: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(frame, &mut bytes);
    bytes
}

#[derive(Clone, Debug)]
enum Act {
    Step,
    Join(usize),
    Leave(usize),
    Control(usize),
    Chunk(usize),
    Answer(usize),
}

const PEERS: usize = 3;

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Step),
        2 => (0..PEERS).prop_map(Act::Join),
        1 => (0..PEERS).prop_map(Act::Leave),
        6 => (0..PEERS).prop_map(Act::Control),
        6 => (0..PEERS).prop_map(Act::Chunk),
        4 => (0..PEERS).prop_map(Act::Answer),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let lengths = prop_oneof![Just(0usize), 1..3000usize, Just(40_000usize)];
    prop_oneof![
        1 => (0..4u8, lengths, any::<u8>())
            .prop_map(|(key, length, fill)| Edit::Set { key, length, fill }),
        5 => (0..4u8, 0..6000usize, prop_oneof![0..300usize, Just(35_000)], any::<u8>())
            .prop_map(|(key, offset, length, fill)| Edit::Change { key, offset, length, fill }),
    ]
}

proptest! {
    #[test]
    fn every_copy_is_the_games_of_its_tick(
        script in prop::collection::vec(prop::collection::vec(edit(), 0..4), 0..60),
        acts in prop::collection::vec(act(), 1..300),
    ) {
        let mut world = World::new(script, PEERS);
        for act in acts {
            match act {
                Act::Step => world.step(),
                Act::Join(at) => world.join(at, (at == 0).then(BTreeMap::new)),
                Act::Leave(at) => world.leave(at),
                Act::Control(at) => { world.peers[at].as_mut().map(Peer::control); }
                Act::Chunk(at) => { world.peers[at].as_mut().map(Peer::chunk); }
                Act::Answer(at) => { world.peers[at].as_mut().map(Peer::answer); }
            }
            world.check();
        }
        for at in 0..PEERS {
            while world.peers[at].as_mut().is_some_and(|peer| {
                [peer.control(), peer.answer(), peer.chunk()].contains(&true)
            }) {
                world.check();
            }
            let Some(peer) = &world.peers[at] else { continue };
            for key in 0..=3 {
                let has = peer.session.static_data(key).map(|(bytes, _)| bytes);
                let maps = &world.room.simulation().maps;
                prop_assert!(has == maps.get(&key).map(Vec::as_slice), "key {} at last", key);
            }
        }
    }
}

/// All that is on its way arrives.
fn settle(world: &mut World, at: usize) {
    let peer = world.peers[at].as_mut().unwrap();
    while [peer.control(), peer.answer(), peer.chunk()].contains(&true) {}
    world.check();
}

#[test]
fn one_that_comes_again_takes_it_from_its_cache_with_what_changed_since() {
    let change = |offset| Edit::Change { key: 0, offset, length: 10, fill: 1 };
    let mut world = World::new(vec![vec![change(0)], vec![change(50)]], 1);
    world.join(0, Some(BTreeMap::new()));
    settle(&mut world, 0);
    let peer = world.peers[0].as_ref().unwrap();
    assert_eq!(peer.fetched, 5000usize.div_ceil(CHUNK) + 1);
    let cache = peer.cache.clone();
    world.step();
    world.leave(0);
    world.step();
    world.join(0, cache);
    settle(&mut world, 0);
    let peer = world.peers[0].as_ref().unwrap();
    assert_eq!(peer.fetched, 0, "all of it was here");
    let (bytes, tick) = peer.session.static_data(0).unwrap();
    assert_eq!((&bytes[..10], &bytes[50..60], tick.0), (&[1; 10][..], &[1; 10][..], 2));
}

#[test]
fn bytes_that_are_set_again_while_they_load_arrive() {
    let set = |fill| vec![Edit::Set { key: 3, length: 40_000, fill }];
    let mut world = World::new(vec![set(1), set(2), set(1)], 1);
    world.join(0, None);
    for _ in 0..3 {
        world.step();
        let peer = world.peers[0].as_mut().unwrap();
        while peer.control() {}
        peer.answer();
        peer.chunk();
        world.check();
    }
    settle(&mut world, 0);
    let peer = world.peers[0].as_ref().unwrap();
    assert_eq!(peer.session.static_data(3), Some((&[1; 40_000][..], Tick(3))));
}

#[test]
fn who_comes_after_many_changes_loads_them_with_the_rest() {
    let set = Edit::Set { key: 0, length: 100_000, fill: 0 };
    let change =
        |step: usize| Edit::Change { key: 0, offset: step * 15_000, length: 15_000, fill: 1 };
    let script: Vec<_> =
        std::iter::once(vec![set]).chain((0..4).map(|step| vec![change(step)])).collect();
    let mut world = World::new(script, 2);
    world.join(0, None);
    (0..5).for_each(|_| world.step());
    world.join(1, None);
    let frames = |at: usize| world.peers[at].as_ref().unwrap().control.len();
    assert!(frames(0) >= 4 + frames(1), "no change is told to who comes later");
    (0..2).for_each(|at| settle(&mut world, at));
    for at in 0..2 {
        let (bytes, tick) = world.peers[at].as_ref().unwrap().session.static_data(0).unwrap();
        assert_eq!((bytes.iter().filter(|byte| **byte == 1).count(), tick.0), (60_000, 5));
    }
}

#[test]
fn all_members_are_given_the_same_bytes_and_not_a_copy_each() {
    let mut world = World::new(Vec::new(), 2);
    world.join(0, None);
    world.join(1, None);
    let of = |at: usize| world.peers[at].as_ref().unwrap().offers[0].1.bytes.as_ptr();
    assert_eq!(of(0), of(1));
}

#[test]
fn what_is_too_much_or_beyond_the_end_is_passed_over_and_found() {
    let script = vec![vec![
        Edit::Change { key: 3, offset: 95, length: 10, fill: 1 },
        Edit::Set { key: 2, length: 5_000_000, fill: 1 },
    ]];
    let mut world = World::new(script, 1);
    world.room.step(world.now);
    let found: Vec<Fault> =
        std::iter::from_fn(|| world.room.poll_finding()).map(|found| found.fault).collect();
    assert_eq!(found, [Fault::StaticChange { key: 3 }, Fault::StaticTooLarge { key: 2 }]);
}

#[test]
fn a_server_that_breaks_the_rules_ends_the_session() {
    let mut world = World::new(Vec::new(), 1);
    world.join(0, None);
    settle(&mut world, 0);
    let peer = world.peers[0].as_mut().unwrap();
    let tick = tickwire_shared::Tick(1);
    let change = |offset| tickwire_shared::control::StaticChange { offset, bytes: vec![1; 8] };
    for (key, offset) in [(1, 0), (3, 93), (3, u32::MAX)] {
        let changes = vec![change(offset)];
        let frame = coded(&ServerFrame::StaticChanged { key, tick, changes });
        let error = peer.session.handle_control(Duration::ZERO, &frame).unwrap_err();
        assert_eq!(error.close_code(), CloseCode::ServerMisbehaved);
    }
    let (hash, bytes) = (ContentHash([1; 32]), u32::MAX);
    let frame = coded(&ServerFrame::StaticData { key: 1, hash, bytes, tick });
    assert!(peer.session.handle_control(Duration::ZERO, &frame).is_err());
}
