//! Who sees what.
//!
//! A grid is laid over all places in every tick. Each cell holds its slots as a set of bits, so that
//! what a client may see is a few sets joined, and comes out in the order of slots.

use glam::Vec2;
use tickwire_shared::{PlayerId, View};

use super::world::Glance;

/// Cells of the grid in each direction.
const CELLS: usize = 16;

/// An entity already seen is kept until it is so much farther away than the radius.
const HYSTERESIS: f32 = 1.1;

/// A client's view in one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    center: Vec2,
    radius_squared: f32,
    radius_seen_squared: f32,
    far_squared: f32,
}

impl Sight {
    /// What is beyond `far_from_percent` of the view's radius is far.
    pub(super) fn new(view: View, far_from_percent: u32) -> Self {
        let (center, radius) = match view {
            View::Everything => (Vec2::ZERO, f32::INFINITY),
            View::Circle { center, radius } => (center, radius),
        };
        let seen = radius * HYSTERESIS;
        let far = radius * far_from_percent as f32 / 100.0;
        Sight {
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

    /// The part of it that is near.
    pub(super) fn near(self) -> Sight {
        Sight { radius_squared: self.far_squared, radius_seen_squared: self.far_squared, ..self }
    }

    /// How much something at that distance matters, from 1 at the centre to a half at the edge.
    pub(super) fn nearness(&self, distance_squared: f32) -> f32 {
        let part = (distance_squared / self.radius_squared.max(1.0)).sqrt();
        if part.is_nan() { 1.0 } else { 1.0 / (1.0 + part) }
    }
}

/// Which slots are where.
#[derive(Debug, Default)]
pub(super) struct Grid {
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

impl Grid {
    /// Lays the grid over the world as it is now.
    pub(super) fn rebuild(&mut self, glances: &[Glance]) {
        self.words = glances.len().div_ceil(64);
        clear(&mut self.cells, self.words * CELLS * CELLS);
        clear(&mut self.everywhere, self.words);
        self.owned.clear();
        let alive = || glances.iter().enumerate().filter(|(_, glance)| glance.alive);
        let places = || alive().map(|(_, glance)| glance.place).filter(|place| place.is_finite());
        let low = places().fold(Vec2::INFINITY, Vec2::min);
        let high = places().fold(Vec2::NEG_INFINITY, Vec2::max);
        self.origin = low;
        self.cells_per_unit = CELLS as f32 / (high - low).max(Vec2::splat(1e-3));
        for (slot, glance) in alive() {
            if glance.owner != 0 {
                self.owned.push((glance.owner, slot as u16));
            }
            let set = if glance.place.is_finite() {
                let at = ((glance.place - low) * self.cells_per_unit)
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

    /// Adds to `set` what `player` may see: at least all that its sight reaches, and all it owns.
    pub(super) fn add_visible(&self, sight: &Sight, player: PlayerId, set: &mut [u64]) {
        join(set, &self.everywhere);
        let first = self.owned.partition_point(|(owner, _)| *owner < player.0);
        for &(owner, slot) in &self.owned[first..] {
            if owner != player.0 {
                break;
            }
            set[usize::from(slot) / 64] |= 1 << (slot % 64);
        }
        let radius = sight.radius_squared.sqrt();
        let (center, low, scale) = (sight.center, self.origin, self.cells_per_unit);
        let (left, right) = Sight::cells(center.x, radius, low.x, scale.x);
        let (bottom, top) = Sight::cells(center.y, radius, low.y, scale.y);
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

    fn glance(place: Vec2, owner: u32, alive: bool) -> Glance {
        Glance { place, owner, alive, spawned: 1, changed: 1, changed_public: 1 }
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
            let glances: Vec<Glance> = world.into_iter().map(|(p, o, a)| glance(p, o, a)).collect();
            let view = if everything { View::Everything } else { View::Circle { center, radius } };
            let sight = Sight::new(view, 50);
            let mut grid = Grid::default();
            grid.rebuild(&glances);
            let mut set = vec![0; glances.len().div_ceil(64)];
            grid.add_visible(&sight, PlayerId(1), &mut set);
            for (slot, glance) in glances.iter().enumerate().filter(|(_, glance)| glance.alive) {
                let distance_squared = sight.distance_squared(glance.place);
                // A view from nowhere shows nothing but what is everywhere.
                let placed = center.is_finite() || everything || !glance.place.is_finite();
                if glance.owner == 1 || (placed && sight.reaches(distance_squared, false)) {
                    prop_assert!(set[slot / 64] >> (slot % 64) & 1 == 1, "{slot}: {glance:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_seen_stays_a_little_beyond_the_edge() {
        let sight = Sight::new(View::Circle { center: Vec2::ZERO, radius: 100.0 }, 50);
        let at = |x| sight.distance_squared(Vec2::new(x, 0.0));
        assert!(sight.reaches(at(99.0), false));
        assert!(!sight.reaches(at(101.0), false));
        assert!(sight.reaches(at(109.0), true));
        assert!(!sight.reaches(at(111.0), true));
        assert!(sight.reaches(at(f32::NAN), false), "what has no place is seen everywhere");
        assert!(sight.near().reaches(at(49.0), false) && !sight.near().reaches(at(51.0), true));
        assert!(sight.nearness(at(0.0)) > sight.nearness(at(90.0)));
    }

    #[test]
    fn who_sees_everything_sees_it_at_any_distance() {
        let sight = Sight::new(View::Everything, 50);
        let far = sight.distance_squared(Vec2::splat(1e9));
        assert!(sight.reaches(far, false));
        assert_eq!(sight.nearness(far), 1.0);
        assert!(sight.near().reaches(far, false));
    }
}
