//! What is sent when not everything fits.
//!
//! Records are taken from the highest [`Priority`] down while they fit, so what is left out rises until it is taken: with
//! records of `D` bits to send in all and place for `B` bits a tick, none that is in view waits longer than about `2 D / B`
//! ticks, where the game makes no difference; else so many times longer as others matter more. A record that no datagram
//! of the path can hold is left out; one that only has to wait for place to be saved, or for the path to take more, is
//! waited for. One that was the first not to fit some times in a row, as a large one may be behind the client's own in
//! every tick, goes before all.

use tickwire_shared::bits::golomb_bits;

use super::SnapshotScratch;
use super::priority::Priority;
use super::records::{Record, RecordRank, Records};
use crate::room::bandwidth::SendLimit;

/// When all but so small a share of a snapshot is full, records get priorities.
const CROWDED_SHARE: usize = 8;
/// A record that was left out first in so many snapshots in a row goes before all others.
const BLOCKED_SNAPSHOTS_MAX: u32 = 8;

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

/// A slot whose record was the first to be left out.
#[derive(Clone, Copy, Debug, Default)]
struct LeftOut {
    slot: u16,
    /// In so many snapshots in a row.
    snapshots: u32,
}

/// What became of records that did not all fit.
#[derive(Clone, Copy, Debug)]
struct FittedRecords {
    /// The bits it would take to send the first of them, or the one that is overdue, if it did not fit at all.
    lacks_bits: Option<usize>,
    /// The slot of the first one that was left out.
    blocked: Option<u16>,
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
        let LeftOut { slot, snapshots } = self.blocked;
        let overdue = (snapshots >= BLOCKED_SNAPSHOTS_MAX).then_some(slot);
        let chosen = choose(&mut scratch.records, &mut scratch.ranks, limit, overdue);
        self.lacks_bytes = chosen.lacks_bits.map_or(0, |bits| (limit.head + bits).div_ceil(8));
        self.blocked = match chosen.blocked {
            Some(again) if again == slot => LeftOut { slot, snapshots: snapshots + 1 },
            Some(slot) => LeftOut { slot, snapshots: 1 },
            None => LeftOut::default(),
        };
    }
}

/// Keeps what matters most of what any snapshot of the path can hold. A record of the slot `overdue` goes before all.
fn choose(
    records: &mut Records,
    ranks: &mut Vec<RecordRank>,
    limit: BitLimit,
    overdue: Option<u16>,
) -> FittedRecords {
    let other_bits = records.marks_bits_max() + golomb_bits(records.others.len() as u32) as usize;
    let bits_max = limit.now.saturating_sub(other_bits);
    let bits_most = limit.most.saturating_sub(other_bits);
    records.keep(|record| record.bits_alone() <= bits_most);
    let mut all = records.coded.iter_mut().chain(&mut records.others);
    // What has to wait for a larger snapshot leaves this one to the others.
    let mut lacks = None;
    if let Some(record) = all.find(|record| Some(record.slot) == overdue) {
        let bits = record.bits_alone();
        match bits <= bits_max {
            true => record.priority = Priority::OVERDUE,
            false => lacks = Some(bits),
        }
    }
    ranks.clear();
    ranks.extend(records.coded.iter().chain(&records.others).map(Record::rank));
    ranks.sort_unstable();
    let kept = fitting(records, ranks, bits_max);
    let last = kept.checked_sub(1).map(|at| ranks[at]);
    let first = ranks.first().copied().filter(|_| last.is_none());
    let lacks = lacks.or_else(|| first.map(|first| records.bits_up_to(first)));
    let blocked = ranks.get(kept).map(|rank| (rank >> 16) as u16);
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
    // So many fit, and so many do not. The guess is near: from it in growing steps, then by halving.
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
