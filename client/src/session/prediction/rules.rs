//! The game's rules with their types erased.

use std::any::Any;
use std::fmt::Debug;
use std::marker::PhantomData;

use tickwire_shared::EntityId;
use tickwire_shared::predict::{EachNearby, Predict, PredictedStep};
use tickwire_shared::quantize::{Kinds, Lanes};
use tickwire_shared::schema::{KindSchema, LANES_MAX, Schema};
use tickwire_shared::simulation::schema_of;

const SAME_RULES: &str = "states are of the rules that made them";

/// `Send`, but in a browser, where a step may be a JavaScript function.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send> MaybeSend for T {}
/// `Send`, but in a browser, where a step may be a JavaScript function.
#[cfg(target_arch = "wasm32")]
pub trait MaybeSend {}
#[cfg(target_arch = "wasm32")]
impl<T> MaybeSend for T {}

/// An entity or an event: its kind and its lanes.
pub type LaneRecord = (u8, Vec<i32>);

/// What a step made; see [`PredictedStep`].
#[derive(Clone, Debug, Default)]
pub struct StepOutput {
    /// New entities.
    pub spawned: Vec<LaneRecord>,
    /// What happened once.
    pub events: Vec<LaneRecord>,
}

/// How one tick is predicted, by lanes of the server's schema.
pub trait Rules: Debug + MaybeSend {
    /// What is steered, from the server's lanes; `None` if it is not this entity. `before` is what was
    /// predicted for the same tick.
    fn state_of(
        &self,
        id: EntityId,
        kind: u8,
        lanes: &[i32],
        before: Option<&PredictedState>,
    ) -> Option<PredictedState>;

    /// Fills the lanes of what is steered. Returns its kind and how many lanes that has.
    fn show(&self, steered: &PredictedState, lanes: &mut [i32; LANES_MAX]) -> (u8, usize);

    /// One tick with an input.
    fn predict_step(
        &self,
        steered: &mut PredictedState,
        input: &[i32],
        nearby: &EachNearby<'_>,
        made: &mut StepOutput,
    );

    /// What the player of an entity with these lanes is taken to hold; empty for nothing.
    fn guess_input(&self, _kind: u8, _lanes: &[i32]) -> Vec<i32> {
        Vec::new()
    }
}

/// Makes the rules to predict by, for a server with this schema.
#[cfg(not(target_arch = "wasm32"))]
pub type RulesFor = Box<dyn FnMut(&Schema) -> Option<Box<dyn Rules>> + Send>;
/// Makes the rules to predict by, for a server with this schema.
#[cfg(target_arch = "wasm32")]
pub type RulesFor = Box<dyn FnMut(&Schema) -> Option<Box<dyn Rules>>>;

/// The state of what is steered, of whatever type the game has for it.
pub struct PredictedState(Box<dyn ErasedState>);

trait ErasedState: MaybeSend {
    fn clone_box(&self) -> Box<dyn ErasedState>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Clone + MaybeSend + 'static> ErasedState for T {
    fn clone_box(&self) -> Box<dyn ErasedState> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl PredictedState {
    /// Hides the type of `own`.
    pub fn new<T: Clone + MaybeSend + 'static>(own: T) -> Self {
        PredictedState(Box::new(own))
    }

    /// It, if it is of this type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        (*self.0).as_any().downcast_ref()
    }

    /// It, if it is of this type.
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        (*self.0).as_any_mut().downcast_mut()
    }
}

impl Clone for PredictedState {
    fn clone(&self) -> Self {
        PredictedState((*self.0).clone_box())
    }
}

impl Debug for PredictedState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PredictedState")
    }
}

/// The rules of a game in Rust.
#[derive(Clone)]
pub struct GameRules<S> {
    /// Of entities, by kind.
    lanes: Vec<usize>,
    /// Of events; none if the server's are others.
    event_lanes: Vec<usize>,
    game: PhantomData<fn() -> S>,
}

impl<S: Predict> GameRules<S> {
    /// The rules of `S` for a server with this schema; `None` if its inputs or entities are not the same
    /// field by field: another version's rules would be wrong in every tick. If its events are not, none is
    /// predicted.
    pub fn for_server(schema: &Schema) -> Option<Self> {
        let own = schema_of::<S>();
        let is_same = own.input == schema.input && own.entities == schema.entities;
        let lanes = |kinds: &[KindSchema]| kinds.iter().map(KindSchema::lanes).collect();
        let events = if own.events == schema.events { &*own.events } else { &[] };
        let (lanes, event_lanes) = (lanes(&own.entities), lanes(events));
        is_same.then_some(GameRules { lanes, event_lanes, game: PhantomData })
    }
}

impl<S: Predict> Debug for GameRules<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GameRules({:?})", S::NAME)
    }
}

impl<S: Predict> Rules for GameRules<S> {
    fn state_of(
        &self,
        id: EntityId,
        kind: u8,
        lanes: &[i32],
        before: Option<&PredictedState>,
    ) -> Option<PredictedState> {
        let entity = S::Entity::from_lanes(kind, lanes)?;
        let before = before.map(|before| before.get::<S::State>().expect(SAME_RULES));
        S::from_entity(id, &entity, before).map(PredictedState::new)
    }

    fn show(&self, steered: &PredictedState, lanes: &mut [i32; LANES_MAX]) -> (u8, usize) {
        let entity = S::to_entity(steered.get().expect(SAME_RULES));
        entity.to_lanes(lanes);
        (entity.kind(), self.lanes[usize::from(entity.kind())])
    }

    fn predict_step(
        &self,
        steered: &mut PredictedState,
        input: &[i32],
        nearby: &EachNearby<'_>,
        made: &mut StepOutput,
    ) {
        let own = steered.get_mut().expect(SAME_RULES);
        let mut typed = PredictedStep::<S>::new(nearby);
        // Before the first frame nothing is held.
        let mut lanes = [0; LANES_MAX];
        lanes[..input.len()].copy_from_slice(input);
        S::predict_step(own, <S::Input as Lanes>::from_lanes(&lanes), &mut typed);
        made.spawned.extend(typed.spawned.iter().filter_map(|entity| thing(entity, &self.lanes)));
        made.events.extend(typed.events.iter().filter_map(|event| thing(event, &self.event_lanes)));
    }

    fn guess_input(&self, kind: u8, lanes: &[i32]) -> Vec<i32> {
        let Some(entity) = S::Entity::from_lanes(kind, lanes) else { return Vec::new() };
        let mut input = [0; LANES_MAX];
        Lanes::to_lanes(&S::guess_input(&entity), &mut input);
        input.to_vec()
    }
}

/// `None` for a kind that `lanes` does not have.
fn thing(made: &impl Kinds, lanes_of: &[usize]) -> Option<LaneRecord> {
    let count = *lanes_of.get(usize::from(made.kind()))?;
    let mut lanes = [0; LANES_MAX];
    made.to_lanes(&mut lanes);
    Some((made.kind(), lanes[..count].to_vec()))
}
