//! What is sent when not everything fits.
//!
//! Records are taken from the highest [`Priority`] down while they fit, so what is left out rises until it is taken: with
//! records of `D` bits to send in all and place for `B` bits a tick, none that is in view waits longer than about `2 D / B`
//! ticks, where the game makes no difference; else longer by the factor by which others matter more. A record that no datagram
//! of the path can hold is left out; one that only has to wait for place to be saved, or for the path to take more, is
//! waited for. One that was once the first not to fit and is not sent for some snapshots, as a large one may be behind the
//! client's own in every tick, goes before all; after some more, nothing else goes until it fits.

use tickwire_shared::bits::golomb_bits;

use super::SnapshotScratch;
use super::priority::Priority;
use super::records::{Record, RecordRank, Records};
use crate::room::bandwidth::SendLimit;

/// When all but so small a share of a snapshot is full, records get priorities.
const CROWDED_SHARE: usize = 8;
/// Snapshots without a record after which it goes before all others.
const BLOCKED_SNAPSHOTS_MAX: u32 = 8;
/// Snapshots without it after which nothing else goes, so that place is saved for it.
const SAVED_FOR_SNAPSHOTS: u32 = 16;

/// What one client's snapshots have no place for.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Not all fits, or nearly so: records need priorities.
    is_over_budget: bool,
    /// What the last snapshot would have had to be to hold any record, if it held none for lack of place.
    lacks_bytes: usize,
    /// What was the first not to fit.
    blocked: LeftOut,
}

/// The bits that the records of one snapshot may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitLimit {
    /// Of this snapshot.
    pub(super) now: usize,
    /// Of any on this path.
    most: usize,
    /// What stands before the records.
    head: usize,
}

/// A slot whose record was the first to be left out, and was not sent since.
#[derive(Clone, Copy, Debug, Default)]
struct LeftOut {
    slot: u16,
    /// Snapshots without it; 0 if there is no such slot.
    snapshots: u32,
}

/// What became of records that did not all fit.
#[derive(Clone, Copy, Debug)]
struct FittedRecords {
    /// The bits it would take to send the first of them, or the one that is overdue, if it did not fit at all.
    lacks_bits: Option<usize>,
    blocked: LeftOut,
}

impl LeftOut {
    /// What it is after a snapshot that left these out.
    fn after(self, left_out: &[RecordRank]) -> Self {
        let slot_of = |rank: &RecordRank| (rank >> 16) as u16;
        let is_still_left_out =
            self.snapshots > 0 && left_out.iter().any(|rank| slot_of(rank) == self.slot);
        match left_out.first() {
            Some(_) if is_still_left_out => {
                LeftOut { snapshots: self.snapshots.saturating_add(1), ..self }
            }
            Some(first) => LeftOut { slot: slot_of(first), snapshots: 1 },
            None => LeftOut::default(),
        }
    }
}

impl BitLimit {
    /// Behind `head_bits`.
    pub(super) fn behind(head_bits: usize, limit: SendLimit) -> Self {
        BitLimit {
            now: (limit.bytes_max * 8).saturating_sub(head_bits),
            most: (limit.path_bytes_max * 8).saturating_sub(head_bits),
            head: head_bits,
        }
    }
}

impl Backlog {
    /// Whether records need priorities.
    pub(super) fn is_over_budget(&self) -> bool {
        self.is_over_budget
    }

    /// Not everything fits.
    pub(super) fn overflow(&mut self) {
        self.is_over_budget = true;
    }

    /// A snapshot of fewer bytes than this would hold no record, as the last one did.
    pub(super) fn lacks_bytes(&self) -> usize {
        self.lacks_bytes
    }

    /// Keeps what matters most of records that take `bits`, and what is known of the rest.
    pub(super) fn fit(&mut self, scratch: &mut SnapshotScratch, bits: usize, limit: BitLimit) {
        if bits > limit.now {
            self.choose(scratch, limit);
        } else {
            (self.lacks_bytes, self.blocked) = (0, LeftOut::default());
        }
        let is_nearly_full = bits > limit.now - limit.now / CROWDED_SHARE;
        self.is_over_budget = is_nearly_full || !scratch.candidates.is_empty();
    }

    fn choose(&mut self, scratch: &mut SnapshotScratch, limit: BitLimit) {
        let chosen = choose(&mut scratch.records, &mut scratch.ranks, limit, self.blocked);
        self.lacks_bytes = chosen.lacks_bits.map_or(0, |bits| (limit.head + bits).div_ceil(8));
        self.blocked = chosen.blocked;
    }
}

/// Keeps what matters most of what any snapshot of the path can hold. What is `blocked` for long goes before all.
fn choose(
    records: &mut Records,
    ranks: &mut Vec<RecordRank>,
    limit: BitLimit,
    blocked: LeftOut,
) -> FittedRecords {
    let other_bits = records.marks_bits_max() + golomb_bits(records.others.len() as u32) as usize;
    let mut bits_max = limit.now.saturating_sub(other_bits);
    let bits_most = limit.most.saturating_sub(other_bits);
    records.keep(|record| record.bits_alone() <= bits_most);
    let mut all = records.coded.iter_mut().chain(&mut records.others);
    let is_overdue = blocked.snapshots >= BLOCKED_SNAPSHOTS_MAX;
    // What has to wait for a larger snapshot leaves this one to the others, but not for long.
    let mut lacks = None;
    if let Some(record) = all.find(|record| is_overdue && record.slot == blocked.slot) {
        let bits = record.bits_alone();
        if bits <= bits_max {
            record.priority = Priority::OVERDUE;
        } else {
            lacks = Some(bits);
            bits_max = if blocked.snapshots < SAVED_FOR_SNAPSHOTS { bits_max } else { 0 };
        }
    }
    ranks.clear();
    ranks.extend(records.coded.iter().chain(&records.others).map(Record::rank));
    ranks.sort_unstable();
    let kept = fitting(records, ranks, bits_max);
    let last = kept.checked_sub(1).map(|at| ranks[at]);
    let first = ranks.first().copied().filter(|_| last.is_none());
    let lacks = lacks.or_else(|| first.map(|first| records.bits_up_to(first)));
    let blocked = blocked.after(&ranks[kept..]);
    records.keep(|record| last.is_some_and(|last| record.rank() <= last));
    FittedRecords { lacks_bits: lacks.map(|bits| other_bits + bits), blocked }
}

/// How many of the first by `ranks` fit in `bits_max`.
pub(super) fn fitting(records: &Records, ranks: &[RecordRank], bits_max: usize) -> usize {
    let Some(&last) = ranks.last() else { return 0 };
    // The gaps between records depend on which are kept: a guess without them, and then as it is.
    let mut too_many = records.bits_up_to(last).saturating_sub(bits_max);
    let mut kept = ranks.len();
    while too_many > 0 && kept > 0 {
        kept -= 1;
        too_many = too_many.saturating_sub(Record::bits_of(ranks[kept]));
    }
    // `fit` records fit, and `over` do not. The guess is near: from it in growing steps, then by halving.
    let (mut fit, mut over) = (0, ranks.len() + 1);
    let (mut probe, mut step) = (kept, 1);
    while fit + 1 < over {
        let near = probe.clamp(fit + 1, over - 1);
        let at = if over - fit > step { near } else { (fit + over) / 2 };
        if records.bits_up_to(ranks[at - 1]) <= bits_max {
            (fit, probe) = (at, at + step);
        } else {
            (over, probe) = (at, at.saturating_sub(step));
        }
        step *= 2;
    }
    fit
}
