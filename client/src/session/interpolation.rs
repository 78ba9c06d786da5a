//! Entities between two of their received states.

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
        let lanes = kind.fields.iter().flat_map(|field| {
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
                | FieldType::Quat { .. } => LaneBlend::Step,
            };
            std::iter::repeat_n(blend, field.ty.lanes())
        });
        KindBlend { lanes: lanes.collect() }
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
    }

    /// Fills `out` with the difference that, added to `now`, shows `before`. It is zero for lanes
    /// that do not blend, and for errors too large to hide.
    pub(super) fn error(&self, before: &[f64], now: &[f64], out: &mut Vec<f64>) {
        out.clear();
        let pairs = before.iter().zip(now);
        out.extend(pairs.zip(&self.lanes).map(|((&before, &now), blend)| blend.error(before, now)));
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
    use super::*;

    #[test]
    fn angles_blend_the_short_way_round() {
        let turn = LaneBlend::Turn(256.0);
        assert_eq!(turn.mix(250, 4, 0.5), 255.0);
        assert_eq!(turn.mix(4, 250, 0.5), 255.0);
        assert_eq!(turn.mix(10, 20, 0.5), 15.0);
        assert_eq!(LaneBlend::Step.mix(1, 2, 0.9), 1.0);
    }
}
