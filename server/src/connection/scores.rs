//! Scores: saved as rooms ask, and looked up for pages.

use std::sync::Arc;

use tickwire_shared::{SaveOutcome, Simulation};
use tokio::sync::oneshot;

use super::ServerState;
use crate::room::{NewScore, ToRoom};
use crate::scheduler::Mailbox;
use crate::store::{FindScores, SaveScore, ScoreId, ScorePage, ScoreQuery};

/// Why a board is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScoreRefusal {
    /// There is no store.
    NoStore,
    /// The store fails, or others ask for too much.
    Busy,
}

impl<S: Simulation> ServerState<S> {
    /// Saves a score of a room.
    pub(super) fn save_score(&self, room: &Arc<Mailbox<S::Input>>, new: NewScore) {
        let board = S::SCORE_BOARDS.get(usize::from(new.board));
        let (Some(store), Some(board)) = (&self.rooms.store, board) else { return };
        let save = SaveScore { game: S::NAME, room: room.name().to_owned(), board: *board, new };
        let id = save.id();
        if !store.score(save) {
            tracing::warn!(room = room.name(), "a score is not saved: the store is full or gone");
            tell_scored(room, id, SaveOutcome::Failed);
        }
    }

    /// Tells a room what became of a score.
    pub(super) fn deliver_scored(&self, room: &str, score: ScoreId, outcome: SaveOutcome) {
        if let Some(room) = self.rooms.mailbox(room) {
            tell_scored(&room, score, outcome);
        }
    }

    /// A part of a board.
    pub(crate) async fn find_scores(&self, query: ScoreQuery) -> Result<ScorePage, ScoreRefusal> {
        let store = self.rooms.store.as_ref().ok_or(ScoreRefusal::NoStore)?;
        let (answer, answered) = oneshot::channel();
        if !store.find_scores(FindScores { game: S::NAME, query, answer }) {
            return Err(ScoreRefusal::Busy);
        }
        answered.await.ok().flatten().ok_or(ScoreRefusal::Busy)
    }
}

/// A room that is behind is not told: what it hears of scores comes at most once.
fn tell_scored<I>(room: &Mailbox<I>, score: ScoreId, outcome: SaveOutcome) {
    let ScoreId { player, room_seed, board, tick } = score;
    let scored = ToRoom::Scored { player, room_seed, board, tick, outcome };
    if room.try_message(scored).is_err() {
        tracing::debug!(room = room.name(), "a room is behind, and not told of a score");
    }
}
