//! Careers and score boards: what the server's store keeps of an account.

use serde::{Deserialize, Serialize};
use tickwire_shared::{NewPlayer, Outbox, PlayerId, ScoreBoard};

use super::Arena;
use super::entity::Team;
use super::pilot::Pilot;

// ANCHOR: boards
/// The best score of an account in a round.
pub const SCORE: ScoreBoard = ScoreBoard::best("score");
/// All ships that an account has shot down.
pub const KILLS: ScoreBoard = ScoreBoard::sum("kills");
// ANCHOR_END: boards

/// What an account has done in all its rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Career {
    /// The team for which it flew last; it comes back to that one, unless that is the larger one.
    pub team: Option<Team>,
    /// Ships that it shot down.
    pub kills: u32,
    /// Its best score of a round.
    pub best_score: u16,
}

/// What a pilot has done in a round that is over for it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct RoundScore {
    score: u16,
    kills: u16,
}

impl RoundScore {
    fn of(pilot: &Pilot) -> Self {
        RoundScore { score: pilot.score, kills: pilot.kills }
    }

    // ANCHOR: scores
    fn tell(self, player: PlayerId, outbox: &mut Outbox<Arena>) {
        if self.score > 0 {
            outbox.score(player, SCORE, self.score.into());
        }
        if self.kills > 0 {
            outbox.score(player, KILLS, self.kills.into());
        }
    }
    // ANCHOR_END: scores
}

impl Career {
    /// Adds what a pilot did in a round that is over for it.
    fn add(&mut self, pilot: &Pilot) {
        self.team = Some(pilot.team);
        self.kills = self.kills.saturating_add(pilot.kills.into());
        self.best_score = self.best_score.max(pilot.score);
    }
}

impl Arena {
    /// Begins the career of an account, or goes on with it. Returns the team for which it flies, if it has a choice.
    pub(super) fn begin_career(&mut self, player: &NewPlayer<Arena>) -> Option<Team> {
        player.account?;
        let career = player.profile.unwrap_or_default();
        self.careers.insert(player.id, career);
        career.team.filter(|team| self.members(*team) <= self.members(team.enemy()))
    }

    /// Ends the career of a pilot that leaves: the next step saves it.
    pub(super) fn end_career(&mut self, pilot: &Pilot) {
        if let Some(mut career) = self.careers.remove(&pilot.player) {
            career.add(pilot);
            self.left_careers.push((pilot.player, career, RoundScore::of(pilot)));
        }
    }

    /// Saves the careers and scores of those who have left.
    pub(super) fn save_left(&mut self, outbox: &mut Outbox<Arena>) {
        for (player, career, score) in self.left_careers.drain(..) {
            outbox.save(player, career);
            score.tell(player, outbox);
        }
    }

    /// Saves the team that a pilot has chosen.
    pub(super) fn save_team(&mut self, player: PlayerId, team: Team, outbox: &mut Outbox<Arena>) {
        if let Some(career) = self.careers.get_mut(&player) {
            career.team = Some(team);
            outbox.save(player, *career);
        }
    }

    /// Saves all careers and scores at the end of a round.
    pub(super) fn save_round(&mut self, outbox: &mut Outbox<Arena>) {
        for pilot in &self.pilots {
            if let Some(career) = self.careers.get_mut(&pilot.player) {
                career.add(pilot);
                outbox.save(pilot.player, *career);
                RoundScore::of(pilot).tell(pilot.player, outbox);
            }
        }
    }
}
