//! Entities ahead of their newest state, at the tick that the player's own is shown at.
//!
//! ```text
//! ticks    ... 100   101   102   103   104
//! server        S                             the newest state
//! client        S ─ ─ ─ ─ ─ ─ ─ ─ ─ E         E: where its velocity, its last change or the rules take it
//! ```
//!
//! When the next state comes, where it leads to is not quite where the one before led to. What was shown goes
//! on being shown: the difference is added, and fades.

use std::collections::BTreeMap;
use std::time::Duration;

use tickwire_shared::EntityId;
use tickwire_shared::replica::Entity;

use super::prediction::{KnownWorld, Rules};
use super::timeline::ShownTicks;
use super::trajectory::{Trajectory, TrajectorySpace};
use super::visible_error::{ErrorFade, VisibleError};

/// The most that [`Mode`] may be told to go ahead, in ticks.
pub const MODE_TICKS_MAX: u32 = 120;
/// Time constant, in seconds, with which a visible error fades.
const ERROR_FADE_S: f64 = 0.1;

/// How entities of a kind are shown that the player does not steer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Between two states, as far behind the newest as the network needs.
    #[default]
    Interpolate,
    /// At the tick that the player's own is shown at, moved on by the velocity fields; a kind without any, as
    /// it changed between its last two states.
    Extrapolate {
        /// Most ticks that it is extrapolated from its newest state.
        ticks_max: u32,
    },
    /// At the same tick, stepped by the rules of [`Predict`](tickwire_shared::predict::Predict); as
    /// `Extrapolate` without rules, and for what they do not adopt.
    ForwardSimulate {
        /// Most ticks that it is stepped from its newest state.
        ticks_max: u32,
    },
}

impl Mode {
    /// `None` for [`Mode::Interpolate`].
    fn ticks_max(self) -> Option<u32> {
        match self {
            Mode::Interpolate => None,
            Mode::Extrapolate { ticks_max } | Mode::ForwardSimulate { ticks_max } => {
                Some(ticks_max.min(MODE_TICKS_MAX))
            }
        }
    }
}

/// What is shown ahead.
#[derive(Debug)]
pub(super) struct Extrapolated {
    /// By kind.
    modes: Vec<Mode>,
    /// As many as the replica has.
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
    /// Part of `shown`.
    error: VisibleError,
    frame: u64,
    /// When it was first shown.
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

    /// Whether entities of this kind are shown ahead.
    pub(super) fn has_kind(&self, kind: u8) -> bool {
        self.mode(kind).ticks_max().is_some()
    }

    /// The lanes of an entity as it is to be shown, if it is shown ahead.
    pub(super) fn shown(&self, id: EntityId) -> Option<&[f64]> {
        self.carried.get(&id).map(|carried| &*carried.shown)
    }

    /// Ticks for which an entity has been shown at `input_time`, if it is shown ahead.
    pub(super) fn ticks_shown(&self, id: EntityId, input_time: f64) -> Option<f64> {
        self.carried.get(&id).map(|carried| input_time - carried.began)
    }

    /// Brings the entities of the replica and those that are `leaving` to the input time of `times`, but those that
    /// `is_own` says are shown by prediction.
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
    /// What is shown is `ticks` along the trajectory, but for the error.
    fn follow(&mut self, ticks: f64, space: &TrajectorySpace<'_>) {
        self.trajectory.at(ticks, space, &mut self.shown);
        self.error.add_to(&mut self.shown);
    }
}
