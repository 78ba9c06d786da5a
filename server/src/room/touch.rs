//! Members' datagrams, and what is done when a member and the room lost touch.
//!
//! Datagrams carry the low 16 bits of ticks. Nobody can tell which tick is meant once nothing was heard for about
//! half of what those bits count, so such a member begins anew: in another seat, which all datagrams carry, and
//! with an empty world. The room says so on the control stream, with the whole tick.

use std::time::Instant;

use tickwire_shared::control::ServerFrame;
use tickwire_shared::input::{InputDatagram, InputHead};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{PlayerId, Simulation, Tick};

use super::Room;
use super::member::RoomMember;
use super::message::FromRoom;
use super::replication::DeltaCache;
use super::world::World;

/// Ticks of an age of a room: any two ticks of one age can be compared. With the next age everybody begins anew.
const AGE_TICKS: u32 = 1 << 31;

impl<S: Simulation> Room<S> {
    /// The same room, which goes on after `tick` in place of 0.
    #[must_use]
    pub fn going_on_after(mut self, tick: Tick) -> Self {
        self.tick = tick;
        self
    }

    /// What a member's datagram says: which snapshots it has, and what its player holds.
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
        if has_lost_touch(member, tick, head, S::TICK_HZ) {
            return self.begin_anew(player);
        }
        // Of a number of parts only the last word counts: it is told by its low bits alone.
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

    /// The next tick. The first of an age is one of a room that has shown nothing to anyone.
    pub(super) fn next_tick(&mut self) {
        self.tick = self.tick.next();
        if !self.tick.0.is_multiple_of(AGE_TICKS) {
            return;
        }
        // 0 is before the first one.
        self.tick = Tick(self.tick.0.max(1));
        self.world = World::new(&schema_of::<S>(), self.config.entities_max);
        self.delta_cache = DeltaCache::new();
        let players: Vec<PlayerId> = self.members.keys().copied().collect();
        for player in players {
            self.begin_anew(player);
        }
    }

    /// The member's copy of the world is empty from now on.
    fn begin_anew(&mut self, player: PlayerId) {
        let (seat, tick) = (self.next_seat(), self.tick);
        let Some(member) = self.members.get_mut(&player) else { return };
        member.begin_anew(&self.config, seat);
        member.replication.open_keyframe(tick, S::TICK_HZ);
        let frame = ServerFrame::Resync { tick, seat };
        self.outgoing.push_back(FromRoom::Control { player, frame });
    }
}

/// Nothing was acknowledged for so long that what comes now may be meant of other ticks; or the client says that it
/// has nothing, and had something long ago.
fn has_lost_touch<I: Copy + Default>(
    member: &RoomMember<I>,
    tick: Tick,
    head: &InputHead,
    tick_hz: u32,
) -> bool {
    let has_nothing = head.ack.is_none() && member.replication.is_heard();
    member.replication.is_out_of_touch(tick)
        || (has_nothing && member.bandwidth.was_silent(tick_hz))
}
