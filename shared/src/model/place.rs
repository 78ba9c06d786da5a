//! A lane's range and prediction.

use super::WEIGHT_ONE;
use crate::bits::BitError;

/// A lane's range and prediction.
#[derive(Clone, Copy, Debug)]
pub struct LanePlace {
    pub(super) min: i32,
    pub(super) span: i64,
    pub(super) bits: u32,
    pub(super) wraps: bool,
    /// The value in the baseline, above `min`.
    pub(super) last: i64,
    /// The predicted value, above `min`.
    pub(super) next: i64,
}

impl LanePlace {
    /// Bits of the plain lane.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    #[inline]
    pub(super) fn offset(&self, value: i32) -> i64 {
        i64::from(value.wrapping_sub(self.min) as u32)
    }

    #[inline]
    fn expected(&self, weight: i64, bias: i64) -> i64 {
        let expected =
            self.last + (((self.next - self.last) * weight + WEIGHT_ONE / 2) >> 4) + bias;
        if self.wraps { expected } else { expected.clamp(0, self.span) }
    }

    /// `value` minus the prediction of a leaf with this weight and bias, the short way round if it
    /// wraps.
    #[inline]
    pub fn residual(&self, value: i32, weight: i64, bias: i64) -> i32 {
        self.fold((self.offset(value) - self.expected(weight, bias)) as i32)
    }

    #[inline]
    pub(super) fn fold(&self, difference: i32) -> i32 {
        let unused = 32 - self.bits.max(1);
        if self.wraps { difference << unused >> unused } else { difference }
    }

    #[inline]
    pub(super) fn value(&self, residual: i32, weight: i64, bias: i64) -> Result<i32, BitError> {
        let mut offset = (self.expected(weight, bias) as u32).wrapping_add_signed(residual);
        if self.wraps {
            offset &= self.span as u32;
        }
        self.checked(offset)
    }

    #[inline]
    pub(super) fn checked(&self, offset: u32) -> Result<i32, BitError> {
        let in_range = i64::from(offset) <= self.span;
        in_range.then(|| self.min.wrapping_add_unsigned(offset)).ok_or(BitError::Invalid)
    }
}
