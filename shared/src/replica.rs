//! A client's copy of the world, updated by snapshots.

mod error;
mod keyframe;

pub use error::SnapshotError;

use std::collections::VecDeque;

use crate::Tick;
use crate::bits::{BitReader, BitStream};
use crate::delta::{Baseline, LaneTable};
use crate::history::History;
use crate::input::SnapshotAck;
use crate::schema::Schema;
use crate::simulation::EntityId;
use crate::slots::{SlotSet, slots_of_word};
use crate::snapshot::{
    BASELINE_AGE_MAX, EventHead, InputReport, Marks, RecordHead, SnapshotHeader,
};

/// Most states kept of one entity: its baseline, and the newest others.
pub const STATES_MAX: usize = 192;

/// Ticks for which states are kept in any case: interpolation runs behind.
const SHOWN_TICKS: i32 = 32;

const NOBODY: u32 = u32::MAX;

/// Results of a snapshot, or of a part of a keyframe, besides entities.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Its tick.
    pub tick: Tick,
    /// The report on the client's inputs.
    pub input: Option<InputReport>,
    /// Events not delivered before, in order; unreliable ones come last.
    pub events: Vec<Event>,
    /// Entities removed from the replica, in the order of their slots.
    pub departed: Vec<Departed>,
}

/// An entity that the server removed.
#[derive(Clone, Debug)]
pub struct Departed {
    /// Its last known state.
    pub entity: Entity,
    /// The snapshot that removed it.
    pub tick: Tick,
    /// It still exists, out of the client's view.
    pub in_world: bool,
}

/// A game event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The room's tick at which it happened.
    pub tick: Tick,
    /// Kind number in the server's schema.
    pub kind: u8,
    /// Its lanes.
    pub lanes: Vec<i32>,
}

/// One entity as a client knows it.
#[derive(Clone, Debug)]
pub struct Entity {
    slot: u16,
    /// The game's id.
    pub id: EntityId,
    /// Kind number in the server's schema.
    pub kind: u8,
    /// This client owns it.
    pub mine: bool,
    /// The snapshot in which it first appeared.
    pub first: Tick,
    /// Its received states, oldest first; never empty.
    pub states: History,
}

impl Entity {
    #[inline]
    fn forget_beyond_max(&mut self) {
        if self.states.len() > STATES_MAX {
            // The oldest may still be the baseline; the second is too old to become one.
            self.states.forget_second();
        }
    }
}

/// The world as received in snapshots.
#[derive(Clone, Debug)]
pub struct Replica {
    kinds: Vec<LaneTable>,
    events: Vec<LaneTable>,
    entities: Vec<Entity>,
    /// Index in `entities` by slot, or `NOBODY`. At most 65,536 numbers of four bytes.
    places: Vec<u32>,
    seat: u8,
    /// Snapshots up to this one belong to an earlier stay.
    begin: Option<Tick>,
    newest: Option<Tick>,
    /// The tick of the newest part of a keyframe: older snapshots contain less than it brought.
    keyframe: Option<Tick>,
    /// Bit `n`: the snapshot `n + 1` ticks before the newest was applied.
    before: u32,
    next_event: u16,
    /// The slots of each snapshot that may still be a common baseline, newest last.
    heard: VecDeque<(Tick, SlotSet)>,
    marks: Marks,
    /// The records of the last snapshot, in its order, until all of it is known to be valid. A
    /// delta's lanes are in the draft of its entity's history.
    decoded: Vec<Decoded>,
    /// The lanes of new entities.
    whole_lanes: Vec<i32>,
}

#[derive(Clone, Copy, Debug)]
struct Decoded {
    slot: u16,
    told: SlotRecord,
}

/// The record of a slot in a snapshot.
#[derive(Clone, Copy, Debug)]
enum SlotRecord {
    /// New lanes, based on those of this tick.
    Since(Tick),
    Whole {
        kind: u8,
        mine: bool,
        id: EntityId,
        lanes_at: usize,
    },
    Gone {
        in_world: bool,
    },
}

impl Replica {
    /// An empty world of the game of `schema`, which must be valid, for one stay in a room.
    pub fn new(schema: &Schema, seat: u8) -> Self {
        let compile = |kinds: &[crate::schema::KindSchema]| {
            kinds.iter().map(|kind| LaneTable::new(kind, schema.tick_hz)).collect()
        };
        Replica {
            kinds: LaneTable::of_entities(schema),
            events: compile(&schema.events),
            entities: Vec::new(),
            places: Vec::new(),
            seat,
            begin: None,
            newest: None,
            keyframe: None,
            before: 0,
            next_event: 0,
            heard: VecDeque::new(),
            marks: Marks::default(),
            decoded: Vec::new(),
            whole_lanes: Vec::new(),
        }
    }

    /// Says that the stay began at `tick`: snapshots up to then belong to an earlier stay with the
    /// same seat.
    #[must_use]
    pub fn since(mut self, tick: Tick) -> Self {
        self.begin = Some(tick);
        self
    }

    /// Continues the stay after the world restarted: events that `before` delivered are not
    /// repeated.
    pub fn go_on_from(&mut self, before: &Replica) {
        self.next_event = before.next_event;
    }

    /// Applies a snapshot datagram. `near` is any recent tick of the room, used until the first
    /// snapshot. The last snapshot applied must be less than 32,768 ticks old: a datagram cannot
    /// express a longer gap, see [`GAP_TICKS_MAX`](crate::GAP_TICKS_MAX).
    ///
    /// # Errors
    /// [`SnapshotError`]; the world is then unchanged.
    pub fn apply(&mut self, bytes: &[u8], near: Tick) -> Result<Applied, SnapshotError> {
        let mut reader = BitReader::new(bytes);
        let mut header = SnapshotHeader::default();
        header.head(&mut reader)?;
        if header.seat != self.seat {
            return Err(SnapshotError::OtherSeat);
        }
        let tick = Tick::expand(header.tick_low16, self.newest.unwrap_or(near));
        let known = self.newest.or(self.begin);
        let is_known = known.is_some_and(|known| tick.since(known) <= 0);
        // The snapshot of a part's own tick contains nothing of that part.
        if is_known || self.keyframe.is_some_and(|part| tick.since(part) < 0) {
            return Err(SnapshotError::Late);
        }
        let events = self.read_events(&mut reader, &header, tick)?;
        header.tail(&mut reader)?;
        self.decoded.clear();
        self.whole_lanes.clear();
        if header.baseline_age > 0 {
            self.read_common(&mut reader, tick, header.baseline_age)?;
        }
        self.read_others(&mut reader, tick, header.baseline_age)?;
        reader.finish()?;
        if self.keyframe == Some(tick) && self.tells_again(tick) {
            return Err(SnapshotError::Malformed);
        }

        let departed = self.commit(tick);
        if let Some((first, count)) = header.events {
            let end = first.wrapping_add(count as u16);
            if (end.wrapping_sub(self.next_event) as i16) > 0 {
                self.next_event = end;
            }
        }
        self.acknowledge(tick);
        Ok(Applied { tick, input: header.input, events, departed })
    }

    /// The acknowledgement to send.
    pub fn ack(&self) -> Option<SnapshotAck> {
        self.newest.map(|tick| SnapshotAck { newest_low16: tick.low16(), before: self.before })
    }

    /// The tick of the newest snapshot.
    pub fn newest(&self) -> Option<Tick> {
        self.newest
    }

    /// Every entity, in no particular order.
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// Fills `lanes`, sized for the entity's kind, with the place to which its velocity takes
    /// `entity` from its newest state at `tick`; for an earlier tick with that state itself.
    ///
    /// # Panics
    /// If the entity belongs to another replica.
    pub fn extrapolate(&self, entity: &Entity, tick: Tick, lanes: &mut [i32]) {
        let newest = entity.states.len() - 1;
        let ticks = tick.since(entity.states.tick(newest)).max(0) as u32;
        let table = &self.kinds[usize::from(entity.kind)];
        let baseline = Baseline::new(entity.states.lanes(newest), ticks);
        table.extrapolate(&baseline, &mut lanes[..table.len()], entity.mine);
    }

    /// The field table of a kind of entity.
    pub fn kind(&self, kind: u8) -> Option<&LaneTable> {
        self.kinds.get(usize::from(kind))
    }

    fn read_events(
        &self,
        reader: &mut BitReader<'_>,
        header: &SnapshotHeader,
        tick: Tick,
    ) -> Result<Vec<Event>, SnapshotError> {
        let mut events = Vec::new();
        let (first, numbered) = header.events.unwrap_or((0, 0));
        for number in 0..numbered + header.unreliable_events {
            let mut head = EventHead::default();
            head.stream(reader, number < numbered)?;
            let table = self.events.get(head.kind as usize).ok_or(SnapshotError::Malformed)?;
            let mut lanes = vec![0; table.len()];
            table.whole(reader, &mut lanes, true)?;
            let place = first.wrapping_add(number as u16).wrapping_sub(self.next_event);
            if number >= numbered || (place as i16) >= 0 {
                let tick = tick.offset(-(head.age_ticks as i32));
                events.push(Event { tick, kind: head.kind as u8, lanes });
            }
        }
        Ok(events)
    }

    /// Reads the slots of the common baseline's snapshot.
    fn read_common(
        &mut self,
        reader: &mut BitReader<'_>,
        tick: Tick,
        age: u32,
    ) -> Result<(), SnapshotError> {
        let since = tick.offset(-(age as i32));
        let at = self.heard.iter().rposition(|(heard, _)| *heard == since);
        let heard = std::mem::take(&mut self.heard);
        let mut marks = std::mem::take(&mut self.marks);
        let read = match at {
            Some(at) => self.read_marked(reader, (since, age), heard[at].1.words(), &mut marks),
            None => Err(SnapshotError::UnknownBaseline),
        };
        (self.heard, self.marks) = (heard, marks);
        read
    }

    fn read_marked(
        &mut self,
        reader: &mut BitReader<'_>,
        (since, age): (Tick, u32),
        set: &[u64],
        marks: &mut Marks,
    ) -> Result<(), SnapshotError> {
        marks.reset(set.len());
        marks.stream(reader, set)?;
        for (at, (&coded, &predicted)) in marks.coded.iter().zip(&marks.predicted).enumerate() {
            for slot in slots_of_word(at, coded | predicted) {
                let expected = predicted >> (slot % 64) & 1 == 1;
                let reader = (!expected).then_some(&mut *reader);
                self.read_delta(reader, slot, since, age)?;
            }
        }
        Ok(())
    }

    fn read_others(
        &mut self,
        reader: &mut BitReader<'_>,
        tick: Tick,
        common_age: u32,
    ) -> Result<(), SnapshotError> {
        let (mut records, mut next_slot) = (0, 0u32);
        reader.golomb(&mut records)?;
        for _ in 0..records {
            let mut gap = 0;
            reader.golomb(&mut gap)?;
            let slot = next_slot.checked_add(gap).and_then(|slot| u16::try_from(slot).ok());
            let slot = slot.ok_or(SnapshotError::Malformed)?;
            next_slot = u32::from(slot) + 1;
            if common_age > 0 && self.marks.tell_of(slot) {
                return Err(SnapshotError::Malformed);
            }
            let mut head = RecordHead::Gone { in_world: false };
            head.stream(reader, common_age)?;
            match head {
                RecordHead::Gone { in_world } => {
                    self.decoded.push(Decoded { slot, told: SlotRecord::Gone { in_world } });
                }
                RecordHead::Whole { kind, mine, id } => {
                    let table = self.kinds.get(kind as usize).ok_or(SnapshotError::Malformed)?;
                    let lanes_at = self.whole_lanes.len();
                    self.whole_lanes.resize(lanes_at + table.len(), 0);
                    table.whole(reader, &mut self.whole_lanes[lanes_at..], mine)?;
                    let told =
                        SlotRecord::Whole { kind: kind as u8, mine, id: EntityId(id), lanes_at };
                    self.decoded.push(Decoded { slot, told });
                }
                RecordHead::Delta { age_ticks } => {
                    let since = tick.offset(-(age_ticks.min(i32::MAX as u32) as i32));
                    self.read_delta(Some(reader), slot, since, age_ticks)?;
                }
            }
        }
        Ok(())
    }

    /// Computes the lanes of a slot from its state of `since`, with the residuals of `reader`, if
    /// any.
    fn read_delta(
        &mut self,
        reader: Option<&mut BitReader<'_>>,
        slot: u16,
        since: Tick,
        ticks: u32,
    ) -> Result<(), SnapshotError> {
        let place = self.place(slot).ok_or(SnapshotError::UnknownBaseline)?;
        let entity = &mut self.entities[place];
        let state = entity.states.at(since).ok_or(SnapshotError::UnknownBaseline)?;
        let table = &self.kinds[usize::from(entity.kind)];
        let (before, lanes) = entity.states.draft(state);
        let baseline = Baseline::new(before, ticks);
        match reader {
            Some(reader) => table.delta(reader, &baseline, lanes, entity.mine)?,
            None => table.extrapolate(&baseline, lanes, entity.mine),
        }
        self.decoded.push(Decoded { slot, told: SlotRecord::Since(since) });
        Ok(())
    }

    /// True if a decoded slot already has a state of `tick`.
    fn tells_again(&self, tick: Tick) -> bool {
        self.decoded.iter().any(|decoded| {
            let entity = self.place(decoded.slot).map(|place| &self.entities[place]);
            entity.is_some_and(|entity| entity.states.tick(entity.states.len() - 1) == tick)
        })
    }

    /// Applies the decoded records and returns the removed entities.
    fn commit(&mut self, tick: Tick) -> Vec<Departed> {
        let mut departed = Vec::new();
        let mut heard = SlotSet::default();
        while self.heard.front().is_some_and(|(at, _)| tick.since(*at) > BASELINE_AGE_MAX as i32) {
            heard = self.heard.pop_front().map(|(_, set)| set).unwrap_or_default();
        }
        heard.reset(self.places.len());
        let shown = tick.offset(-SHOWN_TICKS);
        for at in 0..self.decoded.len() {
            let Decoded { slot, told } = self.decoded[at];
            match told {
                SlotRecord::Gone { in_world } => {
                    let entity = self.remove(slot);
                    departed.extend(entity.map(|entity| Departed { entity, tick, in_world }));
                    continue;
                }
                SlotRecord::Whole { kind, mine, id, lanes_at } => {
                    departed.extend(self.push_whole(tick, slot, (kind, mine, id), lanes_at));
                }
                SlotRecord::Since(since) => {
                    let place = self.place(slot).expect("its baseline was found");
                    let entity = &mut self.entities[place];
                    let oldest = if since.since(shown) < 0 { since } else { shown };
                    entity.states.forget_before(oldest);
                    entity.states.push_draft(tick);
                    entity.forget_beyond_max();
                }
            }
            heard.insert(slot);
        }
        self.heard.push_back((tick, heard));
        departed
    }

    /// Adds a whole record and returns the entity that it replaces.
    fn push_whole(
        &mut self,
        tick: Tick,
        slot: u16,
        (kind, mine, id): (u8, bool, EntityId),
        lanes_at: usize,
    ) -> Option<Departed> {
        let width = self.kinds[usize::from(kind)].len();
        let (place, other) = self.place_for((slot, tick), (id, kind), lanes_at);
        let entity = &mut self.entities[place];
        entity.mine = mine;
        entity.states.push(tick, &self.whole_lanes[lanes_at..lanes_at + width]);
        entity.forget_beyond_max();
        other.map(|entity| Departed { entity, tick, in_world: false })
    }

    fn place(&self, slot: u16) -> Option<usize> {
        let place = self.places.get(usize::from(slot)).copied().filter(|&place| place != NOBODY);
        place.map(|place| place as usize)
    }

    /// The index of `slot`, cleared for a new entity unless it holds the same one, and the entity
    /// replaced. An entity whose initial fields differ is another one.
    fn place_for(
        &mut self,
        (slot, first): (u16, Tick),
        (id, kind): (EntityId, u8),
        lanes_at: usize,
    ) -> (usize, Option<Entity>) {
        let table = &self.kinds[usize::from(kind)];
        let lanes = &self.whole_lanes[lanes_at..lanes_at + table.len()];
        let fresh =
            || Entity { slot, id, kind, mine: false, first, states: History::new(table.len()) };
        if let Some(place) = self.place(slot) {
            let old = &mut self.entities[place];
            let newest = || old.states.lanes(old.states.len() - 1);
            let is_other = old.id != id
                || old.kind != kind
                || table.any_initial_difference(newest(), lanes, false);
            return (place, is_other.then(|| std::mem::replace(old, fresh())));
        }
        let at = usize::from(slot);
        if self.places.len() <= at {
            self.places.resize(at + 1, NOBODY);
        }
        self.places[at] = self.entities.len() as u32;
        self.entities.push(fresh());
        (self.entities.len() - 1, None)
    }

    fn remove(&mut self, slot: u16) -> Option<Entity> {
        let place = self.place(slot)?;
        self.places[usize::from(slot)] = NOBODY;
        let entity = self.entities.swap_remove(place);
        if let Some(moved) = self.entities.get(place) {
            self.places[usize::from(moved.slot)] = place as u32;
        }
        Some(entity)
    }

    fn acknowledge(&mut self, tick: Tick) {
        let ahead = self.newest.map_or(0, |newest| tick.since(newest));
        self.before = match ahead {
            0 => 0,
            1..=32 => (((u64::from(self.before) << 1) | 1) << (ahead - 1)) as u32,
            _ => 0,
        };
        self.newest = Some(tick);
    }
}
