//! What the player steers, stepped at once and put right by the server's word.
//!
//! ```text
//! ticks    ... 100   101   102   103   104          inputs of 101 to 104 are on the way
//! server        S                                    the newest snapshot
//! client        P     P     P     P     P  ~         P: predicted; ~: where the held input leads to
//! ```
//!
//! When `S` is what was predicted for its tick, nothing happens. When it is not, what is steered becomes
//! `S`, and the inputs after it are stepped anew; the difference on the screen fades within a
//! fifth of a second.

mod corrections;
mod effects;
mod numbers;
mod rules;
mod spawns;

use std::collections::VecDeque;
use std::time::Duration;

use tickwire_shared::replica::{Entity, Event, Replica};
use tickwire_shared::schema::{KindSchema, LANES_MAX};
use tickwire_shared::{EntityId, Tick};

use super::input::InputQueue;
use super::interpolation::KindBlend;
use super::visible_error::{ErrorFade, VisibleError};
pub use corrections::Correction;
pub(super) use corrections::Corrections;
pub use effects::PredictedEventOutcome;
use effects::PredictedEvents;
pub use numbers::{NumberRules, NumberStep, NumberTick};
pub use rules::{GameRules, LaneRecord, MaybeSend, PredictedState, Rules, RulesFor, StepOutput};
use spawns::Spawns;

/// Ticks that may be predicted ahead of the newest snapshot.
const AHEAD_TICKS_MAX: i32 = 120;
/// Time constant, in seconds, with which a visible error fades.
const ERROR_FADE_S: f64 = 0.04;
/// Snapshots in a row without an entity after which it is taken to be as last seen.
const ABSENT_SNAPSHOTS: u32 = 24;

/// How well it went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PredictionStats {
    /// Ticks stepped, replays not counted.
    pub ticks: u64,
    /// Snapshots that differed from what was predicted, in lanes that a velocity moves or that some predicted step changed:
    /// what only the server changes, such as a score, was not predicted.
    pub corrections: u64,
    /// Ticks stepped again because of it.
    pub replayed_ticks: u64,
    /// Things that were shown before the server knew of them.
    pub spawned: u64,
    /// Of those, the ones the server had too.
    pub spawns_confirmed: u64,
    /// Of those, the ones it had not.
    pub spawns_cancelled: u64,
    /// What the server spawned for this player and was not predicted.
    pub spawns_missed: u64,
    /// Events that were told before the server knew of them.
    pub events: u64,
    /// Of those, the ones the server told as well.
    pub events_confirmed: u64,
    /// Of those, the ones it did not.
    pub events_cancelled: u64,
}

/// The prediction of one player in one room.
#[derive(Debug)]
pub struct Prediction {
    rules: Box<dyn Rules>,
    entity: Option<EntityId>,
    /// The ticks from the newest confirmed one on.
    steps: VecDeque<PredictedTick>,
    absent: u32,
    spawns: Spawns,
    effects: PredictedEvents,
    /// The part of a tick and the input of the last frame.
    input_time: (f64, Vec<i32>),
    shown: Vec<f64>,
    /// What is added to it.
    error: VisibleError,
    fade: ErrorFade,
    /// What the last correction moved.
    corrected: Vec<f64>,
    /// By kind, the lanes that some step changed: bit n is the nth.
    stepped: Vec<u64>,
    /// The newest snapshot by which it was corrected, and the newest, where some in between waited.
    unreconciled: Option<(Option<Tick>, Tick)>,
    /// What was put right, if anybody asked for it.
    corrections: Corrections,
    stats: PredictionStats,
}

#[derive(Debug)]
struct PredictedTick {
    tick: Tick,
    steered: PredictedState,
    kind: u8,
    lanes: Vec<i32>,
}

/// The world as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownWorld<'a> {
    pub(super) replica: &'a Replica,
    pub(super) inputs: &'a InputQueue,
    pub(super) blends: &'a [KindBlend],
}

impl Prediction {
    pub(super) fn new(rules: Box<dyn Rules>, events: &[KindSchema]) -> Self {
        Prediction {
            rules,
            entity: None,
            steps: VecDeque::new(),
            absent: 0,
            spawns: Spawns::default(),
            effects: PredictedEvents::new(events),
            input_time: (0.0, Vec::new()),
            shown: Vec::new(),
            error: VisibleError::default(),
            fade: ErrorFade::new(ERROR_FADE_S),
            corrected: Vec::new(),
            stepped: Vec::new(),
            unreconciled: None,
            corrections: Corrections::default(),
            stats: PredictionStats::default(),
        }
    }

    /// The rules it goes by.
    pub(super) fn rules(&self) -> &dyn Rules {
        &*self.rules
    }

    /// How well it went so far.
    pub fn stats(&self) -> PredictionStats {
        self.stats
    }

    /// What is steered.
    pub fn entity(&self) -> Option<EntityId> {
        self.entity
    }

    /// The newest predicted tick.
    pub fn newest(&self) -> Option<Tick> {
        self.steps.back().map(|step| step.tick)
    }

    /// How far what is shown is from what is predicted, in the lanes of the entity.
    pub fn visible_error(&self) -> &[f64] {
        self.error.lanes()
    }

    /// How far the last correction moved what is predicted, in the lanes of the entity.
    pub fn last_correction(&self) -> &[f64] {
        &self.corrected
    }

    /// Keeps the newest corrections from now on.
    pub(super) fn keep_corrections(&mut self, count_max: usize) {
        self.corrections = Corrections::up_to(count_max);
    }

    /// The next correction that was kept.
    pub(super) fn poll_correction(&mut self) -> Option<Correction> {
        self.corrections.poll()
    }

    /// The server told of an event. Returns whether it was told before, by prediction.
    pub(super) fn confirm(&mut self, event: &Event) -> bool {
        self.effects.confirm(event, &mut self.stats)
    }

    /// What is to be told of predicted events.
    pub(super) fn poll_told(&mut self) -> Option<PredictedEventOutcome> {
        self.effects.poll()
    }

    /// The snapshot of `tick` was applied, and its events confirmed; the one `before` it was the newest until then. One
    /// that `waited` came with many others: of those the last one will do, in the next frame.
    pub(super) fn snapshot(
        &mut self,
        (before, tick): (Option<Tick>, Tick),
        waited: bool,
        known: KnownWorld<'_>,
    ) {
        if waited {
            let before = self.unreconciled.map_or(before, |(before, _)| before);
            self.unreconciled = Some((before, tick));
        } else {
            self.reconcile_with_waiting(tick, known);
        }
    }

    /// Corrects what is predicted by snapshots that waited.
    pub(super) fn reconcile_waiting(&mut self, known: KnownWorld<'_>) {
        if let Some((_, tick)) = self.unreconciled {
            self.reconcile_with_waiting(tick, known);
        }
    }

    /// Corrects what is predicted by the snapshot of `tick`, and by those that waited before it.
    fn reconcile_with_waiting(&mut self, tick: Tick, known: KnownWorld<'_>) {
        // The last change of what is own may be in any of them.
        let before = self.unreconciled.take().and_then(|(before, _)| before);
        let changed = self.own_tick(known.replica);
        let is_news = |changed: &Tick| before.is_some_and(|before| changed.since(before) > 0);
        self.reconcile(changed.filter(is_news).unwrap_or(tick), known);
    }

    fn reconcile(&mut self, tick: Tick, known: KnownWorld<'_>) {
        self.effects.reconcile(tick, &mut self.stats);
        let own = self.own_in(known.replica);
        let steered = own.map(|entity| entity.id);
        self.spawns.reconcile(tick, known.replica, steered, &mut self.stats);
        let Some(entity) = own else {
            self.forget();
            return;
        };
        let (id, kind) = (entity.id, entity.kind);
        if self.entity != Some(id) {
            self.forget();
        }
        let states = &entity.states;
        let at = states.len() - 1;
        let is_in = states.tick(at) == tick;
        self.absent = if is_in { 0 } else { self.absent + 1 };
        if !is_in && self.entity.is_some() && self.absent < ABSENT_SNAPSHOTS {
            return;
        }
        let lanes = states.lanes(at);
        while self.steps.len() > 1 && self.steps[1].tick.since(tick) <= 0 {
            self.steps.pop_front();
        }
        let confirmed = self.steps.front().filter(|step| step.tick == tick);
        let wrong = confirmed.map_or(u64::MAX, |step| match step.kind == kind {
            true => wrong_lanes(known.replica, kind, &step.lanes, lanes),
            false => u64::MAX,
        });
        if wrong == 0 {
            self.corrections.agree(tick);
            return;
        }
        let was_predicted = wrong & self.predicted_lanes(known.replica, kind) != 0;
        let before = confirmed.map(|step| &step.steered);
        let Some(steered) = self.rules.state_of(id, kind, lanes, before) else { return };
        if self.entity.is_some() && was_predicted {
            self.stats.corrections += 1;
            let predicted = confirmed.filter(|step| step.kind == kind);
            let predicted = predicted.map_or(&[][..], |step| &step.lanes);
            self.corrections.note(tick, (id, kind), (predicted, lanes, wrong), known.inputs);
        }
        self.corrections.agree(tick);
        self.entity = Some(id);
        let newest = known.inputs.newest();
        self.steps.clear();
        self.steps.push_back(PredictedTick { tick, steered, kind, lanes: lanes.to_vec() });
        if let Some(newest) = newest
            && newest.since(tick) <= AHEAD_TICKS_MAX
        {
            self.effects.begin_replay(tick);
            self.spawns.begin_replay(tick);
            while self.steps.back().is_some_and(|step| newest.since(step.tick) > 0) {
                self.step_once(known);
                self.stats.replayed_ticks += 1;
            }
            self.spawns.end_replay(&mut self.stats);
        }
        self.keep_in_sight(known);
    }

    /// Inputs were sampled: steps up to the newest.
    pub(super) fn advance(&mut self, known: KnownWorld<'_>) {
        let Some(newest) = known.inputs.newest() else { return };
        while let Some(last) = self.newest()
            && newest.since(last) > 0
        {
            if newest.since(last) > AHEAD_TICKS_MAX || self.steps.len() > AHEAD_TICKS_MAX as usize {
                // The server has not been heard for too long.
                self.forget();
                return;
            }
            self.step_once(known);
            self.stats.ticks += 1;
        }
    }

    /// What is shown from now on: `part` of a tick after the newest one, with `held` held.
    pub(super) fn show(&mut self, now: Duration, part: f64, held: &[i32], known: KnownWorld<'_>) {
        self.error.fade(self.fade.next(now));
        self.input_time.0 = part;
        self.input_time.1.clear();
        self.input_time.1.extend_from_slice(held);
        self.aim(known);
        self.error.add_to(&mut self.shown);
        if let Some(newest) = known.inputs.newest() {
            self.spawns.show(newest, part, known.replica, known.blends);
        }
    }

    /// The lanes of what is steered as it is to be shown.
    pub(super) fn shown(&self, id: EntityId) -> Option<&[f64]> {
        (self.entity == Some(id) && !self.shown.is_empty()).then_some(&*self.shown)
    }

    /// The things of this player that run ahead with it; see [`Spawns`].
    pub(super) fn spawns(&self) -> &Spawns {
        &self.spawns
    }

    /// The tick of the newest state of what is own.
    fn own_tick(&self, replica: &Replica) -> Option<Tick> {
        self.own_in(replica).map(|own| own.states.tick(own.states.len() - 1))
    }

    /// What is steered, as the server last showed it.
    fn own_in<'a>(&self, replica: &'a Replica) -> Option<&'a Entity> {
        let mut entities = replica.entities().iter();
        let known = entities.clone().find(|entity| Some(entity.id) == self.entity);
        known.or_else(|| {
            entities.find(|entity| {
                let newest = entity.states.lanes(entity.states.len() - 1);
                entity.mine && self.rules.state_of(entity.id, entity.kind, newest, None).is_some()
            })
        })
    }

    /// The lanes of a kind that a step may change, as far as is known: those that a velocity moves, and those that one did
    /// change.
    fn predicted_lanes(&self, replica: &Replica, kind: u8) -> u64 {
        let moving = replica.kind(kind).map_or(0, |table| {
            (0..table.len()).fold(0, |lanes, at| lanes | u64::from(table.has_velocity(at)) << at)
        });
        moving | self.stepped.get(usize::from(kind)).copied().unwrap_or(0)
    }

    fn note_stepped(&mut self, kind: usize, changed: u64) {
        if self.stepped.len() <= kind {
            self.stepped.resize(kind + 1, 0);
        }
        self.stepped[kind] |= changed;
    }

    fn step_once(&mut self, known: KnownWorld<'_>) {
        let Some(last) = self.steps.back() else { return };
        let input = known.inputs.lanes(last.tick.next());
        let (step, made) = self.steer_from(last, input, known);
        if step.kind == last.kind {
            let changed = differing(&last.lanes, &step.lanes, |_| 0);
            self.note_stepped(usize::from(step.kind), changed);
        }
        self.spawns.stepped(step.tick, made.spawned, &mut self.stats);
        self.effects.stepped(step.tick, made.events, &mut self.stats);
        self.steps.push_back(step);
    }

    /// The step after `last` with `input`, and what it makes.
    fn steer_from(
        &self,
        last: &PredictedTick,
        input: &[i32],
        known: KnownWorld<'_>,
    ) -> (PredictedTick, StepOutput) {
        let tick = last.tick.next();
        let mut steered = last.steered.clone();
        let around = |visit: &mut dyn FnMut(EntityId, u8, &[i32])| {
            around(known.replica, self.entity, tick, visit);
        };
        let mut made = StepOutput::default();
        self.rules.predict_step(&mut steered, input, &around, &mut made);
        let mut lanes = [0; LANES_MAX];
        let (kind, count) = self.rules.show(&steered, &mut lanes);
        (PredictedTick { tick, steered, kind, lanes: lanes[..count].to_vec() }, made)
    }

    /// Fills `shown` with where the held input leads to, no error added.
    fn aim(&mut self, known: KnownWorld<'_>) {
        self.shown.clear();
        let (part, held) = &self.input_time;
        let Some(last) = self.steps.back() else { return };
        let (next, _) = self.steer_from(last, held, known);
        let next = if next.kind == last.kind { &next.lanes } else { &last.lanes };
        let blend = &known.blends[usize::from(last.kind)];
        blend.between(&last.lanes, next, *part, &mut self.shown);
    }

    /// After a correction what was shown goes on being shown: the difference becomes the error.
    fn keep_in_sight(&mut self, known: KnownWorld<'_>) {
        let before = std::mem::take(&mut self.shown);
        let mut input_time = before.clone();
        for (input_time, error) in input_time.iter_mut().zip(self.error.lanes()) {
            *input_time -= error;
        }
        self.aim(known);
        let kind = self.steps.back().map(|step| usize::from(step.kind));
        match kind {
            Some(kind) if before.len() == self.shown.len() => {
                self.error.hide(&known.blends[kind], &before, &self.shown);
                known.blends[kind].error(&input_time, &self.shown, &mut self.corrected);
            }
            _ => {
                self.error.clear();
                self.corrected.clear();
            }
        }
        self.error.add_to(&mut self.shown);
    }

    fn forget(&mut self) {
        self.entity = None;
        self.corrections.forget();
        self.steps.clear();
        self.shown.clear();
        self.error.clear();
        self.absent = 0;
    }
}

/// The lanes of which the server's are not those predicted; where a velocity moves them, by more than one step: what is
/// sent is rounded, what is stepped is not.
fn wrong_lanes(replica: &Replica, kind: u8, predicted: &[i32], lanes: &[i32]) -> u64 {
    match replica.kind(kind) {
        Some(table) if predicted.len() == lanes.len() => {
            differing(predicted, lanes, |at| u32::from(table.has_velocity(at)))
        }
        _ => u64::MAX,
    }
}

/// The lanes that differ by more than `slack`.
fn differing(a: &[i32], b: &[i32], slack: impl Fn(usize) -> u32) -> u64 {
    let both = a.iter().zip(b).enumerate();
    both.fold(0, |lanes, (at, (a, b))| lanes | u64::from(a.abs_diff(*b) > slack(at)) << at)
}

fn around(
    replica: &Replica,
    own: Option<EntityId>,
    tick: Tick,
    visit: &mut dyn FnMut(EntityId, u8, &[i32]),
) {
    let mut lanes = [0; LANES_MAX];
    for entity in replica.entities() {
        if Some(entity.id) != own {
            replica.extrapolate(entity, tick, &mut lanes);
            visit(entity.id, entity.kind, &lanes);
        }
    }
}
