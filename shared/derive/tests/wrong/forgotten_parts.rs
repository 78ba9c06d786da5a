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
        const NAME: &'static str = "forgotten";
        type Input = Keys;
        type Entity = Dot;
        fn new(_room: &NewRoom<Self>) -> Self {
            unreachable!("it does not compile")
        }
        fn join(&mut self, _player: &NewPlayer<Self>) {}
        fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}
        fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {}
        fn capture(&self, _world: &mut Capture<Self::Entity>) {}
    };
}

#[derive(Clone, Default)]
struct PlainOptions {
    seats: u8,
}

#[state]
struct OptionsWithoutDefault {
    seats: u8,
}

#[state]
struct Game {}

#[game]
impl Simulation for Game {
    type RoomOptions = PlainOptions;
    type JoinOptions = OptionsWithoutDefault;
    methods!();
}

#[derive(Clone, Default)]
enum Map {
    #[default]
    Forest,
    Desert,
}

#[state]
#[derive(Clone, Default)]
struct OptionsOfPlainParts {
    map: Map,
}

#[state]
enum Round {
    Waits { map: Map },
    Runs(Vec<Map>),
}

struct PlainEvent {
    by: PlayerId,
}

struct Ready {}

#[derive(Replicate)]
enum Command {
    Ready(Ready),
}

#[state]
struct Other {
    round: Round,
}

#[game]
impl Simulation for Other {
    type Event = PlainEvent;
    type Command = Command;
    type RoomOptions = OptionsOfPlainParts;
    methods!();
}

fn main() {}
