//! The snapshots that one client was sent, as long as their acknowledgements matter.
//!
//! To acknowledge a packet is to set its flag. What that means for a slot is found when it is asked for:
//! the newest acknowledged packet whose set has the slot.

use std::collections::{VecDeque, vec_deque};

use tickwire_shared::Tick;
use tickwire_shared::input::SnapshotAck;
use tickwire_shared::slots::SlotSet;
use tickwire_shared::snapshot::BASELINE_AGE_MAX;

use super::traces::{Past, Traces};
use crate::room::world::HISTORY_TICKS;

/// An acknowledgement reaches so many ticks back from the newest.
const ACK_REACH_TICKS: i32 = 32;
/// What is in flight is repeated after so many ticks at the latest.
const FLIGHT_TICKS_MAX: i32 = 32;

/// The packets in flight, one for every tick since the oldest.
#[derive(Debug, Default)]
pub(super) struct Packets {
    packets: VecDeque<Packet>,
    /// Of a packet that is forgotten, to be used again.
    spare: Packet,
    newest_ack: Tick,
    /// Ticks from sending a snapshot to its acknowledgement, smoothed.
    flight_ticks: i32,
}

/// One snapshot.
#[derive(Debug, Default)]
pub(super) struct Packet {
    pub(super) tick: Tick,
    /// The slots whose lanes it holds.
    pub(super) set: SlotSet,
    /// The slots it says are gone.
    pub(super) gone: Vec<u16>,
    /// Number after the last event in it.
    pub(super) events_end: u64,
    acked: bool,
}

impl Packet {
    pub(super) fn is_acked(&self) -> bool {
        self.acked
    }
}

impl Packets {
    /// A new packet of `tick`, holding nothing yet.
    pub(super) fn begin(&mut self, tick: Tick, events_end: u64) -> &mut Packet {
        debug_assert!(self.packets.back().is_none_or(|last| tick.since(last.tick) == 1));
        let mut packet = std::mem::take(&mut self.spare);
        packet.set.reset(0);
        packet.gone.clear();
        self.packets.push_back(Packet { tick, events_end, acked: false, ..packet });
        self.packets.back_mut().expect("it was just put there")
    }

    /// Drops what no acknowledgement can reach, and what no client can be expected to have.
    pub(super) fn forget_old(&mut self, tick: Tick, past: &mut Past) {
        while let Some(oldest) = self.packets.front()
            && (tick.since(oldest.tick) >= HISTORY_TICKS
                || self.newest_ack.since(oldest.tick) > ACK_REACH_TICKS)
        {
            let Some(packet) = self.packets.pop_front() else { return };
            let next = self.packets.iter().find(|next| next.acked);
            past.take_over(&packet, next);
            self.spare = packet;
        }
    }

    /// What was sent and acknowledged of the slots `asked` of word `at`.
    #[inline]
    pub(super) fn trace(&self, past: &Past, at: usize, asked: u64, traces: &mut Traces) {
        traces.fill(past, (at, asked), self.packets.iter().rev());
    }

    /// Takes the client's acknowledgements; each packet is handed to `each` once, with those after it.
    pub(super) fn acknowledge(
        &mut self,
        now: Tick,
        ack: SnapshotAck,
        mut each: impl FnMut(&Packet, vec_deque::Iter<'_, Packet>),
    ) {
        let newest = Tick::expand(ack.newest_low16, now);
        let Some(oldest) = self.packets.front() else { return };
        let newest_at = newest.since(oldest.tick);
        for age in (0..=ACK_REACH_TICKS).rev() {
            let received = age == 0 || ack.before >> (age - 1) & 1 == 1;
            let Ok(at) = usize::try_from(newest_at - age) else { continue };
            let Some(packet) = self.packets.get_mut(at).filter(|packet| !packet.acked) else {
                continue;
            };
            if !received {
                continue;
            }
            packet.acked = true;
            let tick = packet.tick;
            each(&self.packets[at], self.packets.range(at + 1..));
            if tick.since(self.newest_ack) > 0 {
                self.newest_ack = tick;
                self.measure_flight(now.since(tick));
            }
        }
    }

    /// The slots of an acknowledged packet that is good to code a packet of `tick` against, and its tick:
    /// the newest, or one a little older that is a whole number of `interval` ticks ago.
    pub(super) fn take_baseline(
        &mut self,
        tick: Tick,
        interval_ticks: u32,
    ) -> Option<(Tick, SlotSet)> {
        let newest = self.at(self.newest_ack)?;
        let age = |at: usize| tick.since(self.packets[at].tick) as u32;
        if age(newest) > BASELINE_AGE_MAX {
            return None;
        }
        let oldest = newest.saturating_sub(interval_ticks as usize - 1);
        // The client surely keeps all states of the last few ticks.
        let fits = |&at: &usize| {
            self.packets[at].acked
                && age(at).is_multiple_of(interval_ticks)
                && age(at) <= KEPT_TICKS
        };
        let at = (oldest..=newest).rev().find(fits).unwrap_or(newest);
        let packet = &mut self.packets[at];
        Some((packet.tick, std::mem::take(&mut packet.set)))
    }

    /// Gives back what [`Packets::take_baseline`] took.
    pub(super) fn put_back(&mut self, tick: Tick, set: SlotSet) {
        if let Some(at) = self.at(tick) {
            self.packets[at].set = set;
        }
    }

    /// How long what was sent is not sent again.
    pub(super) fn flight_ticks(&self) -> i32 {
        self.flight_ticks + 2
    }

    fn at(&self, tick: Tick) -> Option<usize> {
        let at = usize::try_from(tick.since(self.packets.front()?.tick)).ok()?;
        (at < self.packets.len() && self.packets[at].acked).then_some(at)
    }

    /// Too low costs a repeat, too high a wait: it falls faster than it rises.
    fn measure_flight(&mut self, sample_ticks: i32) {
        let error = sample_ticks.min(FLIGHT_TICKS_MAX) - self.flight_ticks;
        self.flight_ticks += if error < 0 { error / 2 - 1 } else { (error + 3) / 4 };
        self.flight_ticks = self.flight_ticks.max(0);
    }
}

/// A client keeps the states of so many ticks, whatever newer ones it has.
const KEPT_TICKS: u32 = 32;
