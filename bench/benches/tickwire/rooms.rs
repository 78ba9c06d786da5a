//! Rooms that have been played for a while before the measurement.

use tickwire_bench::rooms::arena::{self, ArenaTable};
use tickwire_bench::rooms::drift::{self, DriftTable, Seen};

use crate::measure::warm_up_ticks;

/// An arena in which `players` bots have been fighting for a while.
pub(crate) fn arena(players: u32) -> ArenaTable {
    arena::arena(players).play(warm_up_ticks(arena::WARM_UP_TICKS))
}

/// A world of `entities` that `players` have watched for a while.
pub(crate) fn drift(entities: u32, players: usize, seen: Seen) -> DriftTable {
    drift::drift(entities, players, seen).play(warm_up_ticks(drift::WARM_UP_TICKS))
}
