//! Field tables: what a kind of entity, an input, an event or a command is made of, and how two sides compare.
//!
//! A value travels as integer **lanes** (`i32`). A [`FieldType`] says how many lanes a field takes
//! and which values each may hold; everything the codec does is driven by these tables, so a client
//! that has only the server's [`Schema`] can read any game.

use serde::{Deserialize, Serialize};

use crate::text::TEXT_BYTES_MAX;

/// Most lanes a kind, an input, an event or a command may have.
pub const LANES_MAX: usize = 64;

/// Most kinds of entity in a game, of event, and of command.
pub const KINDS_MAX: usize = 64;

/// Most values in a field that is an array.
pub const ARRAY_LENGTH_MAX: usize = 32;

/// Steps from zero to an end of a range are fewer than this: beyond it an `f32` cannot hold every one.
const STEPS_MAX: f64 = (1 << 23) as f64;

/// How a field is quantised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum FieldType {
    /// One lane, 0 or 1.
    Bool,
    /// One lane holding `min..=max`. The lane is the number's low 32 bits, so `u32` fits as well.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value; `max - min` is below 2^32.
        max: i64,
    },
    /// One lane: the number in units of `step`, clamped to `min..=max`.
    Float {
        /// Smallest value, in the field's own unit.
        min: f32,
        /// Largest value.
        max: f32,
        /// Distance between two neighbouring values.
        step: f32,
    },
    /// One lane: an angle in radians as a fraction of a turn in `bits` bits. It wraps.
    Angle {
        /// Bits of a whole turn, 1 to 24.
        bits: u8,
    },
    /// Two lanes, each as [`FieldType::Float`].
    Vec2 {
        /// Smallest coordinate.
        min: f32,
        /// Largest coordinate.
        max: f32,
        /// Distance between two neighbouring values.
        step: f32,
    },
    /// Three lanes, each as [`FieldType::Float`].
    Vec3 {
        /// Smallest coordinate.
        min: f32,
        /// Largest coordinate.
        max: f32,
        /// Distance between two neighbouring values.
        step: f32,
    },
    /// Four lanes, a rotation by its smallest three components: which one is largest (0 to 3, for x, y,
    /// z, w), then the other three, each as `m` plus its multiple of `1/(m√2)`, `m = 2^(bits-1) - 1`.
    /// The largest is positive.
    Quat {
        /// Bits of each of the three components, 2 to 15.
        bits: u8,
    },
    /// One lane: the index of a variant.
    Choice {
        /// Number of variants.
        variants: u16,
    },
    /// A text of at most `bytes` bytes of UTF-8: a lane with its length in bytes, then four bytes to a lane, the first
    /// lowest, filled with zeros.
    Text {
        /// Most bytes, 1 to [`TEXT_BYTES_MAX`].
        bytes: u8,
    },
}

impl FieldType {
    /// Lanes a field of this type takes.
    pub const fn lanes(&self) -> usize {
        match self {
            FieldType::Bool
            | FieldType::Int { .. }
            | FieldType::Float { .. }
            | FieldType::Angle { .. }
            | FieldType::Choice { .. } => 1,
            FieldType::Vec2 { .. } => 2,
            FieldType::Vec3 { .. } => 3,
            FieldType::Quat { .. } => 4,
            FieldType::Text { bytes } => 1 + (*bytes as usize).div_ceil(4),
        }
    }

    /// The smallest and largest value of lane `lane` (`0..self.lanes()`).
    pub fn lane_range(&self, lane: usize) -> (i64, i64) {
        match *self {
            FieldType::Bool => (0, 1),
            FieldType::Int { min, max } => (min, max),
            FieldType::Float { min, max, step }
            | FieldType::Vec2 { min, max, step }
            | FieldType::Vec3 { min, max, step } => {
                (i64::from(lane_of(min, step)), i64::from(lane_of(max, step)))
            }
            FieldType::Angle { bits } => (0, (1i64 << bits) - 1),
            FieldType::Quat { .. } if lane == 0 => (0, 3),
            FieldType::Quat { bits } => (0, (1i64 << bits) - 1),
            FieldType::Choice { variants } => (0, i64::from(variants.max(1)) - 1),
            FieldType::Text { bytes } if lane == 0 => (0, i64::from(bytes)),
            FieldType::Text { bytes } => {
                let here = (usize::from(bytes) + 4).saturating_sub(4 * lane).min(4);
                (0, (1i64 << (8 * here)) - 1)
            }
        }
    }

    /// The value of lane `lane` that is nearest to zero.
    pub fn zero_lane(&self, lane: usize) -> i32 {
        let (min, max) = self.lane_range(lane);
        0i64.clamp(min, max) as i32
    }

    /// Whether a lane is a signed number of steps: what a velocity moves, and what a velocity is.
    pub(crate) const fn is_signed_steps(&self) -> bool {
        match *self {
            FieldType::Int { max, .. } => max <= i32::MAX as i64,
            FieldType::Float { .. }
            | FieldType::Angle { .. }
            | FieldType::Vec2 { .. }
            | FieldType::Vec3 { .. } => true,
            FieldType::Bool
            | FieldType::Quat { .. }
            | FieldType::Choice { .. }
            | FieldType::Text { .. } => false,
        }
    }

    /// The distance between two values of a lane, in the field's unit; 1 for what is not a number.
    pub fn step(&self) -> f32 {
        match *self {
            FieldType::Float { step, .. }
            | FieldType::Vec2 { step, .. }
            | FieldType::Vec3 { step, .. } => step,
            FieldType::Angle { bits } => std::f32::consts::TAU / (1u32 << bits) as f32,
            _ => 1.0,
        }
    }

    /// What a client without the game's types calls this type.
    pub const fn name(&self) -> &'static str {
        match self {
            FieldType::Bool => "bool",
            FieldType::Int { .. } => "int",
            FieldType::Float { .. } => "float",
            FieldType::Angle { .. } => "angle",
            FieldType::Vec2 { .. } => "vec2",
            FieldType::Vec3 { .. } => "vec3",
            FieldType::Quat { .. } => "quat",
            FieldType::Choice { .. } => "choice",
            FieldType::Text { .. } => "text",
        }
    }

    /// The smallest and largest number in a value of this type, in the field's unit; of a text, its bytes.
    pub fn range(&self) -> (f64, f64) {
        use std::f64::consts::PI;
        match *self {
            FieldType::Bool => (0.0, 1.0),
            FieldType::Int { min, max } => (min as f64, max as f64),
            FieldType::Float { min, max, .. }
            | FieldType::Vec2 { min, max, .. }
            | FieldType::Vec3 { min, max, .. } => (f64::from(min), f64::from(max)),
            FieldType::Angle { .. } => (-PI, PI),
            FieldType::Quat { .. } => (-1.0, 1.0),
            FieldType::Choice { variants } => (0.0, f64::from(variants.max(1)) - 1.0),
            FieldType::Text { bytes } => (0.0, f64::from(bytes)),
        }
    }

    /// Whether the numbers in this type can be used: what a peer sent is not trusted.
    pub const fn is_valid(&self) -> bool {
        match *self {
            FieldType::Bool => true,
            FieldType::Int { min, max } => {
                min <= max
                    && min >= i32::MIN as i64
                    && max <= u32::MAX as i64
                    && max - min <= u32::MAX as i64
            }
            FieldType::Float { min, max, step }
            | FieldType::Vec2 { min, max, step }
            | FieldType::Vec3 { min, max, step } => {
                min.is_finite()
                    && max.is_finite()
                    && step.is_finite()
                    && min < max
                    && step > 0.0
                    && (min as f64 / step as f64).abs() < STEPS_MAX
                    && (max as f64 / step as f64).abs() < STEPS_MAX
            }
            FieldType::Angle { bits } => 1 <= bits && bits <= 24,
            FieldType::Quat { bits } => 2 <= bits && bits <= 15,
            FieldType::Choice { variants } => variants >= 1,
            FieldType::Text { bytes } => 1 <= bytes && bytes as usize <= TEXT_BYTES_MAX,
        }
    }
}

/// `value` in units of `step`, rounded half away from zero.
pub(crate) fn lane_of(value: f32, step: f32) -> i32 {
    (f64::from(value) / f64::from(step)).round() as i32
}

/// How many values a field has.
///
/// An optional field has a lane before the others: 1 if it has its value or values; if not, it is 0 and the others are as
/// near to zero as their ranges allow. The values of an array follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldValues {
    /// One.
    #[default]
    One,
    /// One or none.
    Optional,
    /// This many, 1 to [`ARRAY_LENGTH_MAX`].
    Array(u8),
    /// This many or none.
    OptionalArray(u8),
}

impl FieldValues {
    /// By whether it is optional and the length of an array.
    pub const fn new(optional: bool, length: Option<u8>) -> Self {
        match (optional, length) {
            (false, None) => FieldValues::One,
            (true, None) => FieldValues::Optional,
            (false, Some(length)) => FieldValues::Array(length),
            (true, Some(length)) => FieldValues::OptionalArray(length),
        }
    }

    /// There may be none.
    pub const fn is_optional(self) -> bool {
        matches!(self, FieldValues::Optional | FieldValues::OptionalArray(_))
    }

    /// The length of an array.
    pub const fn length(self) -> Option<u8> {
        match self {
            FieldValues::One | FieldValues::Optional => None,
            FieldValues::Array(length) | FieldValues::OptionalArray(length) => Some(length),
        }
    }

    /// Lanes of a field with values of this type.
    pub const fn lanes(self, ty: FieldType) -> usize {
        let values = match self.length() {
            Some(length) => length as usize,
            None => 1,
        };
        self.is_optional() as usize + values * ty.lanes()
    }
}

/// When a field is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SendRule {
    /// Whenever it differs from the client's baseline.
    #[default]
    Always,
    /// As [`SendRule::Always`], but expected to change seldom: all rare fields together cost one bit
    /// while none of them changes.
    Rare,
    /// Only with the entity's first appearance.
    Initial,
}

/// One named field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldSchema {
    /// The field's name in its struct.
    pub name: String,
    /// How a value of it is quantised.
    pub ty: FieldType,
    /// How many values it has.
    pub values: FieldValues,
    /// When it is sent.
    pub rule: SendRule,
    /// Sent to the entity's owner only; others read zero lanes.
    pub owner_only: bool,
    /// The field that holds this one's rate of change per second, if the codec may predict from it.
    pub velocity: Option<String>,
    /// What the values of a [`FieldType::Choice`] are called, if that is known.
    pub choice: Option<ChoiceSchema>,
}

impl FieldSchema {
    /// A field that is sent to everyone whenever it changes, and has no velocity.
    pub fn new(name: impl Into<String>, ty: FieldType) -> Self {
        FieldSchema {
            name: name.into(),
            ty,
            values: FieldValues::One,
            rule: SendRule::Always,
            owner_only: false,
            velocity: None,
            choice: None,
        }
    }

    /// Lanes it takes.
    pub fn lanes(&self) -> usize {
        self.values.lanes(self.ty)
    }

    /// The smallest and largest value of lane `lane` (`0..self.lanes()`).
    pub fn lane_range(&self, lane: usize) -> (i64, i64) {
        self.lane_of_value(lane).map_or((0, 1), |lane| self.ty.lane_range(lane))
    }

    /// Whether lane `lane` is an angle.
    pub fn wraps(&self, lane: usize) -> bool {
        matches!(self.ty, FieldType::Angle { .. }) && self.lane_of_value(lane).is_some()
    }

    fn lane_name(&self, lane: usize) -> String {
        let is_vector = matches!(self.ty, FieldType::Vec2 { .. } | FieldType::Vec3 { .. });
        match (is_vector, self.values) {
            (true, FieldValues::One) => format!("{}.{}", self.name, ["x", "y", "z"][lane.min(2)]),
            (false, _) if self.lanes() == 1 => self.name.clone(),
            _ => format!("{}[{lane}]", self.name),
        }
    }

    /// Which lane of a value lane `lane` is; `None` for the one that tells whether there is a value.
    fn lane_of_value(&self, lane: usize) -> Option<usize> {
        Some(lane.checked_sub(usize::from(self.values.is_optional()))? % self.ty.lanes())
    }
}

/// An enum without fields, as a client without the game's types knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChoiceSchema {
    /// The enum's name.
    pub name: String,
    /// Its variants in the order of their indices.
    pub variants: Vec<String>,
}

impl ChoiceSchema {
    /// That of an enum of this name and these variants.
    pub fn new(name: &str, variants: &[&str]) -> Self {
        let variants = variants.iter().map(|&name| name.into()).collect();
        ChoiceSchema { name: name.into(), variants }
    }
}

/// One kind of entity, an input, one kind of event, or one kind of command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindSchema {
    /// The struct's name.
    pub name: String,
    /// Its fields in the order of their lanes.
    pub fields: Vec<FieldSchema>,
}

impl KindSchema {
    /// A kind of this name and these fields.
    pub fn new(name: impl Into<String>, fields: Vec<FieldSchema>) -> Self {
        KindSchema { name: name.into(), fields }
    }

    /// Lanes of a value of this kind.
    pub fn lanes(&self) -> usize {
        self.fields.iter().map(FieldSchema::lanes).sum()
    }

    /// The name of a lane: its field, with the coordinate of a vector or the place in an array; and how much a lane's 1 is in the
    /// field's unit.
    pub fn lane_name(&self, lane: usize) -> (String, f64) {
        let mut first = 0;
        for field in &self.fields {
            if lane < first + field.lanes() {
                return (field.lane_name(lane - first), f64::from(field.ty.step()));
            }
            first += field.lanes();
        }
        (format!("lane {lane}"), 1.0)
    }

    /// Lanes as near to zero as their ranges allow: what a value is before anyone set it.
    pub fn zero_lanes(&self) -> Vec<i32> {
        let ranges = self
            .fields
            .iter()
            .flat_map(|field| (0..field.lanes()).map(move |lane| field.lane_range(lane)));
        ranges.map(|(min, max)| 0i64.clamp(min, max) as i32).collect()
    }
}

/// Everything two sides must agree on to play one game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The game's name.
    pub game: String,
    /// Ticks a second.
    pub tick_hz: u32,
    /// The input.
    pub input: KindSchema,
    /// The kinds of entity, by their number on the wire.
    pub entities: Vec<KindSchema>,
    /// The kinds of event, by their number on the wire.
    pub events: Vec<KindSchema>,
    /// The kinds of command, by their number on the wire.
    pub commands: Vec<KindSchema>,
    /// The bytes of the [`Model`](crate::model::Model) that codes the entities' deltas; none for the general defaults.
    pub model: Vec<u8>,
}
