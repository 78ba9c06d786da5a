//! Numbers, angles and vectors as lanes.

use std::f64::consts::TAU;

use glam::{Vec2, Vec3};

use super::Field;
use crate::schema::{FieldType, lane_of};
use crate::{EntityId, PlayerId, Tick};

impl Field for bool {
    #[inline]
    fn quantize(&self, _ty: FieldType, lanes: &mut [i32]) {
        lanes[0] = i32::from(*self);
    }

    #[inline]
    fn dequantize(_ty: FieldType, lanes: &[i32]) -> Self {
        lanes[0] != 0
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Field for $number {
            #[inline]
            fn quantize(&self, ty: FieldType, lanes: &mut [i32]) {
                lanes[0] = int_to_lane(i64::from(*self), ty);
            }

            #[inline]
            fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
                int_from_lane(lanes[0], ty).clamp(<$number>::MIN.into(), <$number>::MAX.into()) as $number
            }
        }
    )*};
}

whole_numbers!(u8, i8, u16, i16, u32, i32);

macro_rules! numbered {
    ($($id:ident),*) => {$(
        impl Field for $id {
            #[inline]
            fn quantize(&self, ty: FieldType, lanes: &mut [i32]) {
                self.0.quantize(ty, lanes);
            }

            #[inline]
            fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
                $id(u32::dequantize(ty, lanes))
            }
        }
    )*};
}

numbered!(PlayerId, EntityId, Tick);

impl Field for f32 {
    #[inline]
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) {
        lanes[0] = match ty {
            FieldType::Float { min, max, step } => Steps { min, max, step }.lane(*self),
            FieldType::Angle { bits } => angle_to_lane(*self, bits),
            _ => 0,
        };
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
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) {
        let at = match ty {
            FieldType::Vec2 { min, max, step } => {
                let steps = Steps { min, max, step };
                [steps.lane(self.x), steps.lane(self.y)]
            }
            _ => [0; 2],
        };
        lanes[..2].copy_from_slice(&at);
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
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) {
        let at = match ty {
            FieldType::Vec3 { min, max, step } => {
                let steps = Steps { min, max, step };
                [steps.lane(self.x), steps.lane(self.y), steps.lane(self.z)]
            }
            _ => [0; 3],
        };
        lanes[..3].copy_from_slice(&at);
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
#[derive(Clone, Copy)]
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

    #[inline]
    fn value(self, lane: i32) -> f32 {
        (f64::from(self.clamp(lane)) * f64::from(self.step)) as f32
    }

    /// As `clamp`, but with no panic should the range be none.
    #[inline]
    fn clamp(self, lane: i32) -> i32 {
        lane.min(lane_of(self.max, self.step)).max(lane_of(self.min, self.step))
    }
}

/// The nearest whole number, half away from zero, once the fraction is cut off. Unlike `f64::round`
/// this is no library call on older processors. It differs from it only for the number just below one
/// half, which no quotient of two `f32` is.
#[inline]
pub(super) fn nearest(value: f64) -> f64 {
    value + 0.5f64.copysign(value)
}

#[inline]
fn int_to_lane(value: i64, ty: FieldType) -> i32 {
    match ty {
        FieldType::Int { min, max } => value.min(max).max(min) as i32,
        _ => 0,
    }
}

#[inline]
fn int_from_lane(lane: i32, ty: FieldType) -> i64 {
    let FieldType::Int { min, max } = ty else { return 0 };
    let value = if max <= i64::from(i32::MAX) {
        i64::from(lane)
    } else {
        min + i64::from(lane.wrapping_sub(min as i32) as u32)
    };
    value.min(max).max(min)
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
