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

use tickwire_shared::delta::{Baseline, LaneTable};
use tickwire_shared::replica::Entity;
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::{EntityId, Tick};

use super::fading_out::FadingOut;
use super::interpolation::{BLEND_TICKS_MAX, KindBlend};
use super::prediction::{KnownWorld, PredictedState, Rules, StepOutput};

/// The most that [`Mode`] may be told to go ahead, in ticks.
pub const MODE_TICKS_MAX: u32 = 120;
/// What was shown wrong is an `e`th of itself after so many seconds.
const FADE_S: f64 = 0.1;

/// How entities of a kind are shown that the player does not steer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Between two states, as far behind the newest as the network needs.
    #[default]
    Interpolate,
    /// At the tick that the player's own is shown at, moved on by the velocity fields; a kind without any, as
    /// it changed between its last two states.
    Extrapolate {
        /// It goes no farther than so many ticks from its newest state.
        ticks_max: u32,
    },
    /// At the same tick, stepped by the rules of [`Predict`](tickwire_shared::predict::Predict); as
    /// `Extrapolate` without rules, and for what they do not adopt.
    ForwardSimulate {
        /// It is stepped no farther than so many ticks from its newest state.
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
#[derive(Debug, Default)]
pub(super) struct Extrapolated {
    /// By kind.
    modes: Vec<Mode>,
    /// As many as the replica has.
    carried: BTreeMap<EntityId, Carried>,
    frame: u64,
    faded: Duration,
}

/// The time a frame is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameTime {
    pub(super) now: Duration,
    pub(super) start: Tick,
    /// Since `start`.
    pub(super) ticks: f64,
}

#[derive(Debug)]
struct Carried {
    kind: u8,
    trajectory: Trajectory,
    shown: Vec<f64>,
    /// Part of `shown`.
    error: Vec<f64>,
    frame: u64,
    /// When it was first shown.
    began: f64,
}

/// Where one state leads to.
#[derive(Debug)]
pub(super) struct Trajectory {
    from: Tick,
    lanes: Vec<i32>,
    way: Motion,
}

#[derive(Debug)]
enum Motion {
    Velocity,
    /// As from a state so many ticks before.
    Change {
        ticks: i32,
        before: Vec<i32>,
    },
    /// It was not told of for so long that it has stopped.
    Rest,
    Rules(Box<RuleStep>),
}

/// A tick by the rules, and the one after it.
#[derive(Debug)]
struct RuleStep {
    /// Of the tick after.
    steered: PredictedState,
    input: Vec<i32>,
    ticks: u32,
    lanes: Vec<i32>,
    next: Vec<i32>,
}

impl Extrapolated {
    pub(super) fn new(modes: Vec<Mode>) -> Self {
        Extrapolated { modes, ..Extrapolated::default() }
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

    /// Brings the entities of the replica and those that have left it to `aim`, but those that `is_own` says are
    /// shown by prediction.
    pub(super) fn show(
        &mut self,
        aim: FrameTime,
        (known, left): (KnownWorld<'_>, &FadingOut),
        rules: Option<&dyn Rules>,
        is_own: impl Fn(EntityId) -> bool,
    ) {
        let passed = aim.now.saturating_sub(self.faded).as_secs_f64();
        self.faded = aim.now;
        if self.modes.iter().all(|mode| *mode == Mode::Interpolate) {
            return;
        }
        self.frame += 1;
        let fade = (-passed / FADE_S).exp();
        for entity in known.replica.entities().iter().chain(left.entities()) {
            if let Some(ticks_max) = self.mode(entity.kind).ticks_max()
                && !is_own(entity.id)
            {
                self.show_one(aim, entity, (fade, ticks_max), known, rules);
            }
        }
        let frame = self.frame;
        self.carried.retain(|_, carried| carried.frame == frame);
    }

    fn show_one(
        &mut self,
        aim: FrameTime,
        entity: &Entity,
        (fade, ticks_max): (f64, u32),
        known: KnownWorld<'_>,
        rules: Option<&dyn Rules>,
    ) {
        let Some(table) = known.replica.kind(entity.kind) else { return };
        let blend = &known.blends[usize::from(entity.kind)];
        let rules =
            rules.filter(|_| matches!(self.mode(entity.kind), Mode::ForwardSimulate { .. }));
        let space = TrajectorySpace { table, blend, rules, owner: entity.mine };
        let ticks = |from: Tick| {
            let ticks = aim.ticks - f64::from(from.since(aim.start));
            ticks.clamp(0.0, f64::from(ticks_max))
        };
        let newest = known.replica.newest().unwrap_or(aim.start);
        let fresh = || Trajectory::of(entity, newest, table, rules);
        let known_one = self.carried.get_mut(&entity.id);
        let Some(carried) = known_one.filter(|carried| carried.kind == entity.kind) else {
            let mut trajectory = fresh();
            let mut shown = Vec::new();
            trajectory.at(ticks(trajectory.from), &space, &mut shown);
            let (kind, frame) = (entity.kind, self.frame);
            let (error, began) = (Vec::new(), aim.ticks);
            let carried = Carried { kind, trajectory, shown, error, frame, began };
            self.carried.insert(entity.id, carried);
            return;
        };
        carried.frame = self.frame;
        carried.error.iter_mut().for_each(|error| *error *= fade);
        let from = carried.trajectory.from;
        carried.trajectory.at(ticks(from), &space, &mut carried.shown);
        add(&mut carried.shown, &carried.error);
        if !carried.trajectory.holds(entity, newest) {
            carried.trajectory = fresh();
            let before = std::mem::take(&mut carried.shown);
            carried.trajectory.at(ticks(carried.trajectory.from), &space, &mut carried.shown);
            blend.error(&before, &carried.shown, &mut carried.error);
            add(&mut carried.shown, &carried.error);
        }
    }

    fn mode(&self, kind: u8) -> Mode {
        self.modes.get(usize::from(kind)).copied().unwrap_or_default()
    }
}

/// What a course is followed by.
struct TrajectorySpace<'a> {
    table: &'a LaneTable,
    blend: &'a KindBlend,
    rules: Option<&'a dyn Rules>,
    owner: bool,
}

impl Trajectory {
    /// By the rules if there are any that step it.
    pub(super) fn of(
        entity: &Entity,
        newest: Tick,
        table: &LaneTable,
        rules: Option<&dyn Rules>,
    ) -> Self {
        let states = &entity.states;
        let last = states.len() - 1;
        let (from, lanes) = (states.tick(last), states.lanes(last).to_vec());
        let way = match rules.and_then(|rules| RuleStep::of(entity, &lanes, rules)) {
            Some(stepped) => Motion::Rules(Box::new(stepped)),
            None if table.any_velocity() => Motion::Velocity,
            None if last == 0 || is_silent(from, newest) => Motion::Rest,
            None => {
                let ticks = from.since(states.tick(last - 1)).min(BLEND_TICKS_MAX);
                Motion::Change { ticks, before: states.lanes(last - 1).to_vec() }
            }
        };
        Trajectory { from, lanes, way }
    }

    /// Whether it is still the way of `entity`.
    fn holds(&self, entity: &Entity, newest: Tick) -> bool {
        let goes_on = match self.way {
            Motion::Change { .. } => !is_silent(self.from, newest),
            Motion::Velocity | Motion::Rest | Motion::Rules(_) => true,
        };
        goes_on && self.from == entity.states.tick(entity.states.len() - 1)
    }

    /// Fills `out` with the lanes `ticks` after its state.
    fn at(&mut self, ticks: f64, space: &TrajectorySpace<'_>, out: &mut Vec<f64>) {
        if let (Motion::Rules(stepped), Some(rules)) = (&mut self.way, space.rules) {
            stepped.go_to(ticks.floor() as u32, rules);
        }
        self.along(ticks, space.table, space.blend, space.owner, out);
    }

    /// The same, no farther than the rules were stepped.
    pub(super) fn along(
        &self,
        ticks: f64,
        table: &LaneTable,
        blend: &KindBlend,
        owner: bool,
        out: &mut Vec<f64>,
    ) {
        let (whole, part) = (ticks.floor() as u32, ticks.fract());
        match &self.way {
            Motion::Rest => blend.between(&self.lanes, &self.lanes, 0.0, out),
            Motion::Change { ticks: over, before } => {
                blend.beyond(before, &self.lanes, ticks / f64::from(*over), out);
            }
            Motion::Velocity => {
                let mut lanes = [[0; LANES_MAX]; 2];
                let count = table.len();
                for (lanes, ticks) in lanes.iter_mut().zip(whole..) {
                    let baseline = Baseline::new(&self.lanes, ticks);
                    table.extrapolate(&baseline, &mut lanes[..count], owner);
                }
                blend.between(&lanes[0][..count], &lanes[1][..count], part, out);
            }
            Motion::Rules(stepped) => {
                // A clock that was set back by less than a tick stays at the tick it was at.
                let part = if whole < stepped.ticks { 0.0 } else { part };
                blend.between(&stepped.lanes, &stepped.next, part, out);
            }
        }
    }
}

impl RuleStep {
    fn of(entity: &Entity, lanes: &[i32], rules: &dyn Rules) -> Option<Self> {
        let steered = rules.from_entity(entity.id, entity.kind, lanes, None)?;
        let input = rules.guess_input(entity.kind, lanes);
        let (lanes, next) = (lanes.to_vec(), Vec::new());
        let mut stepped = RuleStep { steered, input, ticks: 0, lanes, next };
        stepped.next = stepped.step(rules, entity.kind)?;
        Some(stepped)
    }

    fn go_to(&mut self, ticks: u32, rules: &dyn Rules) {
        let mut lanes = [0; LANES_MAX];
        let (kind, _) = rules.show(&self.steered, &mut lanes);
        while self.ticks < ticks
            && let Some(next) = self.step(rules, kind)
        {
            self.ticks += 1;
            self.lanes = std::mem::replace(&mut self.next, next);
        }
    }

    /// The lanes a tick later; `None` if it became another kind.
    fn step(&mut self, rules: &dyn Rules, kind: u8) -> Option<Vec<i32>> {
        // What is around would have to be stepped as well: they go as if alone.
        rules.predict_step(&mut self.steered, &self.input, &|_| {}, &mut StepOutput::default());
        let mut lanes = [0; LANES_MAX];
        let (shown, count) = rules.show(&self.steered, &mut lanes);
        (shown == kind).then(|| lanes[..count].to_vec())
    }
}

/// Something that moves is told of more often.
fn is_silent(last: Tick, newest: Tick) -> bool {
    newest.since(last) > BLEND_TICKS_MAX
}

fn add(shown: &mut [f64], error: &[f64]) {
    for (shown, error) in shown.iter_mut().zip(error) {
        *shown += error;
    }
}
