//! Chooses the records of a snapshot if not all fit.
//!
//! Records are taken from the highest [`Priority`] down while they fit, so omitted ones rise until
//! they are taken. With records of `D` bits in all and place for `B` bits a tick, none in view
//! waits longer than about `2 D / B` ticks at equal send priorities; else longer by the ratio of
//! the priorities. A record that no datagram of the path can hold is left out; one that needs saved
//! place, or more of the path, waits for it. A large one may stand behind the client's own in every
//! tick: a record that was the first not to fit and stays unsent for some snapshots goes before
//! all; after some more, nothing else is sent until it fits.

use tickwire_shared::bits::golomb_bits;

use super::SnapshotScratch;
use super::priority::Priority;
use super::records::{Record, RecordRank, Records};
use crate::room::bandwidth::SendLimit;

/// A snapshot with at most this share of its bits free, as a divisor, gives records priorities.
const CROWDED_SHARE: usize = 8;
/// Snapshots without a record after which it goes before all others.
const BLOCKED_SNAPSHOTS_MAX: u32 = 8;
/// Snapshots without it after which no other record is sent, to save place for it.
const SAVED_FOR_SNAPSHOTS: u32 = 16;

/// The records that did not fit one client's snapshots.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// True if not all fits, or nearly so: records need priorities.
    is_over_budget: bool,
    /// Least bytes of a snapshot that would have held a record, if the last one had no place for
    /// any; else 0.
    lacks_bytes: usize,
    /// The first record that did not fit.
    blocked: LeftOut,
}

/// The bits that the records of one snapshot may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitLimit {
    /// In this snapshot.
    pub(super) now: usize,
    /// In any snapshot on this path.
    most: usize,
    /// Bits of the head before the records.
    head: usize,
}

/// A slot whose record was the first left out, and was not sent since.
#[derive(Clone, Copy, Debug, Default)]
struct LeftOut {
    slot: u16,
    /// Snapshots without it; 0 without such a slot.
    snapshots: u32,
}

/// The outcome for records that did not all fit.
#[derive(Clone, Copy, Debug)]
struct FittedRecords {
    /// The bits that the first record, or the overdue one, needs, if it did not fit at all.
    lacks_bits: Option<usize>,
    blocked: LeftOut,
}

impl LeftOut {
    /// Its state after a snapshot that left out these records.
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
    /// The limit of records behind `head_bits`.
    pub(super) fn behind(head_bits: usize, limit: SendLimit) -> Self {
        BitLimit {
            now: (limit.bytes_max * 8).saturating_sub(head_bits),
            most: (limit.path_bytes_max * 8).saturating_sub(head_bits),
            head: head_bits,
        }
    }
}

impl Backlog {
    /// True if records need priorities.
    pub(super) fn is_over_budget(&self) -> bool {
        self.is_over_budget
    }

    /// Notes that not everything fits.
    pub(super) fn overflow(&mut self) {
        self.is_over_budget = true;
    }

    /// Least bytes of a snapshot that would hold a record, if the last one held none; else 0.
    pub(super) fn lacks_bytes(&self) -> usize {
        self.lacks_bytes
    }

    /// Keeps the records that matter most, of records that take `bits`, and the state of the
    /// others.
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

/// Keeps the records that matter most and that any snapshot of the path can hold. An overdue
/// `blocked` record goes before all.
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
    // A record that has to wait for a larger snapshot leaves this one to the others, for a limited
    // time.
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

/// The number of the first records by `ranks` that fit in `bits_max`.
pub(super) fn fitting(records: &Records, ranks: &[RecordRank], bits_max: usize) -> usize {
    let Some(&last) = ranks.last() else { return 0 };
    // The gaps between records depend on the choice: first a guess without them, then exactly.
    let mut too_many = records.bits_up_to(last).saturating_sub(bits_max);
    let mut kept = ranks.len();
    while too_many > 0 && kept > 0 {
        kept -= 1;
        too_many = too_many.saturating_sub(Record::bits_of(ranks[kept]));
    }
    // `fit` records fit, and `over` do not. The search starts near the guess, in growing steps,
    // then halves.
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
