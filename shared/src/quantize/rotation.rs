//! Rotations as lanes: the smallest three components of a unit quaternion.
//!
//! With `m = 2^(bits-1) - 1`, the three components are whole multiples `k` of `1/(m√2)`, from `-m`
//! to `m`, and travel as `k + m`. As 1 is `m√2` of those, the largest component is
//! `√(2m² - k₁² - k₂² - k₃²)` of them. So which of two components is the larger is a question
//! between whole numbers, and that is what makes quantising a dequantised rotation give the same
//! lanes.

use std::f64::consts::SQRT_2;

use glam::Quat;

use super::Field;
use super::real::nearest;
use crate::schema::FieldType;

/// The places of the three components that are not the largest, by its place.
const OTHERS: [[usize; 3]; 4] = [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]];

impl Field for Quat {
    #[inline]
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) -> bool {
        let (at, fits) = match ty {
            FieldType::Quat { bits } => match RotationGrid::new(bits).lanes(*self) {
                Some(at) => (at, true),
                None => (RotationGrid::new(bits).no_rotation(), false),
            },
            _ => ([0; 4], true),
        };
        lanes[..4].copy_from_slice(&at);
        fits
    }

    #[inline]
    fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
        match ty {
            FieldType::Quat { bits } => {
                RotationGrid::new(bits).rotation([lanes[0], lanes[1], lanes[2], lanes[3]])
            }
            _ => Quat::IDENTITY,
        }
    }
}

/// The multiples of `1/(m√2)`.
#[derive(Clone, Copy)]
struct RotationGrid {
    m: i32,
}

impl RotationGrid {
    #[inline]
    fn new(bits: u8) -> Self {
        RotationGrid { m: (1 << (bits - 1)) - 1 }
    }

    /// `None` for what points nowhere.
    #[inline]
    fn lanes(self, rotation: Quat) -> Option<[i32; 4]> {
        let at = rotation.to_array().map(f64::from);
        let length = at.iter().map(|c| c * c).sum::<f64>().sqrt();
        if !(length > 0.0 && length.is_finite()) {
            return None;
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
        Some(self.first_of_equals(largest, smallest))
    }

    #[inline]
    fn no_rotation(self) -> [i32; 4] {
        [3, self.m, self.m, self.m]
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

    /// The square of the largest component in units of the grid; negative for lanes that no
    /// rotation has.
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

    /// The lanes of a rotation whose largest component is at `largest`, or, should an earlier one
    /// be just as large once read back as `f32`, at that one.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lanes(rotation: Quat, bits: u8) -> [i32; 4] {
        let mut lanes = [0; 4];
        rotation.quantize(FieldType::Quat { bits }, &mut lanes);
        lanes
    }

    fn back(lanes: [i32; 4], bits: u8) -> Quat {
        Quat::dequantize(FieldType::Quat { bits }, &lanes)
    }

    /// Of any length, and often with components that are equal, nearly equal, or zero.
    fn rotation() -> impl Strategy<Value = Quat> {
        let equal = prop_oneof![Just(0.0f32), Just(0.5), Just(-0.5), Just(1.0)];
        let near = (equal.clone(), -1e-4f32..1e-4).prop_map(|(base, more)| base + more);
        let component = prop_oneof![-1.0f32..1.0, equal, near];
        proptest::array::uniform4(component)
            .prop_filter("a rotation has a length", |at| at.iter().any(|c| *c != 0.0))
            .prop_map(Quat::from_array)
    }

    proptest! {
        #[test]
        fn a_rotation_comes_back_close(rotation in rotation(), bits in 2u8..=15) {
            let found = back(lanes(rotation, bits), bits);
            prop_assert!(found.is_normalized());
            let step = 1.0 / (SQRT_2 * f64::from(RotationGrid::new(bits).m));
            let (a, b) = (rotation.as_dquat().normalize(), found.as_dquat());
            let distance = (a - b).length().min((a + b).length());
            prop_assert!(distance <= 2.2 * step, "{} steps", distance / step);
        }

        #[test]
        fn a_rotation_read_back_has_the_same_lanes(rotation in rotation(), bits in 2u8..=15) {
            let once = lanes(rotation, bits);
            prop_assert_eq!(lanes(back(once, bits), bits), once);
            prop_assert_eq!(lanes(-rotation, bits), once, "q and -q are one rotation");
        }

        #[test]
        fn any_bits_of_a_rotation_give_lanes_in_range(at in any::<[u32; 4]>(), bits in 2u8..=15) {
            let ty = FieldType::Quat { bits };
            let found = lanes(Quat::from_array(at.map(f32::from_bits)), bits);
            for (place, lane) in found.into_iter().enumerate() {
                let (min, max) = ty.lane_range(place);
                prop_assert!((min..=max).contains(&i64::from(lane)));
            }
        }

        #[test]
        fn any_lanes_give_a_rotation(wild in any::<[i32; 4]>(), bits in 2u8..=15) {
            prop_assert!(back(wild, bits).is_normalized());
            let mask = (1 << bits) - 1;
            prop_assert!(back(wild.map(|lane| lane & mask), bits).is_normalized());
        }
    }

    #[test]
    fn every_rotation_of_few_bits_has_lasting_lanes() {
        for bits in 2..=5 {
            let side = 2 * RotationGrid::new(bits).m + 1;
            for at in 0..4 * side * side * side {
                let any = [
                    at / (side * side * side),
                    at / (side * side) % side,
                    at / side % side,
                    at % side,
                ];
                let once = lanes(back(any, bits), bits);
                assert_eq!(lanes(back(once, bits), bits), once, "{any:?} of {bits} bits");
            }
        }
    }

    #[test]
    fn no_rotation_and_half_turns_are_exact() {
        for at in 0..4 {
            let mut whole = [0.0; 4];
            whole[at] = 1.0;
            for bits in 2..=15 {
                let expected = Quat::from_array(whole);
                assert_eq!(back(lanes(expected, bits), bits), expected);
            }
        }
    }

    #[test]
    fn what_is_no_rotation_becomes_none() {
        let none = lanes(Quat::IDENTITY, 9);
        assert_eq!(none, [3, 255, 255, 255]);
        for component in [0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let nowhere = Quat::from_xyzw(component, 0.0, 0.0, 0.0);
            assert_eq!(lanes(nowhere, 9), none);
            assert!(!nowhere.quantize(FieldType::Quat { bits: 9 }, &mut [0; 4]), "{component}");
        }
        assert!((Quat::IDENTITY * 7.0).quantize(FieldType::Quat { bits: 9 }, &mut [0; 4]));
        assert_eq!(lanes(Quat::from_xyzw(1e-40, 0.0, 0.0, 0.0), 9), [0, 255, 255, 255]);
        assert_eq!(lanes(Quat::from_xyzw(f32::MAX, 0.0, 0.0, f32::MAX), 9)[0], 0);
    }
}
