//! A client's copy of the world, kept from snapshots.

use crate::Tick;
use crate::bits::{BitError, BitReader, BitStream};
use crate::delta::{Baseline, LaneTable};
use crate::history::History;
use crate::input::SnapshotAck;
use crate::schema::{LANES_MAX, Schema};
use crate::simulation::EntityId;
use crate::snapshot::{EventHead, InputReport, RecordHead, SnapshotHeader};

/// States kept of one entity: its baseline, and the newest others.
pub const STATES_MAX: usize = 192;

/// States so far back are kept in any case, to be shown between: interpolation runs behind.
const SHOWN_TICKS: i32 = 32;

/// Why a snapshot was not applied. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Older than, or the same as, the newest one applied: reordered or repeated by the network.
    #[error("a snapshot that came late or twice")]
    Late,
    /// Coded against a state this client does not have.
    #[error("a snapshot against an unknown baseline")]
    UnknownBaseline,
    /// Of a room that was left.
    #[error("a snapshot of another room")]
    OtherSeat,
    /// Not a snapshot of this protocol and schema.
    #[error("a snapshot that cannot be read; update the client")]
    Malformed,
}

impl From<BitError> for SnapshotError {
    fn from(_: BitError) -> Self {
        SnapshotError::Malformed
    }
}

/// What a snapshot brought besides entities.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// Its tick.
    pub tick: Tick,
    /// How the client's inputs come in.
    pub input: Option<InputReport>,
    /// Events not delivered before, in order.
    pub events: Vec<Event>,
}

/// Something that happened once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, by the room's ticks.
    pub tick: Tick,
    /// Kind number in the server's schema.
    pub kind: u8,
    /// Its lanes.
    pub lanes: Vec<i32>,
}

const NOBODY: u32 = u32::MAX;

/// One entity as a client knows it.
#[derive(Clone, Debug)]
pub struct Entity {
    slot: u16,
    /// The game's id.
    pub id: EntityId,
    /// Kind number in the server's schema.
    pub kind: u8,
    /// The client owns it.
    pub mine: bool,
    /// Its states as received, oldest first; never empty.
    pub states: History,
}

/// The world by snapshots.
#[derive(Clone, Debug)]
pub struct Replica {
    kinds: Vec<LaneTable>,
    events: Vec<LaneTable>,
    entities: Vec<Entity>,
    /// Place in `entities` by slot, or `NOBODY`. At most 65,536 places of four bytes.
    places: Vec<u32>,
    seat: u8,
    newest: Option<Tick>,
    /// Bit `n`: the snapshot `n + 1` ticks before the newest was applied.
    before: u32,
    next_event: u16,
    /// What the last records decoded to, until all of the snapshot is known to be good.
    decoded: Vec<Decoded>,
    decoded_lanes: Vec<i32>,
}

#[derive(Clone, Copy, Debug)]
struct Decoded {
    slot: u16,
    head: RecordHead,
    baseline: Tick,
    lanes_at: usize,
}

impl Replica {
    /// An empty world of the game of `schema`, which must be valid, for one stay in a room.
    pub fn new(schema: &Schema, seat: u8) -> Self {
        let compile = |kinds: &[crate::schema::KindSchema]| {
            kinds.iter().map(|kind| LaneTable::new(kind, schema.tick_hz)).collect()
        };
        Replica {
            kinds: compile(&schema.entities),
            events: compile(&schema.events),
            entities: Vec::new(),
            places: Vec::new(),
            seat,
            newest: None,
            before: 0,
            next_event: 0,
            decoded: Vec::new(),
            decoded_lanes: Vec::new(),
        }
    }

    /// Applies a snapshot datagram. `near` is any tick of the room about now, used until the first
    /// snapshot.
    ///
    /// # Errors
    /// [`SnapshotError`]; the world is as it was.
    pub fn apply(&mut self, bytes: &[u8], near: Tick) -> Result<Applied, SnapshotError> {
        let mut reader = BitReader::new(bytes);
        let mut header = SnapshotHeader::default();
        header.head(&mut reader)?;
        if header.seat != self.seat {
            return Err(SnapshotError::OtherSeat);
        }
        let tick = Tick::expand(header.tick_low16, self.newest.unwrap_or(near));
        if self.newest.is_some_and(|newest| tick.since(newest) <= 0) {
            return Err(SnapshotError::Late);
        }
        let events = self.read_events(&mut reader, &header, tick)?;
        let mut records = 0;
        header.tail(&mut reader, &mut records)?;
        self.read_records(&mut reader, records, tick, header.baseline_age)?;
        reader.finish()?;

        self.commit(tick);
        if let Some((first, count)) = header.events {
            let end = first.wrapping_add(count as u16);
            if (end.wrapping_sub(self.next_event) as i16) > 0 {
                self.next_event = end;
            }
        }
        self.acknowledge(tick);
        Ok(Applied { tick, input: header.input, events })
    }

    /// What to acknowledge.
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

    fn read_events(
        &self,
        reader: &mut BitReader<'_>,
        header: &SnapshotHeader,
        tick: Tick,
    ) -> Result<Vec<Event>, SnapshotError> {
        let mut events = Vec::new();
        let Some((first, count)) = header.events else { return Ok(events) };
        for number in 0..count {
            let mut head = EventHead::default();
            head.stream(reader)?;
            let table = self.events.get(head.kind as usize).ok_or(SnapshotError::Malformed)?;
            let mut lanes = vec![0; table.len()];
            table.whole(reader, &mut lanes, true)?;
            let number = first.wrapping_add(number as u16);
            if (number.wrapping_sub(self.next_event) as i16) >= 0 {
                let tick = tick.offset(-(head.age_ticks as i32));
                events.push(Event { tick, kind: head.kind as u8, lanes });
            }
        }
        Ok(events)
    }

    fn read_records(
        &mut self,
        reader: &mut BitReader<'_>,
        records: u32,
        tick: Tick,
        common_age: u32,
    ) -> Result<(), SnapshotError> {
        self.decoded.clear();
        self.decoded_lanes.clear();
        let mut next_slot = 0u32;
        for _ in 0..records {
            let mut gap = 0;
            reader.golomb(&mut gap)?;
            let slot = next_slot.checked_add(gap).and_then(|slot| u16::try_from(slot).ok());
            let slot = slot.ok_or(SnapshotError::Malformed)?;
            next_slot = u32::from(slot) + 1;
            let mut head = RecordHead::Common;
            head.stream(reader)?;
            let age = match head {
                RecordHead::Common => common_age,
                RecordHead::Older { age_ticks } => age_ticks,
                RecordHead::Whole { .. } | RecordHead::Gone => 0,
            };
            let baseline = tick.offset(-(age.min(i32::MAX as u32) as i32));
            let lanes_at = self.decoded_lanes.len();
            match head {
                RecordHead::Gone => {}
                RecordHead::Whole { kind, mine, .. } => {
                    let table = self.kinds.get(kind as usize).ok_or(SnapshotError::Malformed)?;
                    self.decoded_lanes.resize(lanes_at + table.len(), 0);
                    table.whole(reader, &mut self.decoded_lanes[lanes_at..], mine)?;
                }
                RecordHead::Common | RecordHead::Older { .. } => {
                    self.read_delta(reader, slot, baseline, age)?;
                }
            }
            self.decoded.push(Decoded { slot, head, baseline, lanes_at });
        }
        Ok(())
    }

    fn read_delta(
        &mut self,
        reader: &mut BitReader<'_>,
        slot: u16,
        baseline: Tick,
        age: u32,
    ) -> Result<(), SnapshotError> {
        let place = self.place(slot).ok_or(SnapshotError::UnknownBaseline)?;
        let entity = &self.entities[place];
        let state = entity.states.at(baseline).ok_or(SnapshotError::UnknownBaseline)?;
        let table = &self.kinds[usize::from(entity.kind)];
        let mut lanes = [0; LANES_MAX];
        entity.states.copy_to(state, &mut lanes);
        let baseline = Baseline { lanes: &lanes[..table.len()], ticks: age };
        let lanes_at = self.decoded_lanes.len();
        self.decoded_lanes.resize(lanes_at + table.len(), 0);
        table.delta(reader, &baseline, &mut self.decoded_lanes[lanes_at..], entity.mine)?;
        Ok(())
    }

    fn commit(&mut self, tick: Tick) {
        for at in 0..self.decoded.len() {
            let Decoded { slot, head, baseline, lanes_at } = self.decoded[at];
            match head {
                RecordHead::Gone => self.remove(slot),
                RecordHead::Whole { kind, mine, id } => {
                    let place = self.place_for(slot, EntityId(id), kind as u8);
                    self.entities[place].mine = mine;
                    self.push(place, tick, lanes_at);
                }
                RecordHead::Common | RecordHead::Older { .. } => {
                    let place = self.place(slot).expect("its baseline was found");
                    let shown = tick.offset(-SHOWN_TICKS);
                    let oldest = if baseline.since(shown) < 0 { baseline } else { shown };
                    self.entities[place].states.forget_before(oldest);
                    self.push(place, tick, lanes_at);
                }
            }
        }
    }

    fn push(&mut self, place: usize, tick: Tick, lanes_at: usize) {
        let entity = &mut self.entities[place];
        let width = self.kinds[usize::from(entity.kind)].len();
        entity.states.push(tick, &self.decoded_lanes[lanes_at..lanes_at + width]);
        if entity.states.len() > STATES_MAX {
            // The oldest may still be the baseline; the second is too old to become one.
            entity.states.forget_second();
        }
    }

    fn place(&self, slot: u16) -> Option<usize> {
        let place = self.places.get(usize::from(slot)).copied().filter(|&place| place != NOBODY);
        place.map(|place| place as usize)
    }

    /// The place of `slot`, cleared for a new entity unless this very one is there.
    fn place_for(&mut self, slot: u16, id: EntityId, kind: u8) -> usize {
        let states = History::new(self.kinds[usize::from(kind)].len());
        let fresh = Entity { slot, id, kind, mine: false, states };
        if let Some(place) = self.place(slot) {
            let old = &mut self.entities[place];
            if old.id != id || old.kind != kind {
                *old = fresh;
            }
            return place;
        }
        let at = usize::from(slot);
        if self.places.len() <= at {
            self.places.resize(at + 1, NOBODY);
        }
        self.places[at] = self.entities.len() as u32;
        self.entities.push(fresh);
        self.entities.len() - 1
    }

    fn remove(&mut self, slot: u16) {
        let Some(place) = self.place(slot) else { return };
        self.places[usize::from(slot)] = NOBODY;
        self.entities.swap_remove(place);
        if let Some(moved) = self.entities.get(place) {
            self.places[usize::from(moved.slot)] = place as u32;
        }
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
