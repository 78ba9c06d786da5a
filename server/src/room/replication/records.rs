//! The records of one snapshot.

use tickwire_shared::bits::golomb_bits;
use tickwire_shared::slots;
use tickwire_shared::snapshot::{Marks, RecordHead};

use super::delta_cache::{CachedDelta, SharedBaseline};
use super::priority::Priority;
use crate::room::world::World;

/// One slot's part of a snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) coded: CachedDelta,
    pub(super) against: RecordBaseline,
    pub(super) slot: u16,
    pub(super) priority: Priority,
    /// Bits before the lanes, without the gap to the record before.
    pub(super) head_bits: u8,
}

/// The baseline of a record's lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordBaseline {
    /// The shared baseline: the record has a mark and no head.
    Shared,
    /// The slot's own state, this many ticks ago.
    Age(u32),
    /// None: the lanes are whole.
    Nothing { is_mine: bool },
    /// No lanes: the client should forget the slot.
    Gone { in_world: bool },
}

/// The order of a snapshot's records by priority, then by slot, the first being the least. The
/// lowest 16 bits are the record's size.
pub(super) type RecordRank = u64;

/// The records of one snapshot.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) baseline: Option<SharedBaseline>,
    /// The slots of the shared baseline's snapshot; empty without one.
    pub(super) set: Vec<u64>,
    /// The slots of `set` that records may be coded against.
    pub(super) valid: Vec<u64>,
    /// The marks of the slots of `set`.
    pub(super) marks: Marks,
    /// The deltas of slots marked as coded, in the order of slots.
    pub(super) coded: Vec<Record>,
    /// The records of other slots, in the order of slots.
    pub(super) others: Vec<Record>,
    /// The whole records of `others` that did not fit.
    pub(super) left_out: Vec<Record>,
}

impl Record {
    /// A record coded against the shared baseline.
    #[inline]
    pub(super) fn shared(slot: u16, coded: CachedDelta, priority: Priority) -> Self {
        Record { coded, against: RecordBaseline::Shared, slot, priority, head_bits: 0 }
    }

    /// A record that removes a slot.
    pub(super) fn gone(slot: u16, in_world: bool) -> Self {
        Record {
            coded: CachedDelta::EMPTY,
            against: RecordBaseline::Gone { in_world },
            slot,
            priority: Priority::FIRST_OF_ALL,
            head_bits: RecordHead::Gone { in_world }.len_bits(0) as u8,
        }
    }

    /// Its bits without the gap before it.
    #[inline]
    pub(super) fn bits(&self) -> usize {
        usize::from(self.head_bits) + self.coded.bits()
    }

    /// Its bits in a snapshot with no other record.
    pub(super) fn bits_alone(&self) -> usize {
        let is_marked = self.against == RecordBaseline::Shared;
        self.bits() + if is_marked { 0 } else { golomb_bits(u32::from(self.slot)) as usize }
    }

    #[inline]
    pub(super) fn rank(&self) -> RecordRank {
        let last_is_most = u64::from(u32::MAX - self.priority.0);
        last_is_most << 32 | u64::from(self.slot) << 16 | self.bits() as u64 & 0xFFFF
    }

    /// [`Record::bits`] of the record with a rank.
    pub(super) fn bits_of(rank: RecordRank) -> usize {
        rank as usize & 0xFFFF
    }

    /// True if it removes a slot.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.against, RecordBaseline::Gone { .. })
    }
}

impl RecordBaseline {
    /// The head of a record of `slot`.
    #[inline]
    pub(super) fn head(self, world: &World, slot: u16) -> RecordHead {
        match self {
            RecordBaseline::Age(age_ticks) => RecordHead::Delta { age_ticks },
            RecordBaseline::Gone { in_world } => RecordHead::Gone { in_world },
            // A marked record has no head.
            RecordBaseline::Shared => RecordHead::Gone { in_world: false },
            RecordBaseline::Nothing { is_mine } => {
                let kind = u32::from(world.summaries()[usize::from(slot)].kind);
                let id = world.slots()[usize::from(slot)].id.0;
                RecordHead::Whole { kind, mine: is_mine, id }
            }
        }
    }
}

impl Records {
    /// Empties the records and keeps the baseline.
    pub(super) fn clear(&mut self) {
        self.coded.clear();
        self.others.clear();
        self.left_out.clear();
        self.marks.reset(self.set.len());
    }

    /// Bits of the marks.
    pub(super) fn marks_bits(&self) -> usize {
        if self.baseline.is_some() { self.marks.len_bits(&self.set) } else { 0 }
    }

    /// Most bits that marks of any kind may take: every slot of the baseline takes one of at most two bits.
    pub(super) fn marks_bits_max(&self) -> usize {
        if self.baseline.is_some() { 3 + 2 * slots::count(&self.set) } else { 0 }
    }

    /// Bits of everything.
    pub(super) fn bits(&self) -> usize {
        let coded: usize = self.coded.iter().map(|record| record.coded.bits()).sum();
        coded + self.marks_bits() + others_bits(&self.others)
    }

    /// Bits of the records up to a rank, marks aside.
    pub(super) fn bits_up_to(&self, last: RecordRank) -> usize {
        let coded = self.coded.iter().filter(|record| record.rank() <= last);
        let coded_bits: usize = coded.map(|record| record.bits()).sum();
        coded_bits + gapped_bits(self.others.iter().filter(|record| record.rank() <= last))
    }

    /// Keeps the records that `is_kept` accepts.
    pub(super) fn keep(&mut self, is_kept: impl Fn(&Record) -> bool) {
        let coded_marks = &mut self.marks.coded;
        self.coded.retain(|record| {
            let kept = is_kept(record);
            if !kept {
                coded_marks[usize::from(record.slot) / 64] &= !(1 << (record.slot % 64));
            }
            kept
        });
        let left_out = &mut self.left_out;
        self.others.retain(|record| {
            let kept = is_kept(record);
            if !kept && matches!(record.against, RecordBaseline::Nothing { .. }) {
                left_out.push(*record);
            }
            kept
        });
    }
}

/// Bits of the records behind the marks, their number included.
pub(super) fn others_bits(others: &[Record]) -> usize {
    gapped_bits(others.iter()) + golomb_bits(others.len() as u32) as usize
}

/// Bits of records with the gaps between their slots.
pub(super) fn gapped_bits<'a>(records: impl Iterator<Item = &'a Record>) -> usize {
    let mut next_slot = 0;
    let record_bits = |record: &Record| {
        let gap_bits = golomb_bits(u32::from(record.slot) - next_slot) as usize;
        next_slot = u32::from(record.slot) + 1;
        gap_bits + record.bits()
    };
    records.map(record_bits).sum()
}
