//! Values as integer lanes, and back.
//!
//! [`Lanes`] is one struct (`#[derive(Replicate)]` or `#[derive(Input)]` on a struct), [`Kinds`] a
//! choice of such structs (`#[derive(Replicate)]` on an enum of one-field variants), [`Choice`] an
//! enum without fields used as a field itself. Rounding is to the nearest step, half away from zero, in
//! `f64`; the same on every platform. Numbers out of range are clamped, NaN becomes the nearest value to
//! zero: a game's mistake never breaks the stream.

use crate::schema::{FieldType, KindSchema};

/// A struct as lanes.
pub trait Lanes: Sized {
    /// Lanes a value takes.
    const LANES: usize;
    /// The field table.
    fn schema() -> KindSchema;
    /// Quantises into `lanes[..Self::LANES]`.
    fn to_lanes(&self, lanes: &mut [i32]);
    /// The value that `lanes[..Self::LANES]` stand for.
    fn from_lanes(lanes: &[i32]) -> Self;
}

/// A value of one of several kinds, each a struct as lanes.
pub trait Kinds: Sized {
    /// The field tables, by kind number.
    fn schemas() -> Vec<KindSchema>;
    /// This value's kind number.
    fn kind(&self) -> u8;
    /// Quantises into the front of `lanes`.
    fn to_lanes(&self, lanes: &mut [i32]);
    /// The value of kind `kind` that `lanes` stand for, or `None` for an unknown kind.
    fn from_lanes(kind: u8, lanes: &[i32]) -> Option<Self>;
}

impl<T: Lanes> Kinds for T {
    fn schemas() -> Vec<KindSchema> {
        vec![T::schema()]
    }

    fn kind(&self) -> u8 {
        0
    }

    fn to_lanes(&self, lanes: &mut [i32]) {
        Lanes::to_lanes(self, lanes);
    }

    fn from_lanes(kind: u8, lanes: &[i32]) -> Option<Self> {
        (kind == 0).then(|| <T as Lanes>::from_lanes(lanes))
    }
}

/// An enum without fields, as a field of a struct.
pub trait Choice: Copy {
    /// Number of variants.
    const VARIANTS: u16;
    /// This variant's place, from 0.
    fn index(self) -> u16;
    /// The variant at `index`; one past the end gives the last.
    fn from_index(index: u16) -> Self;
}

/// A type that can be a field: the derive calls these with the field's own [`FieldType`].
pub trait Field: Sized {
    /// Quantises into the front of `lanes`.
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]);
    /// The value the front of `lanes` stands for.
    fn dequantize(ty: FieldType, lanes: &[i32]) -> Self;
}
