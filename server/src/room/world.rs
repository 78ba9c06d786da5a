//! The room's entities as integer lanes, with their last states.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use glam::Vec3;
use tickwire_shared::delta::LaneTable;
use tickwire_shared::quantize::Kinds;
use tickwire_shared::schema::{LANES_MAX, Schema};
use tickwire_shared::slots::SlotSet;
use tickwire_shared::{Capture, EntityId, PlayerId, Tick};

use super::findings::{Fault, Findings};
use super::restrictions::Restrictions;
use super::slot_summary::SlotSummary;
use super::spatial_grid::SpatialGrid;
use super::state_hash::StateDigest;
use super::states::States;
use super::view_area::known_place;

/// Entries of the last order that are searched for an entity.
const SHOWN_AHEAD: usize = 4;

/// Every captured entity, by slot. A slot is an entity's number on the wire.
#[derive(Debug)]
pub(super) struct World {
    tables: Vec<LaneTable>,
    slots: Vec<Slot>,
    by_id: HashMap<EntityId, u16>,
    /// The free slots, lowest first: small gaps between slots cost few bits.
    free: BinaryHeap<Reverse<u16>>,
    entities_max: usize,
    tick: Tick,
    states: States,
    /// Entities with their slots, in the order of the last capture.
    shown: Vec<(EntityId, u16)>,
    summaries: Vec<SlotSummary>,
    alive: SlotSet,
    /// The slots with a public change in this tick: in a lane that not only the owner sees.
    changed_public: SlotSet,
    /// Slots that another entity took in this tick, or whose entity jumped.
    fresh: Vec<u16>,
    grid: SpatialGrid,
    /// The restricted entities.
    restrictions: Restrictions,
    /// True once any entity had an owner.
    owned: bool,
}

/// One slot.
#[derive(Debug)]
pub(super) struct Slot {
    /// The current entity, or the last one.
    pub(super) id: EntityId,
    kind: u8,
    owner: Option<PlayerId>,
    place: Option<Vec3>,
    priority: u8,
    /// The tick at which this entity took the slot; older states are of another entity.
    spawned: Tick,
    /// The last tick with a change in any lane.
    changed: Tick,
    /// The last tick with a change in a lane that not only the owner sees.
    changed_public: Tick,
    captured: Option<Tick>,
}

impl World {
    pub(super) fn new(schema: &Schema, entities_max: usize) -> Self {
        let tables = LaneTable::of_entities(schema);
        World {
            states: States::new(tables.iter().map(LaneTable::len).max().unwrap_or(0)),
            tables,
            slots: Vec::new(),
            by_id: HashMap::new(),
            free: BinaryHeap::new(),
            entities_max: entities_max.min(usize::from(u16::MAX)),
            tick: Tick(0),
            shown: Vec::new(),
            summaries: Vec::new(),
            alive: SlotSet::default(),
            changed_public: SlotSet::default(),
            fresh: Vec::new(),
            grid: SpatialGrid::default(),
            restrictions: Restrictions::default(),
            owned: false,
        }
    }

    /// Takes the world of `tick` from `capture`. Mistakes in it go to `findings`, all that was shown to `digest`.
    pub(super) fn capture<E: Kinds>(
        &mut self,
        tick: Tick,
        capture: &mut Capture<E>,
        findings: &mut Findings,
        mut digest: Option<&mut StateDigest>,
    ) {
        self.tick = tick;
        self.fresh.clear();
        self.changed_public.reset(self.slots.len());
        self.states.begin(tick);
        self.restrictions.reset(self.slots.len());
        let mut lanes = [0; LANES_MAX];
        let before = std::mem::take(&mut self.shown);
        let mut next = 0;
        for shown in capture.drain() {
            let kind = shown.entity.kind();
            // Most entities come in the order of the last tick.
            let near = before[next..].iter().take(SHOWN_AHEAD).position(|(id, _)| *id == shown.id);
            let known = near.map(|at| before[next + at].1);
            next += near.map_or(0, |at| at + 1);
            let misfits = shown.entity.to_lanes(&mut lanes);
            let lanes = &lanes[..self.tables[usize::from(kind)].len()];
            if let Some(digest) = &mut digest {
                digest.add(shown.id, kind, shown.owner, lanes);
            }
            let slot = match self.slot_for(shown.id, known, kind, shown.owner) {
                Ok(slot) => slot,
                Err(fault) => {
                    findings.note(fault, shown.id.0);
                    continue;
                }
            };
            self.shown.push((shown.id, slot));
            self.owned |= shown.owner.is_some();
            for field in misfits.fields() {
                findings.note(Fault::EntityField { kind, field: field as u8 }, shown.id.0);
            }
            if shown.place.is_some_and(Vec3::is_nan) {
                findings.note(Fault::EntityPlace { kind }, shown.id.0);
            }
            if shown.groups.is_some() || shown.is_checked {
                self.restrictions.add(slot, shown.groups, shown.is_checked);
            }
            self.record(slot, lanes);
            let entry = &mut self.slots[usize::from(slot)];
            entry.captured = Some(tick);
            let place = shown.place.map(known_place);
            if self.grid.is_jump(entry.place, place) {
                self.fresh.push(slot);
            }
            entry.place = place;
            entry.priority = shown.priority.max(1);
        }
        self.remove_missing();
        self.summaries.clear();
        self.summaries.extend(self.slots.iter().map(Slot::summary));
        self.grid.rebuild(&self.summaries, &self.alive);
    }

    /// True if the game ever showed an owned entity.
    pub(super) fn owned(&self) -> bool {
        self.owned
    }

    pub(super) fn tick(&self) -> Tick {
        self.tick
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn grid(&self) -> &SpatialGrid {
        &self.grid
    }

    /// The restricted entities.
    pub(super) fn restrictions(&self) -> &Restrictions {
        &self.restrictions
    }

    /// The summaries by slot.
    pub(super) fn summaries(&self) -> &[SlotSummary] {
        &self.summaries
    }

    /// The slots with an entity.
    pub(super) fn alive(&self) -> &SlotSet {
        &self.alive
    }

    /// The slots with any change in this tick.
    pub(super) fn changed(&self) -> &SlotSet {
        self.states.changed()
    }

    /// The slots with a change in this tick that not only the owner sees.
    pub(super) fn changed_public(&self) -> &SlotSet {
        &self.changed_public
    }

    /// The current and last states of every slot.
    pub(super) fn states(&self) -> &States {
        &self.states
    }

    /// Slots that another entity took in this tick, or whose entity jumped.
    pub(super) fn fresh(&self) -> &[u16] {
        &self.fresh
    }

    /// The slot of an entity in the world.
    pub(super) fn slot_of(&self, id: EntityId) -> Option<u16> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn table(&self, kind: u8) -> &LaneTable {
        &self.tables[usize::from(kind)]
    }

    /// Entities alive.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The slot of an entity, `known` if given. Fails with the fault if it cannot have one.
    fn slot_for(
        &mut self,
        id: EntityId,
        known: Option<u16>,
        kind: u8,
        owner: Option<PlayerId>,
    ) -> Result<u16, Fault> {
        let is_here = |slot: &u16| {
            let entry = &self.slots[usize::from(*slot)];
            entry.id == id && entry.captured.is_some()
        };
        let known = known.filter(is_here).or_else(|| self.by_id.get(&id).copied());
        if let Some(slot) = known {
            let entry = &mut self.slots[usize::from(slot)];
            if entry.captured == Some(self.tick) {
                return Err(Fault::SameId { kind });
            }
            if entry.kind != kind || entry.owner != owner {
                *entry = Slot::new(id, kind, owner, self.tick);
                self.fresh.push(slot);
            }
            return Ok(slot);
        }
        if self.by_id.len() >= self.entities_max {
            return Err(Fault::BeyondLimit { kind });
        }
        let fresh = Slot::new(id, kind, owner, self.tick);
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
        Ok(slot)
    }

    /// Stores the current state of a slot and the tick of its change.
    fn record(&mut self, slot: u16, lanes: &[i32]) {
        let entry = &mut self.slots[usize::from(slot)];
        let table = &self.tables[usize::from(entry.kind)];
        let mut before = None;
        if entry.spawned != self.tick {
            before = self.states.at(slot, self.tick.offset(-1), lanes.len());
            let before = before.expect("a tick ago is known");
            if table.any_initial_difference(before, lanes, true) {
                // The id belongs to another entity now.
                *entry = Slot::new(entry.id, entry.kind, entry.owner, self.tick);
                self.fresh.push(slot);
            }
        }
        if entry.spawned == self.tick {
            self.states.mark_changed(slot);
            self.changed_public.insert(slot);
        } else if let Some(before) = before
            && table.any_difference(before, lanes, true)
        {
            entry.changed = self.tick;
            if !table.has_owner_only() || table.any_difference(before, lanes, false) {
                entry.changed_public = self.tick;
                self.changed_public.insert(slot);
            }
            self.states.mark_changed(slot);
        }
        self.states.record(slot, lanes);
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
    fn new(id: EntityId, kind: u8, owner: Option<PlayerId>, tick: Tick) -> Self {
        Slot {
            id,
            kind,
            owner,
            place: None,
            priority: 1,
            spawned: tick,
            changed: tick,
            changed_public: tick,
            captured: None,
        }
    }

    fn summary(&self) -> SlotSummary {
        SlotSummary {
            place: self.place.unwrap_or(Vec3::NAN),
            owner: self.owner.map_or(0, |owner| owner.0),
            spawned: self.spawned.0,
            changed: self.changed.0,
            changed_public: self.changed_public.0,
            kind: self.kind,
            priority: self.priority,
        }
    }
}
