//! A game with a field of every type, for the decoders that a schema drives.

use serde::{Deserialize, Serialize};
use tickwire_shared::glam::{Quat, Vec2, Vec3};
use tickwire_shared::{
    Capture, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
    Simulation, Text,
};

/// The game. Nothing happens in it.
#[derive(Serialize, Deserialize)]
pub struct Game;

/// What a player holds down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
pub struct Stick {
    /// Wraps.
    #[replicate(angle, bits = 10)]
    pub aim: f32,
    /// Steps.
    #[replicate(range = -1.0..=1.0, step = 0.125)]
    pub thrust: f32,
    /// One bit.
    pub fire: bool,
    /// Some bytes.
    pub say: Text<6>,
}

/// What is seen.
#[derive(Replicate)]
pub enum Thing {
    /// Moves as its velocity says.
    Ship(Ship),
    /// Moves in space.
    Rock(Rock),
    /// Has no lanes.
    Mark(Mark),
}

/// Fields that are predicted, rare, private.
#[derive(Replicate)]
pub struct Ship {
    #[replicate(range = -2048.0..=2048.0, step = 0.03125, velocity = speed)]
    place: Vec2,
    #[replicate(range = -512.0..=512.0, step = 0.25)]
    speed: Vec2,
    #[replicate(angle, bits = 10)]
    heading: f32,
    #[replicate(range = 0..=100, owner, rare)]
    health: u8,
    #[replicate(rare)]
    shield: bool,
    #[replicate(initial)]
    score: i32,
}

/// Fields in space.
#[derive(Replicate)]
pub struct Rock {
    #[replicate(range = -64.0..=64.0, step = 0.125)]
    place: Vec3,
    #[replicate(quat, bits = 9)]
    turn: Quat,
    #[replicate(range = -64.0..=64.0, step = 0.125)]
    aim: Option<Vec3>,
    #[replicate(range = 0..=9)]
    teeth: [u8; 3],
    #[replicate(rare)]
    name: Option<Text<10>>,
}

/// No fields.
#[derive(Replicate)]
pub struct Mark {}

/// What happens once.
#[derive(Replicate)]
pub struct Bang {
    #[replicate(range = -2048.0..=2048.0, step = 1.0)]
    place: Vec2,
}

/// What a player asks for once.
#[derive(Replicate)]
pub enum Ask {
    /// Has no lanes.
    Ready(Ready),
    /// Has some of all sizes.
    Buy(Buy),
}

/// No fields.
#[derive(Replicate)]
pub struct Ready {}

/// Narrow, wide, signed, real and wrapped fields.
#[derive(Replicate)]
pub struct Buy {
    #[replicate(range = 10..=20)]
    item: u8,
    count: u32,
    debt: i32,
    now: bool,
    #[replicate(range = -2048.0..=2048.0, step = 0.03125)]
    place: Vec2,
    #[replicate(angle, bits = 10)]
    heading: f32,
    whom: PlayerId,
}

#[tickwire_shared::game]
impl Simulation for Game {
    const NAME: &'static str = "fuzz";
    type Input = Stick;
    type Entity = Thing;
    type Event = Bang;
    type Command = Ask;

    fn new(_room: &NewRoom<Self>) -> Self {
        Game
    }
    fn join(&mut self, _player: &NewPlayer<Self>) {}
    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}
    fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {}
    fn capture(&self, _world: &mut Capture<Thing>) {}
}
