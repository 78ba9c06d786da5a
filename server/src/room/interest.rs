//! What one client sees.
//!
//! A client looks around every few ticks; in between only what vanishes, and what has just appeared, changes its view.

use glam::Vec2;
use tickwire_shared::slots::{SlotSet, slots_of, slots_of_word};
use tickwire_shared::{PlayerId, Tick};

use super::view_area::ViewArea;
use super::world::World;

/// Ticks between two looks at what is far.
const LOOK_TICKS: u32 = 4;
/// And when its view has moved by more than this part of the radius.
const LOOK_AGAIN: f32 = 0.1;

/// What one client sees, kept from tick to tick.
#[derive(Debug, Default)]
pub(super) struct Interest {
    visible: SlotSet,
    near: SlotSet,
    has_far: bool,
    /// The middle of the view when it last looked around.
    looked_from: Option<Vec2>,
    /// By slot, the tick it last came into view.
    entered: Vec<u32>,
}

impl Interest {
    /// Brings it up to `world`.
    pub(super) fn update(
        &mut self,
        world: &World,
        view_area: &ViewArea,
        player: PlayerId,
        found: &mut Vec<u64>,
    ) {
        let Tick(tick) = world.tick();
        let slots = world.slots().len();
        for set in [&mut self.visible, &mut self.near] {
            set.grow(slots);
        }
        self.entered.resize(slots, 0);
        let moved = |from: Vec2| {
            from.distance_squared(view_area.center)
                > view_area.radius_squared * (LOOK_AGAIN * LOOK_AGAIN)
        };
        let turn = tick.wrapping_add(player.0).is_multiple_of(LOOK_TICKS);
        if turn || self.looked_from.is_none_or(moved) {
            self.looked_from = Some(view_area.center);
            self.look_around(world, view_area, found);
        } else {
            self.take_over(world, view_area);
        }
        for slot in world.grid().owned_by(player) {
            for set in [&mut self.visible, &mut self.near] {
                set.insert(slot);
            }
        }
    }

    /// The slots in view.
    pub(super) fn visible(&self) -> &SlotSet {
        &self.visible
    }

    /// Those of them that are near.
    pub(super) fn near(&self) -> &SlotSet {
        &self.near
    }

    /// The tick a slot last came into view, if it is in view.
    pub(super) fn entered(&self, slot: u16) -> u32 {
        self.entered[usize::from(slot)]
    }

    /// Whether some of what was in view at the last look is far.
    pub(super) fn has_far(&self) -> bool {
        self.has_far
    }

    fn look_around(&mut self, world: &World, view_area: &ViewArea, found: &mut Vec<u64>) {
        let Tick(tick) = world.tick();
        if view_area.radius_squared == f32::INFINITY {
            let words = self.visible.words().iter().zip(world.alive().words());
            for (at, (before, alive)) in words.enumerate() {
                slots_of_word(at, alive & !before)
                    .for_each(|slot| self.entered[usize::from(slot)] = tick);
            }
            self.visible.clone_from(world.alive());
            self.near.clone_from(world.alive());
            self.has_far = false;
            return;
        }
        found.clear();
        found.resize(world.alive().words().len(), 0);
        world.grid().add_visible(view_area, found);
        let (visible, near) = (self.visible.words_mut(), self.near.words_mut());
        near.fill(0);
        let mut far = 0;
        for (at, &found) in found.iter().enumerate() {
            let (before, mut now) = (visible[at], 0);
            for slot in slots_of(std::slice::from_ref(&found)) {
                let summary = &world.summaries()[at * 64 + usize::from(slot)];
                let distance_squared = view_area.distance_squared(summary.place);
                if view_area.reaches(distance_squared, before >> slot & 1 == 1) {
                    now |= 1 << slot;
                    near[at] |= u64::from(view_area.is_near(distance_squared)) << slot;
                }
            }
            slots_of_word(at, now & !before)
                .for_each(|slot| self.entered[usize::from(slot)] = tick);
            visible[at] = now;
            far |= now & !near[at];
        }
        self.has_far = far != 0;
    }

    /// Without looking around: what is gone is gone, what is new may be in view.
    fn take_over(&mut self, world: &World, view_area: &ViewArea) {
        for set in [&mut self.visible, &mut self.near] {
            for (word, alive) in set.words_mut().iter_mut().zip(world.alive().words()) {
                *word &= alive;
            }
        }
        for &slot in world.fresh() {
            let place = world.summaries()[usize::from(slot)].place;
            let distance_squared = view_area.distance_squared(place);
            let was_visible = self.visible.contains(slot);
            self.visible.remove(slot);
            self.near.remove(slot);
            if view_area.reaches(distance_squared, false) {
                self.visible.insert(slot);
                if !was_visible {
                    self.entered[usize::from(slot)] = world.tick().0;
                }
                if view_area.is_near(distance_squared) {
                    self.near.insert(slot);
                }
            }
        }
    }
}
