//! How others are shown: between their states, or ahead of them.

use serde::{Deserialize, Serialize};
use tickwire_client::session::{Mode, Session};
use tickwire_shared::glam::Vec2;
use tickwire_shared::predict::{Predict, PredictedStep};
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation, Tick,
};

use crate::table::Table;

const STEP: f32 = 0.01;
const DELAY_TICKS: usize = 6;
/// From here on the train comes back and the lift stands.
const TURN: Tick = Tick(300);

#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
struct Pedal {
    down: bool,
}

/// Moves evenly, and tells its velocity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
struct Train {
    #[replicate(range = -500.0..=500.0, step = STEP, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -60.0..=60.0, step = 0.6)]
    vel: Vec2,
}

/// Moves evenly, and does not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
struct Lift {
    #[replicate(range = -500.0..=500.0, step = STEP)]
    height: f32,
}

/// A rocket burns, so that it is faster with every tick; where it is going, its velocity alone does not say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
struct Rocket {
    #[replicate(range = -500.0..=500.0, step = STEP, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -500.0..=500.0, step = STEP)]
    vel: Vec2,
    burning: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
enum Thing {
    Train(Train),
    Lift(Lift),
    Rocket(Rocket),
}

#[derive(Debug, Serialize, Deserialize)]
struct Yard {
    train: Train,
    lift: Lift,
    rocket: Rocket,
}

impl Rocket {
    fn fly(&mut self) {
        self.vel.x += if self.burning { 0.5 } else { 0.0 };
        self.pos += self.vel / 60.0;
    }
}

#[tickwire_shared::game]
impl Simulation for Yard {
    const NAME: &'static str = "yard";
    type Input = Pedal;
    type Entity = Thing;

    fn new(_room: &NewRoom<Self>) -> Self {
        Yard {
            train: Train { pos: Vec2::ZERO, vel: Vec2::new(30.0, 0.0) },
            lift: Lift { height: 0.0 },
            rocket: Rocket { pos: Vec2::ZERO, vel: Vec2::ZERO, burning: true },
        }
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        if inputs.tick() == TURN {
            self.train.vel = -self.train.vel;
        }
        self.train.pos += self.train.vel / 60.0;
        self.lift.height += if inputs.tick().since(TURN) < 0 { 0.5 } else { 0.0 };
        self.rocket.fly();
    }

    fn capture(&self, world: &mut Capture<Thing>) {
        world.show(EntityId(1), Thing::Train(self.train));
        world.show(EntityId(2), Thing::Lift(self.lift));
        world.show(EntityId(3), Thing::Rocket(self.rocket));
    }
}

impl Predict for Yard {
    type State = Rocket;

    fn from_entity(_id: EntityId, entity: &Thing, _before: Option<&Rocket>) -> Option<Rocket> {
        match entity {
            Thing::Rocket(rocket) => Some(*rocket),
            _ => None,
        }
    }

    fn to_entity(own: &Rocket) -> Thing {
        Thing::Rocket(*own)
    }

    fn predict_step(own: &mut Rocket, input: Pedal, _: &mut PredictedStep<'_, Self>) {
        own.burning = input.down;
        own.fly();
    }

    fn guess_input(entity: &Thing) -> Pedal {
        Pedal { down: matches!(entity, Thing::Rocket(rocket) if rocket.burning) }
    }
}

/// The yard, and one who looks at it over a path of [`DELAY_TICKS`] each way.
type Look = Table<Yard>;

impl Look {
    fn by(mode: Mode) -> Self {
        let mut session = Session::new("test", None);
        session.predict::<Yard>();
        for kind in ["Train", "Lift", "Rocket", "a kind of another version"] {
            session.show_by(kind, mode);
        }
        Table::join(session, (1, Tick(0)), (DELAY_TICKS, DELAY_TICKS))
    }

    /// One tick. What is shown of each then.
    fn run(&mut self) -> [Option<f64>; 3] {
        self.advance(&[]);
        let mut shown = [None; 3];
        self.session.room().unwrap().for_each_shown(|seen| {
            shown[usize::from(seen.kind)] = Some(seen.lanes[0] * f64::from(STEP));
        });
        shown
    }

    fn run_to(&mut self, tick: u32) -> [Option<f64>; 3] {
        let mut shown = [None; 3];
        while self.tick < tick {
            shown = self.run();
        }
        shown
    }

    /// The tick that is shown of all kinds, with a fraction.
    fn shown_tick(&self) -> f64 {
        let (tick, part) = self.session.room().unwrap().shown_tick_of(0).unwrap();
        f64::from(tick.0) + part
    }

    fn newest(&self) -> f64 {
        f64::from(self.session.room().unwrap().replica().newest().unwrap().0)
    }
}

const EXTRAPOLATE: Mode = Mode::Extrapolate { ticks_max: 30 };
const FORWARD: Mode = Mode::ForwardSimulate { ticks_max: 30 };

#[test]
fn what_is_extrapolated_is_shown_where_it_will_be_when_the_own_input_counts() {
    for (mode, ahead_ticks) in [(Mode::Interpolate, -14.0..-2.0), (EXTRAPOLATE, 6.0..12.0)] {
        let mut look = Look::by(mode);
        let [train, lift, _] = look.run_to(200);
        let tick = look.shown_tick();
        let ahead = tick - f64::from(look.tick);
        assert!(ahead_ticks.contains(&ahead), "{mode:?}: {ahead} ticks ahead of the server");
        // Half a unit a tick, each.
        for shown in [train, lift] {
            assert!((shown.unwrap() - tick / 2.0).abs() < 0.02, "{mode:?}: {shown:?} at {tick}");
        }
    }
}

#[test]
fn what_turns_is_put_right_without_a_jump_and_what_stops_stands_where_it_is() {
    let mut look = Look::by(EXTRAPOLATE);
    let mut last = look.run_to(TURN.0 - 1);
    let (mut jump, mut farthest) = ([0.0f64; 2], 0.0f64);
    for _ in 0..60 {
        let shown = look.run();
        for at in 0..2 {
            jump[at] = jump[at].max((shown[at].unwrap() - last[at].unwrap()).abs());
        }
        farthest = farthest.max(shown[1].unwrap());
        last = shown;
    }
    let stop = f64::from(look.room.simulation().lift.height);
    assert!(farthest > stop + 3.0, "it was known to stop before it could be");
    // The train was shown up to 15 ticks too far, and is a unit a tick slower than was thought.
    assert!(jump.iter().all(|jump| *jump < 3.5), "they jumped by {jump:?} units in a frame");
    let lift = last[1].unwrap();
    assert!((lift - stop).abs() < 0.02, "shown at {lift}, stands at {stop}");
    let train = f64::from(look.room.simulation().train.pos.x);
    let is = train - (look.shown_tick() - f64::from(look.tick)) / 2.0;
    assert!((last[0].unwrap() - is).abs() < 0.05, "shown at {:?}, is at {is}", last[0]);
}

#[test]
fn nothing_goes_farther_than_its_bound_when_the_server_is_not_heard() {
    for (ticks_max, goes) in [(12, 12.0), (0, 0.0)] {
        let mut look = Look::by(Mode::Extrapolate { ticks_max });
        look.run_to(200);
        look.is_silent = true;
        let [train, lift, _] = look.run_to(280);
        let newest = look.newest();
        for shown in [train, lift] {
            let past = shown.unwrap() * 2.0 - newest;
            assert!((past - goes).abs() < 0.1, "{past} ticks past its newest state");
        }
    }
}

#[test]
fn what_is_stepped_by_the_rules_is_shown_where_they_take_it() {
    let off = |mode| {
        let mut look = Look::by(mode);
        let [_, _, shown] = look.run_to(200);
        // After n ticks of burning it is at (1 + 2 + ... + n) / 120.
        let n = look.shown_tick();
        shown.unwrap() - n * (n + 1.0) / 240.0
    };
    let (forward, velocity) = (off(FORWARD), off(EXTRAPOLATE));
    assert!(forward.abs() < 0.05, "off by {forward} units");
    assert!(velocity < -0.4, "velocity alone does as well: {velocity}");
}

#[test]
fn what_the_rules_do_not_step_is_extrapolated() {
    let [train, lift, _] = Look::by(FORWARD).run_to(200);
    assert_eq!([train, lift], Look::by(EXTRAPOLATE).run_to(200)[..2]);
}

#[test]
fn a_mode_may_be_changed_while_in_the_room() {
    let mut look = Look::by(Mode::Interpolate);
    let before = look.run_to(200)[0].unwrap();
    look.session.show_by("Train", EXTRAPOLATE);
    assert!(look.run()[0].unwrap() > before + 5.0);
    look.session.show_by("Train", Mode::Interpolate);
    assert!((look.run()[0].unwrap() - before - 1.0).abs() < 0.1);
}
