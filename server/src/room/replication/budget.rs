//! What is sent when not everything fits.
//!
//! Every record has a priority: the ticks it has waited, times what the game says the entity matters, doubled for
//! what is near. The client's own entities and what it should forget come first. Records are taken from the
//! highest priority down while they fit, so what is left out rises until it is taken: with records of `D`
//! bits to send in all and place for `B` bits a tick, none that is in view waits longer than about `2 D / B`
//! ticks, where the game makes no difference; else so many times longer as others matter more. That holds as
//! long as nothing waits for so long that its priority is the highest there is: among those lower slots come
//! first. What is new to a client counts from its spawn, so what is old is there at once.

use tickwire_shared::Tick;
use tickwire_shared::bits::golomb_bits;
use tickwire_shared::slots;

use super::{Against, Common, Draft, Record, Replication, Word};
use crate::room::world::World;

/// What a client has never been sent is ahead of others, in ticks of waiting.
const FRESH_PRIORITY_TICKS: u32 = 30;
/// The highest priority.
pub(super) const FIRST_OF_ALL: u16 = 0x7FFF;
/// What was sent is lost if it is not acknowledged so many ticks later than usual.
const LOST_TICKS: i32 = 8;

/// Bits of the records behind the marks, their number included.
pub(super) fn others_bits(others: &[Record]) -> usize {
    gapped_bits(others.iter()) + golomb_bits(others.len() as u32) as usize
}

/// Bits of records with the gaps between their slots.
fn gapped_bits<'a>(records: impl Iterator<Item = &'a Record>) -> usize {
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

    /// Its place among all records, what matters most first, lower slots before higher ones.
    #[inline]
    fn rank(&self) -> u32 {
        u32::from(FIRST_OF_ALL - self.priority) << 16 | u32::from(self.slot)
    }
}

impl Draft {
    /// Keeps what matters most in `bits_max` bits.
    pub(super) fn choose(&mut self, common: Option<Common>, bits_max: usize) {
        // Every slot of the baseline takes a mark of at most two bits.
        let marks_bits = if common.is_some() { 3 + 2 * slots::count(&self.set) } else { 0 };
        let count_bits = golomb_bits(self.others.len() as u32) as usize;
        let bits_max = bits_max.saturating_sub(marks_bits + count_bits);
        let mut ranks = std::mem::take(&mut self.ranks);
        ranks.clear();
        ranks.extend(self.coded.iter().chain(&self.others).map(|record| record.rank()));
        ranks.sort_unstable();
        // The gaps between records depend on which are kept: the most that fit are found by halving.
        let (mut kept, mut most) = (0, ranks.len());
        while kept < most {
            let middle = (kept + most).div_ceil(2);
            if self.bits_up_to(ranks[middle - 1]) <= bits_max {
                kept = middle;
            } else {
                most = middle - 1;
            }
        }
        let last = kept.checked_sub(1).map(|at| ranks[at]);
        self.ranks = ranks;
        self.keep_up_to(last);
    }

    /// Bits of the records up to a rank, marks aside.
    fn bits_up_to(&self, last: u32) -> usize {
        let coded = self.coded.iter().filter(|record| record.rank() <= last);
        let coded_bits: usize = coded.map(|record| record.bits()).sum();
        coded_bits + gapped_bits(self.others.iter().filter(|record| record.rank() <= last))
    }

    fn keep_up_to(&mut self, last: Option<u32>) {
        let is_kept = |record: &Record| last.is_some_and(|last| record.rank() <= last);
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
            if !kept && record.against == Against::Nothing {
                left_out.push(*record);
            }
            kept
        });
    }
}

impl Replication {
    /// How much a record matters.
    #[inline]
    pub(super) fn priority(&self, world: &World, word: Word, slot: u16) -> u16 {
        let bit = 1u64 << (slot % 64);
        if word.mine & bit != 0 {
            return FIRST_OF_ALL;
        }
        if !self.crowded {
            return 0;
        }
        let tick = world.tick();
        let glance = &world.glances()[usize::from(slot)];
        let mut told = self.packets.sent(slot);
        if tick.since(Tick(told)) > self.packets.flight_ticks() + LOST_TICKS {
            // It waits since the last time that came through.
            told = self.packets.acked(slot);
        }
        let waited = match told {
            0 => FRESH_PRIORITY_TICKS + tick.since(Tick(glance.spawned)).unsigned_abs(),
            told => tick.since(Tick(told)).unsigned_abs(),
        };
        let near = u32::from(word.near & bit != 0);
        let most = u32::from(FIRST_OF_ALL) - 1;
        ((waited.min(most) * u32::from(glance.priority)) << near).min(most) as u16
    }
}
