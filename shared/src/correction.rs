//! What a client writes down where its prediction was wrong, and a reader of its room's journal takes up: fields by their names,
//! in their units.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::schema::KindSchema;

/// A snapshot that differed from what was predicted for its tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorrectionRecord {
    /// The room.
    pub room: String,
    /// The player's number.
    pub player: u32,
    /// The tick of the snapshot.
    pub tick: u32,
    /// The last tick before it whose snapshot was as predicted, or from which the prediction went on.
    pub agreed_tick: Option<u32>,
    /// The newest tick that was predicted by then.
    pub newest_tick: u32,
    /// The entity.
    pub entity: u32,
    /// Its kind.
    pub kind: String,
    /// The fields that differed.
    pub fields: Vec<CorrectedField>,
    /// The inputs after `agreed_tick` up to `newest_tick`, one for each tick.
    pub inputs: Vec<PredictedInput>,
}

/// A field, or a coordinate of one, that differed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorrectedField {
    /// Its name, such as `pos.x`.
    pub name: String,
    /// What was predicted; `None` if nothing was of this tick.
    pub predicted: Option<f64>,
    /// What the server said.
    pub server: f64,
}

/// The input with which a tick was predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedInput {
    /// The tick.
    pub tick: u32,
    /// Its fields by name that are not zero.
    pub fields: Vec<(String, f64)>,
}

/// A lane's value in its field's unit, without the digits that only its step's rounding has.
pub fn lane_value(kind: &KindSchema, lane: usize, value: i32) -> (String, f64) {
    let (name, step) = kind.lane_name(lane);
    (name, (f64::from(value) * step * 1e6).round() / 1e6)
}

impl fmt::Display for CorrectionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CorrectionRecord { tick, kind, entity, player, newest_tick, .. } = self;
        let kind = kind.escape_debug();
        write!(
            f,
            "tick {tick}: {kind}, entity {entity}, of player {player}, predicted up to {newest_tick}"
        )?;
        match self.agreed_tick {
            Some(agreed) => write!(f, ", right in {agreed}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PredictedInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.tick)?;
        match self.fields.as_slice() {
            [] => write!(f, " nothing"),
            fields => fields
                .iter()
                .try_for_each(|(name, value)| write!(f, " {} {value}", name.escape_debug())),
        }
    }
}
