//! Field tables: what a kind of entity, an input or an event is made of, and how two sides compare.
//!
//! A value travels as integer **lanes** (`i32`). A [`FieldType`] says how many lanes a field takes
//! and which values each may hold; everything the codec does is driven by these tables, so a client
//! that has only the server's [`Schema`] can read any game.

mod error;

pub use error::SchemaError;

use serde::{Deserialize, Serialize};

use crate::control::FRAME_BYTES_MAX;
use crate::model::Model;

/// Most lanes a kind, an input or an event may have.
pub const LANES_MAX: usize = 64;

/// Most kinds in a game.
pub const KINDS_MAX: usize = 64;

/// Most bytes of a [`Schema`] on the wire, its model included: it must fit a frame, with what else is said there.
pub const SCHEMA_BYTES_MAX: usize = FRAME_BYTES_MAX - 4096;

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
        }
    }

    /// The smallest and largest number in a value of this type, in the field's unit.
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
        }
    }
}

/// Steps from zero to an end of a range are fewer than this: beyond it an `f32` cannot hold every one.
const STEPS_MAX: f64 = (1 << 23) as f64;

/// `value` in units of `step`, rounded half away from zero.
pub(crate) fn lane_of(value: f32, step: f32) -> i32 {
    (f64::from(value) / f64::from(step)).round() as i32
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
    /// How it is quantised.
    pub ty: FieldType,
    /// When it is sent.
    pub rule: SendRule,
    /// Sent to the entity's owner only; others read zero lanes.
    pub owner_only: bool,
    /// The field that holds this one's rate of change per second, if the codec may predict from it.
    pub velocity: Option<String>,
    /// What the values of a [`FieldType::Choice`] are called, if that is known.
    pub choice: Option<ChoiceSchema>,
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

/// One kind of entity, an input, or one kind of event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindSchema {
    /// The struct's name.
    pub name: String,
    /// Its fields in the order of their lanes.
    pub fields: Vec<FieldSchema>,
}

impl KindSchema {
    /// Lanes of a value of this kind.
    pub fn lanes(&self) -> usize {
        self.fields.iter().map(|field| field.ty.lanes()).sum()
    }

    /// Lanes as near to zero as their ranges allow: what a value is before anyone set it.
    pub fn zero_lanes(&self) -> Vec<i32> {
        let zero = |field: &FieldSchema, lane| {
            let (min, max) = field.ty.lane_range(lane);
            0i64.clamp(min, max) as i32
        };
        let fields = self.fields.iter();
        fields.flat_map(|field| (0..field.ty.lanes()).map(move |lane| zero(field, lane))).collect()
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
    /// The bytes of the [`Model`] that codes the entities' deltas; none for the general defaults.
    pub model: Vec<u8>,
}

impl Schema {
    /// Compares a client's schema with the server's (`self`). The model is the server's alone.
    ///
    /// Kinds and fields are matched by name. One that only one side has is not an error: it was
    /// added on that side, the other ignores it or reads its default. A field both have must be
    /// declared alike.
    ///
    /// # Errors
    /// The first difference, naming the type and the field.
    pub fn accepts(&self, client: &Schema) -> Result<(), SchemaError> {
        if self.game != client.game {
            return Err(SchemaError::OtherGame {
                server: self.game.clone(),
                client: client.game.clone(),
            });
        }
        if self.tick_hz != client.tick_hz {
            return Err(SchemaError::OtherTickRate {
                server: self.tick_hz,
                client: client.tick_hz,
            });
        }
        let pairs = |server: &[KindSchema], client: &[KindSchema]| {
            for kind in server {
                if let Some(other) = client.iter().find(|other| other.name == kind.name) {
                    compare_kind(kind, other)?;
                }
            }
            Ok(())
        };
        compare_kind(&self.input, &client.input)?;
        pairs(&self.entities, &client.entities)?;
        pairs(&self.events, &client.events)
    }

    /// In what the inputs or entities of `other` are not the same, field by field: rules for the one cannot step the
    /// other. `None` if they are.
    pub fn difference(&self, other: &Schema) -> Option<String> {
        if let Err(error) = other.accepts(self) {
            return Some(error.to_string());
        }
        let tables = |schema: &Schema| {
            let kinds = std::iter::once(&schema.input).chain(&schema.entities).cloned();
            kinds.collect::<Vec<_>>()
        };
        let (own, others) = (tables(self), tables(other));
        let differs = own.iter().zip(&others).find(|(one, two)| one != two);
        match differs {
            Some((one, two)) if one.name != two.name => {
                Some(format!("{} is {} there", one.name, two.name))
            }
            Some((one, two)) => {
                let lacks = |kind: &KindSchema, field: &FieldSchema| !kind.fields.contains(field);
                let gone = one.fields.iter().find(|field| lacks(two, field));
                let field = gone.or_else(|| two.fields.iter().find(|field| lacks(one, field)));
                let field = field.map(|field| format!(".{}", field.name)).unwrap_or_default();
                Some(format!("{}{field} is not the same there", one.name))
            }
            None if own.len() != others.len() => Some("it has other kinds of entity".into()),
            None => None,
        }
    }

    /// Checks every number in the schema, as a client must before it uses what a server sent, and its size, as a
    /// server must before it starts.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`], naming the type and the field, or [`SchemaError::TooLarge`].
    pub fn validate(&self) -> Result<(), SchemaError> {
        let invalid = |kind: &str, field: &str, reason| {
            Err(SchemaError::Invalid { kind: kind.into(), field: field.into(), reason })
        };
        if self.tick_hz == 0 || self.tick_hz > 1000 {
            return invalid("the game", "", "its tick rate is not within 1 to 1000 Hz");
        }
        if self.entities.len() > KINDS_MAX || self.events.len() > KINDS_MAX {
            return invalid("the game", "", "it has more than 64 kinds");
        }
        for kinds in [&self.entities, &self.events] {
            if let Some(name) = repeated(kinds.iter().map(|kind| &kind.name)) {
                return invalid(name, "", "another kind has the same name");
            }
        }
        for kind in [&self.input].into_iter().chain(&self.entities).chain(&self.events) {
            if kind.lanes() > LANES_MAX {
                return invalid(&kind.name, "", "it has more than 64 lanes");
            }
            if let Some(name) = repeated(kind.fields.iter().map(|field| &field.name)) {
                return invalid(&kind.name, name, "another field has the same name");
            }
            for field in &kind.fields {
                if !field.ty.is_valid() {
                    return invalid(&kind.name, &field.name, "its range or step is out of bounds");
                }
                if !names_fit(field) {
                    return invalid(&kind.name, &field.name, "it has not a name for each variant");
                }
                let Some(velocity) = &field.velocity else { continue };
                let fits = kind.fields.iter().any(|other| {
                    &other.name == velocity
                        && other.ty.lanes() == field.ty.lanes()
                        && other.velocity.is_none()
                        && (other.owner_only <= field.owner_only)
                        && other.rule == field.rule
                });
                if !fits {
                    let reason = "its velocity names no field of the same shape and rules";
                    return invalid(&kind.name, &field.name, reason);
                }
            }
        }
        let bytes = postcard::to_allocvec(self).map_or(usize::MAX, |bytes| bytes.len());
        if bytes > SCHEMA_BYTES_MAX {
            return Err(SchemaError::TooLarge { bytes, model: self.model.len() });
        }
        if self.model.is_empty() {
            return Ok(());
        }
        Ok(Model::from_bytes(&self.model)?.validate(self)?)
    }
}

/// A name that stands there twice: two sides compare by name. Quadratic, over 64 names at most.
fn repeated<'a>(names: impl Iterator<Item = &'a String> + Clone) -> Option<&'a str> {
    let twice = |(at, name): &(usize, &String)| names.clone().take(*at).any(|it| it == *name);
    names.clone().enumerate().find(twice).map(|(_, name)| name.as_str())
}

fn names_fit(field: &FieldSchema) -> bool {
    let Some(choice) = &field.choice else { return true };
    field.ty == FieldType::Choice { variants: choice.variants.len().try_into().unwrap_or(0) }
}

/// Names that one side does not know are no difference.
fn has_other_names(field: &FieldSchema, other: &FieldSchema) -> bool {
    let both = field.choice.as_ref().zip(other.choice.as_ref());
    both.is_some_and(|(choice, other)| choice.variants != other.variants)
}

fn compare_kind(server: &KindSchema, client: &KindSchema) -> Result<(), SchemaError> {
    for field in &server.fields {
        let Some(other) = client.fields.iter().find(|other| other.name == field.name) else {
            continue;
        };
        let differs = other.ty != field.ty || other.owner_only != field.owner_only;
        if differs || has_other_names(field, other) {
            let show = |field: &FieldSchema| {
                let owner = if field.owner_only { ", owner only" } else { "" };
                let names = field.choice.as_ref().map(|choice| choice.variants.join(", "));
                let names = names.map(|names| format!(" ({names})")).unwrap_or_default();
                format!("{:?}{names}{owner}", field.ty)
            };
            return Err(SchemaError::FieldDiffers {
                kind: server.name.clone(),
                field: field.name.clone(),
                server: show(field),
                client: show(other),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
