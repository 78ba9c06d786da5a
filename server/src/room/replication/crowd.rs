//! A crowd: more to tell than fits. Only what may find a place in the snapshot is coded.
//!
//! What there is to tell is listed with its priority, which needs no code. Then the first are coded, as many
//! as should fill the snapshot by the mean size of the last ones, and some more if they do not.

use tickwire_shared::slots::slots_of_word;

use crate::room::delta_cache::State;

use super::budget::{Priority, others_bits};
use super::{
    InterestWord, Record, RecordBaseline, Replication, SharedBaseline, SnapshotContext,
    SnapshotScratch,
};

/// How often more are coded when those that were do not fill the snapshot.
const ROUNDS: usize = 3;
/// A snapshot that is filled but for so small a share is full.
const FULL_SHARE: usize = 32;
/// What stood still for longer is sent whole: the code of a baseline's age has its own limit.
const BASELINE_TICKS_MAX: u32 = 1 << 20;
/// What a record is taken to have before any was seen, in bits.
const MEAN_BITS: usize = 48;

/// Something to tell; what comes first is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate(u64);

impl Candidate {
    fn new(priority: Priority, slot: u16, is_marked: bool) -> Self {
        let last_is_most = u64::from(Priority::FIRST_OF_ALL.0 - priority.0);
        Candidate(last_is_most << 17 | u64::from(slot) << 1 | u64::from(is_marked))
    }

    pub(super) fn slot(self) -> u16 {
        (self.0 >> 1) as u16
    }

    pub(super) fn priority(self) -> Priority {
        Priority(Priority::FIRST_OF_ALL.0 - (self.0 >> 17) as u32)
    }

    /// It is of the common baseline.
    fn is_marked(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The mean size of a client's records.
#[derive(Clone, Copy, Debug)]
pub(super) struct MeanBits(usize);

impl Default for MeanBits {
    fn default() -> Self {
        MeanBits(MEAN_BITS * MeanBits::UNITS)
    }
}

impl MeanBits {
    const UNITS: usize = 16;

    /// How many records should take `bits`, or a little more.
    fn records_in(self, bits: usize) -> usize {
        bits * MeanBits::UNITS * 9 / 8 / self.0 + 4
    }

    fn learn(&mut self, records: usize, bits: usize) {
        if let Some(mean) = (bits * MeanBits::UNITS).checked_div(records) {
            self.0 = (3 * self.0 + mean).div_ceil(4).max(MeanBits::UNITS);
        }
    }
}

impl Replication {
    /// Lists what there is to tell of the slots of a word: `marked` are those of the common baseline.
    pub(super) fn list(
        &mut self,
        context: &mut SnapshotContext<'_>,
        common: Option<SharedBaseline>,
        word: InterestWord,
        (marked, others): (u64, u64),
    ) {
        let world = context.world;
        let mine = world.changed().word(word.at) & word.mine;
        let fresh = mine | world.changed_public().word(word.at) & !word.mine;
        let sent = self.sent_snapshots.sent_word(word.at);
        let mut up_to_date = 0;
        for slot in slots_of_word(word.at, marked | others) {
            let bit = 1u64 << (slot % 64);
            let is_mine = word.mine & bit != 0;
            let summary = &world.summaries()[usize::from(slot)];
            let is_common =
                |common: &SharedBaseline| marked & bit != 0 && summary.spawned <= common.tick.0;
            let since = common.filter(is_common);
            let sent = sent.tick(slot);
            if fresh & bit == 0 {
                let changed = summary.changed_for(is_mine);
                let known = since.map(|common| common.tick).or_else(|| self.known(world, slot));
                if known.is_some_and(|known| known.0 >= changed) {
                    up_to_date |= bit;
                    continue;
                }
                if self.is_under_way(world.tick(), changed, sent) {
                    continue;
                }
            }
            let priority = match is_mine {
                true => Priority::FIRST_OF_ALL,
                false => self.priority(world, word, slot, sent),
            };
            let candidate = Candidate::new(priority, slot, since.is_some());
            context.scratch.candidates.push(candidate);
        }
        self.up_to_date.words_mut()[word.at] |= up_to_date;
    }

    /// Codes the first of what is listed, until they fill `bits_max`; the rest stays listed. Returns the bits
    /// of what is coded.
    pub(super) fn code_listed(
        &mut self,
        context: &mut SnapshotContext<'_>,
        common: Option<SharedBaseline>,
        bits_max: usize,
    ) -> usize {
        let mut listed = std::mem::take(&mut context.scratch.candidates);
        let mut keys = std::mem::take(&mut context.scratch.keys);
        let before_bits = context.scratch.bits(common);
        let (mut coded, mut bits) = (0, before_bits);
        for _ in 0..ROUNDS {
            if listed.is_empty() || bits + bits_max / FULL_SHARE >= bits_max {
                break;
            }
            let count = self.mean_bits.records_in(bits_max - bits).min(listed.len());
            coded += count;
            take_first(&mut listed, &mut keys, count, |candidate| {
                self.code(context, common, candidate);
            });
            // They are sorted already, unless there were some before.
            context.scratch.coded.sort_unstable_by_key(|record| record.slot);
            context.scratch.others.sort_unstable_by_key(|record| record.slot);
            bits = context.scratch.bits(common);
        }
        self.mean_bits.learn(coded, bits - before_bits);
        (context.scratch.candidates, context.scratch.keys) = (listed, keys);
        bits
    }

    fn code(
        &mut self,
        context: &mut SnapshotContext<'_>,
        common: Option<SharedBaseline>,
        candidate: Candidate,
    ) {
        let (slot, priority) = (candidate.slot(), candidate.priority());
        let is_mine = context.scratch.mine.contains(slot);
        let common_age = common.map_or(0, |common| common.age_ticks);
        let Some(common) = common.filter(|_| candidate.is_marked()) else {
            let record = self.other(context, common_age, (slot, is_mine), priority);
            return context.scratch.others.push(record);
        };
        let code = common.code(context, slot, is_mine);
        let (at, bit) = (usize::from(slot) / 64, 1 << (slot % 64));
        match code.state {
            State::Void => {
                let record = self.other(context, common_age, (slot, is_mine), priority);
                context.scratch.others.push(record);
            }
            State::Same => self.up_to_date.insert(slot),
            State::Predicted => context.scratch.marks.predicted[at] |= bit,
            State::Differs => {
                context.scratch.marks.coded[at] |= bit;
                let against = RecordBaseline::Common;
                let record = Record { coded: code, against, slot, priority, head_bits: 0 };
                context.scratch.coded.push(record);
            }
        }
    }

    /// The record of a slot that is not coded against the common baseline.
    pub(super) fn other(
        &self,
        context: &mut SnapshotContext<'_>,
        common_age: u32,
        (slot, is_mine): (u16, bool),
        priority: Priority,
    ) -> Record {
        let world = context.world;
        let Some(known) = self.known(world, slot) else {
            return self.whole(context, (slot, is_mine), priority);
        };
        let age_ticks = world.tick().0.wrapping_sub(known.0);
        let coded = context.delta_cache.delta_since(world, slot, known, is_mine);
        if coded.state == State::Void || age_ticks > BASELINE_TICKS_MAX {
            return self.whole(context, (slot, is_mine), priority);
        }
        let against = RecordBaseline::Age(age_ticks);
        let head_bits = self.head(world, slot, against).len_bits(common_age) as u8;
        Record { coded, against, slot, priority, head_bits }
    }

    /// The record of a slot that is coded against nothing.
    pub(super) fn whole(
        &self,
        context: &mut SnapshotContext<'_>,
        (slot, is_mine): (u16, bool),
        priority: Priority,
    ) -> Record {
        let coded = context.delta_cache.whole(context.world, slot, is_mine);
        let against = RecordBaseline::Nothing;
        let head_bits = self.head(context.world, slot, against).len_bits(0) as u8;
        Record { coded, against, slot, priority, head_bits }
    }
}

impl SnapshotScratch {
    /// The bits of the records and of the marks.
    fn bits(&mut self, common: Option<SharedBaseline>) -> usize {
        let coded: usize = self.coded.iter().map(|record| record.coded.bits()).sum();
        let marks = if common.is_some() { self.marks.len_bits(&self.set) } else { 0 };
        coded + marks + others_bits(&self.others)
    }
}

/// Takes the `count` first of `listed` out of it and hands them to `each`, in the order in which they are listed.
pub(super) fn take_first(
    listed: &mut Vec<Candidate>,
    keys: &mut Vec<Candidate>,
    count: usize,
    mut each: impl FnMut(Candidate),
) {
    if count >= listed.len() {
        return listed.drain(..).for_each(each);
    }
    if count == 0 {
        return;
    }
    keys.clone_from(listed);
    let (_, &mut last, _) = keys.select_nth_unstable(count - 1);
    listed.retain(|&candidate| {
        let is_first = candidate <= last;
        if is_first {
            each(candidate);
        }
        !is_first
    });
}
