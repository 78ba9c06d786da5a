//! One client's snapshots: what it has, what it needs, and what fits.
//!
//! For each client and slot three ticks are kept. What a client may be coded against is only ever a
//! state it acknowledged:
//!
//! - `acked`: the newest tick whose state of the slot the client surely has, or 0;
//! - `sent`: the last tick a state was sent, or 0 when the client surely has nothing;
//! - `gone`: the last tick it was told to forget the slot; acknowledgements up to it are void.

use std::collections::VecDeque;
use std::sync::Arc;

use tickwire_shared::bits::golomb_bits;
use tickwire_shared::input::SnapshotAck;
use tickwire_shared::snapshot::{
    BASELINE_AGE_MAX, EVENTS_MAX, EventHead, Fragment, InputReport, RECORDS_MAX, RecordHead,
    SnapshotHeader, SnapshotWriter,
};
use tickwire_shared::{PlayerId, Tick};

use crate::config::RoomConfig;

use super::fragments::{Against, Coded, Fragments};
use super::interest::Sight;
use super::world::{HISTORY_TICKS, World};

/// Share of a snapshot's bytes that events may take, as a divisor.
const EVENT_SHARE: usize = 3;
/// What an entity the client has never been sent is ahead of others, in ticks of waiting.
const FRESH_PRIORITY_TICKS: f32 = 30.0;

/// An event, coded once for everyone who is told.
#[derive(Debug)]
pub(super) struct EventBits {
    pub(super) tick: Tick,
    pub(super) kind: u8,
    pub(super) words: Vec<u64>,
    pub(super) bits: usize,
}

/// The replication state of one client.
#[derive(Debug)]
pub(super) struct Replication {
    player: PlayerId,
    seat: u8,
    seen: Vec<Seen>,
    /// The slots with `sent`, as bits.
    known: Vec<u64>,
    /// Slots to look at in this tick, as bits.
    look: Vec<u64>,
    packets: VecDeque<Packet>,
    /// Slots of all packets in flight, oldest first; the top bit marks a slot told gone.
    entries: VecDeque<u32>,
    /// Entries of packets no longer in flight.
    entries_forgotten: u64,
    newest_ack: Tick,
    /// Ticks from sending a snapshot to its acknowledgement, smoothed.
    flight_ticks: i32,
    events: VecDeque<Arc<EventBits>>,
    /// Number of the first event in `events`.
    first_event: u64,
    events_queued_max: usize,
    far_interval_ticks: u32,
    candidates: Vec<Candidate>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    acked: u32,
    sent: u32,
    gone: u32,
}

#[derive(Debug)]
struct Packet {
    tick: Tick,
    /// Counted from the first entry ever.
    first_entry: u64,
    entries: usize,
    /// Number after the last event in it.
    events_end: u64,
    acked: bool,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    slot: u16,
    head: RecordHead,
    coded: Coded,
    rank: Rank,
    distance_squared: f32,
}

#[derive(Clone, Copy, Debug)]
enum Rank {
    /// The client's own: first of all.
    Own,
    /// To be forgotten: cheap, and wrong to be seen any longer.
    Gone,
    /// Never sent; in the world since this tick.
    Fresh(u32),
    /// Last sent in this tick.
    Waited(u32),
}

impl Candidate {
    fn gone(slot: u16) -> Self {
        let (head, coded, rank) = (RecordHead::Gone, Coded::EMPTY, Rank::Gone);
        Candidate { slot, head, coded, rank, distance_squared: 0.0 }
    }

    /// Ticks it waited, less with distance.
    fn priority(&self, tick: Tick, sight: &Sight) -> f32 {
        let waited = match self.rank {
            Rank::Own => return f32::INFINITY,
            Rank::Gone => return f32::MAX,
            Rank::Fresh(spawned) => FRESH_PRIORITY_TICKS + tick.since(Tick(spawned)) as f32,
            Rank::Waited(sent) => tick.since(Tick(sent)) as f32,
        };
        waited * sight.nearness(self.distance_squared)
    }
}

/// What is in flight is repeated after so many ticks at the latest.
const FLIGHT_TICKS_MAX: i32 = 32;
/// A snapshot's header, with room to spare.
const HEADER_BITS_MAX: usize = 128;
const ENTRY_GONE: u32 = 1 << 31;

impl Replication {
    pub(super) fn new(config: &RoomConfig, player: PlayerId, seat: u8) -> Self {
        Replication {
            player,
            seat,
            seen: Vec::new(),
            known: Vec::new(),
            look: Vec::new(),
            packets: VecDeque::new(),
            entries: VecDeque::new(),
            entries_forgotten: 0,
            newest_ack: Tick(0),
            flight_ticks: 0,
            events: VecDeque::new(),
            first_event: 0,
            events_queued_max: config.events_queued_max,
            far_interval_ticks: config.far_interval_ticks,
            candidates: Vec::new(),
        }
    }

    /// Queues an event until it is acknowledged. Beyond the bound the oldest is dropped.
    pub(super) fn tell(&mut self, event: Arc<EventBits>) {
        if self.events.len() >= self.events_queued_max {
            self.events.pop_front();
            self.first_event += 1;
        }
        self.events.push_back(event);
    }

    /// Takes the client's acknowledgements; `now` is the room's tick.
    pub(super) fn acknowledge(&mut self, now: Tick, ack: SnapshotAck) {
        let newest = Tick::expand(ack.newest_low16, now);
        let Some(oldest) = self.packets.front() else { return };
        // A packet was written in every tick since the oldest.
        let newest_at = newest.since(oldest.tick);
        for age in (0..=32).rev() {
            let received = age == 0 || ack.before >> (age - 1) & 1 == 1;
            let at = usize::try_from(newest_at - age);
            if let (true, Ok(at)) = (received, at)
                && self.packets.get(at).is_some_and(|packet| !packet.acked)
            {
                self.acknowledge_packet(at);
                let tick = self.packets[at].tick;
                if tick.since(self.newest_ack) > 0 {
                    self.newest_ack = tick;
                    self.measure_flight(now.since(tick));
                }
            }
        }
    }

    /// Writes the snapshot of `world` in at most `bytes_max` bytes and appends it to `out`.
    pub(super) fn write(
        &mut self,
        world: &World,
        fragments: &mut Fragments,
        sight: &Sight,
        input: Option<InputReport>,
        packet: (&mut SnapshotWriter, usize, &mut Vec<u8>),
    ) {
        let (writer, bytes_max, out) = packet;
        let tick = world.tick();
        let bits_max = bytes_max * 8;
        self.forget_old_packets(tick);
        let common = self.common_baseline(tick);
        let events = self.events_that_fit(bits_max);
        let header = SnapshotHeader {
            tick_low16: tick.low16(),
            seat: self.seat,
            input,
            events: (events > 0).then_some((self.first_event as u16, events)),
            baseline_age: common.map_or(0, |common| tick.since(common) as u32),
        };
        writer.begin(header, self.events.iter().take(events).map(|event| event.coded(tick)));

        let bits = self.gather(world, fragments, *sight, common);
        let bits_left = bits_max.saturating_sub(writer.len_bits());
        if bits > bits_left || self.candidates.len() > RECORDS_MAX as usize {
            self.choose(tick, sight, bits_left, world.slots().len());
        }
        let entries = self.fill(tick, writer, fragments, bits_max);
        writer.finish(out);
        let events_end = self.first_event + events as u64;
        let first_entry = self.entries_forgotten + (self.entries.len() - entries) as u64;
        let packet = Packet { tick, first_entry, entries, events_end, acked: false };
        debug_assert!(self.packets.back().is_none_or(|last| tick.since(last.tick) == 1));
        self.packets.push_back(packet);
    }

    /// What the client lacks, in the order of slots; returns the bits it would take in all.
    fn gather(
        &mut self,
        world: &World,
        fragments: &mut Fragments,
        sight: Sight,
        common: Option<Tick>,
    ) -> usize {
        self.candidates.clear();
        self.seen.resize(world.slots().len(), Seen::default());
        self.known.resize(world.slots().len().div_ceil(64), 0);
        let tick = world.tick();
        // What is far waits for its turn; clients take turns, to spread the work.
        let turn = tick.0.wrapping_add(self.player.0).is_multiple_of(self.far_interval_ticks);
        if turn {
            self.look.clone_from(&self.known);
        } else {
            self.look.clear();
            self.look.resize(self.known.len(), 0);
        }
        let sight = if turn { sight } else { sight.near() };
        world.grid().add_visible(&sight, self.player, &mut self.look);
        let flight_ticks = self.flight_ticks + 2;
        let in_flight = |sent: u32| tick.since(Tick(sent)) <= flight_ticks;
        let (mut bits, mut next_slot) = (0, 0);
        let mut cost = |slot: u16, head: RecordHead, coded: Coded| {
            let gap_bits = golomb_bits(u32::from(slot) - next_slot) as usize;
            next_slot = u32::from(slot) + 1;
            bits += gap_bits + head.len_bits() + coded.bits();
        };
        for slot in slots_of(&self.look) {
            let at = usize::from(slot);
            let (glance, seen) = (&world.glances()[at], &self.seen[at]);
            let distance_squared = sight.distance_squared(glance.place);
            let mine = glance.owner == self.player.0 && glance.owner != 0;
            let wanted = glance.alive && (mine || sight.reaches(distance_squared, seen.sent != 0));
            if !wanted {
                if turn && seen.sent != 0 && !in_flight(seen.gone) {
                    cost(slot, RecordHead::Gone, Coded::EMPTY);
                    self.candidates.push(Candidate::gone(slot));
                }
                continue;
            }
            let changed = if mine { glance.changed } else { glance.changed_public };
            let known = seen.acked != 0 && seen.acked >= glance.spawned;
            if known && seen.acked >= changed {
                continue;
            }
            if seen.sent > seen.gone && seen.sent >= changed && in_flight(seen.sent) {
                continue;
            }
            let baseline = known.then_some(Tick(seen.acked));
            let (head, coded) = code(world, fragments, slot, (baseline, common), mine);
            cost(slot, head, coded);
            let rank = match seen.sent {
                _ if mine => Rank::Own,
                0 => Rank::Fresh(glance.spawned),
                sent => Rank::Waited(sent),
            };
            self.candidates.push(Candidate { slot, head, coded, rank, distance_squared });
        }
        bits
    }

    /// Keeps what matters most when not everything fits.
    fn choose(&mut self, tick: Tick, sight: &Sight, bits_max: usize, slots: usize) {
        let cost = |candidate: &Candidate, gap_bits: usize| {
            gap_bits + candidate.head.len_bits() + candidate.coded.bits()
        };
        // Of so many records of the mean size there is room for this part; the gaps between those kept
        // are as much wider than the mean.
        let total: usize = self.candidates.iter().map(|candidate| cost(candidate, 1)).sum();
        let kept =
            (bits_max * self.candidates.len() / total.max(1)).clamp(1, self.candidates.len());
        let spread = slots.div_ceil(kept);
        let gap_bits = 2 * (usize::BITS - spread.leading_zeros()) as usize + 1;
        self.candidates.sort_by_cached_key(|candidate| {
            let priority = candidate.priority(tick, sight);
            // Priorities are positive: their bits are in the order of the numbers.
            (std::cmp::Reverse(priority.to_bits()), candidate.slot)
        });
        let mut left = bits_max;
        self.candidates.retain(|candidate| {
            let bits = cost(candidate, gap_bits + 2);
            let fits = bits <= left;
            left -= if fits { bits } else { 0 };
            fits
        });
        self.candidates.sort_unstable_by_key(|candidate| candidate.slot);
    }

    /// Writes the chosen records and remembers them; returns how many.
    fn fill(
        &mut self,
        tick: Tick,
        writer: &mut SnapshotWriter,
        fragments: &Fragments,
        bits_max: usize,
    ) -> usize {
        let mut entries = 0;
        for &Candidate { slot, head, coded, .. } in &self.candidates {
            let bits = writer.record_bits(slot, head, coded.bits());
            if !writer.has_room() || writer.len_bits() + bits > bits_max {
                continue;
            }
            writer.record(slot, head, fragments.fragment(coded));
            let seen = &mut self.seen[usize::from(slot)];
            let gone = head == RecordHead::Gone;
            if gone {
                seen.gone = tick.0;
                seen.acked = 0;
            } else {
                seen.sent = tick.0;
                self.known[usize::from(slot) / 64] |= 1 << (slot % 64);
            }
            self.entries.push_back(u32::from(slot) | if gone { ENTRY_GONE } else { 0 });
            entries += 1;
        }
        entries
    }

    fn acknowledge_packet(&mut self, at: usize) {
        let packet = &mut self.packets[at];
        packet.acked = true;
        let tick = packet.tick.0;
        let first = (packet.first_entry - self.entries_forgotten) as usize;
        for &entry in self.entries.range(first..first + packet.entries) {
            let slot = (entry & !ENTRY_GONE) as usize;
            let seen = &mut self.seen[slot];
            if entry & ENTRY_GONE == 0 {
                if tick > seen.gone && tick > seen.acked {
                    seen.acked = tick;
                }
            } else if tick > seen.sent {
                seen.sent = 0;
                self.known[slot / 64] &= !(1 << (slot % 64));
            }
        }
        while self.first_event < packet.events_end && self.events.pop_front().is_some() {
            self.first_event += 1;
        }
    }

    /// Too low costs a repeat, too high a wait: it falls faster than it rises.
    fn measure_flight(&mut self, sample_ticks: i32) {
        let error = sample_ticks.min(FLIGHT_TICKS_MAX) - self.flight_ticks;
        self.flight_ticks += if error < 0 { error / 2 - 1 } else { (error + 3) / 4 };
        self.flight_ticks = self.flight_ticks.max(0);
    }

    fn forget_old_packets(&mut self, tick: Tick) {
        while let Some(oldest) = self.packets.front()
            && tick.since(oldest.tick) >= HISTORY_TICKS
        {
            self.entries.drain(..oldest.entries);
            self.entries_forgotten += oldest.entries as u64;
            self.packets.pop_front();
        }
    }

    fn common_baseline(&self, tick: Tick) -> Option<Tick> {
        let age = tick.since(self.newest_ack);
        (self.newest_ack != Tick(0) && age <= BASELINE_AGE_MAX as i32).then_some(self.newest_ack)
    }

    fn events_that_fit(&self, bits_max: usize) -> usize {
        let mut left = bits_max / EVENT_SHARE;
        let mut first = true;
        let fits = |event: &&Arc<EventBits>| {
            let bits = 13 + event.bits;
            // A large one must not stand in the way of all others for ever.
            let fits =
                bits <= left || (std::mem::take(&mut first) && bits + HEADER_BITS_MAX <= bits_max);
            first = false;
            left = left.saturating_sub(bits);
            fits
        };
        self.events.iter().take(EVENTS_MAX).take_while(fits).count()
    }
}

impl EventBits {
    fn coded(&self, now: Tick) -> (EventHead, Fragment<'_>) {
        let age_ticks = now.since(self.tick).clamp(0, 127) as u32;
        let head = EventHead { age_ticks, kind: u32::from(self.kind) };
        (head, Fragment { words: &self.words, bits: self.bits })
    }
}

/// The slots of a set, in order.
fn slots_of(set: &[u64]) -> impl Iterator<Item = u16> + '_ {
    set.iter().enumerate().flat_map(|(at, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros())?;
            left &= left - 1;
            Some((at * 64) as u16 + bit as u16)
        })
    })
}

/// The record of an entity: against its baseline if that is still known, else whole.
fn code(
    world: &World,
    fragments: &mut Fragments,
    at: u16,
    (baseline, common): (Option<Tick>, Option<Tick>),
    mine: bool,
) -> (RecordHead, Coded) {
    let slot = &world.slots()[usize::from(at)];
    let owner = mine && world.table(slot.kind).has_owner_only();
    if let Some(tick) = baseline
        && let Some(coded) = fragments.code(world, at, Against::Tick(tick), owner)
    {
        let age_ticks = world.tick().since(tick) as u32;
        let head =
            if common == baseline { RecordHead::Common } else { RecordHead::Older { age_ticks } };
        return (head, coded);
    }
    let coded = fragments.code(world, at, Against::Nothing, owner);
    let coded = coded.expect("an entity alive has a state");
    (RecordHead::Whole { kind: u32::from(slot.kind), mine, id: slot.id.0 }, coded)
}
