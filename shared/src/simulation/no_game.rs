//! No game, for servers of topics alone.

use serde::{Deserialize, Serialize};

use super::{
    Capture, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Refusal, RoomPolicy,
    Simulation,
};
use crate::{Input, Replicate, game};

/// No game: a server that runs it has no rooms, and offers topics alone. Its clients are those of this type, or any that take
/// the server's schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoGame;

/// The input type of [`NoGame`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Input)]
pub struct NoInput {}

/// The entity type of [`NoGame`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Replicate)]
pub struct NoEntity {}

#[game]
impl Simulation for NoGame {
    const NAME: &'static str = "topics";
    const TICK_HZ: u32 = 1;
    type Input = NoInput;
    type Entity = NoEntity;

    fn room_policy(_options: &Self::RoomOptions) -> Result<RoomPolicy, Refusal> {
        Err(Refusal::new(0, "this server has no rooms; publish and subscribe to its topics"))
    }

    fn new(_room: &NewRoom<Self>) -> Self {
        NoGame
    }

    fn join(&mut self, _player: &NewPlayer<Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {}

    fn capture(&self, _world: &mut Capture<NoEntity>) {}
}
