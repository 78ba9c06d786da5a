//! Real numbers, angles and vectors as lanes.

use std::f64::consts::TAU;

use glam::{Vec2, Vec3};

use super::Field;
use crate::schema::{FieldType, lane_of};

impl Field for f32 {
    #[inline]
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) -> bool {
        let fits;
        (lanes[0], fits) = match ty {
            FieldType::Float { min, max, step } => {
                let steps = Steps { min, max, step };
                (steps.lane(*self), steps.fits(*self))
            }
            FieldType::Angle { bits } => (angle_to_lane(*self, bits), self.is_finite()),
            _ => (0, true),
        };
        fits
    }

    #[inline]
    fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
        match ty {
            FieldType::Float { min, max, step } => Steps { min, max, step }.value(lanes[0]),
            FieldType::Angle { bits } => angle_from_lane(lanes[0], bits),
            _ => 0.0,
        }
    }
}

impl Field for Vec2 {
    #[inline]
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) -> bool {
        let (at, fits) = match ty {
            FieldType::Vec2 { min, max, step } => {
                let steps = Steps { min, max, step };
                let fits = steps.fits(self.x) & steps.fits(self.y);
                ([steps.lane(self.x), steps.lane(self.y)], fits)
            }
            _ => ([0; 2], true),
        };
        lanes[..2].copy_from_slice(&at);
        fits
    }

    #[inline]
    fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
        match ty {
            FieldType::Vec2 { min, max, step } => {
                let steps = Steps { min, max, step };
                Vec2::new(steps.value(lanes[0]), steps.value(lanes[1]))
            }
            _ => Vec2::ZERO,
        }
    }
}

impl Field for Vec3 {
    #[inline]
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) -> bool {
        let (at, fits) = match ty {
            FieldType::Vec3 { min, max, step } => {
                let steps = Steps { min, max, step };
                let fits = steps.fits(self.x) & steps.fits(self.y) & steps.fits(self.z);
                ([steps.lane(self.x), steps.lane(self.y), steps.lane(self.z)], fits)
            }
            _ => ([0; 3], true),
        };
        lanes[..3].copy_from_slice(&at);
        fits
    }

    #[inline]
    fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
        match ty {
            FieldType::Vec3 { min, max, step } => {
                let steps = Steps { min, max, step };
                Vec3::new(steps.value(lanes[0]), steps.value(lanes[1]), steps.value(lanes[2]))
            }
            _ => Vec3::ZERO,
        }
    }
}

/// Evenly spaced numbers, from `min` to `max`.
#[derive(Clone, Copy, Debug)]
struct Steps {
    min: f32,
    max: f32,
    step: f32,
}

impl Steps {
    #[inline]
    fn lane(self, value: f32) -> i32 {
        let lane = nearest(f64::from(value) / f64::from(self.step)) as i32;
        self.clamp(lane)
    }

    /// Whether it is a number of the range, give or take half a step: what rounding may do to it.
    #[inline]
    fn fits(self, value: f32) -> bool {
        (value >= self.min - self.step / 2.0) & (value <= self.max + self.step / 2.0)
    }

    /// An end that is no whole number of steps has the lane of the nearest one, and stays that end.
    #[inline]
    fn value(self, lane: i32) -> f32 {
        let value = (f64::from(self.clamp(lane)) * f64::from(self.step)) as f32;
        value.min(self.max).max(self.min)
    }

    /// As `clamp`, but with no panic should the range be none.
    #[inline]
    fn clamp(self, lane: i32) -> i32 {
        lane.min(lane_of(self.max, self.step)).max(lane_of(self.min, self.step))
    }
}

/// The nearest whole number, half away from zero, once the fraction is cut off; for the quotient of
/// two `f32`, below 2^52. Unlike `f64::round` it is no library call on older processors.
#[inline]
pub(super) fn nearest(value: f64) -> f64 {
    value + 0.5f64.copysign(value)
}

#[inline]
fn angle_to_lane(radians: f32, bits: u8) -> i32 {
    if !radians.is_finite() {
        return 0;
    }
    let turn = 1i64 << bits;
    let lane = nearest(f64::from(radians) / TAU * turn as f64) as i64;
    (lane & (turn - 1)) as i32
}

#[inline]
fn angle_from_lane(lane: i32, bits: u8) -> f32 {
    let turn = 1i64 << bits;
    let lane = i64::from(lane) & (turn - 1);
    let signed = if lane > turn / 2 { lane - turn } else { lane };
    (signed as f64 * TAU / turn as f64) as f32
}

#[cfg(test)]
mod tests {
    use std::f32::consts::{FRAC_PI_2, PI};

    use proptest::prelude::*;

    use super::*;

    fn lane<T: Field>(value: T, ty: FieldType) -> i32 {
        let mut lanes = [0];
        value.quantize(ty, &mut lanes);
        lanes[0]
    }

    fn back<T: Field>(lane: i32, ty: FieldType) -> T {
        T::dequantize(ty, &[lane])
    }

    /// Ranges of up to 2^23 - 1 steps either side of zero.
    fn steps() -> impl Strategy<Value = Steps> {
        let lane = -8_388_000i32..8_388_000;
        (lane.clone(), lane, -20i32..20, 1.0f32..2.0)
            .prop_filter("a range is not empty", |(a, b, ..)| a != b)
            .prop_map(|(a, b, exponent, mantissa)| {
                let step = mantissa * 2f32.powi(exponent);
                Steps { min: a.min(b) as f32 * step, max: a.max(b) as f32 * step, step }
            })
    }

    fn float(Steps { min, max, step }: Steps) -> FieldType {
        FieldType::Float { min, max, step }
    }

    proptest! {
        #[test]
        fn a_number_comes_back_within_half_a_step(steps in steps(), part in 0.0f32..=1.0) {
            let ty = float(steps);
            prop_assert!(ty.is_valid());
            let value = (steps.min + (steps.max - steps.min) * part).clamp(steps.min, steps.max);
            let found: f32 = back(lane(value, ty), ty);
            let error = (f64::from(found) - f64::from(value)).abs() / f64::from(steps.step);
            prop_assert!(error <= 1.0, "{error} steps");
            let slack = f64::from(value.abs() * f32::EPSILON) / f64::from(steps.step);
            let ends = value - steps.min < steps.step || steps.max - value < steps.step;
            prop_assert!(ends || error <= 0.5 + slack, "{error} steps");
        }

        #[test]
        fn whatever_the_step_no_number_leaves_its_range(
            min in -1000.0f32..1000.0, size in 0.01f32..2000.0, steps in 0.3f32..200.0, part in 0.0f32..=1.0,
        ) {
            let (max, step) = (min + size, size / steps);
            let ty = FieldType::Float { min, max, step };
            prop_assume!(ty.is_valid());
            let value = (min + size * part).clamp(min, max);
            let found: f32 = back(lane(value, ty), ty);
            prop_assert!((min..=max).contains(&found), "{found}");
            let error = (f64::from(found) - f64::from(value)).abs() / f64::from(step);
            let slack = f64::from(value.abs() * f32::EPSILON) / f64::from(step);
            prop_assert!(error <= 0.5 + slack, "{error} steps");
            prop_assert_eq!(lane(found, ty), lane(value, ty));
        }

        #[test]
        fn a_number_read_back_has_the_same_lane(steps in steps(), at in any::<i32>()) {
            let ty = float(steps);
            let (min, max) = ty.lane_range(0);
            let at = (i64::from(at).rem_euclid(max - min + 1) + min) as i32;
            prop_assert_eq!(lane(back::<f32>(at, ty), ty), at);
        }

        #[test]
        fn any_bits_of_a_number_give_a_lane_in_range(steps in steps(), bits in any::<u32>()) {
            for ty in [float(steps), FieldType::Angle { bits: 1 + (bits % 24) as u8 }] {
                let found = i64::from(lane(f32::from_bits(bits), ty));
                let (min, max) = ty.lane_range(0);
                prop_assert!((min..=max).contains(&found), "{found}");
            }
        }

        #[test]
        fn an_angle_comes_back_as_the_same_direction(
            radians in -100.0f32..100.0, bits in 1u8..=24,
        ) {
            let ty = FieldType::Angle { bits };
            let found: f32 = back(lane(radians, ty), ty);
            prop_assert!(found > -PI && found <= PI);
            let turns = (f64::from(found) - f64::from(radians)) / TAU;
            let turn = f64::from(1 << bits);
            let error = (turns - turns.round()).abs() * turn;
            let slack = f64::from(f32::EPSILON) / TAU * turn;
            prop_assert!(error <= 0.5 + slack + 1e-9, "{error} of {slack}");
        }

        #[test]
        fn an_angle_read_back_has_the_same_lane(at in any::<u32>(), bits in 1u8..=24) {
            let ty = FieldType::Angle { bits };
            let at = (at % (1 << bits)) as i32;
            prop_assert_eq!(lane(back::<f32>(at, ty), ty), at);
        }

        #[test]
        fn every_coordinate_is_coded_as_a_number(steps in steps(), at in any::<[f32; 3]>()) {
            let Steps { min, max, step } = steps;
            let expected = at.map(|value| lane(value, float(steps)));
            let numbers = expected.map(|at| back::<f32>(at, float(steps)));
            let mut lanes = [0; 3];
            Vec3::from_array(at).quantize(FieldType::Vec3 { min, max, step }, &mut lanes);
            prop_assert_eq!(lanes, expected);
            let solid = Vec3::dequantize(FieldType::Vec3 { min, max, step }, &lanes);
            prop_assert_eq!(solid.to_array(), numbers);
            let [x, y, _] = expected;
            let mut lanes = [0; 2];
            Vec2::new(at[0], at[1]).quantize(FieldType::Vec2 { min, max, step }, &mut lanes);
            prop_assert_eq!(lanes, [x, y]);
            let flat = Vec2::dequantize(FieldType::Vec2 { min, max, step }, &lanes);
            prop_assert_eq!(flat.to_array(), [numbers[0], numbers[1]]);
        }

        #[test]
        fn nearest_is_round(value in -1e6f32..1e6, step in 0.001f32..10.0) {
            let quotient = f64::from(value) / f64::from(step);
            prop_assume!(quotient.abs() < f64::from(1 << 30));
            prop_assert_eq!(nearest(quotient) as i64, quotient.round() as i64);
        }
    }

    #[test]
    fn what_is_no_number_becomes_what_the_table_says() {
        let ty = FieldType::Float { min: -2.0, max: 8.0, step: 0.5 };
        let table = [
            (f32::NAN, 0.0),
            (f32::INFINITY, 8.0),
            (f32::NEG_INFINITY, -2.0),
            (f32::MAX, 8.0),
            (-0.0, 0.0),
            (0.25, 0.5),
            (-0.25, -0.5),
            (0.2499, 0.0),
        ];
        for (value, expected) in table {
            assert_eq!(back::<f32>(lane(value, ty), ty), expected, "{value}");
        }
        let away = FieldType::Float { min: 2.0, max: 8.0, step: 0.5 };
        assert_eq!(back::<f32>(lane(f32::NAN, away), away), 2.0);
        assert_eq!(back::<f32>(0, away), 2.0);
    }

    #[test]
    fn what_does_not_fit_is_told_and_what_rounding_does_is_not() {
        let fits = |value: f32, ty| value.quantize(ty, &mut [0]);
        let ty = FieldType::Float { min: -2.0, max: 8.0, step: 0.5 };
        for value in [-2.25, -2.0, 0.0, 8.0, 8.25] {
            assert!(fits(value, ty), "{value}");
        }
        for value in [-2.3, 8.3, f32::MAX, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(!fits(value, ty), "{value}");
        }
        // The end of a range is in it, however many steps it takes.
        assert!(fits(10.0, FieldType::Float { min: 0.0, max: 10.0, step: 4.0 }));
        let angle = FieldType::Angle { bits: 8 };
        assert!(fits(1000.0, angle), "however many turns");
        assert!(!fits(f32::NAN, angle) && !fits(f32::INFINITY, angle));
        let flat = FieldType::Vec2 { min: -2.0, max: 8.0, step: 0.5 };
        assert!(Vec2::new(8.0, -2.0).quantize(flat, &mut [0; 2]));
        assert!(!Vec2::new(0.0, f32::NAN).quantize(flat, &mut [0; 2]));
        let solid = FieldType::Vec3 { min: -2.0, max: 8.0, step: 0.5 };
        assert!(Vec3::new(8.0, -2.0, 0.0).quantize(solid, &mut [0; 3]));
        assert!(!Vec3::new(9.0, 0.0, 0.0).quantize(solid, &mut [0; 3]));
    }

    #[test]
    fn an_angle_wraps_and_half_a_turn_is_positive() {
        let ty = FieldType::Angle { bits: 8 };
        let table = [(0.0, 0), (FRAC_PI_2, 64), (PI, 128), (-PI, 128), (-FRAC_PI_2, 192)];
        for (radians, expected) in table {
            assert_eq!(lane(radians, ty), expected, "{radians}");
            assert_eq!(lane(radians + 4.0 * PI, ty), expected, "{radians} and two turns");
        }
        assert_eq!(back::<f32>(128, ty), PI);
        assert_eq!(back::<f32>(192, ty), -FRAC_PI_2);
        for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(lane(none, ty), 0);
        }
    }
}
