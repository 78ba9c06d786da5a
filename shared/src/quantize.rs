//! Values as integer lanes, and back.
//!
//! [`Lanes`] is one struct (`#[derive(Replicate)]` or `#[derive(Input)]` on a struct), [`Kinds`] a
//! choice of such structs (`#[derive(Replicate)]` on an enum of one-field variants), [`Choice`] an
//! enum without fields used as a field itself, [`Field`] anything that can be a field, [`OwnType`] one without numbers.
//!
//! Rounding is to the nearest step, half away from zero, in `f64` with nothing but the four basic
//! operations and the square root, so it is the same on every platform. Quantising what was
//! dequantised gives the same lanes. A game's mistake never breaks the stream, and is told as a
//! [`Misfits`]:
//!
//! | value | becomes |
//! | --- | --- |
//! | a number out of its range, an infinity | the nearest end of the range |
//! | NaN in a number or a coordinate | the value of the range nearest to zero |
//! | an angle, however many turns | the same direction, read back as −π (excluded) to π |
//! | NaN or an infinity as an angle | 0 |
//! | a quaternion of any length | the rotation it points at; `q` and `-q` are one rotation |
//! | a quaternion of length zero, or with a NaN or an infinity | no rotation |
//! | a lane no value has | the nearest value |
//! | `None` | 0 in the first lane, and values nearest to zero in the others |

mod parts;
mod real;
mod rotation;
mod text;
mod whole;

use crate::schema::{ChoiceSchema, FieldType, KindSchema, LANES_MAX};

/// A struct as lanes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no field table",
    label = "write `#[derive(Input)]` above an input, `#[derive(Replicate)]` above an entity, an event or a command",
    note = "it is a struct with named fields"
)]
pub trait Lanes: Sized {
    /// Lanes a value takes.
    const LANES: usize;
    /// The field table.
    fn schema() -> KindSchema;
    /// Quantises into `lanes[..Self::LANES]`. Returns which fields did not fit.
    fn to_lanes(&self, lanes: &mut [i32]) -> Misfits;
    /// The value that `lanes[..Self::LANES]` stand for.
    fn from_lanes(lanes: &[i32]) -> Self;
    /// Takes the fields of `predicted` that have the same lanes: this value was rounded when it was sent, and that one was
    /// not. Derived; without it every field stays.
    fn refine(&mut self, _predicted: &Self) {}
}

/// A value of one of several kinds, each a struct as lanes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kind of entity, event or command",
    label = "write `#[derive(Replicate)]` above this type",
    note = "it is a struct with named fields, or an enum whose variants each hold one such struct; a game without events or \
            commands takes `NoEvent` and `NoCommand`"
)]
pub trait Kinds: Sized {
    /// The field tables, by kind number.
    fn schemas() -> Vec<KindSchema>;
    /// This value's kind number.
    fn kind(&self) -> u8;
    /// Quantises into the front of `lanes`. Returns which fields did not fit.
    fn to_lanes(&self, lanes: &mut [i32]) -> Misfits;
    /// The value of kind `kind` that `lanes` stand for, or `None` for an unknown kind.
    fn from_lanes(kind: u8, lanes: &[i32]) -> Option<Self>;
    /// As [`Lanes::refine`], if both are of one kind.
    fn refine(&mut self, _predicted: &Self) {}
}

#[diagnostic::do_not_recommend]
impl<T: Lanes> Kinds for T {
    fn schemas() -> Vec<KindSchema> {
        vec![T::schema()]
    }

    fn kind(&self) -> u8 {
        0
    }

    fn to_lanes(&self, lanes: &mut [i32]) -> Misfits {
        Lanes::to_lanes(self, lanes)
    }

    fn from_lanes(kind: u8, lanes: &[i32]) -> Option<Self> {
        (kind == 0).then(|| <T as Lanes>::from_lanes(lanes))
    }

    fn refine(&mut self, predicted: &Self) {
        Lanes::refine(self, predicted);
    }
}

/// The fields of a value that something else is sent for: by more than half a step out of their range, or no
/// number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misfits {
    /// By place in the field table.
    bits: u64,
}

impl Misfits {
    /// Every field fits.
    pub const NONE: Misfits = Misfits { bits: 0 };

    /// The field at `place` does not fit, unless `fits`.
    #[inline]
    pub fn note(&mut self, place: usize, fits: bool) {
        self.bits |= u64::from(!fits) << (place % LANES_MAX);
    }

    /// Every field fits.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Their places in the field table.
    #[inline]
    pub fn fields(self) -> impl Iterator<Item = usize> {
        let mut bits = self.bits;
        std::iter::from_fn(move || {
            let place = (bits != 0).then_some(bits.trailing_zeros() as usize);
            bits &= bits.wrapping_sub(1);
            place
        })
    }
}

/// An enum without fields, as a field of a struct: `#[derive(Replicate)]` on the enum.
pub trait Choice: Copy {
    /// The enum's name.
    const NAME: &'static str;
    /// Number of variants.
    const VARIANTS: u16;
    /// What they are called, in the order of their indices.
    const VARIANT_NAMES: &'static [&'static str];
    /// This variant's place, from 0.
    fn index(self) -> u16;
    /// The variant at `index`; one past the end gives the last.
    fn from_index(index: u16) -> Self;
}

/// A type that says itself how it is quantised, where a field of another takes numbers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field",
    label = "write `#[derive(Clone, Copy, Replicate)]` above it if it is an enum without fields",
    note = "a field is a bool, i8, u8, i16, u16, i32, u32, f32, Vec2, Vec3, Quat, PlayerId, EntityId, Tick, Text<16>, an \
            enum without fields that has `#[derive(Replicate)]`, an Option of one of them, or an array"
)]
pub trait OwnType {
    /// How it is quantised.
    const TYPE: FieldType;
    /// The names of its values, if it is an enum.
    fn choice() -> Option<ChoiceSchema>;
}

#[diagnostic::do_not_recommend]
impl<T: Choice> OwnType for T {
    const TYPE: FieldType = FieldType::Choice { variants: T::VARIANTS };

    fn choice() -> Option<ChoiceSchema> {
        Some(ChoiceSchema::new(T::NAME, T::VARIANT_NAMES))
    }
}

/// A type that can be a field: the derive calls these with the field's own [`FieldType`].
///
/// A [`FieldType`] that is not for this type quantises to zero.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field",
    label = "no lanes hold this type"
)]
pub trait Field: Sized {
    /// Quantises into `lanes`, which are those of the field: see [`FieldValues::lanes`](crate::schema::FieldValues::lanes). Returns
    /// whether it is within its range, give or take half a step.
    fn quantize(&self, ty: FieldType, lanes: &mut [i32]) -> bool;
    /// The value that the field's `lanes` stand for.
    fn dequantize(ty: FieldType, lanes: &[i32]) -> Self;
}

/// Where the lanes of each field begin, and where those of the last end: `N` is one more than the fields. For the derives.
#[doc(hidden)]
pub const fn first_lanes<const FIELDS: usize, const N: usize>(
    lanes: [usize; FIELDS],
) -> [usize; N] {
    let (mut first, mut at) = ([0; N], 0);
    while at < FIELDS {
        first[at + 1] = first[at] + lanes[at];
        at += 1;
    }
    first
}

#[diagnostic::do_not_recommend]
impl<T: Choice> Field for T {
    #[inline]
    fn quantize(&self, _ty: FieldType, lanes: &mut [i32]) -> bool {
        lanes[0] = i32::from(self.index().min(T::VARIANTS - 1));
        true
    }

    #[inline]
    fn dequantize(_ty: FieldType, lanes: &[i32]) -> Self {
        T::from_index(lanes[0].clamp(0, i32::from(T::VARIANTS) - 1) as u16)
    }
}
