//! A score on its way from the rules to the store.

use tickwire_shared::{PlayerId, Tick};

/// A score on its way to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewScore {
    /// The player.
    pub player: PlayerId,
    /// The id of its account.
    pub account: String,
    /// Its display name.
    pub name: String,
    /// The seed of its room, which no other room of this name has, and which the room has after a restart too.
    pub room_seed: u64,
    /// The step that scored.
    pub tick: Tick,
    /// The board's place in [`SCORE_BOARDS`](tickwire_shared::Simulation::SCORE_BOARDS).
    pub board: u8,
    /// The score, of all scores of the step on this board by the board's rule; within [`SCORE_MAX`](tickwire_shared::ScoreBoard::SCORE_MAX).
    pub score: i64,
}
