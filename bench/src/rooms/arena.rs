//! The arena, played by its bots.

use tickwire_arena::bot::Bot;
use tickwire_arena::rules::{Arena, Controls, Entity};
use tickwire_shared::quantize::Kinds;
use tickwire_shared::replica::{self, Replica};
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::{EntityId, PlayerId};

use crate::rooms::table::{Player, Table};

/// A room of the arena.
pub type ArenaTable = Table<Arena, Pilot>;

/// Ticks until every player is in the fight.
pub const WARM_UP_TICKS: u32 = 240;
/// Ticks between two decisions of a bot, as in the swarm.
const TICKS_PER_DECISION: u32 = 3;

/// A bot and its input.
pub struct Pilot {
    bot: Bot,
    controls: Controls,
    tick: u32,
}

/// An arena that `players` bots have just joined.
pub fn arena(players: u32) -> ArenaTable {
    let pilot = |number: u32| Pilot {
        bot: Bot::new(u64::from(number)),
        controls: Controls::default(),
        tick: number,
    };
    Table::new(1, (0..players).map(pilot))
}

impl Player<Arena> for Pilot {
    fn hold(&mut self, me: PlayerId, replica: &Replica) -> Controls {
        self.tick += 1;
        if self.tick.is_multiple_of(TICKS_PER_DECISION) {
            self.controls = self.bot.decide(me, replica.entities().iter().filter_map(newest));
        }
        self.controls
    }
}

fn newest(entity: &replica::Entity) -> Option<(EntityId, Entity)> {
    let mut lanes = [0; LANES_MAX];
    entity.states.copy_to(entity.states.len() - 1, &mut lanes);
    Some((entity.id, <Entity as Kinds>::from_lanes(entity.kind, &lanes)?))
}
