//! What the server put right, kept for whoever looks for the reason.

use std::collections::VecDeque;

use tickwire_shared::correction::{CorrectedField, CorrectionRecord, PredictedInput, lane_value};
use tickwire_shared::schema::{KindSchema, Schema};
use tickwire_shared::{EntityId, PlayerId, Tick};

use super::super::input::InputQueue;

/// Most inputs of one correction.
const INPUTS_MAX: i32 = 128;

/// A snapshot that differed from what was predicted for its tick, in lanes of the server's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The tick of the snapshot.
    pub tick: Tick,
    /// The last tick before it whose snapshot was as predicted, or from which the prediction went on.
    pub agreed: Option<Tick>,
    /// The newest tick that was predicted by then.
    pub newest: Tick,
    /// The entity.
    pub entity: EntityId,
    /// Its kind.
    pub kind: u8,
    /// What was predicted; empty if nothing was of this tick, or another kind.
    pub predicted: Vec<i32>,
    /// What the server said.
    pub server: Vec<i32>,
    /// The lanes that differ by more than rounding; bit n is the nth.
    pub wrong: u64,
    /// The inputs after `agreed` up to `newest`, one for each tick.
    pub inputs: Vec<(Tick, Vec<i32>)>,
}

/// The newest corrections, as many as are asked for.
#[derive(Debug, Default)]
pub(in super::super) struct Corrections {
    kept: VecDeque<Correction>,
    count_max: usize,
    agreed: Option<Tick>,
}

impl Corrections {
    pub(in super::super) fn up_to(count_max: usize) -> Self {
        Corrections { count_max, ..Corrections::default() }
    }

    pub(in super::super) fn count_max(&self) -> usize {
        self.count_max
    }

    pub(in super::super) fn poll(&mut self) -> Option<Correction> {
        self.kept.pop_front()
    }

    /// Keeps one more. Beyond the bound the oldest is dropped.
    pub(in super::super) fn push(&mut self, correction: Correction) {
        if self.kept.len() >= self.count_max {
            self.kept.pop_front();
        }
        if self.count_max > 0 {
            self.kept.push_back(correction);
        }
    }

    /// The snapshot of `tick` was as predicted, or the prediction goes on from it.
    pub(super) fn agree(&mut self, tick: Tick) {
        self.agreed = Some(tick);
    }

    /// The entity is gone, or another one is steered.
    pub(super) fn forget(&mut self) {
        self.agreed = None;
    }

    /// The snapshot of `tick` was not as predicted: its entity, what was predicted of it, what the server said, and the lanes
    /// that differ.
    pub(super) fn note(
        &mut self,
        tick: Tick,
        (entity, kind): (EntityId, u8),
        (predicted, server, wrong): (&[i32], &[i32], u64),
        known: &InputQueue,
    ) {
        if self.count_max == 0 {
            return;
        }
        let newest = known.newest().filter(|newest| newest.since(tick) > 0).unwrap_or(tick);
        let agreed = self.agreed.filter(|agreed| newest.since(*agreed) <= INPUTS_MAX);
        let first = agreed.unwrap_or(tick.offset(-1));
        let count = newest.since(first).clamp(0, INPUTS_MAX);
        let inputs = (1..=count).map(|after| first.offset(after));
        let inputs = inputs.map(|tick| (tick, known.lanes(tick).to_vec())).collect();
        let (predicted, server) = (predicted.to_vec(), server.to_vec());
        self.push(Correction {
            tick,
            agreed,
            newest,
            entity,
            kind,
            predicted,
            server,
            wrong,
            inputs,
        });
    }
}

impl Correction {
    /// The same by names and in units, for a file.
    pub fn named(&self, schema: &Schema, (room, player): (&str, PlayerId)) -> CorrectionRecord {
        let none = KindSchema::new("", Vec::new());
        let kind = schema.entities.get(usize::from(self.kind)).unwrap_or(&none);
        let wrong = (0..self.server.len()).filter(|lane| self.wrong >> lane & 1 == 1);
        let fields = wrong.map(|lane| {
            let (name, server) = lane_value(kind, lane, self.server[lane]);
            let predicted = self.predicted.get(lane).map(|value| lane_value(kind, lane, *value).1);
            CorrectedField { name, predicted, server }
        });
        let input = |(tick, lanes): &(Tick, Vec<i32>)| {
            let held = lanes.iter().enumerate().filter(|(_, value)| **value != 0);
            let fields = held.map(|(lane, value)| lane_value(&schema.input, lane, *value));
            PredictedInput { tick: tick.0, fields: fields.collect() }
        };
        CorrectionRecord {
            room: room.to_owned(),
            player: player.0,
            tick: self.tick.0,
            agreed_tick: self.agreed.map(|tick| tick.0),
            newest_tick: self.newest.0,
            entity: self.entity.0,
            kind: kind.name.clone(),
            fields: fields.collect(),
            inputs: self.inputs.iter().map(input).collect(),
        }
    }
}
