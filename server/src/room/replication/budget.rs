//! What is sent when not everything fits.
//!
//! Every record has a priority: the ticks it has waited, doubled for what is near. The client's own
//! entities and what it should forget come first. Records are taken from the highest priority down while
//! they fit, so what is left out rises until it is taken: with records of `D` bits to send in all and
//! place for `B` bits a tick, none that is in view waits longer than about `2 D / B` ticks.

use tickwire_shared::Tick;
use tickwire_shared::bits::golomb_bits;
use tickwire_shared::slots;

use super::{Against, Common, Draft, Record, Replication, Word};
use crate::room::world::World;

/// What a client has never been sent is ahead of others, in ticks of waiting.
const FRESH_PRIORITY_TICKS: u32 = 30;
/// Priorities are counted up to here.
const PRIORITIES: usize = 512;
/// The highest priority.
pub(super) const FIRST_OF_ALL: u16 = PRIORITIES as u16 - 1;

/// Bits of the records behind the marks, their number included.
pub(super) fn others_bits(others: &[Record]) -> usize {
    let mut next_slot = 0;
    let record_bits = |record: &Record| {
        let gap_bits = golomb_bits(u32::from(record.slot) - next_slot) as usize;
        next_slot = u32::from(record.slot) + 1;
        gap_bits + record.bits()
    };
    let bits: usize = others.iter().map(record_bits).sum();
    bits + golomb_bits(others.len() as u32) as usize
}

impl Record {
    /// Its bits but for the gap before it.
    #[inline]
    pub(super) fn bits(&self) -> usize {
        usize::from(self.head_bits) + self.coded.bits()
    }
}

impl Draft {
    /// Keeps what matters most in `bits_max` bits.
    pub(super) fn choose(&mut self, slots: usize, common: Option<Common>, bits_max: usize) {
        // Every slot of the baseline takes a mark of at most two bits.
        let marks_bits = if common.is_some() { 3 + 2 * slots::count(&self.set) } else { 0 };
        let count_bits = golomb_bits(self.others.len() as u32) as usize;
        let bits_max = bits_max.saturating_sub(marks_bits + count_bits);
        let gap_bits = self.gap_bits(slots, bits_max);
        // With gaps of the mean width all may seem to fit: the exact widths decide below.
        let all = Cut { last: 0, left: usize::MAX };
        let mut cut = self.cut(gap_bits, bits_max).unwrap_or(all);
        let coded_marks = &mut self.marks.coded;
        let mut exact = bits_max;
        self.coded.retain(|record| {
            let kept = cut.keeps(record.priority, record.bits());
            if kept {
                exact = exact.saturating_sub(record.bits());
            } else {
                coded_marks[usize::from(record.slot) / 64] &= !(1 << (record.slot % 64));
            }
            kept
        });
        let mut next_slot = 0;
        let left_out = &mut self.left_out;
        self.others.retain(|record| {
            let left = cut.keeps(record.priority, record.bits() + gap_bits).then(|| {
                let gap_bits = golomb_bits(u32::from(record.slot) - next_slot) as usize;
                exact.checked_sub(gap_bits + record.bits())
            });
            let Some(left) = left.flatten() else {
                if record.against == Against::Nothing {
                    left_out.push(*record);
                }
                return false;
            };
            exact = left;
            next_slot = u32::from(record.slot) + 1;
            true
        });
    }

    /// Gaps are wider between fewer records: of so many of the mean size there is room for a part.
    fn gap_bits(&self, slots: usize, bits_max: usize) -> usize {
        let count = self.others.len().max(1);
        let total: usize = self.others.iter().map(Record::bits).sum();
        let kept = (bits_max * count / total.max(1)).clamp(1, count);
        golomb_bits((slots / kept) as u32) as usize
    }

    /// Where the priorities are cut; `None` if all fits.
    fn cut(&self, gap_bits: usize, bits_max: usize) -> Option<Cut> {
        let mut bits_of = [0u32; PRIORITIES];
        for record in &self.coded {
            bits_of[usize::from(record.priority)] += record.bits() as u32;
        }
        for record in &self.others {
            bits_of[usize::from(record.priority)] += (record.bits() + gap_bits) as u32;
        }
        let mut left = bits_max;
        let last = bits_of.iter().rposition(|&bits| match left.checked_sub(bits as usize) {
            Some(less) => {
                left = less;
                false
            }
            None => true,
        })?;
        Some(Cut { last: last as u16, left })
    }
}

impl Replication {
    /// How much a record matters: the ticks it has waited, twice that if it is near.
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
        let waited = match self.packets.sent(slot) {
            0 => {
                let spawned = Tick(world.glances()[usize::from(slot)].spawned);
                FRESH_PRIORITY_TICKS + tick.since(spawned) as u32
            }
            sent => tick.since(Tick(sent)) as u32,
        };
        let near = u32::from(word.near & bit != 0);
        (waited.min(u32::from(FIRST_OF_ALL)) << near).min(u32::from(FIRST_OF_ALL) - 1) as u16
    }
}

/// All above a priority are kept, and of that priority as many as fit.
#[derive(Clone, Copy, Debug)]
struct Cut {
    last: u16,
    /// Bits for records of just that priority.
    left: usize,
}

impl Cut {
    #[inline]
    fn keeps(&mut self, priority: u16, bits: usize) -> bool {
        if priority != self.last {
            return priority > self.last;
        }
        let left = self.left.checked_sub(bits);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}
