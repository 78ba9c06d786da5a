use tickwire_shared::predict::Predict;
use tickwire_shared::{
    Capture, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate, Simulation, game, state,
};

#[derive(Clone, Copy, Default, PartialEq, Input)]
struct Keys {
    fire: bool,
}

#[derive(Replicate)]
struct Dot {
    on: bool,
}

macro_rules! methods {
    () => {
        fn new(_room: &NewRoom<Self>) -> Self {
            unreachable!("it does not compile")
        }
        fn join(&mut self, _player: &NewPlayer<Self>) {}
        fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}
        fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {}
        fn capture(&self, _world: &mut Capture<Self::Entity>) {}
    };
}

struct WithoutState;

#[game]
impl Simulation for WithoutState {
    const NAME: &'static str = "without_state";
    type Input = Keys;
    type Entity = Dot;
    methods!();
}

#[derive(Clone, Copy, Default, PartialEq)]
struct PlainKeys;

struct PlainDot;

struct PlainCommand;

#[state]
struct WithoutDerives;

#[game]
impl Simulation for WithoutDerives {
    const NAME: &'static str = "without_derives";
    type Input = PlainKeys;
    type Entity = PlainDot;
    type Command = PlainCommand;
    methods!();
}

#[state]
struct WithoutGame;

impl Simulation for WithoutGame {
    const NAME: &'static str = "without_game";
    type Input = Keys;
    type Entity = Dot;
    methods!();
}

#[game]
impl WithoutGame {}

fn predict<G: Predict>() {}

fn main() {
    predict::<WithoutGame>();
}
