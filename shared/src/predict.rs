//! Client-side prediction: what a client steps by itself, so that its player does not feel the network.
//!
//! A game opts in by [`Predict`], or by [`PredictEntity`] where the entity is all that a step needs. A client then steps its
//! player's entity as soon as an input is given, by the same code as the server. When the server's state arrives and
//! differs, the client goes back to that tick and steps again from there.

use crate::quantize::Kinds;
use crate::{EntityId, Simulation};

/// A game whose clients predict the entities of their own player.
pub trait Predict: Simulation {
    /// All that one predicted step reads and writes. It may hold more than what is sent, such as the ticks until a gun
    /// fires again.
    type State: Clone + Send + 'static;

    /// The state to predict from, by an entity of the player as the server sent it; `None` for an entity that is not
    /// predicted. `predicted` is the state that was predicted for the same tick, for everything that is not sent;
    /// `None` the first time.
    fn from_entity(
        id: EntityId,
        entity: &Self::Entity,
        predicted: Option<&Self::State>,
    ) -> Option<Self::State>;

    /// The entity, as the server would capture it in this state.
    fn to_entity(state: &Self::State) -> Self::Entity;

    /// One tick, as [`Simulation::step`] steps it. Other entities come from `tick`, and new entities and events, such as
    /// a shot and its sound, go to `tick`.
    fn predict_step(
        state: &mut Self::State,
        input: Self::Input,
        tick: &mut PredictedStep<'_, Self>,
    );

    /// The input that another player most likely holds, for clients that extrapolate other players' entities by
    /// the rules: see the client's `Mode::ForwardSimulate`. The default input unless the game says otherwise.
    fn guess_input(_entity: &Self::Entity) -> Self::Input {
        Self::Input::default()
    }
}

/// [`Predict`] in one function, for games whose entity is the whole state of a step.
///
/// ```
/// # use tickwire_shared::{*, glam::Vec2};
/// # use tickwire_shared::predict::{PredictEntity, PredictedStep};
/// # #[derive(Clone, Copy, Default, PartialEq, Input)]
/// # struct Keys { #[replicate(range = -1..=1)] right: i8 }
/// # #[derive(Clone, Replicate)]
/// # struct Dot { #[replicate(range = -100.0..=100.0, step = 0.01)] pos: Vec2 }
/// # #[state]
/// # struct Plane;
/// # #[game]
/// # impl Simulation for Plane {
/// #     const NAME: &'static str = "plane";
/// #     type Input = Keys;
/// #     type Entity = Dot;
/// #     fn new(_: &NewRoom<Self>) -> Self { Plane }
/// #     fn join(&mut self, _: &NewPlayer<Self>) {}
/// #     fn leave(&mut self, _: PlayerId, _: LeaveReason) {}
/// #     fn step(&mut self, _: &Inputs<Self>, _: &mut Outbox<Self>) {}
/// #     fn capture(&self, _: &mut Capture<Dot>) {}
/// # }
/// impl PredictEntity for Plane {
///     fn predict_step(dot: &mut Dot, keys: Keys, _tick: &mut PredictedStep<'_, Self>) {
///         dot.pos.x += f32::from(keys.right) * 20.0 / Self::TICK_HZ as f32;
///     }
/// }
/// ```
pub trait PredictEntity: Simulation<Entity: Clone> {
    /// See [`Predict::predict_step`].
    fn predict_step(
        entity: &mut Self::Entity,
        input: Self::Input,
        tick: &mut PredictedStep<'_, Self>,
    );

    /// Whether an entity of the player is predicted.
    fn is_predicted(_entity: &Self::Entity) -> bool {
        true
    }

    /// See [`Predict::guess_input`].
    fn guess_input(_entity: &Self::Entity) -> Self::Input {
        Self::Input::default()
    }
}

impl<G: PredictEntity> Predict for G {
    type State = G::Entity;

    fn from_entity(
        _id: EntityId,
        entity: &G::Entity,
        _predicted: Option<&G::Entity>,
    ) -> Option<G::Entity> {
        G::is_predicted(entity).then(|| entity.clone())
    }

    fn to_entity(state: &G::Entity) -> G::Entity {
        state.clone()
    }

    fn predict_step(state: &mut G::Entity, input: G::Input, tick: &mut PredictedStep<'_, G>) {
        <G as PredictEntity>::predict_step(state, input, tick);
    }

    fn guess_input(entity: &G::Entity) -> G::Input {
        <G as PredictEntity>::guess_input(entity)
    }
}

/// Calls its argument with the id, the kind and the lanes of every other entity.
pub type EachNearby<'a> = dyn Fn(&mut dyn FnMut(EntityId, u8, &[i32])) + 'a;

/// What one predicted step sees besides its own state, and what it makes.
pub struct PredictedStep<'a, G: Simulation> {
    nearby: &'a EachNearby<'a>,
    /// New entities, in the order in which they were spawned.
    pub spawned: Vec<G::Entity>,
    /// Events, in the order in which they were emitted.
    pub events: Vec<G::Event>,
}

impl<'a, G: Simulation> PredictedStep<'a, G> {
    /// A step that sees the entities that `nearby` gives.
    pub fn new(nearby: &'a EachNearby<'a>) -> Self {
        PredictedStep { nearby, spawned: Vec::new(), events: Vec::new() }
    }

    /// A step that sees no other entities, as tests take it.
    pub fn alone() -> Self {
        Self::new(&|_| {})
    }

    /// Calls `visit` with every entity that the client knows but the one that is stepped, each where its velocity
    /// takes it from its last known state; see the `velocity` attribute of [`Replicate`](crate::Replicate).
    pub fn for_each_nearby(&self, mut visit: impl FnMut(EntityId, G::Entity)) {
        (self.nearby)(&mut |id, kind, lanes| {
            if let Some(entity) = G::Entity::from_lanes(kind, lanes) {
                visit(id, entity);
            }
        });
    }

    /// Shows a new entity of the player at once. It moves by its velocity, is replaced by the server's entity when that
    /// arrives, and is removed otherwise.
    pub fn spawn(&mut self, entity: G::Entity) {
        self.spawned.push(entity);
    }

    /// Gives the client an event at once. The server's own event of the same kind and about the same tick, whose whole
    /// numbers, flags and choices are equal, is not given again.
    pub fn emit(&mut self, event: G::Event) {
        self.events.push(event);
    }
}

impl<G: Simulation> std::fmt::Debug for PredictedStep<'_, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PredictedStep({} entities, {} events)", self.spawned.len(), self.events.len())
    }
}
