use tickwire_shared::glam::Vec2;

use super::WORLD_HALF;

const CELL: f32 = 64.0;
const SIDE: usize = (2.0 * WORLD_HALF / CELL) as usize;

/// Circles by the cells they touch, rebuilt every tick, so that a look-up at a point reads one
/// cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    /// The beginning of each cell in `items`, and the end of the last.
    starts: Vec<u32>,
    items: Vec<u32>,
    cells: Vec<(u32, u32)>,
}

impl Grid {
    /// Takes circles as (number, middle, radius), in the order in which [`Grid::at`] gives them.
    pub(super) fn rebuild(&mut self, circles: impl Iterator<Item = (u32, Vec2, f32)>) {
        self.cells.clear();
        self.starts.clear();
        self.starts.resize(SIDE * SIDE + 1, 0);
        for (number, middle, radius) in circles {
            let (left, right) = (cell_of(middle.x - radius), cell_of(middle.x + radius));
            let (bottom, top) = (cell_of(middle.y - radius), cell_of(middle.y + radius));
            for row in bottom..=top {
                for cell in row * SIDE + left..=row * SIDE + right {
                    self.cells.push((cell as u32, number));
                    self.starts[cell + 1] += 1;
                }
            }
        }
        for cell in 0..SIDE * SIDE {
            self.starts[cell + 1] += self.starts[cell];
        }
        self.items.clear();
        self.items.resize(self.cells.len(), 0);
        // Filled from the back, so that each cell's start moves down from its end to its beginning.
        self.starts.rotate_left(1);
        for &(cell, number) in self.cells.iter().rev() {
            let start = &mut self.starts[cell as usize];
            *start -= 1;
            self.items[*start as usize] = number;
        }
        self.starts[SIDE * SIDE] = self.items.len() as u32;
    }

    /// Every circle that might hold `point`, and some that do not.
    pub(super) fn at(&self, point: Vec2) -> &[u32] {
        let cell = cell_of(point.y) * SIDE + cell_of(point.x);
        match self.starts.get(cell..cell + 2) {
            Some(ends) => &self.items[ends[0] as usize..ends[1] as usize],
            None => &[],
        }
    }
}

fn cell_of(coordinate: f32) -> usize {
    (((coordinate + WORLD_HALF) / CELL) as usize).min(SIDE - 1)
}

#[cfg(test)]
mod tests {
    use tickwire_shared::glam::Vec2;

    use super::{Grid, WORLD_HALF};
    use crate::rules::random::Random;

    #[test]
    fn finds_every_circle_that_holds_a_point() {
        let mut random = Random::new(1);
        let circles: Vec<(Vec2, f32)> = (0..500)
            .map(|_| (random.place(WORLD_HALF + 10.0), random.between(1.0, 90.0)))
            .collect();
        let mut grid = Grid::default();
        assert!(grid.at(Vec2::ZERO).is_empty());
        for _ in 0..2 {
            grid.rebuild((0..).zip(&circles).map(|(n, &(middle, radius))| (n, middle, radius)));
        }
        let mut found = 0;
        for _ in 0..2000 {
            let point = random.place(WORLD_HALF);
            let near = grid.at(point);
            assert!(near.is_sorted());
            for (number, (middle, radius)) in (0u32..).zip(&circles) {
                if middle.distance(point) < *radius {
                    assert!(near.contains(&number), "{number} does not show at {point}");
                    found += 1;
                }
            }
        }
        assert!(found > 100);
    }
}
