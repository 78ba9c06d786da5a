//! The keyframe of a client that has just joined, or was silent for long: records that do not fit
//! its snapshots go on the control stream, in parts.
//!
//! A part holds whole entities as of its tick. Until the client has it, snapshots leave those
//! entities out, so the part may arrive at any time. Parts start small and double with every round
//! trip, as far as the path and the settings allow.

use std::collections::VecDeque;

use tickwire_shared::Tick;
use tickwire_shared::bits::golomb_bits;
use tickwire_shared::slots::SlotSet;
use tickwire_shared::snapshot::SnapshotHeader;

use super::candidates::take_first;
use super::records::{Record, others_bits};
use super::sent_snapshots::SentSnapshots;
use super::{SnapshotContext, SnapshotScratch};
use crate::room::bandwidth::PART_BYTES_MIN;

/// Seconds after its join or its return in which a client may get parts.
const OPEN_S: u32 = 5;
/// Bytes under way at first.
const WINDOW_BYTES_MIN: usize = 4096;
/// Most bytes under way; a part is never larger than a frame.
const WINDOW_BYTES_MAX: usize = 48 * 1024;
/// A part slower than the fastest by more than this, in milliseconds, waited in a queue: the window
/// shrinks.
const QUEUED_MS: u32 = 200;

/// New entities coded in one step.
const NEWCOMERS: usize = 256;
/// Most bits of a header, the number of records and the padding of the last byte.
const HEADER_BITS: usize = 8 + 16 + 8 + 1 + 1 + 7 + 32 + 7;

/// The keyframe parts of one client.
#[derive(Debug)]
pub(super) struct Keyframe {
    /// The last tick in which parts are made.
    until: Option<Tick>,
    /// Low 8 bits of the number of parts made.
    made: u8,
    under_way: VecDeque<KeyframePart>,
    under_way_bytes: usize,
    window_bytes: usize,
    /// The least ticks that a part took.
    own_ticks: Option<u32>,
    /// The slots of the parts under way.
    held: SlotSet,
}

#[derive(Debug)]
struct KeyframePart {
    /// Low 8 bits of its number, from 1.
    number: u8,
    tick: Tick,
    bytes: usize,
    slots: Vec<u16>,
}

impl Default for Keyframe {
    fn default() -> Self {
        Keyframe {
            until: None,
            made: 0,
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            window_bytes: WINDOW_BYTES_MIN,
            own_ticks: None,
            held: SlotSet::default(),
        }
    }
}

impl Keyframe {
    /// Allows parts for a while from `tick` on.
    pub(super) fn open(&mut self, tick: Tick, tick_hz: u32) {
        self.until = Some(tick.offset((OPEN_S * tick_hz) as i32));
    }

    /// The slots of word `at` that snapshots must leave out.
    #[inline]
    pub(super) fn held(&self, at: usize) -> u64 {
        if self.under_way.is_empty() { 0 } else { self.held.word(at) }
    }

    /// Most bytes of the next part.
    fn room(&self, tick: Tick) -> usize {
        if self.until.is_none_or(|until| tick.since(until) > 0) {
            return 0;
        }
        self.window_bytes.saturating_sub(self.under_way_bytes)
    }

    fn sent(&mut self, tick: Tick, bytes: usize, slots: Vec<u16>, slots_all: usize) {
        self.held.grow(slots_all);
        slots.iter().for_each(|&slot| self.held.insert(slot));
        self.made = self.made.wrapping_add(1);
        self.under_way_bytes += bytes;
        self.under_way.push_back(KeyframePart { number: self.made, tick, bytes, slots });
    }

    /// Takes the acknowledgement of the parts up to this number, and hands each of their slots to
    /// `each` with its part's tick. Numbers of parts that are not under way are ignored.
    pub(super) fn acknowledge(
        &mut self,
        now: Tick,
        parts: u8,
        tick_hz: u32,
        mut each: impl FnMut(u16, Tick),
    ) {
        if usize::from(self.made.wrapping_sub(parts)) > self.under_way.len() {
            return;
        }
        while let Some(part) = self.under_way.front()
            && (parts.wrapping_sub(part.number) as i8) >= 0
        {
            let took_ticks = now.since(part.tick).unsigned_abs();
            let own = self.own_ticks.map_or(took_ticks, |own| own.min(took_ticks));
            self.own_ticks = Some(own);
            self.window_bytes = match took_ticks - own > QUEUED_MS * tick_hz / 1000 {
                true => self.window_bytes / 2,
                false => self.window_bytes + part.bytes,
            };
            self.window_bytes = self.window_bytes.clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX);
            self.under_way_bytes -= part.bytes;
            for &slot in &part.slots {
                self.held.remove(slot);
                each(slot, part.tick);
            }
            self.under_way.pop_front();
        }
    }

    /// The next part in at most `bytes_max` bytes for the client in `seat`; `None` unless the last
    /// snapshot left out whole entities.
    pub(super) fn write(
        &mut self,
        context: &mut SnapshotContext<'_>,
        sent_snapshots: &SentSnapshots,
        seat: u8,
        bytes_max: usize,
    ) -> Option<Vec<u8>> {
        let tick = context.world.tick();
        let bytes_max = bytes_max.min(self.room(tick));
        if bytes_max < PART_BYTES_MIN {
            return None;
        }
        // The slot's removal may still be under way.
        let left_out = &mut context.scratch.records.left_out;
        left_out.retain(|record| sent_snapshots.gone(record.slot) == 0);
        code_newcomers(context, sent_snapshots, bytes_max * 8);
        let left_out = &context.scratch.records.left_out;
        let (count, bits) = fitting(left_out, bytes_max * 8 - HEADER_BITS);
        if bits < (PART_BYTES_MIN * 8).min(bytes_max * 8 - HEADER_BITS) && count == left_out.len() {
            return None;
        }
        let mut part = Vec::with_capacity(bytes_max);
        let SnapshotScratch { writer, records, .. } = &mut *context.scratch;
        let header = SnapshotHeader { tick_low16: tick.low16(), seat, ..Default::default() };
        writer.begin(header, std::iter::empty());
        writer.others(count as u32);
        for record in &records.left_out[..count] {
            let head = record.against.head(context.world, record.slot);
            writer.record(record.slot, head, context.delta_cache.fragment(&record.coded));
        }
        writer.finish(&mut part);
        let slots = records.left_out[..count].iter().map(|record| record.slot).collect();
        self.sent(tick, part.len(), slots, context.world.slots().len());
        Some(part)
    }
}

/// Codes listed entities that have to be sent whole, about as many as fill `bits_max`, and adds
/// them to those left out.
fn code_newcomers(
    context: &mut SnapshotContext<'_>,
    sent_snapshots: &SentSnapshots,
    bits_max: usize,
) {
    let (world, mut listed) = (context.world, std::mem::take(&mut context.scratch.candidates));
    listed.retain(|candidate| {
        let slot = candidate.slot();
        let lanes = world.table(world.summaries()[usize::from(slot)].kind).len();
        let known = sent_snapshots.known_state(world, slot);
        let is_baseline = known.is_some_and(|at| world.states().at(slot, at, lanes).is_some());
        !is_baseline && sent_snapshots.gone(slot) == 0
    });
    let mut bits = others_bits(&context.scratch.records.left_out);
    let mut keys = std::mem::take(&mut context.scratch.keys);
    while bits < bits_max && !listed.is_empty() {
        take_first(&mut listed, &mut keys, NEWCOMERS, |candidate| {
            let slot = candidate.slot();
            let is_mine = context.scratch.mine.contains(slot);
            let record = context.whole((slot, is_mine), candidate.priority());
            bits += record.bits();
            context.scratch.records.left_out.push(record);
        });
    }
    context.scratch.keys = keys;
    context.scratch.records.left_out.sort_unstable_by_key(|record| record.slot);
}

/// The number of the first records that fit in `bits_max`, and their bits.
fn fitting(records: &[Record], bits_max: usize) -> (usize, usize) {
    let (mut bits, mut next_slot) = (0, 0);
    for (at, record) in records.iter().enumerate() {
        let gap_bits = golomb_bits(u32::from(record.slot) - next_slot) as usize;
        let with = bits + gap_bits + record.bits();
        if with > bits_max {
            return (at, bits);
        }
        (bits, next_slot) = (with, u32::from(record.slot) + 1);
    }
    (records.len(), bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_parts_that_comes_late_acknowledges_nothing() {
        let mut keyframe = Keyframe::default();
        let mut acknowledged = Vec::new();
        let mut acknowledge = |keyframe: &mut Keyframe, parts: u8| {
            keyframe.acknowledge(Tick(200), parts, 60, |slot, _| acknowledged.push(slot));
            std::mem::take(&mut acknowledged)
        };
        for number in 1..=150u16 {
            keyframe.sent(Tick(100), 1200, vec![number], 200);
        }
        assert_eq!(acknowledge(&mut keyframe, 120).len(), 120);
        for late in [0, 1, 10, 119, 151] {
            assert!(acknowledge(&mut keyframe, late).is_empty(), "{late}");
        }
        assert_eq!(acknowledge(&mut keyframe, 122), [121, 122]);
        assert_ne!(keyframe.held(2), 0, "the others are under way");
    }
}
