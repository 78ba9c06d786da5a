//! What the rules save of accounts goes out of the room, and what became of it comes back.

use std::collections::BTreeMap;

use tickwire_shared::{Options, PlayerId, SaveOutcome, Simulation, Tick};

use super::Room;
use super::message::FromRoom;
use super::profile::{NewProfile, ProfileOwner, SavedProfile};

impl<S: Simulation> Room<S> {
    /// Keeps a player that leaves until the end of the next step: the game may save for it there.
    pub(super) fn saver_leaves(&mut self, player: PlayerId, owner: Option<ProfileOwner>) {
        self.left_savers.extend(owner.map(|owner| (player, owner)));
    }

    /// True if a player with a profile has left since the last step. A room that has become empty needs one more step then.
    pub fn has_unsaved_leaves(&self) -> bool {
        !self.left_savers.is_empty()
    }

    /// Takes the profiles that the step saved. They go out before all else that waits: whoever learns that it has left, and
    /// joins again, finds its profile saved.
    pub(super) fn take_saves(&mut self) {
        let saves: BTreeMap<PlayerId, S::Profile> = self.outbox.drain_saves().collect();
        let left = std::mem::take(&mut self.left_savers);
        for (player, profile) in saves.into_iter().rev() {
            let here = self.members.get(&player).and_then(|member| member.owner.as_ref());
            let gone = || left.iter().find(|(who, _)| *who == player).map(|(_, owner)| owner);
            let Some(ProfileOwner { account, fence }) = here.or_else(gone).cloned() else {
                continue;
            };
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
        let owner = self.members.get(&player).and_then(|member| member.owner.as_ref());
        if owner.is_some_and(|owner| owner.fence == fence) {
            self.simulation.saved(player, tick, outcome);
        }
    }
}
