//! Scores on their way to the store, and what is asked of its boards.

use tickwire_shared::{PlayerId, ScoreBoard, Tick};
use tokio::sync::oneshot;

use super::period::ScorePeriod;
use crate::room::NewScore;

/// A score to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SaveScore {
    /// The game's name.
    pub(crate) game: &'static str,
    /// The room that scores.
    pub(crate) room: String,
    pub(crate) board: ScoreBoard,
    pub(crate) new: NewScore,
}

/// A score of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScoreId {
    pub(crate) player: PlayerId,
    pub(crate) room_seed: u64,
    /// The board's place in the game's list.
    pub(crate) board: u8,
    pub(crate) tick: Tick,
}

/// A part of a board that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ScoreQuery {
    pub(crate) board: ScoreBoard,
    pub(crate) period: ScorePeriod,
    /// Periods before the one that goes on.
    pub(crate) ago: u32,
    pub(crate) range: ScoreRange,
}

/// Lines of a board.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ScoreRange {
    /// `count` lines after the first `from` ones.
    Top { from: u32, count: u32 },
    /// The line of an account, and `count` lines before and after it each.
    Around { account: String, count: u32 },
}

/// A part of a board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScorePage {
    /// All accounts on the board.
    pub(crate) accounts: u64,
    /// By rank.
    pub(crate) lines: Vec<ScoreLine>,
}

/// A line of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScoreLine {
    /// From 1 on. Of equal scores the one that was there first is ahead.
    pub(crate) rank: u64,
    pub(crate) account: String,
    /// Its display name when it scored last.
    pub(crate) name: String,
    pub(crate) score: i64,
    /// The time since which it has this score, in milliseconds since 1970.
    pub(crate) since_ms: u64,
}

/// A look at a board.
#[derive(Debug)]
pub(crate) struct FindScores {
    /// The game's name.
    pub(crate) game: &'static str,
    pub(crate) query: ScoreQuery,
    /// Gets the lines; `None` if they cannot be read.
    pub(crate) answer: oneshot::Sender<Option<ScorePage>>,
}

impl SaveScore {
    pub(crate) fn id(&self) -> ScoreId {
        let NewScore { player, room_seed, board, tick, .. } = self.new;
        ScoreId { player, room_seed, board, tick }
    }

    /// Bytes that it takes in the queue, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.room.len() + self.new.account.len() + self.new.name.len()
    }
}
