//! One client's copy of the world and its next snapshot. In reading order:
//!
//! 1. [`Replication::write`]: a snapshot in seven calls;
//! 2. [`interest`](super::interest): the client's visible slots;
//! 3. [`sent_snapshots`]: the states that it has, by its acknowledgements;
//! 4. [`collect`] and [`candidates`]: the states that it lacks, as [`records`], coded once for all
//!    clients by the [`delta_cache`];
//! 5. [`fit`] and [`priority`]: the records that fit a snapshot;
//! 6. [`events`], and the [`keyframe`] for records that do not fit.
//!
//! A client's state is small and in one piece: with hundreds of clients, the memory touched in a
//! tick costs more than the work on it.

mod candidates;
mod collect;
mod delta_cache;
mod events;
mod fit;
mod keyframe;
mod priority;
mod records;
mod sent_snapshots;

use tickwire_shared::input::SnapshotAck;
use tickwire_shared::slots::{self, SlotSet};
use tickwire_shared::snapshot::{InputReport, SnapshotHeader, SnapshotWriter};
use tickwire_shared::{EntityId, GAP_TICKS_MAX, PlayerId, Tick};

use super::bandwidth::SendLimit;
use super::interest::{Interest, InterestScratch};
use super::view_area::MemberView;
use super::world::World;
use crate::config::RoomConfig;
use candidates::{Candidate, MeanBits};
use collect::Collector;
pub(super) use delta_cache::DeltaCache;
pub(super) use events::EventBits;
use events::Events;
use fit::{Backlog, BitLimit};
use keyframe::Keyframe;
use records::{RecordRank, Records};
use sent_snapshots::SentSnapshots;

/// A mark takes at most two bits: with a slot for every four bits of a snapshot, marks take half of
/// it.
const MARKS_SHARE: usize = 4;

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
    /// Slots of which the client has the newest state, until they change.
    up_to_date: SlotSet,
    /// The records that did not fit its snapshots.
    backlog: Backlog,
    /// The mean size of records in snapshots over budget.
    mean_bits: MeanBits,
}

/// The input of all clients' snapshots in a tick.
pub(super) struct SnapshotContext<'a> {
    pub(super) world: &'a World,
    pub(super) delta_cache: &'a mut DeltaCache,
    pub(super) scratch: &'a mut SnapshotScratch,
}

/// The scratch memory of a snapshot, shared by all clients.
#[derive(Debug, Default)]
pub(super) struct SnapshotScratch {
    writer: SnapshotWriter,
    /// The slots that the client owns.
    mine: SlotSet,
    interest: InterestScratch,
    records: Records,
    /// The ranks of the records, to find those that matter most.
    ranks: Vec<RecordRank>,
    /// Over budget, the slots with news that are not coded yet, in the order of slots.
    candidates: Vec<Candidate>,
    /// Scratch for picking the first candidates.
    keys: Vec<Candidate>,
    /// The slots whose states the snapshot holds.
    held: SlotSet,
}

/// The head of a snapshot, before its records are known.
#[derive(Clone, Copy, Debug)]
struct SnapshotHead {
    header: SnapshotHeader,
    /// The counts of reliable and of unreliable events.
    events: (usize, usize),
    limit: BitLimit,
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
            backlog: Backlog::default(),
            mean_bits: MeanBits::default(),
        }
    }

    /// Begins with an empty world, in another seat; events that wait are still sent.
    pub(super) fn begin_anew(&mut self, config: &RoomConfig, seat: u8) {
        let mut events = std::mem::replace(&mut self.events, Events::new(config.events_queued_max));
        events.forget_told();
        *self = Replication { events, ..Replication::new(config, self.player, seat) };
    }

    /// Allows parts of a keyframe for a while, for a client that is new or was silent for long.
    pub(super) fn open_keyframe(&mut self, now: Tick, tick_hz: u32) {
        self.keyframe.open(now, tick_hz);
    }

    /// The events this client has not acknowledged.
    pub(super) fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// Least bytes of a snapshot that would hold a record, if the last one held none; else 0.
    pub(super) fn lacks_bytes(&self) -> usize {
        self.backlog.lacks_bytes()
    }

    /// Writes the client's next snapshot within `limit` and appends it to `out`.
    pub(super) fn write(
        &mut self,
        context: &mut SnapshotContext<'_>,
        view: &MemberView<'_>,
        input: Option<InputReport>,
        limit: SendLimit,
        out: &mut Vec<u8>,
    ) {
        self.look(context, view);
        self.pick_baseline(context, limit);
        let head = self.begin(context, input, limit);
        let bits = self.collect(context, head.limit);
        self.backlog.fit(context.scratch, bits, head.limit);
        let events = self.encode(context, head, out);
        self.remember(context, events);
    }

    /// The next part of the keyframe in at most `bytes_max` bytes; `None` unless the last snapshot
    /// left out whole entities.
    pub(super) fn write_keyframe(
        &mut self,
        context: &mut SnapshotContext<'_>,
        bytes_max: usize,
    ) -> Option<Vec<u8>> {
        self.keyframe.write(context, &self.sent_snapshots, self.seat, bytes_max)
    }

    /// Takes the client's acknowledgements; `now` is the room's tick. Returns the age, in ticks, of
    /// the newest acknowledged snapshot, if its acknowledgement is new.
    pub(super) fn acknowledge(&mut self, now: Tick, ack: SnapshotAck) -> Option<u32> {
        let events = &mut self.events;
        self.sent_snapshots.acknowledge(now, ack, |tick| events.acknowledge(tick))
    }

    /// Takes the number of keyframe parts that the client has, modulo 256.
    pub(super) fn acknowledge_keyframes(&mut self, now: Tick, parts: u8, tick_hz: u32) {
        let sent_snapshots = &mut self.sent_snapshots;
        self.keyframe
            .acknowledge(now, parts, tick_hz, |slot, tick| sent_snapshots.bring(slot, tick));
    }

    /// True after any acknowledgement.
    pub(super) fn is_heard(&self) -> bool {
        self.sent_snapshots.is_heard()
    }

    /// True if nothing was acknowledged for so long that the low bits of a tick are ambiguous.
    pub(super) fn is_out_of_touch(&self, now: Tick) -> bool {
        self.sent_snapshots.unheard_ticks(now) > GAP_TICKS_MAX
    }

    /// True if a later datagram overtook the one with this acknowledgement.
    pub(super) fn is_overtaken(&self, now: Tick, ack: SnapshotAck) -> bool {
        self.sent_snapshots.is_overtaken(now, ack)
    }

    /// Finds the slots that the client sees and owns.
    fn look(&mut self, context: &mut SnapshotContext<'_>, view: &MemberView<'_>) {
        let slots = context.world.slots().len();
        self.sent_snapshots.grow(slots);
        self.up_to_date.grow(slots);
        self.interest.update(context.world, view, &mut context.scratch.interest);
        context.scratch.mine.reset(slots);
        let owned = context.world.grid().owned_by(view.owner());
        owned.for_each(|slot| context.scratch.mine.insert(slot));
    }

    /// Picks the snapshot that most of this one is coded against. Far entities come at their own
    /// interval: a baseline a whole number of intervals ago has the same far slots. A baseline
    /// whose marks could take more than half of the snapshot is not used.
    fn pick_baseline(&self, context: &mut SnapshotContext<'_>, limit: SendLimit) {
        let tick = context.world.tick();
        let far_too = self.is_far_turn(tick) && self.interest.has_far();
        let interval = if far_too { self.far_interval_ticks } else { 1 };
        let records = &mut context.scratch.records;
        records.set.clear();
        records.valid.clear();
        records.baseline = None;
        let baseline = self.sent_snapshots.baseline(tick, interval);
        let fits = |set: &[u64]| slots::count(set) <= limit.bytes_max * 8 / MARKS_SHARE;
        if let Some(baseline) = baseline.filter(|baseline| fits(baseline.set)) {
            records.set.extend_from_slice(baseline.set);
            records.valid.extend_from_slice(baseline.valid);
            let shared = context.delta_cache.shared_baseline(context.world, baseline.tick);
            records.baseline = Some(shared.expect("a baseline's age is limited"));
        }
    }

    /// Begins the snapshot with its header and the events that fit.
    fn begin(
        &self,
        context: &mut SnapshotContext<'_>,
        input: Option<InputReport>,
        limit: SendLimit,
    ) -> SnapshotHead {
        let (tick, scratch) = (context.world.tick(), &mut *context.scratch);
        let events = self.events.that_fit(limit.bytes_max * 8, self.lacks_bytes() > 0);
        let header = SnapshotHeader {
            tick_low16: tick.low16(),
            seat: self.seat,
            input,
            events: self.numbered(events.0),
            unreliable_events: events.1,
            baseline_age: scratch.records.baseline.map_or(0, |baseline| baseline.age_ticks),
        };
        scratch.writer.begin(header, self.events.coded(tick, events));
        let limit = BitLimit::behind(scratch.writer.len_bits(), limit);
        SnapshotHead { header, events, limit }
    }

    /// Collects the records that the client lacks; over budget only likely ones are coded. Returns
    /// their bits.
    fn collect(&mut self, context: &mut SnapshotContext<'_>, limit: BitLimit) -> usize {
        let is_far_turn = self.is_far_turn(context.world.tick());
        let mut collector = Collector {
            interest: &self.interest,
            sent_snapshots: &self.sent_snapshots,
            keyframe: &self.keyframe,
            up_to_date: &mut self.up_to_date,
            is_far_turn,
            context,
        };
        if !self.backlog.is_over_budget() {
            let bits = collector.all();
            if bits <= limit.now {
                return bits;
            }
            self.backlog.overflow();
        }
        collector.first(&mut self.mean_bits, limit.now)
    }

    /// Writes the records behind the head. Returns the number of reliable events.
    fn encode(
        &self,
        context: &mut SnapshotContext<'_>,
        mut head: SnapshotHead,
        out: &mut Vec<u8>,
    ) -> usize {
        let tick = context.world.tick();
        let (count, once) = head.events;
        let has = |entity| self.has(context, entity);
        let may_come = self.events.that_may_come(tick, count, has);
        let SnapshotScratch { writer, records, .. } = &mut *context.scratch;
        if may_come < count {
            // Begun again without the events held back, the snapshot is smaller.
            head.header.events = self.numbered(may_come);
            writer.begin(head.header, self.events.coded(tick, (may_come, once)));
        }
        if records.baseline.is_some() {
            writer.marks(&mut records.marks, &records.set);
            for record in &records.coded {
                writer.delta(context.delta_cache.fragment(&record.coded));
            }
        }
        writer.others(records.others.len() as u32);
        for record in &records.others {
            let head = record.against.head(context.world, record.slot);
            writer.record(record.slot, head, context.delta_cache.fragment(&record.coded));
        }
        writer.finish(out);
        may_come
    }

    /// Records the snapshot's contents until it is acknowledged.
    fn remember(&mut self, context: &mut SnapshotContext<'_>, events: usize) {
        let tick = context.world.tick();
        let SnapshotScratch { records: Records { marks, others, .. }, held, .. } =
            &mut *context.scratch;
        held.reset(self.up_to_date.words().len() * 64);
        let marks = marks.coded.iter().zip(&marks.predicted);
        for (held, (coded, predicted)) in held.words_mut().iter_mut().zip(marks) {
            *held = coded | predicted;
        }
        for record in others.iter().filter(|record| !record.is_gone()) {
            held.insert(record.slot);
        }
        let gone = others.iter().filter(|record| record.is_gone()).map(|record| record.slot);
        gone.clone().for_each(|slot| self.up_to_date.remove(slot));
        self.sent_snapshots.send(tick, held.words(), gone);
        self.events.send(tick, events);
    }

    /// True in the ticks that include far entities; clients take turns, to spread the work.
    fn is_far_turn(&self, tick: Tick) -> bool {
        tick.0.wrapping_add(self.player.0).is_multiple_of(self.far_interval_ticks)
    }

    /// The header's entry for the first `count` events.
    fn numbered(&self, count: usize) -> Option<(u16, usize)> {
        (count > 0).then_some((self.events.first() as u16, count))
    }

    /// True if the client has an entity once it has this snapshot, or if it does not see the
    /// entity.
    fn has(&self, context: &SnapshotContext<'_>, entity: EntityId) -> bool {
        let Some(slot) = context.world.slot_of(entity) else { return true };
        let others = &context.scratch.records.others;
        let is_here = || others.binary_search_by_key(&slot, |record| record.slot).is_ok();
        !self.interest.visible().contains(slot)
            || self.sent_snapshots.known_state(context.world, slot).is_some()
            || is_here()
    }
}

impl SnapshotScratch {
    /// Empties the records and candidates.
    fn begin(&mut self) {
        self.records.clear();
        self.candidates.clear();
    }
}

#[cfg(test)]
mod tests;
