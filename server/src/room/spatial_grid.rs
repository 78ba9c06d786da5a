//! A spatial index of slots, and their owners.
//!
//! A grid is laid over all places in every tick. Its cell counts make cells as close to cubes as
//! possible: a flat world has a plane of cells, one as high as it is wide has layers, a corridor
//! has a row. Each cell holds its slots as a bit set, so the slots in sight are a union of a few
//! sets, in the order of slots.

use glam::{UVec3, Vec3};
use tickwire_shared::PlayerId;
use tickwire_shared::slots::SlotSet;

use super::slot_summary::SlotSummary;
use super::view_area::{HYSTERESIS, ViewArea};

/// The number of cells, as a power of 2.
const HALVINGS: u32 = 8;
/// The least size of a world, in units.
const SIZE_MIN: f32 = 1e-3;

/// The slots by place, and by owner.
#[derive(Debug, Default)]
pub(super) struct SpatialGrid {
    /// Words in a set.
    words: usize,
    origin: Vec3,
    cells_per_unit: Vec3,
    /// Cells along each axis.
    counts: UVec3,
    /// The set of each cell, layer by layer and row by row.
    cells: Vec<u64>,
    /// The slots without a place.
    everywhere: Vec<u64>,
    /// Owners with their slots, sorted.
    owned: Vec<(u32, u16)>,
}

impl SpatialGrid {
    /// Lays the grid over the current world.
    pub(super) fn rebuild(&mut self, summaries: &[SlotSummary], alive: &SlotSet) {
        self.words = summaries.len().div_ceil(64);
        clear(&mut self.cells, self.words << HALVINGS);
        clear(&mut self.everywhere, self.words);
        self.owned.clear();
        let alive = || alive.iter().map(|slot| (usize::from(slot), &summaries[usize::from(slot)]));
        let places = || alive().map(|(_, summary)| summary.place).filter(|place| place.is_finite());
        let low = places().fold(Vec3::INFINITY, Vec3::min);
        let high = places().fold(Vec3::NEG_INFINITY, Vec3::max);
        let size = (high - low).max(Vec3::splat(SIZE_MIN));
        self.origin = low;
        self.counts = cell_counts(size);
        self.cells_per_unit = self.counts.as_vec3() / size;
        for (slot, summary) in alive() {
            if summary.owner != 0 {
                self.owned.push((summary.owner, slot as u16));
            }
            let cell =
                summary.place.is_finite().then(|| self.cell(self.coordinates(summary.place)));
            let set = match cell {
                Some(cell) => &mut self.cells[cell * self.words..][..self.words],
                None => &mut self.everywhere[..],
            };
            set[slot / 64] |= 1 << (slot % 64);
        }
        self.owned.sort_unstable();
    }

    /// True if an entity moved farther than a cell.
    pub(super) fn is_jump(&self, from: Option<Vec3>, to: Option<Vec3>) -> bool {
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

    /// Adds to `set` all slots that may be in sight, and possibly others.
    pub(super) fn add_visible(&self, view_area: &ViewArea, set: &mut [u64]) {
        join(set, &self.everywhere);
        for area in view_area.areas() {
            let reach = area.half_size() * HYSTERESIS;
            let first = self.coordinates(area.center() - reach);
            let last = self.coordinates(area.center() + reach);
            for z in first.z..=last.z {
                for y in first.y..=last.y {
                    let row = self.cell(UVec3::new(0, y, z));
                    for cell in row + first.x as usize..=row + last.x as usize {
                        join(set, &self.cells[cell * self.words..][..self.words]);
                    }
                }
            }
        }
    }

    /// The cell at a place, or the nearest cell.
    fn coordinates(&self, place: Vec3) -> UVec3 {
        let last = self.counts.saturating_sub(UVec3::ONE).as_vec3();
        ((place - self.origin) * self.cells_per_unit).clamp(Vec3::ZERO, last).as_uvec3()
    }

    fn cell(&self, at: UVec3) -> usize {
        ((at.z * self.counts.y + at.y) * self.counts.x + at.x) as usize
    }
}

/// Cells along each axis for a world of this size: the longest side of the cells is halved,
/// [`HALVINGS`] times.
fn cell_counts(size: Vec3) -> UVec3 {
    let (mut counts, mut cell) = (UVec3::ONE, size);
    for _ in 0..HALVINGS {
        let axis = cell.max_position();
        counts[axis] *= 2;
        cell[axis] /= 2.0;
    }
    counts
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
    use proptest::prelude::*;
    use tickwire_shared::{Area, View};

    use super::*;

    fn summary(place: Vec3, owner: u32) -> SlotSummary {
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

    /// A place in a world that is flat along one axis, or along none. NaN is an entity without a
    /// place.
    fn place(flat: usize) -> impl Strategy<Value = Vec3> {
        let number = prop_oneof![-500f32..500.0, -5f32..5.0, Just(f32::NAN), Just(3e38)];
        [number.clone(), number.clone(), number].prop_map(move |numbers| {
            let mut place = Vec3::from_array(numbers);
            if flat < 3 {
                place[flat] = 7.0;
            }
            if place.is_nan() { Vec3::NAN } else { place }
        })
    }

    fn area(flat: usize) -> impl Strategy<Value = Area> {
        let size = prop_oneof![0f32..800.0, Just(f32::INFINITY)];
        let sphere = (place(flat), 0f32..800.0).prop_map(|(at, radius)| Area::sphere(at, radius));
        let cuboid = (place(flat), [size.clone(), size.clone(), size])
            .prop_map(|(at, half_size)| Area::cuboid(at, Vec3::from_array(half_size)));
        prop_oneof![sphere, cuboid]
    }

    type Things = Vec<(Vec3, u32, bool)>;

    fn world() -> impl Strategy<Value = (Things, Vec<Area>)> {
        (0usize..4).prop_flat_map(|flat| {
            let thing = (place(flat), 0u32..4, any::<bool>());
            let areas = prop::collection::vec(area(flat), 0..4);
            (prop::collection::vec(thing, 0..200), areas)
        })
    }

    proptest! {
        #[test]
        fn the_grid_gives_at_least_everything_in_sight((things, areas) in world()) {
            let summaries: Vec<SlotSummary> = things.iter().map(|&(p, o, _)| summary(p, o)).collect();
            let mut alive = SlotSet::default();
            for (slot, _) in things.iter().enumerate().filter(|(_, (.., alive))| *alive) {
                alive.insert(slot as u16);
            }
            let view_area = ViewArea::new(areas.into_iter().fold(View::nothing(), View::and), 50);
            let mut grid = SpatialGrid::default();
            grid.rebuild(&summaries, &alive);
            let mut set = vec![0; summaries.len().div_ceil(64)];
            grid.add_visible(&view_area, &mut set);
            let owned: Vec<u16> = grid.owned_by(PlayerId(1)).collect();
            for slot in alive.iter() {
                let summary = &summaries[usize::from(slot)];
                prop_assert_eq!(owned.contains(&slot), summary.owner == 1);
                if view_area.reach(summary.place, true).is_seen() {
                    let found = set[usize::from(slot) / 64] >> (slot % 64) & 1 == 1;
                    prop_assert!(found, "{slot}: {summary:?}");
                }
            }
        }
    }

    #[test]
    fn cells_are_as_good_as_cubes_whatever_the_world_is_like() {
        let of = |x: f32, y: f32, z: f32| cell_counts(Vec3::new(x, y, z)).to_array();
        assert_eq!(of(100.0, 100.0, SIZE_MIN), [16, 16, 1], "a plane");
        assert_eq!(of(100.0, SIZE_MIN, 100.0), [16, 1, 16], "another axis is up");
        assert_eq!(of(400.0, 100.0, SIZE_MIN), [32, 8, 1], "a wide one");
        assert_eq!(of(SIZE_MIN, SIZE_MIN, 100.0), [1, 1, 256], "a corridor");
        assert_eq!(of(100.0, 100.0, 100.0), [8, 8, 4], "space");
    }

    #[test]
    fn a_sphere_in_space_joins_the_cells_around_it_alone() {
        // A place in each cell.
        let steps = || (0..8).map(|step| step as f32);
        let places: Vec<Vec3> = steps()
            .flat_map(|x| steps().flat_map(move |y| steps().map(move |z| Vec3::new(x, y, z))))
            .collect();
        let summaries: Vec<SlotSummary> = places.iter().map(|place| summary(*place, 0)).collect();
        let mut alive = SlotSet::default();
        (0..places.len()).for_each(|slot| alive.insert(slot as u16));
        let mut grid = SpatialGrid::default();
        grid.rebuild(&summaries, &alive);
        let found = |view: View| {
            let mut set = vec![0; places.len().div_ceil(64)];
            grid.add_visible(&ViewArea::new(view, 50), &mut set);
            tickwire_shared::slots::count(&set)
        };
        let of_512 = found(View::sphere(Vec3::splat(3.9), 0.5));
        assert!(of_512 <= 3 * 3 * 2 * 2, "{of_512}");
        assert_eq!(found(View::sphere(Vec3::splat(-900.0), 5.0)), 2, "those in the nearest cell");
    }
}
