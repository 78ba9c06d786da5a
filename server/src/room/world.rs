//! The room's entities as integer lanes, with what they were.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use glam::Vec2;
use tickwire_shared::delta::LaneTable;
use tickwire_shared::history::History;
use tickwire_shared::quantize::Kinds;
use tickwire_shared::schema::{LANES_MAX, Schema};
use tickwire_shared::slots::SlotSet;
use tickwire_shared::{Capture, EntityId, PlayerId, Tick};

use super::interest::Grid;

/// States older than this are not coded against.
pub(super) const HISTORY_TICKS: i32 = 128;

/// Every entity that was captured, by slot. A slot is an entity's number on the wire.
#[derive(Debug)]
pub(super) struct World {
    tables: Vec<LaneTable>,
    slots: Vec<Slot>,
    by_id: HashMap<EntityId, u16>,
    /// Lowest first: small gaps between slots cost few bits.
    free: BinaryHeap<Reverse<u16>>,
    entities_max: usize,
    tick: Tick,
    glances: Vec<Glance>,
    alive: SlotSet,
    /// Slots with any change in this tick.
    changed: SlotSet,
    /// Slots that another entity took in this tick, or whose entity jumped.
    fresh: Vec<u16>,
    grid: Grid,
}

/// What every client asks of a slot in every tick, close together in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    /// Not a number for what has no place: no distance rules it out.
    pub(super) place: Vec2,
    /// Number of the owner, 0 for none.
    pub(super) owner: u32,
    /// As in [`Slot`].
    pub(super) spawned: u32,
    pub(super) changed: u32,
    pub(super) changed_public: u32,
}

/// One slot.
#[derive(Debug)]
pub(super) struct Slot {
    /// What is in it, or was.
    pub(super) id: EntityId,
    pub(super) kind: u8,
    owner: Option<PlayerId>,
    place: Option<Vec2>,
    /// The tick this entity took the slot; what a client knows from before is of another one.
    spawned: Tick,
    /// The last tick with a change in any lane.
    changed: Tick,
    /// The last tick with a change in a lane that others than the owner see.
    changed_public: Tick,
    pub(super) states: History,
    captured: Option<Tick>,
}

impl World {
    pub(super) fn new(schema: &Schema, entities_max: usize) -> Self {
        World {
            tables: schema.entities.iter().map(|k| LaneTable::new(k, schema.tick_hz)).collect(),
            slots: Vec::new(),
            by_id: HashMap::new(),
            free: BinaryHeap::new(),
            entities_max: entities_max.min(usize::from(u16::MAX)),
            tick: Tick(0),
            glances: Vec::new(),
            alive: SlotSet::default(),
            changed: SlotSet::default(),
            fresh: Vec::new(),
            grid: Grid::default(),
        }
    }

    /// Takes the world of `tick` over from `capture`. Returns how many entities were beyond the limit.
    pub(super) fn capture<E: Kinds>(&mut self, tick: Tick, capture: &mut Capture<E>) -> usize {
        self.tick = tick;
        self.fresh.clear();
        self.changed.reset(self.slots.len());
        let mut refused = 0;
        let mut lanes = [0; LANES_MAX];
        for shown in capture.drain() {
            let kind = shown.entity.kind();
            let Some(slot) = self.slot_for(shown.id, kind, shown.owner) else {
                refused += 1;
                continue;
            };
            shown.entity.to_lanes(&mut lanes);
            let table = &self.tables[usize::from(kind)];
            let entry = &mut self.slots[usize::from(slot)];
            entry.captured = Some(tick);
            if self.grid.is_jump(entry.place, shown.place) {
                self.fresh.push(slot);
            }
            entry.place = shown.place;
            entry.record(tick, table, &lanes[..table.len()]);
            if entry.changed == tick {
                self.changed.insert(slot);
            }
        }
        self.remove_missing();
        self.glances.clear();
        self.glances.extend(self.slots.iter().map(Slot::glance));
        self.grid.rebuild(&self.glances, &self.alive);
        refused
    }

    pub(super) fn tick(&self) -> Tick {
        self.tick
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// By slot.
    pub(super) fn glances(&self) -> &[Glance] {
        &self.glances
    }

    /// The slots with an entity.
    pub(super) fn alive(&self) -> &SlotSet {
        &self.alive
    }

    /// The slots with any change in this tick.
    pub(super) fn changed(&self) -> &SlotSet {
        &self.changed
    }

    /// Slots that another entity took in this tick, or whose entity is at quite another place.
    pub(super) fn fresh(&self) -> &[u16] {
        &self.fresh
    }

    pub(super) fn table(&self, kind: u8) -> &LaneTable {
        &self.tables[usize::from(kind)]
    }

    /// Entities alive.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    fn slot_for(&mut self, id: EntityId, kind: u8, owner: Option<PlayerId>) -> Option<u16> {
        if let Some(&slot) = self.by_id.get(&id) {
            let entry = &mut self.slots[usize::from(slot)];
            if entry.captured == Some(self.tick) {
                return None;
            }
            if entry.kind != kind || entry.owner != owner {
                *entry = Slot::new(id, kind, owner, self.tick, &self.tables);
                self.fresh.push(slot);
            }
            return Some(slot);
        }
        if self.by_id.len() >= self.entities_max {
            return None;
        }
        let fresh = Slot::new(id, kind, owner, self.tick, &self.tables);
        let slot = match self.free.pop() {
            Some(Reverse(slot)) => {
                self.slots[usize::from(slot)] = fresh;
                slot
            }
            None => {
                self.slots.push(fresh);
                (self.slots.len() - 1) as u16
            }
        };
        self.by_id.insert(id, slot);
        self.alive.insert(slot);
        self.fresh.push(slot);
        Some(slot)
    }

    fn remove_missing(&mut self) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.captured.is_some_and(|captured| captured != self.tick) {
                slot.captured = None;
                self.by_id.remove(&slot.id);
                self.alive.remove(at as u16);
                self.free.push(Reverse(at as u16));
            }
        }
    }
}

impl Slot {
    fn new(
        id: EntityId,
        kind: u8,
        owner: Option<PlayerId>,
        tick: Tick,
        tables: &[LaneTable],
    ) -> Self {
        Slot {
            id,
            kind,
            owner,
            place: None,
            spawned: tick,
            changed: tick,
            changed_public: tick,
            states: History::new(tables[usize::from(kind)].len()),
            captured: None,
        }
    }

    fn glance(&self) -> Glance {
        Glance {
            place: self.place.unwrap_or(Vec2::NAN),
            owner: self.owner.map_or(0, |owner| owner.0),
            spawned: self.spawned.0,
            changed: self.changed.0,
            changed_public: self.changed_public.0,
        }
    }

    fn record(&mut self, tick: Tick, table: &LaneTable, lanes: &[i32]) {
        let Some(newest) = self.states.len().checked_sub(1) else {
            self.states.push(tick, lanes);
            return;
        };
        let before = self.states.lanes(newest);
        if !table.any_difference(before, lanes, true) {
            return;
        }
        self.changed = tick;
        if !table.has_owner_only() || table.any_difference(before, lanes, false) {
            self.changed_public = tick;
        }
        self.states.forget_before(tick.offset(1 - HISTORY_TICKS));
        self.states.push(tick, lanes);
    }
}
