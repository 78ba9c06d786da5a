//! What comes into view fades in, what leaves it fades out, and what ends is shown until its end.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tickwire_client::session::Session;
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{ServerFrame, write_frame};
use tickwire_shared::glam::Vec2;
use tickwire_shared::input::InputCodec;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, NoEvent, Outbox, PlayerId, Replicate, Simulation, Tick, View,
};

const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 60);
const ME: PlayerId = PlayerId(1);
const DELAY_TICKS: usize = 6;
/// The view turns to the post, and away from it again.
const TURNS: [u32; 2] = [200, 300];
/// The flare is seen up to the tick before this.
const BURNT: Tick = Tick(250);
const POST: EntityId = EntityId(1);
const FLARE: EntityId = EntityId(2);

#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
struct Nothing {
    idle: bool,
}

/// Stands or flies.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
struct Thing {
    #[replicate(range = -1000.0..=1000.0, step = 0.01)]
    pos: Vec2,
}

#[derive(Debug, Serialize, Deserialize)]
struct Field {
    tick: Tick,
}

impl Simulation for Field {
    const NAME: &'static str = "field";
    type Input = Nothing;
    type Entity = Thing;
    type Event = NoEvent;

    fn new(_seed: u64) -> Self {
        Field { tick: Tick(0) }
    }

    fn join(&mut self, _player: PlayerId, _name: &str) {}

    fn leave(&mut self, _player: PlayerId) {}

    fn step(&mut self, inputs: &Inputs<Nothing>, _outbox: &mut Outbox<NoEvent>) {
        self.tick = inputs.tick();
    }

    fn capture(&self, world: &mut Capture<Thing>) {
        let post = Vec2::new(500.0, 0.0);
        world.show(POST, Thing { pos: post }).at(post);
        if self.tick.since(BURNT) < 0 {
            world.show(FLARE, Thing { pos: Vec2::new(self.tick.0 as f32, 0.0) });
        }
    }

    fn view(&self, _player: PlayerId) -> View {
        let at_post = (TURNS[0]..TURNS[1]).contains(&self.tick.0);
        let center = if at_post { Vec2::new(500.0, 0.0) } else { Vec2::ZERO };
        View::Circle { center, radius: 50.0 }
    }
}

/// One frame: the tick shown, and how much of each thing was there.
struct Frame {
    shown: f64,
    presence: BTreeMap<EntityId, (f64, f64)>,
}

/// Plays 400 ticks with a client some ticks away, a frame for each.
fn play() -> Vec<Frame> {
    let schema = schema_of::<Field>();
    let codec = InputCodec::new(&schema);
    let zero = Instant::now();
    let mut session = Session::new("test", None);
    let mut room = Room::<Field>::new("field".to_owned(), 1, RoomConfig::default());
    take(&mut session, &ServerFrame::Welcome { server: "test".into(), player: ME, schema });
    let (player, name) = (ME, "Ann".to_owned());
    let join = ToRoom::Join { player, name, spectator: false, datagram_bytes_max: 1200 };
    room.handle(zero, 0, join);
    while let Some(out) = room.poll() {
        if let FromRoom::Control { frame, .. } = out {
            take(&mut session, &frame);
        }
    }
    let (mut up, mut down) = (VecDeque::new(), VecDeque::new());
    let frame = |tick: u32| {
        let now = PERIOD * tick;
        if up.len() > DELAY_TICKS {
            let sent: Vec<Vec<u8>> = up.pop_front().unwrap();
            for bytes in sent {
                let datagram = codec.decode(&bytes).unwrap();
                let at = zero + now;
                room.handle(at, 0, ToRoom::Input { player: ME, at, datagram });
            }
        }
        room.step(zero + now);
        down.push_back(room.datagrams().map(|(_, bytes)| bytes.to_vec()).collect());
        let now = now + PERIOD / 2;
        if down.len() > DELAY_TICKS {
            let sent: Vec<Vec<u8>> = down.pop_front().unwrap();
            sent.iter().for_each(|bytes| session.handle_datagram(now, bytes));
        }
        session.update(now);
        up.push_back(std::iter::from_fn(|| session.poll_datagram()).collect());
        let mut presence = BTreeMap::new();
        let room = session.room().unwrap();
        room.for_each_shown(|seen| {
            let before = presence.insert(seen.id, (seen.presence, seen.lanes[0] * 0.01));
            assert_eq!(before, None, "{:?} is shown twice", seen.id);
        });
        let shown = room.shown_tick().map_or(0.0, |(tick, part)| f64::from(tick.0) + part);
        Frame { shown, presence }
    };
    (1..400).map(frame).collect()
}

fn take(session: &mut Session, frame: &ServerFrame) {
    let mut bytes = Vec::new();
    write_frame(frame, &mut bytes);
    session.handle_control(Duration::ZERO, &bytes).unwrap();
    session.take_control();
}

#[test]
fn what_comes_into_view_fades_in_and_what_leaves_it_fades_out() {
    let presence: Vec<f64> = play()
        .iter()
        .map(|frame| frame.presence.get(&POST).map_or(0.0, |(presence, _)| *presence))
        .collect();
    let most_change = presence.windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f64::max);
    assert!(most_change < 0.25, "it changes by {most_change} from a frame to the next");
    let whole = presence.iter().filter(|&&presence| presence == 1.0).count();
    assert!((60..=100).contains(&whole), "all of it is there in {whole} frames");
    assert_eq!(presence.last(), Some(&0.0));
}

#[test]
fn what_ends_is_shown_until_what_is_shown_is_as_old_and_then_is_gone() {
    let frames = play();
    for frame in frames.iter().filter(|frame| (150.0..400.0).contains(&frame.shown)) {
        let flare = frame.presence.get(&FLARE);
        if frame.shown < f64::from(BURNT.0) {
            let &(presence, x) = flare.expect("it burns");
            assert_eq!(presence, 1.0);
            assert!((x - frame.shown).abs() < 1.5, "at {x} in tick {}", frame.shown);
        } else {
            assert_eq!(flare, None, "in tick {}", frame.shown);
        }
    }
}
