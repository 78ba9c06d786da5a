//! Entities ahead of their newest state, at the same tick as the player's own.
//!
//! ```text
//! ticks    ... 100   101   102   103   104
//! server        S                             the newest state
//! client        S ─ ─ ─ ─ ─ ─ ─ ─ ─ E         E: where its velocity, its last change or the rules take it
//! ```
//!
//! The next state leads to a slightly different place. The difference to what was shown is added
//! to it and fades, so that nothing jumps.

use std::collections::BTreeMap;
use std::time::Duration;

use tickwire_shared::EntityId;
use tickwire_shared::replica::Entity;

use super::prediction::{KnownWorld, Rules};
use super::timeline::ShownTicks;
use super::trajectory::{Trajectory, TrajectorySpace};
use super::visible_error::{ErrorFade, VisibleError};

/// Upper limit of the ticks that a [`Mode`] goes ahead.
pub const MODE_TICKS_MAX: u32 = 120;
/// Time constant, in seconds, with which a visible error fades.
const ERROR_FADE_S: f64 = 0.1;

/// Display of the entities of a kind that the player does not steer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Between two received states, as far behind the newest as the network requires.
    #[default]
    Interpolate,
    /// At the same tick as the player's own entities, moved on by the velocity fields; without such
    /// fields, by the change between the last two states.
    Extrapolate {
        /// Most ticks ahead of its newest state.
        ticks_max: u32,
    },
    /// At the same tick, stepped by the rules of [`Predict`](tickwire_shared::predict::Predict).
    /// Without rules, and for entities that the rules do not step, as `Extrapolate`.
    ForwardSimulate {
        /// Most ticks ahead of its newest state.
        ticks_max: u32,
    },
}

impl Mode {
    /// The limit in ticks; `None` for [`Mode::Interpolate`].
    fn ticks_max(self) -> Option<u32> {
        match self {
            Mode::Interpolate => None,
            Mode::Extrapolate { ticks_max } | Mode::ForwardSimulate { ticks_max } => {
                Some(ticks_max.min(MODE_TICKS_MAX))
            }
        }
    }
}

/// The entities that are shown ahead.
#[derive(Debug)]
pub(super) struct Extrapolated {
    /// Indexed by kind.
    modes: Vec<Mode>,
    /// At most as many as the replica has.
    carried: BTreeMap<EntityId, Carried>,
    frame: u64,
    fade: ErrorFade,
}

/// One entity that is shown ahead.
#[derive(Debug)]
struct Carried {
    kind: u8,
    trajectory: Trajectory,
    shown: Vec<f64>,
    /// Included in `shown`.
    error: VisibleError,
    frame: u64,
    /// The input time at which it was first shown.
    began: f64,
}

impl Extrapolated {
    pub(super) fn new(modes: Vec<Mode>) -> Self {
        Extrapolated {
            modes,
            carried: BTreeMap::new(),
            frame: 0,
            fade: ErrorFade::new(ERROR_FADE_S),
        }
    }

    /// True if entities of this kind are shown ahead.
    pub(super) fn has_kind(&self, kind: u8) -> bool {
        self.mode(kind).ticks_max().is_some()
    }

    /// The shown lanes of an entity; `None` if it is not shown ahead.
    pub(super) fn shown(&self, id: EntityId) -> Option<&[f64]> {
        self.carried.get(&id).map(|carried| &*carried.shown)
    }

    /// Ticks for which an entity has been shown at `input_time`; `None` if it is not shown ahead.
    pub(super) fn ticks_shown(&self, id: EntityId, input_time: f64) -> Option<f64> {
        self.carried.get(&id).map(|carried| input_time - carried.began)
    }

    /// Moves the replica's entities and the `leaving` ones to the input time of `times`, except
    /// those that prediction shows (`is_own`).
    pub(super) fn show<'a>(
        &mut self,
        (now, times): (Duration, ShownTicks),
        known: KnownWorld<'a>,
        leaving: impl Iterator<Item = &'a Entity>,
        rules: Option<&dyn Rules>,
        is_own: impl Fn(EntityId) -> bool,
    ) {
        let left = self.fade.next(now);
        if self.modes.iter().all(|mode| *mode == Mode::Interpolate) {
            return;
        }
        self.frame += 1;
        for entity in known.replica.entities().iter().chain(leaving) {
            if let Some(ticks_max) = self.mode(entity.kind).ticks_max()
                && !is_own(entity.id)
            {
                self.show_one(times, entity, (left, ticks_max), known, rules);
            }
        }
        let frame = self.frame;
        self.carried.retain(|_, carried| carried.frame == frame);
    }

    fn show_one(
        &mut self,
        times: ShownTicks,
        entity: &Entity,
        (left, ticks_max): (f64, u32),
        known: KnownWorld<'_>,
        rules: Option<&dyn Rules>,
    ) {
        let Some(table) = known.replica.kind(entity.kind) else { return };
        let blend = &known.blends[usize::from(entity.kind)];
        let rules =
            rules.filter(|_| matches!(self.mode(entity.kind), Mode::ForwardSimulate { .. }));
        let space = TrajectorySpace { table, blend, rules, owner: entity.mine };
        let ticks = |trajectory: &Trajectory| {
            let ticks = times.input_time - f64::from(trajectory.from().since(times.start));
            ticks.clamp(0.0, f64::from(ticks_max))
        };
        let newest = known.replica.newest().unwrap_or(times.start);
        let fresh = || Trajectory::of(entity, newest, table, rules);
        let known_one = self.carried.get_mut(&entity.id);
        let Some(carried) = known_one.filter(|carried| carried.kind == entity.kind) else {
            let mut trajectory = fresh();
            let mut shown = Vec::new();
            trajectory.at(ticks(&trajectory), &space, &mut shown);
            let (kind, frame) = (entity.kind, self.frame);
            let (error, began) = (VisibleError::default(), times.input_time);
            let carried = Carried { kind, trajectory, shown, error, frame, began };
            self.carried.insert(entity.id, carried);
            return;
        };
        carried.frame = self.frame;
        carried.error.fade(left);
        carried.follow(ticks(&carried.trajectory), &space);
        if !carried.trajectory.holds(entity, newest) {
            carried.trajectory = fresh();
            let before = std::mem::take(&mut carried.shown);
            carried.trajectory.at(ticks(&carried.trajectory), &space, &mut carried.shown);
            carried.error.hide(blend, &before, &carried.shown);
            carried.error.add_to(&mut carried.shown);
        }
    }

    fn mode(&self, kind: u8) -> Mode {
        self.modes.get(usize::from(kind)).copied().unwrap_or_default()
    }
}

impl Carried {
    /// Shows the place `ticks` along the trajectory, plus the visible error.
    fn follow(&mut self, ticks: f64, space: &TrajectorySpace<'_>) {
        self.trajectory.at(ticks, space, &mut self.shown);
        self.error.add_to(&mut self.shown);
    }
}
