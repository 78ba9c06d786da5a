//! Whole numbers and what is made of one, as lanes.

use super::Field;
use crate::schema::FieldType;
use crate::{EntityId, PlayerId, Tick};

impl Field for bool {
    #[inline]
    fn quantize(&self, _ty: FieldType, lanes: &mut [i32]) -> bool {
        lanes[0] = i32::from(*self);
        true
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
            fn quantize(&self, ty: FieldType, lanes: &mut [i32]) -> bool {
                let fits;
                (lanes[0], fits) = int_to_lane(i64::from(*self), ty);
                fits
            }

            #[inline]
            fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
                let (min, max) = (<$number>::MIN.into(), <$number>::MAX.into());
                int_from_lane(lanes[0], ty).clamp(min, max) as $number
            }
        }
    )*};
}

whole_numbers!(u8, i8, u16, i16, u32, i32);

macro_rules! numbered {
    ($($id:ident),*) => {$(
        impl Field for $id {
            #[inline]
            fn quantize(&self, ty: FieldType, lanes: &mut [i32]) -> bool {
                self.0.quantize(ty, lanes)
            }

            #[inline]
            fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
                $id(u32::dequantize(ty, lanes))
            }
        }
    )*};
}

numbered!(PlayerId, EntityId, Tick);

#[inline]
fn int_to_lane(value: i64, ty: FieldType) -> (i32, bool) {
    match ty {
        FieldType::Int { min, max } => {
            (value.min(max).max(min) as i32, (value >= min) & (value <= max))
        }
        _ => (0, true),
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

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::ops::RangeInclusive;

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

    proptest! {
        #[test]
        fn whole_numbers_survive(
            a in any::<i32>(), b in any::<u32>(), c in any::<i16>(), d in any::<u16>(),
        ) {
            survives(a, i32::MIN..=i32::MAX)?;
            survives(b, u32::MIN..=u32::MAX)?;
            survives(c, i16::MIN..=i16::MAX)?;
            survives(d, u16::MIN..=u16::MAX)?;
            survives(c as i8, i8::MIN..=i8::MAX)?;
            survives(d as u8, u8::MIN..=u8::MAX)?;
        }

        #[test]
        fn whole_numbers_are_kept_in_their_range(
            value in any::<u32>(), a in any::<u32>(), b in any::<u32>(), wild in any::<i32>(),
        ) {
            let (min, max) = (a.min(b), a.max(b));
            let ty = FieldType::Int { min: min.into(), max: max.into() };
            let found: u32 = back(lane(value, ty), ty);
            prop_assert_eq!(found, value.clamp(min, max));
            prop_assert!((min..=max).contains(&back::<u32>(wild, ty)));
            let (min, max) = ((a as i32).min(b as i32), (a as i32).max(b as i32));
            let ty = FieldType::Int { min: min.into(), max: max.into() };
            prop_assert_eq!(lane(value as i32, ty), (value as i32).clamp(min, max));
            prop_assert_eq!(back::<i32>(wild, ty), wild.clamp(min, max));
        }
    }

    fn survives<T>(value: T, whole: RangeInclusive<T>) -> Result<(), TestCaseError>
    where
        T: Field + Copy + PartialEq + Debug + Into<i64>,
    {
        let ty = FieldType::Int { min: (*whole.start()).into(), max: (*whole.end()).into() };
        for value in [value, *whole.start(), *whole.end()] {
            prop_assert_eq!(lane(value, ty), value.into() as i32);
            prop_assert_eq!(back::<T>(lane(value, ty), ty), value);
        }
        Ok(())
    }

    #[test]
    fn a_whole_number_far_from_zero_reads_zero_lanes_as_its_nearest_end() {
        assert_eq!(back::<u8>(0, FieldType::Int { min: 10, max: 20 }), 10);
        assert_eq!(back::<i8>(0, FieldType::Int { min: -20, max: -10 }), -10);
    }

    #[test]
    fn a_whole_number_out_of_its_range_does_not_fit() {
        let ty = FieldType::Int { min: 10, max: 20 };
        let fits = |value: u8| value.quantize(ty, &mut [0]);
        assert!(fits(10) && fits(20));
        assert!(!fits(9) && !fits(21));
    }

    #[test]
    fn ids_take_every_number() {
        let ty = FieldType::Int { min: 0, max: u32::MAX.into() };
        for id in [0, 1, i32::MAX as u32, 1 << 31, u32::MAX] {
            assert_eq!(back::<PlayerId>(lane(PlayerId(id), ty), ty), PlayerId(id));
            assert_eq!(back::<EntityId>(lane(EntityId(id), ty), ty), EntityId(id));
            assert_eq!(back::<Tick>(lane(Tick(id), ty), ty), Tick(id));
        }
        assert_eq!(lane(true, FieldType::Bool), 1);
        assert!(!back::<bool>(lane(false, FieldType::Bool), FieldType::Bool));
    }
}
