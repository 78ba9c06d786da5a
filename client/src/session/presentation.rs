//! The shown place of each entity: predicted, ahead, or between two of its states.

use std::time::Duration;

use tickwire_shared::EntityId;
use tickwire_shared::replica::{Departed, Entity, Replica};
use tickwire_shared::schema::Schema;

use super::extrapolated::{Extrapolated, Mode};
use super::fading_out::FadingOut;
use super::input::InputQueue;
use super::interpolation::{KindBlend, Shown};
use super::prediction::{KnownWorld, Prediction};
use super::timeline::ShownTicks;

/// The display of a room's entities.
#[derive(Debug)]
pub(super) struct Presentation {
    blends: Vec<KindBlend>,
    extrapolated: Extrapolated,
    fading_out: FadingOut,
}

/// An entity's display: the first of these that applies.
enum Placement<'a> {
    /// Not drawn itself: the player's predicted spawn stands for it.
    Spawn,
    /// Where the player's inputs take it.
    Predicted { lanes: &'a [f64] },
    /// At the same tick, moved on from its newest state as its kind's [`Mode`] says.
    Ahead { lanes: &'a [f64], presence: f64 },
    /// Between two of its states.
    Interpolated { presence: f64 },
}

impl Presentation {
    pub(super) fn new(schema: &Schema) -> Self {
        Presentation {
            blends: schema.entities.iter().map(KindBlend::new).collect(),
            extrapolated: Extrapolated::new(Vec::new()),
            fading_out: FadingOut::new(schema.tick_hz),
        }
    }

    /// Sets the mode of each kind.
    pub(super) fn show_by(&mut self, modes: Vec<Mode>) {
        self.extrapolated = Extrapolated::new(modes);
    }

    /// True if entities of this kind are shown ahead, unless they are predicted.
    pub(super) fn is_ahead(&self, kind: u8) -> bool {
        self.extrapolated.has_kind(kind)
    }

    /// The replica together with the blending of its kinds.
    pub(super) fn known<'a>(
        &'a self,
        replica: &'a Replica,
        inputs: &'a InputQueue,
    ) -> KnownWorld<'a> {
        KnownWorld { replica, inputs, blends: &self.blends }
    }

    /// Keeps showing an entity that departed at the shown input time `input_time`, until it has
    /// faded out.
    pub(super) fn see_off(&mut self, departed: Departed, replica: &Replica, input_time: f64) {
        self.fading_out.add(departed, replica, input_time);
    }

    /// Moves all entities that are not predicted to `times`.
    pub(super) fn advance(
        &mut self,
        (now, times): (Duration, ShownTicks),
        (replica, inputs): (&Replica, &InputQueue),
        prediction: Option<&Prediction>,
    ) {
        let Presentation { blends, extrapolated, fading_out } = self;
        fading_out.advance(times, replica, extrapolated);
        let known = KnownWorld { replica, inputs, blends };
        let is_own = |id: EntityId| {
            prediction.is_some_and(|own| own.entity() == Some(id) || own.spawns().has(id))
        };
        let rules = prediction.map(Prediction::rules);
        extrapolated.show((now, times), known, fading_out.entities(), rules, is_own);
    }

    /// Calls `each` with every visible entity: those in the replica, removed ones that fade out,
    /// and the player's predicted spawns.
    pub(super) fn for_each(
        &self,
        times: ShownTicks,
        replica: &Replica,
        prediction: Option<&Prediction>,
        mut each: impl FnMut(Shown<'_>),
    ) {
        let mut blended = Vec::new();
        for entity in replica.entities() {
            let Entity { id, kind, mine, .. } = *entity;
            let shown = match self.placement(entity, times, prediction) {
                Placement::Spawn => continue,
                Placement::Predicted { lanes } => {
                    Shown { id, kind, mine: true, presence: 1.0, lanes }
                }
                Placement::Ahead { lanes, presence } => Shown { id, kind, mine, presence, lanes },
                Placement::Interpolated { presence } => {
                    let blend = &self.blends[usize::from(kind)];
                    blend.at(entity, times.start, times.shown, &mut blended);
                    Shown { id, kind, mine, presence, lanes: &blended }
                }
            };
            each(shown);
        }
        let Presentation { blends, extrapolated, fading_out } = self;
        fading_out.for_each(times, replica, (blends, extrapolated), |entity, presence, lanes| {
            let Entity { id, kind, mine, .. } = *entity;
            each(Shown { id, kind, mine, presence, lanes });
        });
        let spawns = prediction.into_iter().flat_map(|own| own.spawns().iter());
        for spawn in spawns.filter(|spawn| !spawn.shown.is_empty()) {
            let (id, kind, lanes) = (spawn.id, spawn.kind, &*spawn.shown);
            each(Shown { id, kind, mine: true, presence: 1.0, lanes });
        }
    }

    fn placement<'a>(
        &'a self,
        entity: &Entity,
        times: ShownTicks,
        prediction: Option<&'a Prediction>,
    ) -> Placement<'a> {
        let id = entity.id;
        if prediction.is_some_and(|own| own.spawns().has(id)) {
            Placement::Spawn
        } else if let Some(lanes) = prediction.and_then(|own| own.shown(id)) {
            Placement::Predicted { lanes }
        } else if let Some(lanes) = self.extrapolated.shown(id) {
            let ticks = self.extrapolated.ticks_shown(id, times.input_time).unwrap_or(0.0);
            Placement::Ahead { lanes, presence: self.fading_out.entered_ahead(ticks) }
        } else {
            Placement::Interpolated { presence: self.fading_out.entered(entity.first, times) }
        }
    }
}
