//! Interest management for one client.
//!
//! A client looks around every few ticks. In between, only entities that vanish or have just
//! appeared change its view. Entities that it must not see are taken out in every tick.

use tickwire_shared::Tick;
use tickwire_shared::slots::{SlotSet, slots_of, slots_of_word};

use super::view_area::{MemberView, Reach, ViewArea};
use super::world::World;

/// Ticks between two looks at far entities.
const LOOK_TICKS: u32 = 4;

/// The visible slots of one client, kept from tick to tick.
#[derive(Debug, Default)]
pub(super) struct Interest {
    visible: SlotSet,
    near: SlotSet,
    /// The slots that it must not see, wherever they are; empty if no entity is restricted.
    hidden: SlotSet,
    has_far: bool,
    /// The view at its last look.
    looked: Option<ViewArea>,
    /// By slot, the tick at which it last came into view.
    entered: Vec<u32>,
}

/// Scratch sets, shared by all clients.
#[derive(Debug, Default)]
pub(super) struct InterestScratch {
    /// The slots that may be in view.
    found: Vec<u64>,
    /// The hidden slots of the last tick.
    hidden_before: SlotSet,
}

impl Interest {
    /// Updates the sets to `world`.
    pub(super) fn update(
        &mut self,
        world: &World,
        view: &MemberView<'_>,
        scratch: &mut InterestScratch,
    ) {
        let Tick(tick) = world.tick();
        let slots = world.slots().len();
        for set in [&mut self.visible, &mut self.near] {
            set.grow(slots);
        }
        self.entered.resize(slots, 0);
        self.hide(world, view, scratch);
        let turn = tick.wrapping_add(view.viewer.id().0).is_multiple_of(LOOK_TICKS);
        // Excepted areas hide entities at once, so they ask for a look in every tick.
        let is_due = turn || view.area.has_excepted();
        if is_due || self.looked.as_ref().is_none_or(|before| view.area.is_another(before)) {
            self.looked = Some(*view.area);
            self.look_around(world, view.area, &mut scratch.found);
        } else {
            self.take_over(world, view.area, &scratch.hidden_before);
        }
        for slot in world.grid().owned_by(view.owner()) {
            for set in [&mut self.visible, &mut self.near] {
                set.insert(slot);
            }
        }
    }

    /// The slots in view.
    pub(super) fn visible(&self) -> &SlotSet {
        &self.visible
    }

    /// The slots in view that are near.
    pub(super) fn near(&self) -> &SlotSet {
        &self.near
    }

    /// The tick at which a slot in view last came into view.
    pub(super) fn entered(&self, slot: u16) -> u32 {
        self.entered[usize::from(slot)]
    }

    /// True if the last look found far entities in view.
    pub(super) fn has_far(&self) -> bool {
        self.has_far
    }

    /// Finds the slots that the client must not see, its own excepted.
    fn hide(&mut self, world: &World, view: &MemberView<'_>, scratch: &mut InterestScratch) {
        std::mem::swap(&mut self.hidden, &mut scratch.hidden_before);
        let restrictions = world.restrictions();
        if restrictions.is_empty() {
            return self.hidden.reset(0);
        }
        restrictions.hidden_from(view.groups, &mut self.hidden);
        for &slot in restrictions.checked() {
            let summary = &world.summaries()[usize::from(slot)];
            if self.hidden.contains(slot) || view.owns(summary) {
                continue;
            }
            let may_reach = view.area.reach(summary.place, true).is_seen();
            if !may_reach || !(view.can_see)(world.slots()[usize::from(slot)].id) {
                self.hidden.insert(slot);
            }
        }
    }

    fn look_around(&mut self, world: &World, view_area: &ViewArea, found: &mut Vec<u64>) {
        if view_area.is_everything() {
            return self.look_everywhere(world);
        }
        found.clear();
        if view_area.is_everywhere() {
            found.extend_from_slice(world.alive().words());
        } else {
            found.resize(world.alive().words().len(), 0);
            world.grid().add_visible(view_area, found);
        }
        let (visible, near) = (self.visible.words_mut(), self.near.words_mut());
        near.fill(0);
        let mut far = 0;
        for (at, &found) in found.iter().enumerate() {
            let (before, mut now) = (visible[at], 0);
            let found = found & !self.hidden.word(at);
            for slot in slots_of(std::slice::from_ref(&found)) {
                let summary = &world.summaries()[at * 64 + usize::from(slot)];
                let reach = view_area.reach(summary.place, before >> slot & 1 == 1);
                now |= u64::from(reach.is_seen()) << slot;
                near[at] |= u64::from(reach.is_near()) << slot;
            }
            let entered = &mut self.entered;
            slots_of_word(at, now & !before)
                .for_each(|slot| entered[usize::from(slot)] = world.tick().0);
            visible[at] = now;
            far |= now & !near[at];
        }
        self.has_far = far != 0;
    }

    /// A look where every entity is near.
    fn look_everywhere(&mut self, world: &World) {
        let Tick(tick) = world.tick();
        for (at, alive) in world.alive().words().iter().enumerate() {
            let now = alive & !self.hidden.word(at);
            let before = &mut self.visible.words_mut()[at];
            slots_of_word(at, now & !*before)
                .for_each(|slot| self.entered[usize::from(slot)] = tick);
            *before = now;
        }
        self.near.clone_from(&self.visible);
        self.has_far = false;
    }

    /// Updates without a look: removed entities go; new ones and those no longer hidden may come
    /// into view.
    fn take_over(&mut self, world: &World, view_area: &ViewArea, hidden_before: &SlotSet) {
        for set in [&mut self.visible, &mut self.near] {
            for (at, (word, alive)) in
                set.words_mut().iter_mut().zip(world.alive().words()).enumerate()
            {
                *word &= alive & !self.hidden.word(at);
            }
        }
        for &slot in world.fresh() {
            self.look_at(slot, world, view_area);
        }
        for (at, before) in hidden_before.words().iter().enumerate() {
            let shown = before & !self.hidden.word(at) & world.alive().word(at);
            for slot in slots_of_word(at, shown) {
                self.look_at(slot, world, view_area);
            }
        }
    }

    /// Decides whether a slot is in view that may have been another entity's, elsewhere, or hidden.
    fn look_at(&mut self, slot: u16, world: &World, view_area: &ViewArea) {
        let reach = match self.hidden.contains(slot) {
            true => Reach::Hidden,
            false => view_area.reach(world.summaries()[usize::from(slot)].place, false),
        };
        let was_visible = self.visible.contains(slot);
        self.visible.remove(slot);
        self.near.remove(slot);
        if reach.is_seen() {
            self.visible.insert(slot);
            if !was_visible {
                self.entered[usize::from(slot)] = world.tick().0;
            }
        }
        if reach.is_near() {
            self.near.insert(slot);
        }
    }
}
