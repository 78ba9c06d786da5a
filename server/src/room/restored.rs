//! A room that goes on where its journal ended, in a server that was started again.

use std::time::Instant;

use tickwire_shared::control::{Member, ServerFrame};
use tickwire_shared::{LeaveReason, PlayerId, RoomPolicy, Simulation};

use super::Room;
use super::inputs::InputBuffer;
use super::member::RoomMember;
use super::profile::SeatAccount;
use super::recorder::RecordedGame;
use super::replay::{Replay, ReplayMember, ReplayedState};
use super::text::NameKey;
use crate::config::RoomConfig;

/// Chat numbers of a tick, at most: a restored room goes on beyond those that were given before.
const CHAT_IDS_PER_TICK_BITS: u32 = 10;

/// The settings of a restored room.
#[derive(Debug)]
pub struct RestoredRoom<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its settings. `rewind_ticks_max` and `static_bytes_max` must be those of the journal's head.
    pub config: RoomConfig,
    /// The game's policy for the room's options.
    pub policy: &'a RoomPolicy,
    /// The number of its first bot, of the journal's head.
    pub first_bot: PlayerId,
    /// True if the room has a host.
    pub is_hosted: bool,
    /// Ticks between two records with all lanes; `None` keeps no journal. See [`Room::start_journal`].
    pub journal_lanes_ticks: Option<u32>,
}

impl<S: Simulation> Room<S> {
    /// The room that `replay` came to, at its tick. All members are away: each resumes by [`ToRoom::Back`], which tells it
    /// its place by [`ServerFrame::Rejoined`], or leaves by [`ToRoom::Leave`].
    ///
    /// [`ToRoom::Back`]: super::ToRoom::Back
    /// [`ToRoom::Leave`]: super::ToRoom::Leave
    pub fn restored(replay: Replay<S>, now: Instant, room: RestoredRoom<'_>) -> Self {
        let RestoredRoom { name, config, policy, first_bot, is_hosted, journal_lanes_ticks } = room;
        let ReplayedState { simulation, seed, tick, seats, spectators, static_data } =
            replay.into_state();
        let mut room = Room::of_game(RecordedGame::new(simulation), name, config)
            .with_policy(policy, first_bot);
        (room.tick, room.static_data, room.is_hosted) = (tick, static_data, is_hosted);
        room.seed = seed;
        room.chat_id = u64::from(tick.0) << CHAT_IDS_PER_TICK_BITS;
        if let Some(lanes_ticks) = journal_lanes_ticks {
            room.start_journal(lanes_ticks);
        }
        for (player, seat) in seats {
            if seat.is_bot() {
                if !room.bots.go_on(player, &seat.member.name) {
                    // Another build's policy, or other settings.
                    room.simulation.leave(player, LeaveReason::Left);
                }
                continue;
            }
            let ReplayMember { name, account, fence, is_away, .. } = seat.member;
            room.restore_member((player, name), now, false);
            if let Some(member) = room.members.get_mut(&player) {
                member.account = SeatAccount::of(account.as_ref(), fence);
                let inputs = InputBuffer::new(room.config.input_window_ticks);
                member.inputs = Some(inputs.held(seat.held, seat.missed_ticks));
            }
            if !is_away {
                room.simulation.away(player);
            }
        }
        for (player, spectator) in spectators {
            room.restore_member((player, spectator.name), now, true);
        }
        room.choose_host();
        room
    }

    fn restore_member(
        &mut self,
        (player, name): (PlayerId, String),
        now: Instant,
        spectator: bool,
    ) {
        // The client drops what came before `Rejoined`, whichever number that gives.
        let (seat, key) = (1, NameKey::new(&name));
        let mut member = RoomMember::new(&self.config, now, (player, name, key), seat, spectator);
        (member.is_away, member.is_restored) = (true, true);
        self.members.insert(player, member);
    }

    /// Tells a restored member its place, as it is back.
    pub(super) fn rejoin(&mut self, player: PlayerId) {
        let Some(member) = self.members.get(&player) else { return };
        let frame = ServerFrame::Rejoined {
            room: self.info(),
            tick: self.tick,
            seat: member.seat,
            spectator: member.is_spectator(),
            host: self.host,
            members: self.member_infos(),
        };
        self.tell(player, frame);
        self.tell_who_is_away(player);
        self.tell_static_data(player);
    }

    /// Everyone in the room, bots and the players of a replay too.
    pub(super) fn member_infos(&self) -> Vec<Member> {
        let here = self.members.values().map(RoomMember::info).chain(self.bots.infos());
        here.chain(self.cast.values().cloned()).collect()
    }
}
