//! A player whose program stands still for ten seconds, as a browser's tab that is suspended, and goes on.

use serde::{Deserialize, Serialize};
use tickwire_client::session::prediction::PredictionStats;
use tickwire_client::session::{NetStats, Session};
use tickwire_server::room::InputCounts;
use tickwire_shared::glam::Vec2;
use tickwire_shared::predict::{Predict, PredictedStep};
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation, Tick,
};

use crate::table::{ME, PERIOD, Table};

const STEP: f32 = 0.01;
const DELAY_TICKS: usize = 6;
/// Long enough for everything to settle.
const START_TICKS: u32 = 900;
const SUSPENDED_TICKS: u32 = 600;
/// All is as it was before after so many: a second, or five round trips.
const SOON_TICKS: u32 = 60;

#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
struct Push {
    #[replicate(range = -1.0..=1.0, step = 0.125)]
    x: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
struct Cart {
    #[replicate(range = -2000.0..=2000.0, step = STEP, velocity = vel)]
    pos: Vec2,
    #[replicate(range = -60.0..=60.0, step = STEP)]
    vel: Vec2,
}

/// Climbs half a step each tick, so that its height tells the tick that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Replicate)]
struct Lift {
    #[replicate(range = 0.0..=2000.0, step = STEP)]
    height: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
enum Thing {
    Cart(Cart),
    Lift(Lift),
}

#[derive(Debug, Serialize, Deserialize)]
struct Yard {
    cart: Cart,
    lift: Lift,
}

impl Cart {
    fn roll(&mut self, push: Push) {
        self.vel.x = (self.vel.x + push.x).clamp(-30.0, 30.0);
        self.pos += self.vel / 60.0;
    }
}

#[tickwire_shared::game]
impl Simulation for Yard {
    const NAME: &'static str = "yard";
    type Input = Push;
    type Entity = Thing;

    fn new(_room: &NewRoom<Self>) -> Self {
        let cart = Cart { pos: Vec2::ZERO, vel: Vec2::ZERO };
        Yard { cart, lift: Lift { height: 0.0 } }
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        self.cart.roll(inputs.get(ME));
        self.lift.height += 0.5;
    }

    fn capture(&self, world: &mut Capture<Thing>) {
        world.show(EntityId(1), Thing::Cart(self.cart)).owned_by(ME);
        world.show(EntityId(2), Thing::Lift(self.lift));
    }
}

impl Predict for Yard {
    type State = Cart;

    fn from_entity(_id: EntityId, entity: &Thing, _before: Option<&Cart>) -> Option<Cart> {
        match entity {
            Thing::Cart(cart) => Some(*cart),
            Thing::Lift(_) => None,
        }
    }

    fn to_entity(own: &Cart) -> Thing {
        Thing::Cart(*own)
    }

    fn predict_step(own: &mut Cart, input: Push, _: &mut PredictedStep<'_, Self>) {
        own.roll(input);
    }
}

/// What becomes of the snapshots that nobody takes in.
#[derive(Clone, Copy, Debug)]
enum Wait {
    All,
    Newest(usize),
    Oldest(usize),
    None,
}

/// Snapshots that wait, and whether a frame comes before them.
const WAYS: [(Wait, bool); 7] = [
    (Wait::All, false),
    (Wait::All, true),
    (Wait::Newest(64), false),
    (Wait::Newest(64), true),
    (Wait::Oldest(64), false),
    (Wait::Oldest(64), true),
    (Wait::None, false),
];

type Player = Table<Yard>;

/// What the player sees and tells at one time.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// Ticks from what is shown of the lift to the server's; `NaN` without a lift.
    late_ticks: f64,
    /// How far the cart is shown from where it will be when the newest input counts; `NaN` without a cart.
    off: f64,
    inputs: InputCounts,
    prediction: PredictionStats,
    net: NetStats,
}

impl Player {
    fn settled(is_frame_first: bool) -> Self {
        let mut session = Session::new("test", None);
        session.predict::<Yard>();
        let mut player = Table::join(session, (1, Tick(0)), (DELAY_TICKS, DELAY_TICKS));
        player.is_frame_first = is_frame_first;
        player.run(START_TICKS);
        player
    }

    fn run(&mut self, ticks: u32) {
        for _ in 0..ticks {
            let is_right = (self.tick + 30) % 120 < 60;
            self.advance(&[if is_right { 4 } else { -4 }]);
        }
    }

    fn suspend(&mut self, wait: Wait) {
        self.is_suspended = true;
        self.run(SUSPENDED_TICKS);
        self.is_suspended = false;
        let waiting = &mut self.waiting;
        match wait {
            Wait::All => {}
            Wait::Newest(most) => drop(waiting.drain(..waiting.len() - most)),
            Wait::Oldest(most) => waiting.truncate(most),
            Wait::None => waiting.clear(),
        }
    }

    /// Lets the cart roll, for its place to be known, and looks.
    fn look(&mut self) -> Look {
        for _ in 0..3 * DELAY_TICKS {
            self.advance(&[0]);
        }
        let room = self.session.room().unwrap();
        let (mut cart, mut lift) = (f64::NAN, f64::NAN);
        room.for_each_shown(|seen| {
            let shown = seen.lanes[0] * f64::from(STEP);
            *(if seen.kind == 0 { &mut cart } else { &mut lift }) = shown;
        });
        let yard = self.room.simulation();
        let now = PERIOD * self.tick + PERIOD / 2;
        let ahead_ticks = room.clock().input_ticks(now) - f64::from(self.room.tick().0);
        let is = f64::from(yard.cart.pos.x) + f64::from(yard.cart.vel.x) / 60.0 * ahead_ticks;
        Look {
            late_ticks: (f64::from(yard.lift.height) - lift) * 2.0,
            off: (cart - is).abs(),
            inputs: self.room.input_counts(ME).unwrap(),
            prediction: room.prediction().unwrap().stats(),
            net: self.session.stats(now),
        }
    }
}

#[test]
fn five_round_trips_after_a_suspension_all_is_as_it_was_before() {
    for (wait, is_frame_first) in WAYS {
        let mut player = Player::settled(is_frame_first);
        let before = player.look();
        player.suspend(wait);
        player.run(SOON_TICKS);
        let soon = player.look();
        let way = format!("{wait:?}, frame first: {is_frame_first}:\n{before:?}\n{soon:?}");
        assert!((soon.late_ticks - before.late_ticks).abs() < 0.5, "others are shown late; {way}");
        assert!(soon.off < 0.1, "the cart is not where it is shown; {way}");
        let (net, usual) = (soon.net, before.net);
        assert!((net.rtt_ms - usual.rtt_ms).abs() < 5.0, "{way}");
        assert!((net.interpolation_ms - usual.interpolation_ms).abs() < 5.0, "{way}");
        assert!((0.0..50.0).contains(&net.input_margin_ms), "{way}");
        assert!(net.jitter_ms < 5.0 && net.loss_fraction() < 0.01, "{way}");
        player.run(300);
        let missing = player.look().inputs.missing;
        assert_eq!(missing, soon.inputs.missing, "inputs do not come in time; {way}");
    }
}

#[test]
fn the_snapshots_that_waited_are_not_each_predicted_from() {
    for (wait, is_frame_first) in WAYS {
        let mut player = Player::settled(is_frame_first);
        let before = player.look().prediction;
        player.suspend(wait);
        player.run(SOON_TICKS);
        let after = player.look().prediction;
        let replayed = after.replayed_ticks - before.replayed_ticks;
        assert!(replayed < 300, "{wait:?}, frame first: {is_frame_first}: {replayed} ticks");
    }
}

#[test]
fn snapshots_that_nobody_kept_are_missed_and_not_lost() {
    let mut player = Player::settled(false);
    player.suspend(Wait::Newest(64));
    player.run(SOON_TICKS);
    let net = player.look().net;
    assert_eq!(net.snapshots_missed, u64::from(SUSPENDED_TICKS) - 64);
    assert_eq!(net.snapshots + net.snapshots_missed, net.snapshots_expected);
}

#[test]
fn on_a_path_that_is_longer_after_a_suspension_the_prediction_is_soon_back() {
    const LONGER_TICKS: usize = 6;
    for (wait, is_frame_first) in WAYS {
        let mut player = Player::settled(is_frame_first);
        let before = player.look();
        player.suspend(wait);
        player.down_ticks += LONGER_TICKS;
        player.run(SOON_TICKS / 4);
        let soon = player.look();
        let way = format!("{wait:?}, frame first: {is_frame_first}:\n{before:?}\n{soon:?}");
        assert!(soon.off < 0.1, "the cart is not where it is shown; {way}");
        player.run(3 * SOON_TICKS);
        let later = player.look();
        let longer = later.late_ticks - before.late_ticks;
        assert!((longer - LONGER_TICKS as f64).abs() < 1.0, "others are late by {longer}; {way}");
    }
}
