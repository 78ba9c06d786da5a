//! Rules over plain numbers, for a client that knows a game by the server's schema alone.

use std::fmt::Debug;

use tickwire_shared::EntityId;
use tickwire_shared::predict::EachNearby;
use tickwire_shared::schema::{FieldType, KindSchema, LANES_MAX, Schema};

use super::super::component::{components, lanes_of, push_components};
use super::rules::{LaneRecord, MaybeSend, PredictedState, Rules, StepOutput};

const SAME_RULES: &str = "states are of the rules that made them";

/// One tick of what a player steers, by the components of its fields; see
/// [`component`](crate::session::component).
///
/// Numbers are of the precision that the server's rules read from the wire: reals are those of an `f32`.
pub trait NumberStep: Debug + MaybeSend {
    /// What one tick hands to the next.
    type State: Clone + MaybeSend + 'static;

    /// The state of an entity with these components; `None` if its kind is not stepped. `before` is what
    /// was predicted for the same tick, for all that is not sent.
    fn state_of(
        &self,
        kind: u8,
        values: &[f64],
        before: Option<&Self::State>,
    ) -> Option<Self::State>;

    /// The state after one tick with an input. Fills the components that the entity then has. `None` if it
    /// failed; then all stays as it was.
    fn step(
        &self,
        kind: u8,
        state: &Self::State,
        input: &[f64],
        values: &mut [f64],
        tick: &mut NumberTick<'_>,
    ) -> Option<Self::State>;
}

/// What one step sees besides its own state, and what it makes, by components: a
/// [`PredictedStep`](tickwire_shared::predict::PredictedStep) without the game's types.
pub struct NumberTick<'a> {
    entities: &'a [KindSchema],
    events: &'a [KindSchema],
    nearby: &'a EachNearby<'a>,
    output: StepOutput,
}

impl NumberTick<'_> {
    /// Calls `visit` with the id, the kind and the components of every entity that the client knows but the one that
    /// is stepped, each where its velocity takes it from its last known state.
    pub fn for_each_nearby(&self, visit: &mut dyn FnMut(EntityId, u8, &[f64])) {
        (self.nearby)(&mut |id, kind, lanes| {
            if let Some(table) = self.entities.get(usize::from(kind)) {
                visit(id, kind, &numbers(table, lanes));
            }
        });
    }

    /// Shows a new entity of the player. One of a kind that the game does not have is left out.
    pub fn spawn(&mut self, kind: u8, values: &[f64]) {
        self.output.spawned.extend(record(self.entities, kind, values));
    }

    /// Gives the client an event. One of a kind that the game does not have is left out.
    pub fn emit(&mut self, kind: u8, values: &[f64]) {
        self.output.events.extend(record(self.events, kind, values));
    }
}

impl Debug for NumberTick<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NumberTick({:?})", self.output)
    }
}

/// The lanes of an entity or event; missing components are zero.
fn record(kinds: &[KindSchema], kind: u8, values: &[f64]) -> Option<LaneRecord> {
    let table = kinds.get(usize::from(kind))?;
    let mut values = values.to_vec();
    values.resize(count(table), 0.0);
    let mut lanes = vec![0; table.lanes()];
    quantize(table, &values, &mut lanes);
    Some((kind, lanes))
}

/// The rules that a [`NumberStep`] makes for a server's schema.
#[derive(Debug)]
pub struct NumberRules<N> {
    input: KindSchema,
    entities: Vec<KindSchema>,
    events: Vec<KindSchema>,
    step: N,
}

impl<N: NumberStep> NumberRules<N> {
    /// For a server with this schema.
    pub fn new(schema: &Schema, step: N) -> Self {
        let Schema { input, entities, events, .. } = schema.clone();
        NumberRules { input, entities, events, step }
    }
}

/// What a tick left behind.
#[derive(Clone)]
struct NumberState<T> {
    kind: u8,
    lanes: Vec<i32>,
    /// Its components, not rounded to lanes.
    values: Vec<f64>,
    state: T,
}

impl<N: NumberStep> Rules for NumberRules<N> {
    fn state_of(
        &self,
        _id: EntityId,
        kind: u8,
        lanes: &[i32],
        before: Option<&PredictedState>,
    ) -> Option<PredictedState> {
        let table = self.entities.get(usize::from(kind))?;
        let before = before.map(|before| before.get::<NumberState<N::State>>().expect(SAME_RULES));
        let before = before.filter(|before| before.kind == kind);
        let mut values = numbers(table, lanes);
        if let Some(before) = before {
            refine(table, (&mut values, lanes), before);
        }
        let state = self.step.state_of(kind, &values, before.map(|before| &before.state))?;
        Some(PredictedState::new(NumberState { kind, lanes: lanes.to_vec(), values, state }))
    }

    fn show(&self, steered: &PredictedState, lanes: &mut [i32; LANES_MAX]) -> (u8, usize) {
        let stepped = steered.get::<NumberState<N::State>>().expect(SAME_RULES);
        lanes[..stepped.lanes.len()].copy_from_slice(&stepped.lanes);
        (stepped.kind, stepped.lanes.len())
    }

    fn predict_step(
        &self,
        steered: &mut PredictedState,
        input: &[i32],
        nearby: &EachNearby<'_>,
        made: &mut StepOutput,
    ) {
        let stepped = steered.get_mut::<NumberState<N::State>>().expect(SAME_RULES);
        let table = &self.entities[usize::from(stepped.kind)];
        // Before the first frame nothing is held.
        let nothing = self.input.zero_lanes();
        let input = if input.is_empty() { &nothing } else { input };
        let mut values = vec![0.0; count(table)];
        let input = numbers(&self.input, input);
        let (entities, events) = (&*self.entities, &*self.events);
        let mut tick = NumberTick { entities, events, nearby, output: StepOutput::default() };
        let (kind, before) = (stepped.kind, &stepped.state);
        if let Some(state) = self.step.step(kind, before, &input, &mut values, &mut tick) {
            stepped.state = state;
            quantize(table, &values, &mut stepped.lanes);
            stepped.values = values;
            made.spawned.append(&mut tick.output.spawned);
            made.events.append(&mut tick.output.events);
        }
    }
}

/// Fields whose lanes are those that were predicted have the components that were: not rounded, as those that are sent.
fn refine<T>(kind: &KindSchema, (values, lanes): (&mut [f64], &[i32]), before: &NumberState<T>) {
    let mut at = 0;
    for field in &kind.fields {
        // As many components as lanes.
        let range = at..at + components(field);
        at = range.end;
        if lanes[range.clone()] == before.lanes[range.clone()] {
            values[range.clone()].copy_from_slice(&before.values[range]);
        }
    }
}

/// Components of a kind.
fn count(kind: &KindSchema) -> usize {
    kind.fields.iter().map(components).sum()
}

/// The components that the server's rules would read from these lanes.
fn numbers(kind: &KindSchema, lanes: &[i32]) -> Vec<f64> {
    let lanes: Vec<f64> = lanes.iter().copied().map(f64::from).collect();
    let mut values = Vec::with_capacity(count(kind));
    push_components(kind, &lanes, &mut values);
    let mut at = 0;
    for field in &kind.fields {
        let width = components(field);
        if !is_whole(field.ty) {
            values[at..at + width].iter_mut().for_each(|value| *value = f64::from(*value as f32));
        }
        at += width;
    }
    values
}

/// Whether `f64` components of a type are whole numbers, and not reals.
const fn is_whole(ty: FieldType) -> bool {
    use FieldType::{Bool, Choice, Int, Text};
    matches!(ty, Bool | Int { .. } | Choice { .. } | Text { .. })
}

fn quantize(kind: &KindSchema, values: &[f64], lanes: &mut [i32]) {
    let (mut value_at, mut lane_at) = (0, 0);
    for field in &kind.fields {
        let (width, wide) = (components(field), field.lanes());
        lanes_of(field, &values[value_at..value_at + width], &mut lanes[lane_at..lane_at + wide]);
        value_at += width;
        lane_at += wide;
    }
}

#[cfg(test)]
mod tests {
    use tickwire_shared::schema::FieldSchema;

    use super::*;

    fn kind(name: &str, types: &[FieldType]) -> KindSchema {
        let field = |(at, ty): (usize, &FieldType)| FieldSchema::new(format!("field{at}"), *ty);
        KindSchema::new(name, types.iter().enumerate().map(field).collect())
    }

    /// Adds the input to every component, and counts its steps; fails from the third on. Spawns a copy of itself, and
    /// tells how many others there are.
    #[derive(Debug)]
    struct Adds;

    impl NumberStep for Adds {
        type State = (Vec<f64>, u32);

        fn state_of(
            &self,
            kind: u8,
            values: &[f64],
            before: Option<&Self::State>,
        ) -> Option<Self::State> {
            (kind == 1).then(|| (values.to_vec(), before.map_or(0, |before| before.1)))
        }

        fn step(
            &self,
            _kind: u8,
            (state, steps): &Self::State,
            input: &[f64],
            values: &mut [f64],
            tick: &mut NumberTick<'_>,
        ) -> Option<Self::State> {
            let after: Vec<f64> = state.iter().map(|value| value + input[0]).collect();
            values.copy_from_slice(&after);
            tick.spawn(1, &after);
            tick.spawn(9, &after);
            let mut others = Vec::new();
            tick.for_each_nearby(&mut |id, kind, values| {
                others.push((id, kind, values.to_vec()));
            });
            others.iter().for_each(|(id, kind, values)| {
                tick.emit(0, &[f64::from(id.0), f64::from(*kind), values[0]]);
            });
            (*steps < 2).then_some((after, steps + 1))
        }
    }

    fn rules() -> NumberRules<Adds> {
        let real = FieldType::Float { min: -10.0, max: 10.0, step: 0.1 };
        let count = FieldType::Int { min: 0, max: i64::from(u32::MAX) };
        let schema = Schema {
            game: "adds".into(),
            tick_hz: 60,
            input: kind("Input", &[FieldType::Int { min: 1, max: 3 }]),
            entities: vec![kind("Other", &[]), kind("Own", &[real, count, FieldType::Bool])],
            events: vec![kind("Seen", &[count, FieldType::Bool, real])],
            commands: Vec::new(),
            model: Vec::new(),
        };
        NumberRules::new(&schema, Adds)
    }

    fn lanes(rules: &NumberRules<Adds>, steered: &PredictedState) -> Vec<i32> {
        let mut lanes = [0; LANES_MAX];
        let (kind, count) = rules.show(steered, &mut lanes);
        assert_eq!(kind, 1);
        lanes[..count].to_vec()
    }

    fn predict_step(rules: &NumberRules<Adds>, steered: &mut PredictedState, input: &[i32]) {
        rules.predict_step(steered, input, &|_| {}, &mut StepOutput::default());
    }

    #[test]
    fn only_a_kind_that_is_stepped_is_adopted() {
        let rules = rules();
        assert!(rules.state_of(EntityId(1), 0, &[], None).is_none());
        assert!(rules.state_of(EntityId(1), 9, &[], None).is_none());
        assert!(rules.state_of(EntityId(1), 1, &[5, 7, 0], None).is_some());
    }

    #[test]
    fn a_step_is_quantised_as_the_server_would_and_a_failed_one_changes_nothing() {
        let rules = rules();
        let large = 4_000_000_000u32.cast_signed();
        let mut steered = rules.state_of(EntityId(1), 1, &[5, large, 0], None).unwrap();
        assert_eq!(lanes(&rules, &steered), [5, large, 0]);
        predict_step(&rules, &mut steered, &[2]);
        assert_eq!(lanes(&rules, &steered), [25, large.wrapping_add(2), 1]);
        // Before the first frame the input is the nearest to zero that there is.
        predict_step(&rules, &mut steered, &[]);
        assert_eq!(lanes(&rules, &steered), [35, large.wrapping_add(3), 1]);
        predict_step(&rules, &mut steered, &[3]);
        assert_eq!(lanes(&rules, &steered), [35, large.wrapping_add(3), 1]);
    }

    #[test]
    fn a_step_sees_others_and_makes_entities_and_events_unless_it_fails() {
        let rules = rules();
        let mut steered = rules.state_of(EntityId(1), 1, &[5, 7, 0], None).unwrap();
        let nearby = |visit: &mut dyn FnMut(EntityId, u8, &[i32])| {
            visit(EntityId(4), 1, &[-15, 0, 0]);
            visit(EntityId(5), 9, &[]);
        };
        let mut made = StepOutput::default();
        (0..3).for_each(|_| rules.predict_step(&mut steered, &[1], &nearby, &mut made));
        assert_eq!(made.spawned, [(1, vec![15, 8, 1]), (1, vec![25, 9, 1])]);
        assert_eq!(made.events, [(0, vec![4, 1, -15]), (0, vec![4, 1, -15])]);
    }

    #[test]
    fn a_correction_keeps_what_is_not_sent() {
        let rules = rules();
        let mut before = rules.state_of(EntityId(1), 1, &[5, 7, 0], None).unwrap();
        predict_step(&rules, &mut before, &[1]);
        let after = rules.state_of(EntityId(1), 1, &[50, 7, 0], Some(&before)).unwrap();
        assert_eq!(after.get::<NumberState<(Vec<f64>, u32)>>().unwrap().state.1, 1);
        assert_eq!(lanes(&rules, &after), [50, 7, 0]);
    }

    #[test]
    fn reals_are_those_that_rules_in_rust_read() {
        let table = kind("K", &[FieldType::Float { min: 0.0, max: 1.0, step: 0.1 }]);
        assert_eq!(numbers(&table, &[3]), [f64::from((3.0 * f64::from(0.1f32)) as f32)]);
    }
}
