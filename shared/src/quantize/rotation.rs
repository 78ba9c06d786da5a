//! Rotations as lanes: the smallest three components of a unit quaternion.
//!
//! With `m = 2^(bits-1) - 1`, the three components are whole multiples `k` of `1/(m√2)`, `-m <= k <= m`,
//! and travel as `k + m`. As 1 is `m√2` of those, the largest is `√(2m² - k₁² - k₂² - k₃²)`: which of two
//! components is the larger is a question between whole numbers, and that is what makes quantising a
//! dequantised rotation give the same lanes.

use std::f64::consts::SQRT_2;

use glam::Quat;

use super::Field;
use super::number::nearest;
use crate::schema::FieldType;

impl Field for Quat {
    #[inline]
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) {
        let at = match ty {
            FieldType::Quat { bits } => Grid::new(bits).lanes(*self),
            _ => [0; 4],
        };
        lanes[..4].copy_from_slice(&at);
    }

    #[inline]
    fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
        match ty {
            FieldType::Quat { bits } => {
                Grid::new(bits).rotation([lanes[0], lanes[1], lanes[2], lanes[3]])
            }
            _ => Quat::IDENTITY,
        }
    }
}

/// The multiples of `1/(m√2)`.
#[derive(Clone, Copy)]
struct Grid {
    m: i32,
}

impl Grid {
    #[inline]
    fn new(bits: u8) -> Self {
        Grid { m: (1 << (bits - 1)) - 1 }
    }

    #[inline]
    fn lanes(self, rotation: Quat) -> [i32; 4] {
        let at = rotation.to_array().map(f64::from);
        let length = at.iter().map(|c| c * c).sum::<f64>().sqrt();
        if !(length > 0.0 && length.is_finite()) {
            return [3, self.m, self.m, self.m];
        }
        let mut largest = 0;
        for place in 1..4 {
            if at[place].abs() > at[largest].abs() {
                largest = place;
            }
        }
        let unit = SQRT_2 * f64::from(self.m) / length.copysign(at[largest]);
        let mut smallest = OTHERS[largest].map(|place| nearest(at[place] * unit) as i32);
        // Rounding can lift another component above the largest.
        while self.largest_squared(smallest) < square_of_largest(smallest) {
            shrink_largest(&mut smallest);
        }
        self.first_of_equals(largest, smallest)
    }

    #[inline]
    fn rotation(self, lanes: [i32; 4]) -> Quat {
        let largest = lanes[0].clamp(0, 3) as usize;
        let smallest =
            [lanes[1], lanes[2], lanes[3]].map(|lane| lane.clamp(0, 2 * self.m) - self.m);
        let mut at = [0.0; 4];
        for (place, k) in OTHERS[largest].into_iter().zip(smallest) {
            at[place] = self.component(f64::from(k), smallest);
        }
        let squared = self.largest_squared(smallest).max(0);
        at[largest] = self.component(f64::from(squared).sqrt(), smallest);
        Quat::from_array(at)
    }

    /// The square of the largest component in units of the grid; negative for lanes that no rotation has.
    #[inline]
    fn largest_squared(self, smallest: [i32; 3]) -> i32 {
        2 * self.m * self.m - smallest.map(|k| k * k).iter().sum::<i32>()
    }

    /// `k` units as a component of a quaternion of length 1.
    #[inline]
    fn component(self, k: f64, smallest: [i32; 3]) -> f32 {
        let length_squared = (2 * self.m * self.m).max(smallest.map(|k| k * k).iter().sum::<i32>());
        (k / f64::from(length_squared).sqrt()) as f32
    }

    /// The lanes of a rotation whose largest component is at `largest`, or, should an earlier one be just as
    /// large once read back as `f32`, at that one.
    #[inline]
    fn first_of_equals(self, largest: usize, smallest: [i32; 3]) -> [i32; 4] {
        let size = self.component(f64::from(self.largest_squared(smallest)).sqrt(), smallest);
        let equal = (0..largest)
            .find(|&place| self.component(f64::from(smallest[place].abs()), smallest) >= size);
        let (largest, [a, b, c]) = match equal {
            None => (largest, smallest),
            Some(first) => (first, swapped(largest, first, smallest)),
        };
        [largest as i32, a + self.m, b + self.m, c + self.m]
    }
}

/// The places of the three components that are not the largest, by its place.
const OTHERS: [[usize; 3]; 4] = [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]];

/// The components beside `first`, from those beside `largest`, when the two are equal in size.
fn swapped(largest: usize, first: usize, smallest: [i32; 3]) -> [i32; 3] {
    let mut at = [0; 4];
    for (place, k) in OTHERS[largest].into_iter().zip(smallest) {
        at[place] = k;
    }
    at[largest] = at[first].abs();
    let sign = at[first].signum();
    OTHERS[first].map(|place| at[place] * sign)
}

#[inline]
fn square_of_largest([a, b, c]: [i32; 3]) -> i32 {
    (a * a).max(b * b).max(c * c)
}

/// Takes one unit off the component that is farthest from zero.
fn shrink_largest(smallest: &mut [i32; 3]) {
    if let Some(k) = smallest.iter_mut().max_by_key(|k| k.abs()) {
        *k -= k.signum();
    }
}
