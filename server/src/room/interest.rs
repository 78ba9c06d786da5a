//! Who sees what.
//!
//! A grid is laid over all places in every tick. Each cell holds its slots as a set of bits, so that
//! what a client may see is a few sets joined, and comes out in the order of slots. A client looks around
//! every few ticks; in between only what vanishes, and what has just appeared, changes its view.

use glam::Vec2;
use tickwire_shared::slots::{SlotSet, slots_of, slots_of_word};
use tickwire_shared::{PlayerId, Tick, View};

use super::world::{SlotSummary, World};

/// Cells of the grid in each direction.
const CELLS: usize = 16;

/// An entity already seen is kept until it is so much farther away than the radius.
const HYSTERESIS: f32 = 1.1;
/// A client looks around once in so many ticks.
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
        clear(found, world.alive().words().len());
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

/// A client's view in one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewArea {
    center: Vec2,
    radius_squared: f32,
    radius_seen_squared: f32,
    far_squared: f32,
}

/// A place that is none, as a calculation that went wrong leaves it, is out of everybody's sight but theirs who
/// see everything.
pub(super) fn known_place(place: Vec2) -> Vec2 {
    if place.is_finite() { place } else { Vec2::INFINITY }
}

impl ViewArea {
    /// Nothing but what has no place.
    const NOTHING: ViewArea = ViewArea {
        center: Vec2::ZERO,
        radius_squared: -1.0,
        radius_seen_squared: -1.0,
        far_squared: -1.0,
    };

    /// What is beyond `far_from_percent` of the view's radius is far.
    pub(super) fn new(view: View, far_from_percent: u32) -> Self {
        let (center, radius) = match view {
            View::Everything => (Vec2::ZERO, f32::INFINITY),
            View::Circle { center, radius } if center.is_finite() && radius >= 0.0 => {
                (center, radius)
            }
            View::Circle { .. } => return ViewArea::NOTHING,
        };
        let seen = radius * HYSTERESIS;
        let far = radius * far_from_percent as f32 / 100.0;
        ViewArea {
            center,
            radius_squared: radius * radius,
            radius_seen_squared: seen * seen,
            far_squared: far * far,
        }
    }

    /// First and last cell in one direction, for a grid that starts at `origin`.
    fn cells(center: f32, radius: f32, origin: f32, cells_per_unit: f32) -> (usize, usize) {
        let cell = |at: f32| ((at - origin) * cells_per_unit).clamp(0.0, CELLS as f32 - 1.0);
        (cell(center - radius) as usize, cell(center + radius) as usize)
    }

    /// The square of the distance of `place`; not a number for no place.
    #[inline]
    pub(super) fn distance_squared(&self, place: Vec2) -> f32 {
        self.center.distance_squared(place)
    }

    /// Whether something at that distance is seen. What has no place always is.
    #[inline]
    pub(super) fn reaches(&self, distance_squared: f32, seen_before: bool) -> bool {
        let reach = if seen_before { self.radius_seen_squared } else { self.radius_squared };
        distance_squared <= reach || distance_squared.is_nan()
    }

    /// Whether something at that distance is near. What has no place always is.
    #[inline]
    fn is_near(&self, distance_squared: f32) -> bool {
        distance_squared <= self.far_squared || distance_squared.is_nan()
    }
}

/// Which slots are where.
#[derive(Debug, Default)]
pub(super) struct SpatialGrid {
    /// Words of a set.
    words: usize,
    origin: Vec2,
    cells_per_unit: Vec2,
    /// Row by row, a set for each cell.
    cells: Vec<u64>,
    /// What has no place.
    everywhere: Vec<u64>,
    /// Sorted.
    owned: Vec<(u32, u16)>,
}

impl SpatialGrid {
    /// Lays the grid over the world as it is now.
    pub(super) fn rebuild(&mut self, summaries: &[SlotSummary], alive: &SlotSet) {
        self.words = summaries.len().div_ceil(64);
        clear(&mut self.cells, self.words * CELLS * CELLS);
        clear(&mut self.everywhere, self.words);
        self.owned.clear();
        let alive = || alive.iter().map(|slot| (usize::from(slot), &summaries[usize::from(slot)]));
        let places = || alive().map(|(_, summary)| summary.place).filter(|place| place.is_finite());
        let low = places().fold(Vec2::INFINITY, Vec2::min);
        let high = places().fold(Vec2::NEG_INFINITY, Vec2::max);
        self.origin = low;
        self.cells_per_unit = CELLS as f32 / (high - low).max(Vec2::splat(1e-3));
        for (slot, summary) in alive() {
            if summary.owner != 0 {
                self.owned.push((summary.owner, slot as u16));
            }
            let set = if summary.place.is_finite() {
                let at = ((summary.place - low) * self.cells_per_unit)
                    .clamp(Vec2::ZERO, Vec2::splat(CELLS as f32 - 1.0));
                let cell = at.y as usize * CELLS + at.x as usize;
                &mut self.cells[cell * self.words..][..self.words]
            } else {
                &mut self.everywhere[..]
            };
            set[slot / 64] |= 1 << (slot % 64);
        }
        self.owned.sort_unstable();
    }

    /// Whether an entity that went from one place to the other went farther than a cell.
    pub(super) fn is_jump(&self, from: Option<Vec2>, to: Option<Vec2>) -> bool {
        match (from, to) {
            (Some(from), Some(to)) => {
                let cells = ((to - from) * self.cells_per_unit).abs().max_element();
                from != to && (cells > 1.0 || cells.is_nan())
            }
            (from, to) => from.is_some() != to.is_some(),
        }
    }

    /// The slots that `player` owns.
    pub(super) fn owned_by(&self, player: PlayerId) -> impl Iterator<Item = u16> + '_ {
        let first = self.owned.partition_point(|(owner, _)| *owner < player.0);
        let owned = self.owned[first..].iter().take_while(move |(owner, _)| *owner == player.0);
        owned.map(|(_, slot)| *slot)
    }

    /// Adds to `set` at least all that may be in sight.
    fn add_visible(&self, view_area: &ViewArea, set: &mut [u64]) {
        join(set, &self.everywhere);
        let radius = view_area.radius_seen_squared.max(0.0).sqrt();
        let (center, low, scale) = (view_area.center, self.origin, self.cells_per_unit);
        let (left, right) = ViewArea::cells(center.x, radius, low.x, scale.x);
        let (bottom, top) = ViewArea::cells(center.y, radius, low.y, scale.y);
        for row in bottom..=top {
            for cell in row * CELLS + left..=row * CELLS + right {
                join(set, &self.cells[cell * self.words..][..self.words]);
            }
        }
    }
}

fn clear(set: &mut Vec<u64>, words: usize) {
    set.clear();
    set.resize(words, 0);
}

fn join(set: &mut [u64], other: &[u64]) {
    for (word, other) in set.iter_mut().zip(other) {
        *word |= other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn summary(place: Vec2, owner: u32) -> SlotSummary {
        SlotSummary {
            place,
            owner,
            spawned: 1,
            changed: 1,
            changed_public: 1,
            kind: 0,
            priority: 1,
        }
    }

    fn place() -> impl Strategy<Value = Vec2> {
        let number = prop_oneof![-500f32..500.0, -5f32..5.0, Just(f32::NAN), Just(3e38)];
        (number.clone(), number).prop_map(|(x, y)| Vec2::new(x, y))
    }

    proptest! {
        #[test]
        fn the_grid_gives_at_least_everything_in_sight(
            world in prop::collection::vec((place(), 0u32..4, any::<bool>()), 0..200),
            center in place(), radius in 0f32..800.0, everything: bool,
        ) {
            let summaries: Vec<SlotSummary> = world.iter().map(|&(p, o, _)| summary(p, o)).collect();
            let mut alive = SlotSet::default();
            for (slot, _) in world.iter().enumerate().filter(|(_, (.., alive))| *alive) {
                alive.insert(slot as u16);
            }
            let view = if everything { View::Everything } else { View::Circle { center, radius } };
            let view_area = ViewArea::new(view, 50);
            let mut grid = SpatialGrid::default();
            grid.rebuild(&summaries, &alive);
            let mut set = vec![0; summaries.len().div_ceil(64)];
            grid.add_visible(&view_area, &mut set);
            let owned: Vec<u16> = grid.owned_by(PlayerId(1)).collect();
            for slot in alive.iter() {
                let summary = &summaries[usize::from(slot)];
                prop_assert_eq!(owned.contains(&slot), summary.owner == 1);
                let distance_squared = view_area.distance_squared(summary.place);
                // A view from nowhere shows nothing but what is everywhere.
                let placed = center.is_finite() || everything || !summary.place.is_finite();
                if placed && view_area.reaches(distance_squared, true) {
                    let found = set[usize::from(slot) / 64] >> (slot % 64) & 1 == 1;
                    prop_assert!(found, "{slot}: {summary:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_seen_stays_a_little_beyond_the_edge() {
        let view_area = ViewArea::new(View::Circle { center: Vec2::ZERO, radius: 100.0 }, 50);
        let at = |x| view_area.distance_squared(Vec2::new(x, 0.0));
        assert!(view_area.reaches(at(99.0), false));
        assert!(!view_area.reaches(at(101.0), false));
        assert!(view_area.reaches(at(109.0), true));
        assert!(!view_area.reaches(at(111.0), true));
        assert!(view_area.reaches(at(f32::NAN), false), "what has no place is seen everywhere");
        assert!(view_area.is_near(at(49.0)) && !view_area.is_near(at(51.0)));
    }

    #[test]
    fn who_sees_everything_sees_it_at_any_distance() {
        let view_area = ViewArea::new(View::Everything, 50);
        let far = view_area.distance_squared(Vec2::splat(1e9));
        assert!(view_area.reaches(far, false));
    }
}
