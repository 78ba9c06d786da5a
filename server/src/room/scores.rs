//! Scores of the rules go out of the room, and what became of them comes back.

use std::collections::BTreeMap;

use tickwire_shared::{PlayerId, SaveOutcome, ScoreBoard, Simulation, Tick};

use super::Room;
use super::findings::Fault;
use super::message::FromRoom;
use super::new_score::NewScore;
use super::saves::LeftPlayer;

impl<S: Simulation> Room<S> {
    /// Takes the scores of the step; `left` have left since the step before.
    pub(super) fn take_scores(&mut self, left: &[LeftPlayer]) {
        const {
            assert!(
                S::SCORE_BOARDS.len() <= ScoreBoard::BOARDS_MAX,
                "SCORE_BOARDS of a game has 16 boards at most"
            );
        }
        let mut scores: BTreeMap<(PlayerId, u8), i64> = BTreeMap::new();
        for (player, board, score) in self.outbox.drain_scores() {
            let of_game = (0..).zip(S::SCORE_BOARDS).find(|(_, known)| **known == board);
            let Some((at, _)) = of_game else {
                self.findings.note(Fault::ScoreBoard, self.tick.0);
                continue;
            };
            let score = score.clamp(-ScoreBoard::SCORE_MAX, ScoreBoard::SCORE_MAX);
            let kept =
                scores.entry((player, at)).and_modify(|kept| *kept = board.merge(*kept, score));
            kept.or_insert(score);
        }
        for ((player, board), score) in scores.into_iter().rev() {
            let Some((name, account)) = self.account_of(player, left) else { continue };
            let new = NewScore {
                player,
                account: account.id.clone(),
                name: name.to_owned(),
                room_seed: self.seed,
                tick: self.tick,
                board,
                score,
            };
            self.outgoing.push_front(FromRoom::Score(Box::new(new)));
        }
    }

    /// Tells the game what became of a score of the room with this seed.
    pub(super) fn scored(
        &mut self,
        (player, room_seed): (PlayerId, u64),
        board: u8,
        (tick, outcome): (Tick, SaveOutcome),
    ) {
        let member = self.members.get(&player).filter(|_| room_seed == self.seed);
        if member.is_some_and(|member| member.account.is_some()) {
            self.simulation.scored(player, board, (tick, outcome));
        }
    }
}
