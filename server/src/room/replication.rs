//! One client's snapshots: what it has, what it needs, and what fits.
//!
//! What a client is sent is gathered by words of 64 slots: what it sees, less what it has and what is on
//! its way. Most slots are those of the common baseline, one acknowledged snapshot, and need no more than
//! a look at the row of codes that all clients share.
//!
//! Little is kept for each client, and in one piece: with hundreds of them the memory they touch in a
//! tick costs more than what is done with it.

mod budget;
mod crowd;
mod events;
mod keyframe;
mod sent_snapshots;
mod touch;

use tickwire_shared::input::SnapshotAck;
use tickwire_shared::slots::{self, SlotSet, slots_of_word};
use tickwire_shared::snapshot::{InputReport, Marks, RecordHead, SnapshotHeader, SnapshotWriter};
use tickwire_shared::{PlayerId, Tick};

use crate::config::RoomConfig;

use super::delta_cache::{CachedDelta, DeltaCache, State};
use super::interest::Interest;
use super::view_area::ViewArea;
use super::world::World;
use budget::{LeftOut, Priority, RecordRank};
use crowd::{Candidate, MeanBits};
pub(super) use events::EventBits;
use events::Events;
use keyframe::Keyframe;
pub(super) use keyframe::PART_BYTES_MIN;
use sent_snapshots::SentSnapshots;

/// The replication state of one client.
#[derive(Debug)]
pub(super) struct Replication {
    player: PlayerId,
    seat: u8,
    interest: Interest,
    sent_snapshots: SentSnapshots,
    events: Events,
    keyframe: Keyframe,
    far_interval_ticks: u32,
    /// Slots of which the client has all there is, until they change.
    up_to_date: SlotSet,
    /// Not all fits, or nearly so: records need priorities.
    over_budget: bool,
    /// Of the records in crowded snapshots.
    mean_bits: MeanBits,
    /// What the last snapshot would have had to be to hold any record, if it held none for lack of place.
    lacks_bytes: usize,
    /// What was the first not to fit.
    blocked: LeftOut,
}

/// What a snapshot is put together in; all clients use the same.
#[derive(Debug, Default)]
pub(super) struct SnapshotScratch {
    writer: SnapshotWriter,
    /// The slots that the client owns.
    mine: SlotSet,
    /// The slots that may be in view.
    found: Vec<u64>,
    /// The slots of the common baseline's snapshot.
    set: Vec<u64>,
    /// Those of them that may be coded against.
    valid: Vec<u64>,
    /// What is said of them.
    marks: Marks,
    /// The deltas of those marked so, in the order of slots.
    coded: Vec<Record>,
    /// The records of other slots, in their order.
    others: Vec<Record>,
    /// Of those, the whole ones that did not fit.
    left_out: Vec<Record>,
    /// Where the records stand, for those to be found that matter most.
    ranks: Vec<RecordRank>,
    /// In a crowd, what there is to tell and is not coded, in the order of slots.
    candidates: Vec<Candidate>,
    /// The same, for the first of it to be found.
    keys: Vec<Candidate>,
    /// The slots whose states the snapshot holds.
    held: SlotSet,
}

/// One slot's part of a snapshot.
#[derive(Clone, Copy, Debug)]
struct Record {
    coded: CachedDelta,
    against: RecordBaseline,
    slot: u16,
    priority: Priority,
    /// Bits before the lanes, but for the gap to the record before.
    head_bits: u8,
}

/// What the lanes of a record are coded against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordBaseline {
    /// The common baseline: it has a mark and no head.
    Common,
    /// The slot's state so many ticks ago.
    Age(u32),
    /// Nothing: they are whole.
    Nothing,
    /// There are no lanes: the slot is to be forgotten.
    Gone { in_world: bool },
}

/// The common baseline of one snapshot.
#[derive(Clone, Copy, Debug)]
struct SharedBaseline {
    tick: Tick,
    age_ticks: u32,
    row: u8,
}

/// One word of the client's interest.
#[derive(Clone, Copy, Debug)]
struct InterestWord {
    at: usize,
    near: u64,
    mine: u64,
}

/// What all clients of a tick are written from.
pub(super) struct SnapshotContext<'a> {
    pub(super) world: &'a World,
    pub(super) delta_cache: &'a mut DeltaCache,
    pub(super) scratch: &'a mut SnapshotScratch,
}

impl Replication {
    pub(super) fn new(config: &RoomConfig, player: PlayerId, seat: u8) -> Self {
        Replication {
            player,
            seat,
            interest: Interest::default(),
            sent_snapshots: SentSnapshots::default(),
            events: Events::new(config.events_queued_max),
            keyframe: Keyframe::default(),
            far_interval_ticks: config.far_interval_ticks,
            up_to_date: SlotSet::default(),
            over_budget: false,
            mean_bits: MeanBits::default(),
            lacks_bytes: 0,
            blocked: LeftOut::default(),
        }
    }

    /// The events this client has not acknowledged.
    pub(super) fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// Takes the client's acknowledgements; `now` is the room's tick. Returns the ticks from the newest
    /// acknowledged snapshot to now, if it is a new one.
    pub(super) fn acknowledge(&mut self, now: Tick, ack: SnapshotAck) -> Option<u32> {
        let events = &mut self.events;
        self.sent_snapshots.acknowledge(now, ack, |tick| events.acknowledge(tick))
    }

    /// Takes how many parts of keyframes the client has.
    pub(super) fn acknowledge_keyframes(&mut self, now: Tick, parts: u8, tick_hz: u32) {
        let sent_snapshots = &mut self.sent_snapshots;
        self.keyframe
            .acknowledge(now, parts, tick_hz, |slot, tick| sent_snapshots.bring(slot, tick));
    }

    /// The client is new, or was not heard for long: it may be sent parts of a keyframe for a while.
    pub(super) fn open_keyframe(&mut self, now: Tick, tick_hz: u32) {
        self.keyframe.open(now, tick_hz);
    }

    /// Writes the snapshot of the scene in at most `bytes_max` bytes, where another may have `bytes_most`, and
    /// appends it to `out`.
    pub(super) fn write(
        &mut self,
        context: &mut SnapshotContext<'_>,
        view_area: &ViewArea,
        input: Option<InputReport>,
        (bytes_max, bytes_most): (usize, usize),
        out: &mut Vec<u8>,
    ) {
        let tick = context.world.tick();
        let bits_max = bytes_max * 8;
        self.sent_snapshots.grow(context.world.slots().len());
        self.interest.update(context.world, view_area, self.player, &mut context.scratch.found);
        context.scratch.mine.reset(context.world.slots().len());
        let owned = context.world.grid().owned_by(self.player);
        owned.for_each(|slot| context.scratch.mine.insert(slot));
        let common = self.common_baseline(tick, bits_max, context);
        let (events, unreliable_events) = self.events.that_fit(bits_max, self.lacks_bytes > 0);
        let mut header = SnapshotHeader {
            tick_low16: tick.low16(),
            seat: self.seat,
            input,
            events: (events > 0).then_some((self.events.first() as u16, events)),
            unreliable_events,
            baseline_age: common.map_or(0, |common| common.age_ticks),
        };
        context.scratch.writer.begin(header, self.events.coded(tick, (events, unreliable_events)));

        let head_bits = context.scratch.writer.len_bits();
        let bits_left = bits_max.saturating_sub(head_bits);
        let mut bits = self.gather(context, common, bits_left);
        if bits > bits_left && !self.over_budget {
            self.over_budget = true;
            bits = self.gather(context, common, bits_left);
        }
        if bits > bits_left {
            let bits_most = (bytes_most * 8).saturating_sub(head_bits);
            self.choose(context.scratch, common, head_bits, (bits_left, bits_most));
        } else {
            (self.lacks_bytes, self.blocked) = (0, LeftOut::default());
        }
        let is_nearly_full = bits > bits_left - bits_left / CROWDED_SHARE;
        self.over_budget = is_nearly_full || !context.scratch.candidates.is_empty();
        let may_come = self.events.that_may_come(tick, events, |entity| self.has(context, entity));
        if may_come < events {
            // Begun anew without those held back, it is smaller.
            header.events = (may_come > 0).then_some((self.events.first() as u16, may_come));
            context
                .scratch
                .writer
                .begin(header, self.events.coded(tick, (may_come, unreliable_events)));
        }
        self.write_records(context, common);
        context.scratch.writer.finish(out);
        self.remember(tick, context.scratch, may_come);
    }

    fn write_records(&self, context: &mut SnapshotContext<'_>, common: Option<SharedBaseline>) {
        let SnapshotScratch { writer, set, marks, coded, others, .. } = &mut *context.scratch;
        if common.is_some() {
            writer.marks(marks, set);
            for record in &*coded {
                writer.delta(context.delta_cache.fragment(&record.coded));
            }
        }
        writer.others(others.len() as u32);
        for record in &*others {
            let head = self.head(context.world, record.slot, record.against);
            writer.record(record.slot, head, context.delta_cache.fragment(&record.coded));
        }
    }

    /// The snapshot that most of this one is coded against; its slots are put into the draft. What is far
    /// comes at its own interval: a baseline a whole number of intervals ago has the same far slots. One
    /// whose marks alone would take more than half of `bits_max` is none.
    fn common_baseline(
        &self,
        tick: Tick,
        bits_max: usize,
        context: &mut SnapshotContext<'_>,
    ) -> Option<SharedBaseline> {
        let far_too = self.is_far_turn(tick) && self.interest.has_far();
        let interval = if far_too { self.far_interval_ticks } else { 1 };
        context.scratch.set.clear();
        context.scratch.valid.clear();
        let baseline = self.sent_snapshots.baseline(tick, interval)?;
        if slots::count(baseline.set) > bits_max / MARKS_SHARE {
            return None;
        }
        context.scratch.set.extend_from_slice(baseline.set);
        context.scratch.valid.extend_from_slice(baseline.valid);
        let age_ticks = tick.since(baseline.tick) as u32;
        let row = context.delta_cache.row(age_ticks).expect("a baseline's age is limited");
        Some(SharedBaseline { tick: baseline.tick, age_ticks, row })
    }

    /// What is far waits for its turn; clients take turns, to spread the work.
    fn is_far_turn(&self, tick: Tick) -> bool {
        tick.0.wrapping_add(self.player.0).is_multiple_of(self.far_interval_ticks)
    }

    /// What the client lacks, in the order of slots; returns the bits it would take. In a crowd only what may
    /// fit `bits_max` is coded.
    fn gather(
        &mut self,
        context: &mut SnapshotContext<'_>,
        common: Option<SharedBaseline>,
        bits_max: usize,
    ) -> usize {
        let tick = context.world.tick();
        let turn = self.is_far_turn(tick);
        context.scratch.reset();
        self.up_to_date.grow(context.world.slots().len());
        let mut bits = 0;
        for at in 0..self.interest.visible().words().len() {
            let word = InterestWord {
                at,
                near: self.interest.near().word(at),
                mine: context.scratch.mine.word(at),
            };
            let visible = self.interest.visible().word(at);
            let free = !self.keyframe.held(at);
            let leaving = self.sent_snapshots.known().word(at) & !visible & free;
            let up_to_date = &mut self.up_to_date.words_mut()[at];
            *up_to_date &= !context.world.changed().word(at);
            let look = !*up_to_date & free & if turn { visible } else { word.near };
            if look | leaving == 0 {
                continue;
            }
            let valid = context.scratch.valid.get(at).copied().unwrap_or(0);
            let mut other = look & !valid;
            if self.over_budget {
                self.list(context, common, word, (look & valid, other));
                other = 0;
            } else if let (Some(common), 1..) = (common, look & valid) {
                let (taken, void) = self.gather_marked(context, common, word, look & valid);
                bits += taken;
                other |= void;
            }
            if other != 0 {
                self.gather_others(context, common, word, other);
            }
            if leaving != 0 {
                self.gather_leaving(context, at, leaving);
            }
        }
        if self.over_budget {
            return self.code_listed(context, common, bits_max);
        }
        if common.is_some() {
            bits += context.scratch.marks.len_bits(&context.scratch.set);
        }
        bits + budget::others_bits(&context.scratch.others)
    }

    /// Of the slots `marked` in a word of the common baseline: those that are as predicted, and those
    /// that are coded. Returns the bits of these, and the slots that hold something else by now.
    #[inline]
    fn gather_marked(
        &mut self,
        context: &mut SnapshotContext<'_>,
        common: SharedBaseline,
        word: InterestWord,
        marked: u64,
    ) -> (usize, u64) {
        let (mut bits, mut void, mut coded, mut predicted) = (0, 0, 0, 0);
        let (tick, summaries) = (context.world.tick(), context.world.summaries());
        for slot in slots_of_word(word.at, marked) {
            let bit = 1u64 << (slot % 64);
            let code = common.code(context, slot, word.mine & bit != 0);
            match code.state {
                State::Void => void |= bit,
                State::Same => self.up_to_date.insert(slot),
                State::Predicted => predicted |= bit,
                State::Differs => {
                    let changed = summaries[usize::from(slot)].changed_for(word.mine & bit != 0);
                    if !code.fresh
                        && self.is_under_way(tick, changed, self.sent_snapshots.sent(slot))
                    {
                        continue;
                    }
                    coded |= bit;
                    bits += code.bits();
                    context.scratch.coded.push(Record {
                        coded: code,
                        against: RecordBaseline::Common,
                        slot,
                        priority: Priority::NONE,
                        head_bits: 0,
                    });
                }
            }
        }
        context.scratch.marks.coded[word.at] = coded;
        context.scratch.marks.predicted[word.at] = predicted;
        (bits, void)
    }

    /// Slots that the common baseline's snapshot had not.
    #[inline]
    fn gather_others(
        &mut self,
        context: &mut SnapshotContext<'_>,
        common: Option<SharedBaseline>,
        word: InterestWord,
        other: u64,
    ) {
        let world = context.world;
        let tick = world.tick();
        let common_age = common.map_or(0, |common| common.age_ticks);
        for slot in slots_of_word(word.at, other) {
            let summary = &world.summaries()[usize::from(slot)];
            let mine = word.mine >> (slot % 64) & 1 == 1;
            let changed = summary.changed_for(mine);
            if self.known(world, slot).is_some_and(|known| known.0 >= changed) {
                self.up_to_date.insert(slot);
                continue;
            }
            if changed != tick.0 && self.is_under_way(tick, changed, self.sent_snapshots.sent(slot))
            {
                continue;
            }
            let record = self.other(context, common_age, (slot, mine), Priority::NONE);
            context.scratch.others.push(record);
        }
    }

    /// Slots that the client should forget. Among the other records of the same word they are put in
    /// order.
    fn gather_leaving(&self, context: &mut SnapshotContext<'_>, at: usize, leaving: u64) {
        let tick = context.world.tick();
        let flight_ticks = self.sent_snapshots.flight_ticks();
        for slot in slots_of_word(at, leaving) {
            let gone = self.sent_snapshots.gone(slot);
            if gone != 0 && tick.since(Tick(gone)) <= flight_ticks {
                continue;
            }
            let in_world = self.is_of_world(context.world, slot);
            let record = Record {
                coded: CachedDelta::EMPTY,
                against: RecordBaseline::Gone { in_world },
                slot,
                priority: Priority::FIRST_OF_ALL,
                head_bits: RecordHead::Gone { in_world }.len_bits(0) as u8,
            };
            let others = &mut context.scratch.others;
            others.insert(others.partition_point(|other| other.slot < slot), record);
        }
    }

    /// Whether what the client has in a slot is in the world, and not what had the slot before.
    fn is_of_world(&self, world: &World, slot: u16) -> bool {
        let told = self.sent_snapshots.acked(slot).max(self.sent_snapshots.sent(slot));
        world.alive().contains(slot) && told >= world.summaries()[usize::from(slot)].spawned
    }

    /// The newest tick of which the client surely has a state of the entity that is in `slot` now.
    #[inline]
    fn known(&self, world: &World, slot: u16) -> Option<Tick> {
        let acked = self.sent_snapshots.acked(slot);
        let spawned = world.summaries()[usize::from(slot)].spawned;
        (acked != 0 && acked >= spawned).then_some(Tick(acked))
    }

    /// Whether what changed at a tick is on its way to the client, in what was `sent`, at `now`.
    #[inline]
    fn is_under_way(&self, now: Tick, changed: u32, sent: u32) -> bool {
        sent != 0 && sent >= changed && now.since(Tick(sent)) <= self.sent_snapshots.flight_ticks()
    }

    #[inline]
    fn head(&self, world: &World, slot: u16, against: RecordBaseline) -> RecordHead {
        match against {
            RecordBaseline::Age(age_ticks) => RecordHead::Delta { age_ticks },
            RecordBaseline::Gone { in_world } => RecordHead::Gone { in_world },
            // It has no head.
            RecordBaseline::Common => RecordHead::Gone { in_world: false },
            RecordBaseline::Nothing => {
                let summary = &world.summaries()[usize::from(slot)];
                let id = world.slots()[usize::from(slot)].id.0;
                let mine = summary.owner == self.player.0;
                RecordHead::Whole { kind: u32::from(summary.kind), mine, id }
            }
        }
    }

    /// Keeps what the snapshot of `tick` held until it is acknowledged.
    fn remember(&mut self, tick: Tick, scratch: &mut SnapshotScratch, events: usize) {
        let SnapshotScratch { marks, others, held, .. } = scratch;
        held.reset(self.up_to_date.words().len() * 64);
        let marks = marks.coded.iter().zip(&marks.predicted);
        for (held, (coded, predicted)) in held.words_mut().iter_mut().zip(marks) {
            *held = coded | predicted;
        }
        let is_gone = |record: &&Record| matches!(record.against, RecordBaseline::Gone { .. });
        for record in others.iter().filter(|record| !is_gone(record)) {
            held.insert(record.slot);
        }
        let gone = others.iter().filter(is_gone).map(|record| record.slot);
        gone.clone().for_each(|slot| self.up_to_date.remove(slot));
        self.sent_snapshots.send(tick, held.words(), gone);
        self.events.send(tick, events);
    }
}

impl SharedBaseline {
    /// The code of `slot` against it.
    #[inline]
    fn code(&self, context: &mut SnapshotContext<'_>, slot: u16, is_mine: bool) -> CachedDelta {
        match is_mine {
            false => context.delta_cache.delta(context.world, self.row, self.tick, slot),
            true => context.delta_cache.delta_since(context.world, slot, self.tick, true),
        }
    }
}

impl SnapshotScratch {
    fn reset(&mut self) {
        self.coded.clear();
        self.others.clear();
        self.left_out.clear();
        self.candidates.clear();
        self.marks.reset(self.set.len());
    }
}

/// A mark takes two bits at most: with a slot for every four bits of a snapshot, half of it.
const MARKS_SHARE: usize = 4;
/// When all but so small a share of a snapshot is full, records get priorities.
const CROWDED_SHARE: usize = 8;

#[cfg(test)]
mod tests;
