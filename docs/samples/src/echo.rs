//! A game with a field of every type, as its input, its command, its event and its entity: it shows each player what it holds and what
//! it asked for last.

use std::collections::BTreeMap;

use tickwire::prelude::*;

// ANCHOR: fields
/// A field of every type. As the entity and the input of a game are structs alike, one may be both.
#[state]
#[derive(Clone, Copy, Debug, Default, PartialEq, Replicate)]
pub struct Everything {
    /// A flag.
    pub flag: bool,
    /// A whole number.
    #[replicate(range = -5..=5)]
    pub count: i8,
    /// A number of 32 bits.
    pub player: PlayerId,
    /// A number in steps.
    #[replicate(range = -8.0..=8.0, step = 0.25)]
    pub real: f32,
    /// Radians.
    #[replicate(angle, bits = 8)]
    pub heading: f32,
    /// A place in the plane.
    #[replicate(range = -8.0..=8.0, step = 0.25)]
    pub place: Vec2,
    /// A place in space.
    #[replicate(range = -8.0..=8.0, step = 0.25)]
    pub at: Vec3,
    /// A rotation.
    #[replicate(bits = 9)]
    pub turned: Quat,
    /// One of several.
    pub team: Team,
    /// At most 16 bytes of UTF-8.
    pub name: Text<16>,
    /// A place, or none.
    #[replicate(range = -8.0..=8.0, step = 0.25)]
    pub aim: Option<Vec2>,
    /// A name, or none.
    pub friend: Option<Text<8>>,
    /// As many numbers.
    #[replicate(range = 0..=9)]
    pub slots: [u8; 3],
    /// As many places.
    #[replicate(range = -8.0..=8.0, step = 0.25)]
    pub path: [Vec3; 2],
    /// As many of several, or none.
    pub teams: Option<[Team; 2]>,
}

/// An enum without fields is a field; its first variant is what a client that never set it holds.
#[state]
#[derive(Clone, Copy, Debug, Default, PartialEq, Replicate)]
pub enum Team {
    /// Attacks.
    #[default]
    Red,
    /// Defends.
    Blue,
}
// ANCHOR_END: fields

/// What each player holds and asked for.
#[state]
#[derive(Debug, Default)]
pub struct Echo {
    players: BTreeMap<PlayerId, [Everything; 2]>,
}

/// The entity that shows what a player holds.
pub fn held(player: PlayerId) -> EntityId {
    EntityId(2 * player.0)
}

/// The entity that shows what a player asked for last.
pub fn asked(player: PlayerId) -> EntityId {
    EntityId(2 * player.0 + 1)
}

#[game]
impl Simulation for Echo {
    const NAME: &'static str = "echo";
    type Input = Everything;
    type Entity = Everything;
    type Event = Everything;
    type Command = Everything;

    fn new(_room: &NewRoom<Self>) -> Self {
        Echo::default()
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.players.insert(player.id, <[Everything; 2]>::default());
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.players.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        for (player, input) in inputs.iter() {
            self.players.entry(player).or_default()[0] = input;
        }
        for (player, command) in inputs.commands() {
            self.players.entry(player).or_default()[1] = *command;
            outbox.to_player(player, *command);
        }
    }

    fn capture(&self, world: &mut Capture<Everything>) {
        for (player, [input, command]) in &self.players {
            world.show(held(*player), *input).owned_by(*player);
            world.show(asked(*player), *command).owned_by(*player);
        }
    }
}
