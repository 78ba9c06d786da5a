//! Members whose connection was lost and who may resume.

use tickwire_shared::control::ServerFrame;
use tickwire_shared::{PlayerId, Simulation};

use super::Room;

impl<S: Simulation> Room<S> {
    /// Marks a member whose connection was lost. It keeps its place, and nothing is sent to it.
    pub(super) fn away(&mut self, player: PlayerId) {
        let Some(member) = self.members.get_mut(&player) else { return };
        if std::mem::replace(&mut member.is_away, true) {
            return;
        }
        if !member.is_spectator() {
            self.simulation.away(player);
        }
        self.tell_everyone(ServerFrame::MemberAway { player });
    }

    /// Resumes a member over another connection. The states that it acknowledged stay valid.
    pub(super) fn back(&mut self, player: PlayerId, datagram_bytes_max: usize) {
        self.set_path(player, datagram_bytes_max);
        let tick = self.tick;
        let Some(member) = self.members.get_mut(&player) else { return };
        if std::mem::take(&mut member.is_restored) {
            self.rejoin(player);
        }
        let Some(member) = self.members.get_mut(&player) else { return };
        member.bandwidth.begin_anew();
        member.replication.open_keyframe(tick, S::TICK_HZ);
        if !std::mem::replace(&mut member.is_away, false) {
            return;
        }
        if !member.is_spectator() {
            self.simulation.back(player);
        }
        self.tell_everyone(ServerFrame::MemberBack { player });
    }

    /// Tells a new member which members are away.
    pub(super) fn tell_who_is_away(&mut self, newcomer: PlayerId) {
        let away = self.members.values();
        let away = away.filter(|member| member.is_away && member.player != newcomer);
        let away: Vec<PlayerId> = away.map(|member| member.player).collect();
        for player in away {
            self.tell(newcomer, ServerFrame::MemberAway { player });
        }
    }
}
