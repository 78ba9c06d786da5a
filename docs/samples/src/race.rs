//! A game whose state has changed: rooms of version 1 go on in version 2.

use std::collections::BTreeMap;

use tickwire::prelude::*;

/// What a player holds.
#[derive(Clone, Copy, Default, PartialEq, Input)]
pub struct Pedals {
    /// Faster.
    pub gas: bool,
}

/// A racer as it is seen.
#[derive(Clone, Replicate)]
pub struct Racer {
    /// Round the course, in metres.
    #[replicate(range = 0.0..=1000.0, step = 0.1)]
    pub way: f32,
}

// ANCHOR: migrate
/// The state of version 1.
#[state]
struct Race1 {
    ways: BTreeMap<PlayerId, f32>,
}

/// The state of version 2.
#[state]
pub struct Race {
    ways: BTreeMap<PlayerId, f32>,
    is_wet: bool,
}

#[game]
impl Simulation for Race {
    const NAME: &'static str = "race";
    const VERSION: u32 = 2;
    type Input = Pedals;
    type Entity = Racer;

    fn migrate(from: u32, bytes: &[u8]) -> Result<Self, MigrateError> {
        match from {
            1 => read_state::<Race1>(bytes).map(|Race1 { ways }| Race { ways, is_wet: false }),
            _ => Err(MigrateError::version(from)),
        }
    }
    // ANCHOR_END: migrate

    fn new(_room: &NewRoom<Self>) -> Self {
        Race { ways: BTreeMap::new(), is_wet: false }
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.ways.insert(player.id, 0.0);
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.ways.remove(&player);
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        let speed = if self.is_wet { 20.0 } else { 30.0 };
        for (player, _) in inputs.iter().filter(|(_, pedals)| pedals.gas) {
            let way = self.ways.entry(player).or_default();
            *way = (*way + speed / Self::TICK_HZ as f32) % 1000.0;
        }
    }

    fn capture(&self, world: &mut Capture<Racer>) {
        for (player, way) in &self.ways {
            world.show(EntityId::of_player(*player), Racer { way: *way }).owned_by(*player);
        }
    }
}
