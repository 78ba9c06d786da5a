//! One client's snapshots: what it has, what it needs, and what fits.
//!
//! What a client may be coded against is only ever a state it acknowledged. Each packet keeps the set of
//! slots whose states it held, so what was sent and acknowledged of a slot is found by looking back
//! through the packets, 64 slots at a time (see [`packets`]). Most slots need no look: they are in the
//! set of the common baseline, one acknowledged packet.

mod budget;
mod events;
mod packets;
mod traces;

use tickwire_shared::input::SnapshotAck;
use tickwire_shared::slots::{SlotSet, slots_of_word};
use tickwire_shared::snapshot::{InputReport, Marks, RecordHead, SnapshotHeader, SnapshotWriter};
use tickwire_shared::{PlayerId, Tick};

use crate::config::RoomConfig;

use super::fragments::{Coded, Fragments, State};
use super::interest::{Interest, Sight};
use super::world::World;
pub(super) use events::EventBits;
use events::Events;
use packets::Packets;
use traces::{Past, Traces};

/// The replication state of one client.
#[derive(Debug)]
pub(super) struct Replication {
    player: PlayerId,
    seat: u8,
    past: Past,
    traces: Traces,
    interest: Interest,
    packets: Packets,
    events: Events,
    far_interval_ticks: u32,
    /// Slots of which the client has all there is, until they change.
    settled: SlotSet,
    /// What this tick's snapshot says of the slots of the common baseline's.
    marks: Marks,
    /// The deltas of those marked so, in the order of slots.
    coded: Vec<Record>,
    /// The records of other slots, in their order.
    others: Vec<Record>,
    /// Not all fits, or nearly so: records need priorities.
    crowded: bool,
}

/// One slot's part of a snapshot.
#[derive(Clone, Copy, Debug)]
struct Record {
    coded: Coded,
    against: Against,
    slot: u16,
    /// See [`budget`].
    priority: u16,
    /// Bits before the lanes, but for the gap to the record before.
    head_bits: u8,
}

/// What the lanes of a record are coded against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Against {
    /// The common baseline: it has a mark and no head.
    Common,
    /// The slot's state so many ticks ago.
    Age(u32),
    /// Nothing: they are whole.
    Nothing,
    /// There are no lanes: the slot is to be forgotten.
    Gone,
}

/// The common baseline of one snapshot.
#[derive(Clone, Copy, Debug)]
struct Common {
    tick: Tick,
    age_ticks: u32,
    row: u8,
}

/// One word of the client's interest.
#[derive(Clone, Copy, Debug)]
struct Word {
    at: usize,
    near: u64,
    mine: u64,
}

/// What all clients of a tick are written from.
pub(super) struct Scene<'a> {
    pub(super) world: &'a World,
    pub(super) fragments: &'a mut Fragments,
    pub(super) writer: &'a mut SnapshotWriter,
}

impl Replication {
    pub(super) fn new(config: &RoomConfig, player: PlayerId, seat: u8) -> Self {
        Replication {
            player,
            seat,
            past: Past::default(),
            traces: Traces::default(),
            interest: Interest::default(),
            packets: Packets::default(),
            events: Events::new(config.events_queued_max),
            far_interval_ticks: config.far_interval_ticks,
            settled: SlotSet::default(),
            marks: Marks::default(),
            coded: Vec::new(),
            others: Vec::new(),
            crowded: false,
        }
    }

    /// The events this client has not acknowledged.
    pub(super) fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// Takes the client's acknowledgements; `now` is the room's tick.
    pub(super) fn acknowledge(&mut self, now: Tick, ack: SnapshotAck) {
        let (past, events) = (&mut self.past, &mut self.events);
        self.packets.acknowledge(now, ack, |packet, newer| {
            for &slot in &packet.gone {
                past.forget_acknowledged(slot, newer.clone());
            }
            events.acknowledge(packet.events_end);
        });
    }

    /// Writes the snapshot of the scene in at most `bytes_max` bytes and appends it to `out`.
    pub(super) fn write(
        &mut self,
        scene: &mut Scene<'_>,
        sight: &Sight,
        input: Option<InputReport>,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) {
        let tick = scene.world.tick();
        let bits_max = bytes_max * 8;
        self.past.grow(scene.world.slots().len());
        self.packets.forget_old(tick, &mut self.past);
        self.interest.update(scene.world, sight, self.player);
        let (common, set) = self.common_baseline(tick, scene.fragments);
        let events = self.events.that_fit(bits_max);
        let header = SnapshotHeader {
            tick_low16: tick.low16(),
            seat: self.seat,
            input,
            events: (events > 0).then_some((self.events.first() as u16, events)),
            baseline_age: common.map_or(0, |common| common.age_ticks),
        };
        scene.writer.begin(header, self.events.coded(tick, events));

        let mut bits = self.gather(scene, common, &set);
        let bits_left = bits_max.saturating_sub(scene.writer.len_bits());
        if bits > bits_left && !self.crowded {
            self.crowded = true;
            bits = self.gather(scene, common, &set);
        }
        if bits > bits_left {
            self.choose(scene.world.slots().len(), common, &set, bits_left);
        }
        self.crowded = bits > bits_left - bits_left / CROWDED_SHARE;
        if common.is_some() {
            scene.writer.marks(&mut self.marks, set.words());
            for record in &self.coded {
                scene.writer.delta(scene.fragments.fragment(&record.coded));
            }
        }
        scene.writer.others(self.others.len() as u32);
        for record in &self.others {
            let lanes = scene.fragments.fragment(&record.coded);
            let head = self.head(scene.world, record.slot, record.against);
            scene.writer.record(record.slot, head, lanes);
        }
        scene.writer.finish(out);
        if let Some(common) = common {
            self.packets.put_back(common.tick, set);
        }
        self.remember(tick, events);
    }

    /// The snapshot that most of this one is coded against, and its slots. What is far comes at its own
    /// interval: a baseline a whole number of intervals ago has the same far slots.
    fn common_baseline(
        &mut self,
        tick: Tick,
        fragments: &mut Fragments,
    ) -> (Option<Common>, SlotSet) {
        let far_too = self.is_far_turn(tick) && self.interest.has_far();
        let interval = if far_too { self.far_interval_ticks } else { 1 };
        let Some((since, set)) = self.packets.take_baseline(tick, interval) else {
            return (None, SlotSet::default());
        };
        let age_ticks = tick.since(since) as u32;
        let row = fragments.row(age_ticks).expect("a baseline's age is limited");
        (Some(Common { tick: since, age_ticks, row }), set)
    }

    /// What is far waits for its turn; clients take turns, to spread the work.
    fn is_far_turn(&self, tick: Tick) -> bool {
        tick.0.wrapping_add(self.player.0).is_multiple_of(self.far_interval_ticks)
    }

    /// What the client lacks, in the order of slots; returns the bits it would take in all.
    fn gather(&mut self, scene: &mut Scene<'_>, common: Option<Common>, set: &SlotSet) -> usize {
        self.coded.clear();
        self.others.clear();
        self.marks.reset(set.words().len());
        self.settled.grow(scene.world.slots().len());
        for (settled, changed) in
            self.settled.words_mut().iter_mut().zip(scene.world.changed().words())
        {
            *settled &= !changed;
        }
        let tick = scene.world.tick();
        let turn = self.is_far_turn(tick);
        let mut bits = 0;
        for at in 0..self.interest.visible().words().len() {
            let word = Word {
                at,
                near: self.interest.near().word(at),
                mine: self.interest.mine().word(at),
            };
            let visible = self.interest.visible().word(at);
            let look = if turn { visible } else { word.near };
            let unsettled = look & !self.settled.word(at);
            let mut other = unsettled & !set.word(at);
            let marked = unsettled & set.word(at);
            if let (Some(common), 1..) = (common, marked) {
                let (taken, void) = self.gather_marked(scene, common, word, marked);
                bits += taken;
                other |= void;
            }
            if other != 0 {
                self.gather_others(scene, common, word, other);
            }
            let leaving = self.past.known().word(at) & !visible;
            if leaving != 0 {
                self.gather_leaving(tick, at, leaving);
            }
        }
        if common.is_some() {
            bits += self.marks.len_bits(set.words());
        }
        bits + budget::others_bits(&self.others)
    }

    /// Of the slots `marked` in a word of the common baseline: those that are as predicted, and those
    /// that are coded. Returns the bits of these, and the slots that hold something else by now.
    #[inline]
    fn gather_marked(
        &mut self,
        scene: &mut Scene<'_>,
        common: Common,
        word: Word,
        marked: u64,
    ) -> (usize, u64) {
        let told_gone = self.past.told_gone().word(word.at);
        if self.crowded {
            self.packets.trace(&self.past, word.at, marked, &mut self.traces);
        }
        let (mut bits, mut void, mut coded, mut predicted) = (0, 0, 0, 0);
        for slot in slots_of_word(word.at, marked) {
            let bit = 1u64 << (slot % 64);
            if told_gone & bit != 0 && self.past.gone(slot) >= common.tick.0 {
                void |= bit;
                continue;
            }
            let code = match word.mine & bit {
                0 => scene.fragments.delta(scene.world, common.row, common.tick, slot),
                _ => scene.fragments.delta_since(scene.world, slot, common.tick, true),
            };
            match code.state {
                State::Void => void |= bit,
                State::Same => self.settled.insert(slot),
                State::Predicted => predicted |= bit,
                State::Differs => {
                    if !code.fresh && self.is_under_way(scene.world, slot) {
                        continue;
                    }
                    coded |= bit;
                    bits += code.bits();
                    self.coded.push(Record {
                        coded: code,
                        against: Against::Common,
                        slot,
                        priority: self.priority(scene.world, word, slot),
                        head_bits: 0,
                    });
                }
            }
        }
        self.marks.coded[word.at] = coded;
        self.marks.predicted[word.at] = predicted;
        (bits, void)
    }

    /// Slots that the common baseline's snapshot had not.
    #[inline]
    fn gather_others(
        &mut self,
        scene: &mut Scene<'_>,
        common: Option<Common>,
        word: Word,
        other: u64,
    ) {
        let world = scene.world;
        let tick = world.tick();
        let flight_ticks = self.packets.flight_ticks();
        let common_age = common.map_or(0, |common| common.age_ticks);
        self.packets.trace(&self.past, word.at, other, &mut self.traces);
        for slot in slots_of_word(word.at, other) {
            let number = usize::from(slot);
            let glance = &world.glances()[number];
            let mine = word.mine >> (slot % 64) & 1 == 1;
            let changed = if mine { glance.changed } else { glance.changed_public };
            let (acked, sent) = (self.traces.acked(slot), self.traces.sent(slot));
            let known = acked != 0 && acked >= glance.spawned;
            if known && acked >= changed {
                self.settled.insert(slot);
                continue;
            }
            if sent != 0 && sent >= changed && tick.since(Tick(sent)) <= flight_ticks {
                continue;
            }
            let age_ticks = tick.0.wrapping_sub(acked);
            let mut coded = Coded::EMPTY;
            // A slot of the common baseline that holds something new is not coded against it.
            if known && age_ticks != common_age {
                coded = scene.fragments.delta_since(world, slot, Tick(acked), mine);
            }
            let mut against = Against::Age(age_ticks);
            if coded.state == State::Void {
                coded = scene.fragments.whole(world, slot, mine);
                against = Against::Nothing;
            }
            let head_bits = self.head(world, slot, against).len_bits(common_age) as u8;
            let priority = self.priority(world, word, slot);
            self.others.push(Record { coded, against, slot, priority, head_bits });
        }
    }

    /// Slots that the client should forget. Among the other records of the same word they are put in
    /// order.
    fn gather_leaving(&mut self, tick: Tick, at: usize, leaving: u64) {
        let flight_ticks = self.packets.flight_ticks();
        for slot in slots_of_word(at, leaving) {
            if tick.since(Tick(self.past.gone(slot))) <= flight_ticks {
                continue;
            }
            let record = Record {
                coded: Coded::EMPTY,
                against: Against::Gone,
                slot,
                priority: budget::FIRST_OF_ALL,
                head_bits: RecordHead::Gone.len_bits(0) as u8,
            };
            let place = self.others.partition_point(|other| other.slot < slot);
            self.others.insert(place, record);
        }
    }

    /// Whether what there is to tell of a slot is on its way to the client already.
    fn is_under_way(&mut self, world: &World, slot: u16) -> bool {
        let bit = 1 << (slot % 64);
        self.packets.trace(&self.past, usize::from(slot) / 64, bit, &mut self.traces);
        let sent = self.traces.sent(slot);
        let flight_ticks = self.packets.flight_ticks();
        sent >= world.glances()[usize::from(slot)].changed
            && world.tick().since(Tick(sent)) <= flight_ticks
    }

    #[inline]
    fn head(&self, world: &World, slot: u16, against: Against) -> RecordHead {
        match against {
            Against::Age(age_ticks) => RecordHead::Delta { age_ticks },
            Against::Common | Against::Gone => RecordHead::Gone,
            Against::Nothing => {
                let entity = &world.slots()[usize::from(slot)];
                let mine = self.interest.mine().contains(slot);
                RecordHead::Whole { kind: u32::from(entity.kind), mine, id: entity.id.0 }
            }
        }
    }

    /// Keeps what the snapshot of `tick` held until it is acknowledged.
    fn remember(&mut self, tick: Tick, events: usize) {
        let events_end = self.events.first() + events as u64;
        let packet = self.packets.begin(tick, events_end);
        packet.set.grow(self.marks.coded.len() * 64);
        let marks = self.marks.coded.iter().zip(&self.marks.predicted);
        for (word, (coded, predicted)) in packet.set.words_mut().iter_mut().zip(marks) {
            *word = coded | predicted;
        }
        for record in &self.others {
            if record.against == Against::Gone {
                self.past.tell_gone(tick, record.slot);
                self.settled.remove(record.slot);
                packet.gone.push(record.slot);
            } else {
                packet.set.insert(record.slot);
            }
        }
        self.past.send(&packet.set);
    }
}

/// When all but so small a share of a snapshot is full, records get priorities.
const CROWDED_SHARE: usize = 8;
