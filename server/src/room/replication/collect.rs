//! Collects the records that a client lacks.
//!
//! They are found by words of 64 slots: the visible ones, less those that the client has and those
//! under way. Most slots are those of the shared baseline, one acknowledged snapshot; they take
//! just a look at the row of codes that all clients share.
//!
//! If more is due than fits, only likely records are coded. The slots are listed with their
//! priorities, which need no code. Then the first are coded: as many as should fill the snapshot by
//! the mean size of recent records, and some more if they do not.

use tickwire_shared::Tick;
use tickwire_shared::slots::{SlotSet, slots_of_word};

use super::SnapshotContext;
use super::candidates::{Candidate, MeanBits, take_first};
use super::delta_cache::{SharedBaseline, State};
use super::keyframe::Keyframe;
use super::priority::{Priority, WaitingFor};
use super::records::{Record, RecordBaseline, others_bits};
use super::sent_snapshots::SentSnapshots;
use crate::room::interest::Interest;

/// Rounds of coding until the snapshot is full.
const ROUNDS: usize = 3;
/// A snapshot with at most this share of its bits free, as a divisor, is full.
const FULL_SHARE: usize = 32;
/// Entities that stood still for longer are sent whole: the code of a baseline's age has its own
/// limit.
const BASELINE_TICKS_MAX: u32 = 1 << 20;

/// Collects the records that one client lacks.
pub(super) struct Collector<'a, 'c> {
    pub(super) interest: &'a Interest,
    pub(super) sent_snapshots: &'a SentSnapshots,
    pub(super) keyframe: &'a Keyframe,
    /// Slots of which the client has the newest state.
    pub(super) up_to_date: &'a mut SlotSet,
    /// True in a tick that includes far entities.
    pub(super) is_far_turn: bool,
    pub(super) context: &'a mut SnapshotContext<'c>,
}

/// The slots of one word that the client may lack.
#[derive(Clone, Copy, Debug)]
struct LackingWord {
    at: usize,
    near: u64,
    mine: u64,
    /// Slots of the shared baseline.
    marked: u64,
    /// Slots that the shared baseline does not have.
    others: u64,
    /// Slots that the client should forget.
    gone: u64,
}

impl Collector<'_, '_> {
    /// Codes all records that the client lacks. Returns their bits.
    pub(super) fn all(&mut self) -> usize {
        self.context.scratch.begin();
        let mut bits = 0;
        for at in 0..self.words() {
            let Some(word) = self.lacking(at) else { continue };
            let mut others = word.others;
            if let (Some(baseline), 1..) = (self.context.scratch.records.baseline, word.marked) {
                let (taken, void) = self.code_marked(baseline, word);
                bits += taken;
                others |= void;
            }
            if others != 0 {
                self.code_others(word, others);
            }
            if word.gone != 0 {
                self.code_gone(word);
            }
        }
        let records = &self.context.scratch.records;
        bits + records.marks_bits() + others_bits(&records.others)
    }

    /// Codes the first records that the client lacks, until they fill `bits_max`; the others stay
    /// listed. Returns the bits of the coded ones.
    pub(super) fn first(&mut self, mean_bits: &mut MeanBits, bits_max: usize) -> usize {
        self.context.scratch.begin();
        for at in 0..self.words() {
            let Some(word) = self.lacking(at) else { continue };
            self.list(word);
            if word.gone != 0 {
                self.code_gone(word);
            }
        }
        self.code_listed(mean_bits, bits_max)
    }

    fn words(&self) -> usize {
        self.interest.visible().words().len()
    }

    /// The slots of word `at` that the client may lack; `None` without any.
    #[inline]
    fn lacking(&mut self, at: usize) -> Option<LackingWord> {
        let (visible, near) = (self.interest.visible().word(at), self.interest.near().word(at));
        let free = !self.keyframe.held(at);
        let gone = self.sent_snapshots.known().word(at) & !visible & free;
        let up_to_date = &mut self.up_to_date.words_mut()[at];
        *up_to_date &= !self.context.world.changed().word(at);
        let look = !*up_to_date & free & if self.is_far_turn { visible } else { near };
        if look | gone == 0 {
            return None;
        }
        let scratch = &self.context.scratch;
        let valid = scratch.records.valid.get(at).copied().unwrap_or(0);
        let mine = scratch.mine.word(at);
        Some(LackingWord { at, near, mine, marked: look & valid, others: look & !valid, gone })
    }

    /// Codes slots of the shared baseline, as predicted or as deltas. Returns the bits of the
    /// deltas, and the slots that hold another entity by now.
    #[inline]
    fn code_marked(&mut self, baseline: SharedBaseline, word: LackingWord) -> (usize, u64) {
        let (mut bits, mut void, mut coded, mut predicted) = (0, 0, 0, 0);
        let world = self.context.world;
        let (tick, summaries) = (world.tick(), world.summaries());
        for slot in slots_of_word(word.at, word.marked) {
            let bit = 1u64 << (slot % 64);
            let is_mine = word.mine & bit != 0;
            let code = self.context.delta_cache.delta_to(world, baseline, slot, is_mine);
            match code.state {
                State::Void => void |= bit,
                State::Same => self.up_to_date.insert(slot),
                State::Predicted => predicted |= bit,
                State::Differs => {
                    let changed = summaries[usize::from(slot)].changed_for(is_mine);
                    let sent = self.sent_snapshots;
                    if !code.fresh && sent.is_under_way(tick, changed, sent.sent(slot)) {
                        continue;
                    }
                    coded |= bit;
                    bits += code.bits();
                    let record = Record::shared(slot, code, Priority::NONE);
                    self.context.scratch.records.coded.push(record);
                }
            }
        }
        let marks = &mut self.context.scratch.records.marks;
        (marks.coded[word.at], marks.predicted[word.at]) = (coded, predicted);
        (bits, void)
    }

    /// Codes slots that the shared baseline does not have.
    #[inline]
    fn code_others(&mut self, word: LackingWord, others: u64) {
        let world = self.context.world;
        let (tick, sent) = (world.tick(), self.sent_snapshots);
        for slot in slots_of_word(word.at, others) {
            let is_mine = word.mine >> (slot % 64) & 1 == 1;
            let changed = world.summaries()[usize::from(slot)].changed_for(is_mine);
            let known = sent.known_state(world, slot);
            if known.is_some_and(|known| known.0 >= changed) {
                self.up_to_date.insert(slot);
                continue;
            }
            if changed != tick.0 && sent.is_under_way(tick, changed, sent.sent(slot)) {
                continue;
            }
            let record = self.context.record((slot, is_mine), known, Priority::NONE);
            self.context.scratch.records.others.push(record);
        }
    }

    /// Adds removals for slots that the client should forget, in order among the other records.
    fn code_gone(&mut self, word: LackingWord) {
        let (world, sent) = (self.context.world, self.sent_snapshots);
        for slot in slots_of_word(word.at, word.gone) {
            let gone = sent.gone(slot);
            if gone != 0 && world.tick().since(Tick(gone)) <= sent.flight_ticks() {
                continue;
            }
            let record = Record::gone(slot, sent.is_of_world(world, slot));
            let others = &mut self.context.scratch.records.others;
            others.insert(others.partition_point(|other| other.slot < slot), record);
        }
    }

    /// Lists the slots of a word with news.
    fn list(&mut self, word: LackingWord) {
        let (world, sent_snapshots) = (self.context.world, self.sent_snapshots);
        let waiting = WaitingFor { world, interest: self.interest, sent_snapshots };
        let scratch = &mut self.context.scratch;
        let mine = world.changed().word(word.at) & word.mine;
        let fresh = mine | world.changed_public().word(word.at) & !word.mine;
        let sent = sent_snapshots.sent_word(word.at);
        let mut up_to_date = 0;
        for slot in slots_of_word(word.at, word.marked | word.others) {
            let bit = 1u64 << (slot % 64);
            let is_mine = word.mine & bit != 0;
            let summary = &world.summaries()[usize::from(slot)];
            let is_shared = |baseline: &SharedBaseline| {
                word.marked & bit != 0 && summary.spawned <= baseline.tick.0
            };
            let since = scratch.records.baseline.filter(is_shared);
            let sent = sent.tick(slot);
            if fresh & bit == 0 {
                let changed = summary.changed_for(is_mine);
                let known = since.map(|baseline| baseline.tick);
                let known = known.or_else(|| sent_snapshots.known_state(world, slot));
                if known.is_some_and(|known| known.0 >= changed) {
                    up_to_date |= bit;
                    continue;
                }
                if sent_snapshots.is_under_way(world.tick(), changed, sent) {
                    continue;
                }
            }
            let priority = match is_mine {
                true => Priority::FIRST_OF_ALL,
                false => waiting.priority(slot, sent, word.near & bit != 0),
            };
            scratch.candidates.push(Candidate::new(priority, slot, since.is_some()));
        }
        self.up_to_date.words_mut()[word.at] |= up_to_date;
    }

    /// Codes the first of the listed slots.
    fn code_listed(&mut self, mean_bits: &mut MeanBits, bits_max: usize) -> usize {
        let mut listed = std::mem::take(&mut self.context.scratch.candidates);
        let mut keys = std::mem::take(&mut self.context.scratch.keys);
        let before_bits = self.context.scratch.records.bits();
        let (mut coded, mut bits) = (0, before_bits);
        for _ in 0..ROUNDS {
            if listed.is_empty() || bits + bits_max / FULL_SHARE >= bits_max {
                break;
            }
            let count = mean_bits.records_in(bits_max - bits).min(listed.len());
            coded += count;
            take_first(&mut listed, &mut keys, count, |candidate| self.code(candidate));
            // They are in order already, unless there were some before.
            let records = &mut self.context.scratch.records;
            records.coded.sort_unstable_by_key(|record| record.slot);
            records.others.sort_unstable_by_key(|record| record.slot);
            bits = records.bits();
        }
        mean_bits.learn(coded, bits - before_bits);
        (self.context.scratch.candidates, self.context.scratch.keys) = (listed, keys);
        bits
    }

    #[inline]
    fn code(&mut self, candidate: Candidate) {
        let (slot, priority) = (candidate.slot(), candidate.priority());
        let is_mine = self.context.scratch.mine.contains(slot);
        let baseline = self.context.scratch.records.baseline;
        let Some(baseline) = baseline.filter(|_| candidate.is_marked()) else {
            return self.code_other((slot, is_mine), priority);
        };
        let world = self.context.world;
        let code = self.context.delta_cache.delta_to(world, baseline, slot, is_mine);
        let records = &mut self.context.scratch.records;
        let (at, bit) = (usize::from(slot) / 64, 1 << (slot % 64));
        match code.state {
            State::Void => self.code_other((slot, is_mine), priority),
            State::Same => self.up_to_date.insert(slot),
            State::Predicted => records.marks.predicted[at] |= bit,
            State::Differs => {
                records.marks.coded[at] |= bit;
                records.coded.push(Record::shared(slot, code, priority));
            }
        }
    }

    /// Codes a slot without the shared baseline.
    fn code_other(&mut self, (slot, is_mine): (u16, bool), priority: Priority) {
        let known = self.sent_snapshots.known_state(self.context.world, slot);
        let record = self.context.record((slot, is_mine), known, priority);
        self.context.scratch.records.others.push(record);
    }
}

impl SnapshotContext<'_> {
    /// The record of a slot whose state at `known` the client has, coded without the shared
    /// baseline.
    pub(super) fn record(
        &mut self,
        (slot, is_mine): (u16, bool),
        known: Option<Tick>,
        priority: Priority,
    ) -> Record {
        let world = self.world;
        let Some(known) = known else { return self.whole((slot, is_mine), priority) };
        let age_ticks = world.tick().0.wrapping_sub(known.0);
        let coded = self.delta_cache.delta_since(world, slot, known, is_mine);
        if coded.state == State::Void || age_ticks > BASELINE_TICKS_MAX {
            return self.whole((slot, is_mine), priority);
        }
        let against = RecordBaseline::Age(age_ticks);
        let shared_age = self.scratch.records.baseline.map_or(0, |baseline| baseline.age_ticks);
        let head_bits = against.head(world, slot).len_bits(shared_age) as u8;
        Record { coded, against, slot, priority, head_bits }
    }

    /// The record of a slot, coded whole.
    pub(super) fn whole(&mut self, (slot, is_mine): (u16, bool), priority: Priority) -> Record {
        let coded = self.delta_cache.whole(self.world, slot, is_mine);
        let against = RecordBaseline::Nothing { is_mine };
        let head_bits = against.head(self.world, slot).len_bits(0) as u8;
        Record { coded, against, slot, priority, head_bits }
    }
}
