//! What the rules save of accounts goes out of the room, and what became of it comes back.

use std::collections::BTreeMap;

use tickwire_shared::{Options, PlayerId, SaveOutcome, Simulation, Tick};

use super::Room;
use super::member::RoomMember;
use super::message::FromRoom;
use super::profile::{NewProfile, SavedProfile, SeatAccount};

/// A player that has left since the last step.
#[derive(Debug)]
pub(super) struct LeftPlayer {
    player: PlayerId,
    name: String,
    account: SeatAccount,
}

impl<S: Simulation> Room<S> {
    /// Keeps a player that leaves until the end of the next step: the game may save and score for it there.
    pub(super) fn note_left(&mut self, player: PlayerId, member: &RoomMember<S::Input>) {
        let may_save =
            |account: &&SeatAccount| account.fence.is_some() || !S::SCORE_BOARDS.is_empty();
        if let Some(account) = member.account.as_ref().filter(may_save) {
            let (name, account) = (member.name.clone(), account.clone());
            self.left_players.push(LeftPlayer { player, name, account });
        }
    }

    /// True if a player for which the game may save has left since the last step. A room that has become empty needs one more
    /// step then.
    pub fn has_unsaved_leaves(&self) -> bool {
        !self.left_players.is_empty()
    }

    /// Takes the profiles and scores of the step. They go out before all else that waits: whoever learns that it has left, and
    /// joins again, finds its profile saved.
    pub(super) fn take_saves(&mut self) {
        let left = std::mem::take(&mut self.left_players);
        self.take_scores(&left);
        self.take_profiles(&left);
    }

    /// The name and the account of a player who is here, or `left` since the last step.
    pub(super) fn account_of<'a>(
        &'a self,
        player: PlayerId,
        left: &'a [LeftPlayer],
    ) -> Option<(&'a str, &'a SeatAccount)> {
        let here = self.members.get(&player);
        let here = here.and_then(|member| Some((member.name.as_str(), member.account.as_ref()?)));
        here.or_else(|| {
            let left = left.iter().find(|left| left.player == player)?;
            Some((left.name.as_str(), &left.account))
        })
    }

    fn take_profiles(&mut self, left: &[LeftPlayer]) {
        let saves: BTreeMap<PlayerId, S::Profile> = self.outbox.drain_saves().collect();
        for (player, profile) in saves.into_iter().rev() {
            let Some((_, SeatAccount { id, fence: Some(fence) })) = self.account_of(player, left)
            else {
                continue;
            };
            let (account, fence) = (id.clone(), *fence);
            let json = serde_json::to_string(profile.as_json());
            let json = json.map_err(|error| error.to_string()).and_then(|json| {
                let (bytes, most) = (json.len(), self.config.profile_bytes_max);
                if bytes <= most { Ok(json) } else { Err(format!("{bytes} bytes, {most} at most")) }
            });
            let message = match json {
                Ok(json) => {
                    let profile = SavedProfile { version: S::PROFILE_VERSION, json: json.into() };
                    let tick = self.tick;
                    FromRoom::Save(Box::new(NewProfile { player, account, fence, tick, profile }))
                }
                Err(what) => FromRoom::Unsaved { player, fence, tick: self.tick, what },
            };
            self.outgoing.push_front(message);
        }
    }

    /// Tells the game what became of a save of the stay with this `fence`.
    pub(super) fn saved(
        &mut self,
        player: PlayerId,
        fence: u64,
        (tick, outcome): (Tick, SaveOutcome),
    ) {
        let account = self.members.get(&player).and_then(|member| member.account.as_ref());
        if account.is_some_and(|account| account.fence == Some(fence)) {
            self.simulation.saved(player, tick, outcome);
        }
    }
}
