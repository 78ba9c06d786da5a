use tickwire_shared::{Outbox, PlayerId, Replicate};

use super::Arena;
use super::event::{Event, TeamChange};
use super::pilot::RESPAWN_TICKS;

// ANCHOR: command
/// The commands of a pilot.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub enum Command {
    /// Fly for the other team.
    ChangeTeam(ChangeTeam),
}

/// Flies for the other team, unless that is the larger one. It costs the ship.
#[derive(Clone, Copy, Debug, PartialEq, Replicate)]
pub struct ChangeTeam {}
// ANCHOR_END: command

impl Arena {
    pub(super) fn obey(&mut self, player: PlayerId, command: Command, outbox: &mut Outbox<Arena>) {
        match command {
            Command::ChangeTeam(_) => self.change_team(player, outbox),
        }
    }

    fn change_team(&mut self, player: PlayerId, outbox: &mut Outbox<Arena>) {
        let Ok(at) = self.pilot_at(player) else { return };
        let own = self.pilots[at].team;
        let other = own.enemy();
        if self.members(other) > self.members(own) {
            let refused = TeamChange { player, team: own, is_granted: false };
            outbox.to_player(player, Event::TeamChange(refused));
            return;
        }
        let pilot = &mut self.pilots[at];
        pilot.team = other;
        pilot.dead_ticks = RESPAWN_TICKS;
        pilot.deaths = pilot.deaths.saturating_add(1);
        self.save_team(player, other, outbox);
        let granted = TeamChange { player, team: other, is_granted: true };
        outbox.to_room(Event::TeamChange(granted));
    }
}
