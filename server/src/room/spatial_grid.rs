//! Which slots are where, and whose.
//!
//! A grid is laid over all places in every tick. Each cell holds its slots as a set of bits, so that what a client may
//! see is a few sets joined, and comes out in the order of slots.

use glam::Vec2;
use tickwire_shared::PlayerId;
use tickwire_shared::slots::SlotSet;

use super::slot_summary::SlotSummary;
use super::view_area::ViewArea;

/// Cells of the grid in each direction.
const CELLS: usize = 16;

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
    pub(super) fn add_visible(&self, view_area: &ViewArea, set: &mut [u64]) {
        join(set, &self.everywhere);
        let radius = view_area.radius_seen_squared.max(0.0).sqrt();
        let (center, low, scale) = (view_area.center, self.origin, self.cells_per_unit);
        let (left, right) = cells(center.x, radius, low.x, scale.x);
        let (bottom, top) = cells(center.y, radius, low.y, scale.y);
        for row in bottom..=top {
            for cell in row * CELLS + left..=row * CELLS + right {
                join(set, &self.cells[cell * self.words..][..self.words]);
            }
        }
    }
}

/// First and last cell in one direction, for a grid that starts at `origin`.
fn cells(center: f32, radius: f32, origin: f32, cells_per_unit: f32) -> (usize, usize) {
    let cell = |at: f32| ((at - origin) * cells_per_unit).clamp(0.0, CELLS as f32 - 1.0);
    (cell(center - radius) as usize, cell(center + radius) as usize)
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
    use tickwire_shared::View;

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
}
