//! A tile map that players dig away: static data, with changes.

use std::collections::BTreeMap;

use tickwire::prelude::*;

/// Tiles of a side.
pub const SIDE: usize = 256;

/// The keys of a digger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Input)]
pub struct Shovel {
    /// -1 is left.
    #[replicate(range = -1..=1)]
    pub right: i8,
    /// -1 is up.
    #[replicate(range = -1..=1)]
    pub down: i8,
}

/// A digger as clients see it, on a tile.
#[state]
#[derive(Clone, Copy, Debug, Default, PartialEq, Replicate)]
pub struct Digger {
    /// From the left.
    #[replicate(range = 0..=255)]
    pub column: u8,
    /// From above.
    #[replicate(range = 0..=255)]
    pub row: u8,
}

// ANCHOR: map
/// The key of the tiles: a byte each, row by row, 1 for earth.
pub const TILES: u8 = 0;

/// The state of one room.
#[state]
#[derive(Debug)]
pub struct Mine {
    tiles: Vec<u8>,
    diggers: BTreeMap<PlayerId, Digger>,
}

#[game]
impl Simulation for Mine {
    const NAME: &'static str = "mine";
    type Input = Shovel;
    type Entity = Digger;

    fn new(_room: &NewRoom<Self>) -> Self {
        Mine { tiles: vec![1; SIDE * SIDE], diggers: BTreeMap::new() }
    }

    fn static_data(&self, data: &mut StaticData) {
        data.set(TILES, self.tiles.clone());
    }

    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
        for (player, digger) in &mut self.diggers {
            let Shovel { right, down } = inputs.get(*player);
            digger.column = digger.column.saturating_add_signed(right);
            digger.row = digger.row.saturating_add_signed(down);
            let at = usize::from(digger.row) * SIDE + usize::from(digger.column);
            if self.tiles[at] == 1 {
                self.tiles[at] = 0;
                outbox.static_data().change(TILES, at, [0]);
            }
        }
    }
    // ANCHOR_END: map

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.diggers.insert(player.id, Digger::default());
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.diggers.remove(&player);
    }

    fn capture(&self, world: &mut Capture<Digger>) {
        for (player, digger) in &self.diggers {
            let at = Vec2::new(digger.column.into(), digger.row.into());
            world.show(EntityId(player.0), *digger).owned_by(*player).at(at);
        }
    }
}
