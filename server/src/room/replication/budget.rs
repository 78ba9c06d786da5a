//! What is sent when not everything fits.
//!
//! Every record has a priority: the ticks it has waited, doubled for what is near. The client's own
//! entities and what it should forget come first. Records are taken from the highest priority down while
//! they fit, so what is left out rises until it is taken: with records of `D` bits to send in all and
//! place for `B` bits a tick, none that is in view waits longer than about `2 D / B` ticks.

use tickwire_shared::Tick;
use tickwire_shared::bits::golomb_bits;
use tickwire_shared::slots::SlotSet;
use tickwire_shared::snapshot::RecordHead;

use super::{Common, Record, Replication};
use crate::room::world::World;

/// What a client has never been sent is ahead of others, in ticks of waiting.
const FRESH_PRIORITY_TICKS: u32 = 30;
/// Priorities are counted up to here.
const PRIORITIES: usize = 512;
const FIRST_OF_ALL: usize = PRIORITIES - 1;

/// Bits of the records behind the marks, their number included.
pub(super) fn others_bits(others: &[Record], common_age: u32) -> usize {
    let mut next_slot = 0;
    let record_bits = |record: &Record| {
        let gap_bits = golomb_bits(u32::from(record.slot) - next_slot) as usize;
        next_slot = u32::from(record.slot) + 1;
        gap_bits + record.head.len_bits(common_age) + record.coded.bits()
    };
    let bits: usize = others.iter().map(record_bits).sum();
    bits + golomb_bits(others.len() as u32) as usize
}

impl Replication {
    /// Keeps what matters most in `bits_max` bits.
    pub(super) fn choose(
        &mut self,
        world: &World,
        common: Option<Common>,
        set: &SlotSet,
        bits_max: usize,
    ) {
        let common_age = common.map_or(0, |common| common.age_ticks);
        // Every slot of the baseline takes a mark of at most two bits.
        let marks_bits = if common.is_some() { 3 + 2 * set.count() as usize } else { 0 };
        let count_bits = golomb_bits(self.others.len() as u32) as usize;
        let bits_max = bits_max.saturating_sub(marks_bits + count_bits);
        let gap_bits = self.gap_bits(world, bits_max);
        let other_bits =
            |record: &Record| gap_bits + record.head.len_bits(common_age) + record.coded.bits();

        let mut bits_of = [0u32; PRIORITIES];
        for record in &self.coded {
            bits_of[self.priority(world, record)] += record.coded.bits() as u32;
        }
        for record in &self.others {
            bits_of[self.priority(world, record)] += other_bits(record) as u32;
        }
        let mut left = bits_max;
        let whole = bits_of.iter().rposition(|&bits| match left.checked_sub(bits as usize) {
            Some(less) => {
                left = less;
                false
            }
            None => true,
        });
        let Some(last) = whole else { return };
        let mut fits = |priority: usize, bits: usize| {
            if priority == last && bits <= left {
                left -= bits;
                return true;
            }
            priority > last
        };
        let (mut coded, mut others) =
            (std::mem::take(&mut self.coded), std::mem::take(&mut self.others));
        coded.retain(|record| {
            let kept = fits(self.priority(world, record), record.coded.bits());
            if !kept {
                self.marks.coded[usize::from(record.slot) / 64] &= !(1 << (record.slot % 64));
            }
            kept
        });
        let mut exact = bits_max - coded.iter().map(|record| record.coded.bits()).sum::<usize>();
        let mut next_slot = 0;
        others.retain(|record| {
            let gap_bits = golomb_bits(u32::from(record.slot) - next_slot) as usize;
            let bits = gap_bits + record.head.len_bits(common_age) + record.coded.bits();
            let kept = fits(self.priority(world, record), other_bits(record)) && bits <= exact;
            if kept {
                exact -= bits;
                next_slot = u32::from(record.slot) + 1;
            }
            kept
        });
        (self.coded, self.others) = (coded, others);
    }

    /// Gaps are wider between fewer records: of so many of the mean size there is room for a part.
    fn gap_bits(&self, world: &World, bits_max: usize) -> usize {
        let count = self.others.len().max(1);
        let total: usize = self.others.iter().map(|record| record.coded.bits() + 8).sum();
        let kept = (bits_max * count / total.max(1)).clamp(1, count);
        golomb_bits((world.slots().len() / kept) as u32) as usize
    }

    #[inline]
    fn priority(&self, world: &World, record: &Record) -> usize {
        let slot = record.slot;
        if record.head == RecordHead::Gone && record.coded.bits() == 0 {
            return FIRST_OF_ALL;
        }
        if self.interest.mine().contains(slot) {
            return FIRST_OF_ALL;
        }
        let tick = world.tick();
        let waited = match self.seen.sent[usize::from(slot)] {
            0 => {
                let spawned = Tick(world.glances()[usize::from(slot)].spawned);
                FRESH_PRIORITY_TICKS + tick.since(spawned) as u32
            }
            sent => tick.since(Tick(sent)) as u32,
        };
        let weight = 1 + u32::from(self.interest.near().contains(slot));
        (waited.saturating_mul(weight) as usize).min(FIRST_OF_ALL - 1)
    }
}
