//! What comes into a player's view, goes out of it, or ends.

use serde::{Deserialize, Serialize};
use tickwire_client::session::{Mode, Session};
use tickwire_shared::glam::Vec2;
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation, Tick, View, Viewer,
};

use crate::table::Table;

const DELAY_TICKS: usize = 6;
const STEP: f32 = 0.01;
/// It comes into view at -100 at tick 100, and leaves it at 110, a tenth beyond, at tick 310.
const SPEED: f32 = 60.0;
const START: f32 = -200.0;
/// From this tick on there is no balloon, if it bursts.
const BURST_TICK: u32 = 250;

#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
struct Nothing {
    any: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
struct Balloon {
    #[replicate(range = -500.0..=500.0, step = STEP, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -60.0..=60.0, step = 0.6)]
    vel: Vec2,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sky {
    balloon: Balloon,
    bursts: bool,
    tick: u32,
}

#[tickwire_shared::game]
impl Simulation for Sky {
    const NAME: &'static str = "sky";
    type Input = Nothing;
    type Entity = Balloon;

    fn new(room: &NewRoom<Self>) -> Self {
        let (pos, vel) = (Vec2::new(START, 0.0), Vec2::new(SPEED, 0.0));
        Sky { balloon: Balloon { pos, vel }, bursts: room.seed == 1, tick: 0 }
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        self.tick = inputs.tick().0;
        self.balloon.pos += self.balloon.vel / 60.0;
    }

    fn capture(&self, world: &mut Capture<Balloon>) {
        if !self.bursts || self.tick < BURST_TICK {
            world.show(EntityId(7), self.balloon).at(self.balloon.pos);
        }
    }

    fn view(&self, _viewer: Viewer) -> View {
        View::circle(Vec2::ZERO, 100.0)
    }
}

/// One frame with the balloon in it.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// The tick that is shown of it.
    tick: f64,
    x: f64,
    presence: f64,
}

/// What a player sees of it over a path of [`DELAY_TICKS`] down.
fn watch(bursts: bool, mode: Mode) -> Vec<Frame> {
    let mut session = Session::new("test", None);
    session.show_by("Balloon", mode);
    let mut table = Table::<Sky>::join(session, (u64::from(bursts), Tick(0)), (0, DELAY_TICKS));
    let mut frames = Vec::new();
    for _ in 1..400 {
        table.advance(&[]);
        let seen = table.session.room().unwrap();
        let Some((shown, part)) = seen.shown_tick_of(0) else { continue };
        seen.for_each_shown(|balloon| {
            let (x, presence) = (balloon.lanes[0] * f64::from(STEP), balloon.presence);
            frames.push(Frame { tick: f64::from(shown.0) + part, x, presence });
        });
    }
    frames
}

/// It was where it should be in every frame in which it was there, and never jumped in or out.
fn check_way(frames: &[Frame]) {
    for frame in frames.iter().filter(|frame| frame.presence > 0.0) {
        let is = f64::from(START) + frame.tick;
        assert!((frame.x - is).abs() < 0.05, "{frame:?}, is at {is}");
    }
    let first = frames.first().unwrap();
    assert!(first.presence < 0.1, "it pops in: {first:?}");
    for pair in frames.windows(2) {
        let change = (pair[1].presence - pair[0].presence).abs();
        assert!(change < 0.2, "it pops: {pair:?}");
    }
    assert!(frames.iter().any(|frame| frame.presence == 1.0));
}

#[test]
fn what_comes_into_view_fades_in_and_what_leaves_it_goes_on_and_fades_out() {
    for mode in [Mode::Interpolate, Mode::Extrapolate { ticks_max: 30 }] {
        let frames = watch(false, mode);
        check_way(&frames);
        let last = frames.last().unwrap();
        assert!(last.presence < 0.2, "{mode:?}: it pops out: {last:?}");
        let faded = frames.iter().rev().take_while(|frame| frame.presence < 1.0).count();
        assert!((10..=13).contains(&faded), "{mode:?}: it faded for {faded} frames");
    }
}

#[test]
fn what_ends_is_there_until_its_end_is_shown_and_does_not_fade() {
    let frames = watch(true, Mode::Interpolate);
    check_way(&frames);
    let last = frames.last().unwrap();
    assert_eq!(last.presence, 1.0, "{last:?}");
    let end = f64::from(BURST_TICK);
    assert!((end - 1.0..end).contains(&last.tick), "it was last seen at tick {}", last.tick);
}

#[test]
fn what_ends_and_was_shown_ahead_is_gone_at_once() {
    let frames = watch(true, Mode::Extrapolate { ticks_max: 30 });
    let last = frames.last().unwrap();
    assert_eq!(last.presence, 1.0, "{last:?}");
    assert!(last.tick > f64::from(BURST_TICK), "{last:?}");
}
