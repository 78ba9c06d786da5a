//! Entities between two of their received states.

use std::ops::Range;

use tickwire_shared::replica::Entity;
use tickwire_shared::schema::{FieldType, KindSchema};
use tickwire_shared::{EntityId, Tick};

/// Longest blend, in ticks: a change after a longer silence begins this many ticks before it
/// arrived.
pub(super) const BLEND_TICKS_MAX: i32 = 6;

/// Largest error that fades, as a part of the lane's range; a larger one is shown as a jump.
const FADE_PART_MAX: f64 = 1.0 / 16.0;

/// One entity as it is shown now.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The game's id.
    pub id: EntityId,
    /// Kind number in the server's schema.
    pub kind: u8,
    /// This client owns it.
    pub mine: bool,
    /// How far it has faded in, 0 to 1. It fades in when it comes into view and out when it leaves.
    pub presence: f64,
    /// Lanes in steps; numbers may lie between two states.
    pub lanes: &'a [f64],
}

/// The blending of each lane of a kind.
#[derive(Clone, Debug)]
pub(super) struct KindBlend {
    lanes: Vec<LaneBlend>,
    /// The lanes of each optional field: the first tells whether the others are of a value.
    optional: Vec<Range<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum LaneBlend {
    /// Linear. An error of more than `fade_max` steps does not fade.
    Linear { fade_max: f64 },
    /// The short way round; the number of lane steps in a turn.
    Turn(f64),
    /// The older state until the newer one is reached.
    Step,
}

impl KindBlend {
    pub(super) fn new(kind: &KindSchema) -> Self {
        let (mut lanes, mut optional) = (Vec::new(), Vec::new());
        for field in &kind.fields {
            let first = lanes.len();
            let blend = match field.ty {
                FieldType::Float { min, max, step }
                | FieldType::Vec2 { min, max, step }
                | FieldType::Vec3 { min, max, step } => {
                    let fade_max = f64::from(max - min) / f64::from(step) * FADE_PART_MAX;
                    LaneBlend::Linear { fade_max }
                }
                FieldType::Angle { bits } => LaneBlend::Turn(f64::from(1u32 << bits)),
                FieldType::Bool
                | FieldType::Int { .. }
                | FieldType::Choice { .. }
                | FieldType::Quat { .. }
                | FieldType::Text { .. } => LaneBlend::Step,
            };
            if field.values.is_optional() {
                optional.push(first..first + field.lanes());
                lanes.push(LaneBlend::Step);
            }
            lanes.extend(std::iter::repeat_n(
                blend,
                field.lanes() - usize::from(field.values.is_optional()),
            ));
        }
        KindBlend { lanes, optional }
    }

    /// Fills `out` with the lanes of `entity` at `shown` ticks after `start`.
    pub(super) fn at(&self, entity: &Entity, start: Tick, shown: f64, out: &mut Vec<f64>) {
        out.clear();
        let states = &entity.states;
        let whole = start.offset(shown.floor() as i32);
        let Some(before) = states.at_or_before(whole) else {
            // Its first state is newer than the shown tick: show that one.
            out.extend(states.state(0).map(f64::from));
            return;
        };
        if before + 1 == states.len() {
            out.extend(states.state(before).map(f64::from));
            return;
        }
        let after = before + 1;
        let end = states.tick(after);
        let begin = end.offset(-(end.since(states.tick(before)).min(BLEND_TICKS_MAX)));
        let part = (shown - f64::from(begin.since(start))) / f64::from(end.since(begin));
        let part = part.clamp(0.0, 1.0);
        self.between(states.lanes(before), states.lanes(after), part, out);
    }

    /// Fills `out` with the lanes at `part` of the way from `a` to `b`.
    pub(super) fn between(&self, a: &[i32], b: &[i32], part: f64, out: &mut Vec<f64>) {
        out.clear();
        let pairs = a.iter().zip(b);
        out.extend(pairs.zip(&self.lanes).map(|((&a, &b), blend)| blend.mix(a, b, part)));
        self.step_where_values_come_and_go(a, b, |at| out[at] = f64::from(a[at]));
    }

    /// Fills `out` with the lanes after `b`, `part` times as far as from `a` to `b`. Lanes that do
    /// not blend are as in `b`.
    pub(super) fn beyond(&self, a: &[i32], b: &[i32], part: f64, out: &mut Vec<f64>) {
        out.clear();
        let pairs = a.iter().zip(b);
        out.extend(pairs.zip(&self.lanes).map(|((&a, &b), blend)| match blend {
            LaneBlend::Step => f64::from(b),
            LaneBlend::Linear { .. } | LaneBlend::Turn(_) => blend.mix(a, b, 1.0 + part),
        }));
        self.step_where_values_come_and_go(a, b, |at| out[at] = f64::from(b[at]));
    }

    /// Fills `out` with the difference that, added to `now`, shows `before`. It is zero for lanes
    /// that do not blend, and for errors too large to hide.
    pub(super) fn error(&self, before: &[f64], now: &[f64], out: &mut Vec<f64>) {
        out.clear();
        let pairs = before.iter().zip(now);
        out.extend(pairs.zip(&self.lanes).map(|((&before, &now), blend)| blend.error(before, now)));
        self.step_where_values_come_and_go(before, now, |at| out[at] = 0.0);
    }

    /// Calls `step` with each lane of a field that has a value on one side only: there is nothing in between.
    fn step_where_values_come_and_go<T: PartialEq>(
        &self,
        a: &[T],
        b: &[T],
        step: impl FnMut(usize),
    ) {
        let come_and_go = self.optional.iter().filter(|field| a[field.start] != b[field.start]);
        come_and_go.cloned().flatten().for_each(step);
    }
}

impl LaneBlend {
    fn error(self, before: f64, now: f64) -> f64 {
        match self {
            LaneBlend::Linear { fade_max } if (before - now).abs() <= fade_max => before - now,
            LaneBlend::Turn(turn) => (before - now + turn / 2.0).rem_euclid(turn) - turn / 2.0,
            LaneBlend::Linear { .. } | LaneBlend::Step => 0.0,
        }
    }

    fn mix(self, a: i32, b: i32, part: f64) -> f64 {
        let (a, b) = (f64::from(a), f64::from(b));
        match self {
            LaneBlend::Linear { .. } => a + (b - a) * part,
            LaneBlend::Turn(turn) => {
                let way = (b - a + turn / 2.0).rem_euclid(turn) - turn / 2.0;
                (a + way * part).rem_euclid(turn)
            }
            LaneBlend::Step => a,
        }
    }
}

#[cfg(test)]
mod tests {
    use tickwire_shared::schema::{FieldSchema, FieldValues};

    use super::*;

    #[test]
    fn a_value_that_comes_or_goes_is_not_blended_with_none() {
        let place = FieldType::Float { min: -100.0, max: 100.0, step: 1.0 };
        let aim = FieldSchema { values: FieldValues::Optional, ..FieldSchema::new("aim", place) };
        let kind = KindSchema::new("Tank", vec![FieldSchema::new("x", place), aim]);
        let blend = KindBlend::new(&kind);
        let mut out = Vec::new();
        let mut between = |a: &[i32], b: &[i32]| {
            blend.between(a, b, 0.5, &mut out);
            out.clone()
        };
        assert_eq!(between(&[0, 1, 10], &[4, 1, 20]), [2.0, 1.0, 15.0]);
        assert_eq!(between(&[0, 1, 10], &[4, 0, 0]), [2.0, 1.0, 10.0], "it goes");
        assert_eq!(between(&[0, 0, 0], &[4, 1, 20]), [2.0, 0.0, 0.0], "it comes");
        blend.beyond(&[0, 0, 0], &[4, 1, 20], 1.0, &mut out);
        assert_eq!(out, [8.0, 1.0, 20.0]);
        blend.error(&[1.0, 1.0, 3.0], &[0.0, 0.0, 0.0], &mut out);
        assert_eq!(out, [1.0, 0.0, 0.0]);
        blend.error(&[1.0, 1.0, 3.0], &[0.0, 1.0, 0.0], &mut out);
        assert_eq!(out, [1.0, 0.0, 3.0]);
    }

    #[test]
    fn angles_blend_the_short_way_round() {
        let turn = LaneBlend::Turn(256.0);
        assert_eq!(turn.mix(250, 4, 0.5), 255.0);
        assert_eq!(turn.mix(4, 250, 0.5), 255.0);
        assert_eq!(turn.mix(10, 20, 0.5), 15.0);
        assert_eq!(LaneBlend::Step.mix(1, 2, 0.9), 1.0);
    }
}
