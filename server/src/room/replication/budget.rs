//! What is sent when not everything fits.
//!
//! Every record has a priority: the ticks it has waited, times what the game says the entity matters, doubled for
//! what is near. The client's own entities and what it should forget come first. Records are taken from the
//! highest priority down while they fit, so what is left out rises until it is taken: with records of `D`
//! bits to send in all and place for `B` bits a tick, none that is in view waits longer than about `2 D / B`
//! ticks, where the game makes no difference; else so many times longer as others matter more. What is new
//! to a client waits since it came into its view. A record that no datagram of the path can hold is left out;
//! one that only has to wait for place to be saved, or for the path to take more, is waited for. One that was the
//! first not to fit some times in a row, as a large one may be behind the client's own in every tick, goes before all.

use tickwire_shared::Tick;
use tickwire_shared::bits::golomb_bits;
use tickwire_shared::slots;

use super::{InterestWord, Record, RecordBaseline, Replication, SharedBaseline, SnapshotScratch};
use crate::room::world::World;

/// What a client has never been sent is ahead of others, in ticks of waiting.
pub(super) const FRESH_PRIORITY_TICKS: u32 = 30;
/// What was sent is lost if it is not acknowledged so many ticks later than usual.
const LOST_TICKS: i32 = 8;

/// How much a record matters beside the others of its snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Priority(pub(super) u32);

impl Priority {
    pub(super) const NONE: Priority = Priority(0);
    pub(super) const FIRST_OF_ALL: Priority = Priority(u32::MAX - 1);
    /// Before even those.
    const OVERDUE: Priority = Priority(u32::MAX);

    /// Of something that has waited so many ticks: at 60 Hz it rises for a day and a half in any case.
    pub(super) fn of(waited_ticks: u32, matters: u8, is_near: bool) -> Self {
        let priority = waited_ticks.saturating_mul(u32::from(matters) << u32::from(is_near));
        Priority(priority.min(Priority::FIRST_OF_ALL.0 - 1))
    }
}

/// The place of a record among all of its snapshot: what matters most first, lower slots before higher ones. The
/// lowest 16 bits are the record's size.
pub(super) type RecordRank = u64;

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

impl Record {
    /// Its bits but for the gap before it.
    #[inline]
    pub(super) fn bits(&self) -> usize {
        usize::from(self.head_bits) + self.coded.bits()
    }

    /// Its bits in a snapshot with no other record.
    fn bits_alone(&self) -> usize {
        let is_marked = self.against == RecordBaseline::Common;
        self.bits() + if is_marked { 0 } else { golomb_bits(u32::from(self.slot)) as usize }
    }

    #[inline]
    pub(super) fn rank(&self) -> RecordRank {
        let last_is_most = u64::from(u32::MAX - self.priority.0);
        last_is_most << 32 | u64::from(self.slot) << 16 | self.bits() as u64 & 0xFFFF
    }

    /// [`Record::bits`] of the record with a rank.
    fn bits_of(rank: RecordRank) -> usize {
        rank as usize & 0xFFFF
    }
}

/// What became of records that did not all fit.
#[derive(Clone, Copy, Debug)]
struct FittedRecords {
    /// The bits it would take to send the first of them, or the one that is overdue, if it did not fit at all.
    lacks_bits: Option<usize>,
    /// The slot of the first one that was left out.
    blocked: Option<u16>,
}

/// A slot whose record was the first to be left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeftOut {
    slot: u16,
    /// In so many snapshots in a row.
    snapshots: u32,
}

/// After so many of them it goes before all others.
const BLOCKED_SNAPSHOTS_MAX: u32 = 8;

impl SnapshotScratch {
    /// Keeps what matters most in `bits_max` bits, of what any snapshot of `bits_most` can hold. A record of the slot
    /// `overdue` goes before all.
    fn choose(
        &mut self,
        common: Option<SharedBaseline>,
        (bits_max, bits_most): (usize, usize),
        overdue: Option<u16>,
    ) -> FittedRecords {
        // Every slot of the baseline takes a mark of at most two bits.
        let marks_bits = if common.is_some() { 3 + 2 * slots::count(&self.set) } else { 0 };
        let other_bits = marks_bits + golomb_bits(self.others.len() as u32) as usize;
        let bits_max = bits_max.saturating_sub(other_bits);
        let bits_most = bits_most.saturating_sub(other_bits);
        self.keep(|record| record.bits_alone() <= bits_most);
        let mut records = self.coded.iter_mut().chain(&mut self.others);
        let overdue = records.find(|record| Some(record.slot) == overdue);
        // What has to wait for a larger snapshot leaves this one to the others.
        let mut lacks = None;
        if let Some(record) = overdue {
            let bits = record.bits_alone();
            match bits <= bits_max {
                true => record.priority = Priority::OVERDUE,
                false => lacks = Some(bits),
            }
        }
        let mut ranks = std::mem::take(&mut self.ranks);
        ranks.clear();
        ranks.extend(self.coded.iter().chain(&self.others).map(|record| record.rank()));
        ranks.sort_unstable();
        let kept = self.fitting(&ranks, bits_max);
        let last = kept.checked_sub(1).map(|at| ranks[at]);
        let first = ranks.first().copied().filter(|_| last.is_none());
        let lacks = lacks.or_else(|| first.map(|first| self.bits_up_to(first)));
        let blocked = ranks.get(kept).map(|rank| (rank >> 16) as u16);
        self.ranks = ranks;
        self.keep(|record| last.is_some_and(|last| record.rank() <= last));
        FittedRecords { lacks_bits: lacks.map(|bits| other_bits + bits), blocked }
    }

    /// How many of the first by `ranks` fit in `bits_max`.
    pub(super) fn fitting(&self, ranks: &[RecordRank], bits_max: usize) -> usize {
        let Some(&last) = ranks.last() else { return 0 };
        // The gaps between records depend on which are kept: a guess without them, and then as it is.
        let mut too_many = self.bits_up_to(last).saturating_sub(bits_max);
        let mut kept = ranks.len();
        while too_many > 0 && kept > 0 {
            kept -= 1;
            too_many = too_many.saturating_sub(Record::bits_of(ranks[kept]));
        }
        // So many fit, and so many do not. The guess is near: from it in growing steps, then by halving.
        let (mut fit, mut over) = (0, ranks.len() + 1);
        let (mut probe, mut step) = (kept, 1);
        while fit + 1 < over {
            let near = probe.clamp(fit + 1, over - 1);
            let at = if over - fit > step { near } else { (fit + over) / 2 };
            if self.bits_up_to(ranks[at - 1]) <= bits_max {
                (fit, probe) = (at, at + step);
            } else {
                (over, probe) = (at, at.saturating_sub(step));
            }
            step *= 2;
        }
        fit
    }

    /// Bits of the records up to a rank, marks aside.
    fn bits_up_to(&self, last: RecordRank) -> usize {
        let coded = self.coded.iter().filter(|record| record.rank() <= last);
        let coded_bits: usize = coded.map(|record| record.bits()).sum();
        coded_bits + gapped_bits(self.others.iter().filter(|record| record.rank() <= last))
    }

    fn keep(&mut self, is_kept: impl Fn(&Record) -> bool) {
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
            if !kept && record.against == RecordBaseline::Nothing {
                left_out.push(*record);
            }
            kept
        });
    }
}

impl Replication {
    /// A snapshot of fewer bytes than this would hold no record, as the last one did.
    pub(in crate::room) fn lacks_bytes(&self) -> usize {
        self.lacks_bytes
    }

    /// Keeps what matters most in `bits_max` bits behind the head, of what any snapshot of `bits_most` can hold.
    pub(super) fn choose(
        &mut self,
        scratch: &mut SnapshotScratch,
        common: Option<SharedBaseline>,
        head_bits: usize,
        (bits_max, bits_most): (usize, usize),
    ) {
        let LeftOut { slot, snapshots } = self.blocked;
        let overdue = (snapshots >= BLOCKED_SNAPSHOTS_MAX).then_some(slot);
        let chosen = scratch.choose(common, (bits_max, bits_most), overdue);
        self.lacks_bytes = chosen.lacks_bits.map_or(0, |bits| (head_bits + bits).div_ceil(8));
        self.blocked = match chosen.blocked {
            Some(again) if again == slot => LeftOut { slot, snapshots: snapshots + 1 },
            Some(slot) => LeftOut { slot, snapshots: 1 },
            None => LeftOut::default(),
        };
    }

    /// How much something matters that the client does not own, and that was last sent to it at the tick `sent`.
    #[inline]
    pub(super) fn priority(
        &self,
        world: &World,
        word: InterestWord,
        slot: u16,
        sent: u32,
    ) -> Priority {
        let tick = world.tick();
        let summary = &world.summaries()[usize::from(slot)];
        let mut told = sent;
        if tick.since(Tick(told)) > self.sent_snapshots.flight_ticks() + LOST_TICKS {
            // It waits since the last time that came through.
            told = self.sent_snapshots.acked(slot);
        }
        let waited_ticks = if told < summary.spawned {
            let came = self.interest.entered(slot).max(summary.spawned);
            FRESH_PRIORITY_TICKS + tick.since(Tick(came)).unsigned_abs()
        } else {
            tick.since(Tick(told)).unsigned_abs()
        };
        Priority::of(waited_ticks, summary.priority, word.near >> (slot % 64) & 1 == 1)
    }
}
