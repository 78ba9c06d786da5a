//! Optional values and arrays as lanes.

use super::Field;
use crate::schema::FieldType;

impl<T: Field> Field for Option<T> {
    #[inline]
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) -> bool {
        lanes[0] = i32::from(self.is_some());
        let lanes = &mut lanes[1..];
        match self {
            Some(value) => value.quantize(ty, lanes),
            None => {
                let zeros = (0..ty.lanes()).cycle().map(|lane| ty.zero_lane(lane));
                lanes.iter_mut().zip(zeros).for_each(|(lane, zero)| *lane = zero);
                true
            }
        }
    }

    #[inline]
    fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
        (lanes[0] != 0).then(|| T::dequantize(ty, &lanes[1..]))
    }
}

impl<T: Field, const N: usize> Field for [T; N] {
    #[inline]
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) -> bool {
        let values = self.iter().zip(lanes.chunks_exact_mut(ty.lanes()));
        values.fold(true, |fit, (value, lanes)| value.quantize(ty, lanes) & fit)
    }

    #[inline]
    fn dequantize(ty: FieldType, lanes: &[i32]) -> Self {
        let width = ty.lanes();
        std::array::from_fn(|at| T::dequantize(ty, &lanes[at * width..(at + 1) * width]))
    }
}

#[cfg(test)]
mod tests {
    use glam::Vec2;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_array_of_any_length_comes_back(values in any::<[i8; 5]>(), at in any::<[[i8; 2]; 3]>()) {
            let ty = FieldType::Int { min: -128, max: 127 };
            let mut lanes = [0; 5];
            prop_assert!(values.quantize(ty, &mut lanes));
            prop_assert_eq!(lanes, values.map(i32::from));
            prop_assert_eq!(<[i8; 5]>::dequantize(ty, &lanes), values);
            let places = at.map(|[x, y]| Vec2::new(x.into(), y.into()));
            let ty = FieldType::Vec2 { min: -128.0, max: 128.0, step: 1.0 };
            let mut lanes = [0; 6];
            prop_assert!(places.quantize(ty, &mut lanes));
            prop_assert_eq!(<[Vec2; 3]>::dequantize(ty, &lanes), places);
        }

        #[test]
        fn an_optional_value_comes_back(value in any::<Option<u8>>(), many in any::<Option<[bool; 3]>>()) {
            let ty = FieldType::Int { min: 0, max: 255 };
            let mut lanes = [7; 2];
            prop_assert!(value.quantize(ty, &mut lanes));
            prop_assert_eq!(Option::<u8>::dequantize(ty, &lanes), value);
            let mut lanes = [7; 4];
            prop_assert!(many.quantize(FieldType::Bool, &mut lanes));
            prop_assert_eq!(Option::<[bool; 3]>::dequantize(FieldType::Bool, &lanes), many);
        }
    }

    #[test]
    fn no_value_is_the_same_lanes_whatever_was_there() {
        let mut lanes = [1, 77, 78];
        let ty = FieldType::Int { min: 10, max: 20 };
        assert!(None::<[u8; 2]>.quantize(ty, &mut lanes));
        assert_eq!(lanes, [0, 10, 10]);
        assert_eq!(None::<[u8; 2]>, Field::dequantize(ty, &[0, 15, 15]));
    }

    #[test]
    fn one_value_out_of_range_tells_of_the_field() {
        let ty = FieldType::Int { min: 0, max: 9 };
        assert!(![3u8, 10, 4].quantize(ty, &mut [0; 3]));
        assert!(!Some(10u8).quantize(ty, &mut [0; 2]));
        assert!([3u8, 9, 4].quantize(ty, &mut [0; 3]));
    }
}
