//! The motion of an entity beyond its newest state.

use tickwire_shared::Tick;
use tickwire_shared::delta::{Baseline, LaneTable};
use tickwire_shared::replica::Entity;
use tickwire_shared::schema::LANES_MAX;

use super::interpolation::{BLEND_TICKS_MAX, KindBlend};
use super::prediction::{PredictedState, Rules, StepOutput};

/// The motion that follows from one state.
#[derive(Debug)]
pub(super) struct Trajectory {
    from: Tick,
    lanes: Vec<i32>,
    way: Motion,
}

#[derive(Debug)]
enum Motion {
    Velocity,
    /// Continues the change from the state `before`, this many ticks earlier.
    Change {
        ticks: i32,
        before: Vec<i32>,
    },
    /// At rest: it was not sent for so long that it has stopped.
    Rest,
    Rules(Box<RuleStep>),
}

/// A tick by the rules, and the next one.
#[derive(Debug)]
struct RuleStep {
    /// The state at the next tick.
    steered: PredictedState,
    input: Vec<i32>,
    ticks: u32,
    lanes: Vec<i32>,
    next: Vec<i32>,
}

/// The environment in which a trajectory is computed.
pub(super) struct TrajectorySpace<'a> {
    pub(super) table: &'a LaneTable,
    pub(super) blend: &'a KindBlend,
    pub(super) rules: Option<&'a dyn Rules>,
    pub(super) owner: bool,
}

impl Trajectory {
    /// From the newest state of `entity`; by the rules if they step it.
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

    /// The tick of its state.
    pub(super) fn from(&self) -> Tick {
        self.from
    }

    /// True if it still belongs to the newest state of `entity`.
    pub(super) fn holds(&self, entity: &Entity, newest: Tick) -> bool {
        let goes_on = match self.way {
            Motion::Change { .. } => !is_silent(self.from, newest),
            Motion::Velocity | Motion::Rest | Motion::Rules(_) => true,
        };
        goes_on && self.from == entity.states.tick(entity.states.len() - 1)
    }

    /// Fills `out` with the lanes `ticks` after its state.
    pub(super) fn at(&mut self, ticks: f64, space: &TrajectorySpace<'_>, out: &mut Vec<f64>) {
        if let (Motion::Rules(stepped), Some(rules)) = (&mut self.way, space.rules) {
            stepped.go_to(ticks.floor() as u32, rules);
        }
        self.along(ticks, space.table, space.blend, space.owner, out);
    }

    /// Like [`Trajectory::at`], but no farther than the rules were already stepped.
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
                // If the clock was set back by less than a tick, stay at the tick already reached.
                let part = if whole < stepped.ticks { 0.0 } else { part };
                blend.between(&stepped.lanes, &stepped.next, part, out);
            }
        }
    }
}

impl RuleStep {
    fn of(entity: &Entity, lanes: &[i32], rules: &dyn Rules) -> Option<Self> {
        let steered = rules.state_of(entity.id, entity.kind, lanes, None)?;
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

    /// Steps once and returns the lanes; `None` if the entity became another kind.
    fn step(&mut self, rules: &dyn Rules, kind: u8) -> Option<Vec<i32>> {
        // Neighbours are not stepped along, so it moves as if alone.
        rules.predict_step(&mut self.steered, &self.input, &|_| {}, &mut StepOutput::default());
        let mut lanes = [0; LANES_MAX];
        let (shown, count) = rules.show(&self.steered, &mut lanes);
        (shown == kind).then(|| lanes[..count].to_vec())
    }
}

/// True if the last state is older than a moving entity's would be.
fn is_silent(last: Tick, newest: Tick) -> bool {
    newest.since(last) > BLEND_TICKS_MAX
}
