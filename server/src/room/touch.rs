//! Members' datagrams, and a new beginning for a member that was out of touch.
//!
//! Datagrams carry the low 16 bits of ticks. After a silence of about half their range they become
//! ambiguous. The member then begins anew: with an empty world, in another seat, whose number all
//! datagrams carry. The room announces it on the control stream, with the whole tick.

use std::time::Instant;

use tickwire_shared::control::ServerFrame;
use tickwire_shared::input::InputDatagram;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{PlayerId, Simulation, Tick};

use super::Room;
use super::member::RoomMember;
use super::message::FromRoom;
use super::replication::DeltaCache;
use super::world::World;

/// Ticks of an age of a room. Ticks within an age are comparable; with each age all members begin
/// anew.
const AGE_TICKS: u32 = 1 << 31;

impl<S: Simulation> Room<S> {
    /// Continues the room after `tick` instead of 0.
    #[must_use]
    pub fn going_on_after(mut self, tick: Tick) -> Self {
        self.tick = tick;
        self
    }

    /// Takes a member's datagram: its acknowledgements and its player's inputs.
    pub(super) fn take_input(
        &mut self,
        now: Instant,
        player: PlayerId,
        at: Instant,
        datagram: &InputDatagram<S::Input>,
    ) {
        let (clock, tick, head) = (self.clock(now), self.tick, &datagram.head);
        let Some(member) = self.members.get_mut(&player) else { return };
        if member.seat != head.seat {
            return;
        }
        if has_lost_touch(member, tick, datagram, S::TICK_HZ) {
            return self.begin_anew(player);
        }
        // The number of parts counts only in the newest datagram, as only its low bits are sent.
        let overtaken = head.ack.is_none_or(|ack| member.replication.is_overtaken(tick, ack));
        let flight = head.ack.and_then(|ack| member.replication.acknowledge(tick, ack));
        if let Some(flight_ticks) = flight {
            if member.bandwidth.was_silent(S::TICK_HZ) {
                member.replication.open_keyframe(tick, S::TICK_HZ);
            }
            member.bandwidth.acknowledged(flight_ticks);
        }
        if let Some(parts) = head.keyframes.filter(|_| !overtaken) {
            member.replication.acknowledge_keyframes(tick, parts, S::TICK_HZ);
        }
        if let Some(inputs) = &mut member.inputs {
            inputs.push(clock, at, datagram);
        }
    }

    /// Advances the tick. At the first of an age all members begin anew.
    pub(super) fn next_tick(&mut self) {
        self.tick = self.tick.next();
        if !self.tick.0.is_multiple_of(AGE_TICKS) {
            return;
        }
        // Tick 0 is before the first one.
        self.tick = Tick(self.tick.0.max(1));
        self.world = World::new(&schema_of::<S>(), self.config.entities_max);
        self.delta_cache = DeltaCache::new();
        let players: Vec<PlayerId> = self.members.keys().copied().collect();
        for player in players {
            self.begin_anew(player);
        }
    }

    /// Empties the member's copy of the world and gives it another seat.
    fn begin_anew(&mut self, player: PlayerId) {
        let tick = self.tick;
        let Some(member) = self.members.get_mut(&player) else { return };
        let seat = member.seat.wrapping_add(1);
        member.begin_anew(&self.config, seat);
        member.replication.open_keyframe(tick, S::TICK_HZ);
        let frame = ServerFrame::Resync { tick, seat };
        self.outgoing.push_back(FromRoom::Control { player, frame });
    }
}

/// True if the silence was so long that ticks are ambiguous, or if a client that acknowledged
/// snapshots has nothing any more, after a shorter silence. A datagram of the time before its first
/// acknowledgement that was on its way for as long says nothing of now.
fn has_lost_touch<I: Copy + Default + PartialEq>(
    member: &RoomMember<I>,
    tick: Tick,
    datagram: &InputDatagram<I>,
    tick_hz: u32,
) -> bool {
    let inputs = member.inputs.as_ref();
    let is_stale = || inputs.is_some_and(|inputs| inputs.is_overtaken(tick, datagram));
    let has_nothing = datagram.head.ack.is_none() && member.replication.is_heard() && !is_stale();
    member.replication.is_out_of_touch(tick)
        || (has_nothing && member.bandwidth.was_silent(tick_hz))
}
