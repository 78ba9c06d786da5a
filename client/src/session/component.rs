//! Lanes as plain numbers, for a client that has the server's schema but not the game's types.
//!
//! Components are the numbers of a field: `x y` of a vector, `x y z w` of a rotation, the index of
//! a choice, 0 or 1 of a bool, radians within (-π, π] of an angle; the length of a text, and its bytes four to a number, the first
//! lowest. An optional field has 1 before them, or 0 for no value; the values of an array follow each other.

use std::f64::consts::{PI, TAU};

use tickwire_shared::glam::{Quat, Vec2, Vec3};
use tickwire_shared::quantize::Field;
use tickwire_shared::schema::{FieldSchema, FieldType, KindSchema};

/// The number of components of a field.
pub fn components(field: &FieldSchema) -> usize {
    field.lanes()
}

/// Appends the components of an entity, given as lanes that may lie between two steps.
pub fn push_components<T: FromNumber>(kind: &KindSchema, lanes: &[f64], out: &mut Vec<T>) {
    let mut at = 0;
    for field in &kind.fields {
        let mut lanes = &lanes[at..at + field.lanes()];
        at += lanes.len();
        if field.values.is_optional() {
            out.push(T::from_number(lanes[0]));
            lanes = &lanes[1..];
        }
        for value in lanes.chunks_exact(field.ty.lanes()) {
            push_value(field.ty, value, out);
        }
    }
}

fn push_value<T: FromNumber>(ty: FieldType, lanes: &[f64], out: &mut Vec<T>) {
    if let FieldType::Quat { .. } = ty {
        let whole: Vec<i32> = lanes.iter().map(|lane| lane.round() as i32).collect();
        let rotation = Quat::dequantize(ty, &whole).to_array();
        out.extend(rotation.map(|component| T::from_number(f64::from(component))));
    } else {
        out.extend(lanes.iter().map(|&lane| T::from_number(number(ty, lane))));
    }
}

/// Fills the lanes of one field from its components; missing ones count as zero.
pub fn lanes_of(field: &FieldSchema, mut values: &[f64], mut lanes: &mut [i32]) {
    if field.values.is_optional() {
        let has_value = values.first().is_some_and(|value| *value != 0.0);
        lanes[0] = i32::from(has_value);
        lanes = &mut lanes[1..];
        // Lanes without a value are those of zeros.
        values = if has_value { &values[1..] } else { &[] };
    }
    let mut values = values.chunks(field.ty.lanes());
    for lanes in lanes.chunks_exact_mut(field.ty.lanes()) {
        value_lanes(field.ty, values.next().unwrap_or_default(), lanes);
    }
}

fn value_lanes(ty: FieldType, values: &[f64], lanes: &mut [i32]) {
    let value = |at: usize| values.get(at).copied().unwrap_or(0.0);
    let (x, y, z) = (value(0) as f32, value(1) as f32, value(2) as f32);
    match ty {
        FieldType::Bool => lanes[0] = i32::from(value(0) != 0.0),
        FieldType::Int { min, max } => lanes[0] = (value(0).round() as i64).clamp(min, max) as i32,
        FieldType::Choice { variants } => {
            lanes[0] = (value(0).round() as i32).clamp(0, i32::from(variants) - 1);
        }
        FieldType::Float { .. } | FieldType::Angle { .. } => {
            x.quantize(ty, lanes);
        }
        FieldType::Vec2 { .. } => {
            Vec2::new(x, y).quantize(ty, lanes);
        }
        FieldType::Vec3 { .. } => {
            Vec3::new(x, y, z).quantize(ty, lanes);
        }
        FieldType::Quat { .. } => {
            Quat::from_xyzw(x, y, z, value(3) as f32).quantize(ty, lanes);
        }
        FieldType::Text { .. } => {
            for (at, lane) in lanes.iter_mut().enumerate() {
                let (min, max) = ty.lane_range(at);
                *lane = (value(at) as i64).clamp(min, max) as i32;
            }
        }
    }
}

/// A number type that components convert to.
pub trait FromNumber {
    /// The nearest value of this type.
    fn from_number(number: f64) -> Self;
}

impl FromNumber for f64 {
    fn from_number(number: f64) -> Self {
        number
    }
}

impl FromNumber for f32 {
    fn from_number(number: f64) -> Self {
        number as f32
    }
}

fn number(ty: FieldType, lane: f64) -> f64 {
    match ty {
        FieldType::Int { max, .. } if max > i64::from(i32::MAX) => f64::from(lane as i32 as u32),
        FieldType::Text { .. } => f64::from(lane as i32 as u32),
        FieldType::Angle { bits } => {
            let turn = lane / f64::from(1u32 << bits) * TAU;
            if turn > PI { turn - TAU } else { turn }
        }
        FieldType::Float { min, max, step }
        | FieldType::Vec2 { min, max, step }
        | FieldType::Vec3 { min, max, step } => {
            (lane * f64::from(step)).clamp(f64::from(min), f64::from(max))
        }
        _ => lane,
    }
}

/// The lanes of a kind from one number for each component, in the schema's order.
pub fn kind_lanes(kind: &KindSchema, values: &[f64]) -> Vec<i32> {
    let mut lanes = vec![0; kind.lanes()];
    let (mut value_at, mut lane_at) = (0, 0);
    for field in &kind.fields {
        let width = components(field);
        let given = values.get(value_at..value_at + width).unwrap_or(&[]);
        let wide = field.lanes();
        lanes_of(field, given, &mut lanes[lane_at..lane_at + wide]);
        value_at += width;
        lane_at += wide;
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_shared::schema::FieldValues;

    fn round_trip(ty: FieldType, values: &[f64]) -> Vec<f64> {
        field_round_trip(FieldSchema::new("f", ty), values)
    }

    fn field_round_trip(field: FieldSchema, values: &[f64]) -> Vec<f64> {
        let mut lanes = vec![77; field.lanes()];
        lanes_of(&field, values, &mut lanes);
        let lanes: Vec<f64> = lanes.into_iter().map(f64::from).collect();
        let mut out = Vec::new();
        push_components(&KindSchema::new("K", vec![field]), &lanes, &mut out);
        out
    }

    #[test]
    fn optional_fields_arrays_and_texts_come_back() {
        let whole = FieldType::Int { min: 10, max: i64::from(u32::MAX) };
        let field =
            FieldSchema { values: FieldValues::OptionalArray(3), ..FieldSchema::new("f", whole) };
        assert_eq!(
            field_round_trip(field.clone(), &[1.0, 10.0, 4e9, 11.0]),
            [1.0, 10.0, 4e9, 11.0]
        );
        assert_eq!(
            field_round_trip(field.clone(), &[0.0, 50.0, 50.0, 50.0]),
            [0.0, 10.0, 10.0, 10.0]
        );
        assert_eq!(field_round_trip(field, &[]), [0.0, 10.0, 10.0, 10.0], "nothing given");
        let rotations = FieldSchema {
            values: FieldValues::Array(2),
            ..FieldSchema::new("f", FieldType::Quat { bits: 9 })
        };
        let turned = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(field_round_trip(rotations, &turned), turned);
        let text = FieldType::Text { bytes: 5 };
        let words = [5.0, f64::from(u32::from_le_bytes(*b"\xe2\x82\xacZ")), f64::from(b'!')];
        assert_eq!(round_trip(text, &words), words);
        assert_eq!(round_trip(text, &[9.0, -1.0, 1e12]), [5.0, 0.0, 255.0], "what no text has");
    }

    #[test]
    fn a_page_reads_the_same_number_as_a_game_in_rust() {
        for (min, max, step) in
            [(0.0, 10.0, 4.0), (-10.0, 10.0, 4.0), (0.5, 9.5, 3.0), (-1.0, 1.0, 0.3)]
        {
            let ty = FieldType::Float { min, max, step };
            for part in 0..=100 {
                let value = min + (max - min) * part as f32 / 100.0;
                let mut lanes = [0];
                value.quantize(ty, &mut lanes);
                let found = f32::dequantize(ty, &lanes);
                assert!((min..=max).contains(&found), "{value} came back as {found}");
                let shown = round_trip(ty, &[f64::from(value)])[0];
                assert_eq!(shown as f32, found, "{value} in steps of {step}");
            }
        }
        let ends = FieldType::Float { min: 0.0, max: 10.0, step: 4.0 };
        assert_eq!(f32::dequantize(ends, &[3]), 10.0);
    }

    #[test]
    fn components_come_back_through_lanes() {
        assert_eq!(round_trip(FieldType::Bool, &[1.0]), [1.0]);
        assert_eq!(round_trip(FieldType::Int { min: -5, max: 5 }, &[-9.0]), [-5.0]);
        let whole = FieldType::Int { min: 0, max: i64::from(u32::MAX) };
        assert_eq!(round_trip(whole, &[4e9]), [4e9]);
        let place = FieldType::Vec2 { min: -10.0, max: 10.0, step: 0.5 };
        assert_eq!(round_trip(place, &[3.5, -20.0]), [3.5, -10.0]);
        let angle = round_trip(FieldType::Angle { bits: 8 }, &[-1.5]);
        assert!((angle[0] + 1.5).abs() < 0.02, "{angle:?}");
        assert_eq!(
            round_trip(FieldType::Quat { bits: 9 }, &[0.0, 0.0, 0.0, 1.0]),
            [0.0, 0.0, 0.0, 1.0]
        );
        assert_eq!(round_trip(FieldType::Choice { variants: 3 }, &[7.0]), [2.0]);
    }
}
