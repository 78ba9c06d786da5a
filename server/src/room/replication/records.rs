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
    /// Bits before the lanes, but for the gap to the record before.
    pub(super) head_bits: u8,
}

/// What the lanes of a record are coded against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordBaseline {
    /// The shared baseline: it has a mark and no head.
    Shared,
    /// The slot's state, by its age in ticks.
    Age(u32),
    /// Nothing: they are whole.
    Nothing { is_mine: bool },
    /// There are no lanes: the slot is to be forgotten.
    Gone { in_world: bool },
}

/// The place of a record among all of its snapshot: what matters most first, lower slots before higher ones. The
/// lowest 16 bits are the record's size.
pub(super) type RecordRank = u64;

/// The records of one snapshot.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) baseline: Option<SharedBaseline>,
    /// The slots of the shared baseline's snapshot; none without one.
    pub(super) set: Vec<u64>,
    /// Those of them that may be coded against.
    pub(super) valid: Vec<u64>,
    /// What is said of them.
    pub(super) marks: Marks,
    /// The deltas of those marked so, in the order of slots.
    pub(super) coded: Vec<Record>,
    /// The records of other slots, in their order.
    pub(super) others: Vec<Record>,
    /// Of those, the whole ones that did not fit.
    pub(super) left_out: Vec<Record>,
}

impl Record {
    /// Of lanes coded against the shared baseline.
    #[inline]
    pub(super) fn shared(slot: u16, coded: CachedDelta, priority: Priority) -> Self {
        Record { coded, against: RecordBaseline::Shared, slot, priority, head_bits: 0 }
    }

    /// Of a slot that is to be forgotten.
    pub(super) fn gone(slot: u16, in_world: bool) -> Self {
        Record {
            coded: CachedDelta::EMPTY,
            against: RecordBaseline::Gone { in_world },
            slot,
            priority: Priority::FIRST_OF_ALL,
            head_bits: RecordHead::Gone { in_world }.len_bits(0) as u8,
        }
    }

    /// Its bits but for the gap before it.
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

    /// Whether it tells a slot to be forgotten.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.against, RecordBaseline::Gone { .. })
    }
}

impl RecordBaseline {
    /// What a record of `slot` begins with.
    #[inline]
    pub(super) fn head(self, world: &World, slot: u16) -> RecordHead {
        match self {
            RecordBaseline::Age(age_ticks) => RecordHead::Delta { age_ticks },
            RecordBaseline::Gone { in_world } => RecordHead::Gone { in_world },
            // It has no head.
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
    /// Begins anew, against the same baseline.
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

    /// Bits of all of it.
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

    /// Leaves the others out.
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
