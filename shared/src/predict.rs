//! Client-side prediction: the client's own steps, which hide the network's delay from its player.
//!
//! A game opts in with [`Predict`], or with [`PredictEntity`] if the entity is all that a step
//! needs. A client then steps its player's entity at each input, with the server's code. If the
//! server's state arrives and differs, the client goes back to that tick and steps again from
//! there.

use crate::quantize::Kinds;
use crate::{EntityId, Simulation};

/// A game whose clients predict the entities of their own player.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how its clients predict",
    label = "write `impl PredictEntity for {Self}`, or `impl Predict for {Self}` where a step needs more than the entity",
    note = "the book's page on prediction has an example of each"
)]
pub trait Predict: Simulation {
    /// The complete state that one predicted step reads and writes. It may hold more than is sent,
    /// such as the ticks until a gun fires again.
    type State: Clone + Send + 'static;

    /// The state to predict from, for an entity of the player as the server sent it; `None` if the
    /// entity is not predicted. Take everything that is not sent from `predicted`, the state
    /// predicted for the same tick; it is `None` the first time.
    fn from_entity(
        id: EntityId,
        entity: &Self::Entity,
        predicted: Option<&Self::State>,
    ) -> Option<Self::State>;

    /// The entity that the server would capture in this state.
    fn to_entity(state: &Self::State) -> Self::Entity;

    /// Steps one tick, as [`Simulation::step`] does. `tick` gives other entities, and takes new
    /// entities and events, such as a shot and its sound.
    fn predict_step(
        state: &mut Self::State,
        input: Self::Input,
        tick: &mut PredictedStep<'_, Self>,
    );

    /// The most likely input of another player, for clients that show other players' entities by
    /// forward simulation: see the client's `Mode::ForwardSimulate`. Defaults to the default input.
    fn guess_input(_entity: &Self::Entity) -> Self::Input {
        Self::Input::default()
    }
}

/// [`Predict`] in one function, for games whose entity is the whole state of a step. Where the server's differs from what
/// was predicted, the fields that do not differ go on as they were predicted, unrounded.
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

    /// True if an entity of the player is predicted.
    fn is_predicted(_entity: &Self::Entity) -> bool {
        true
    }

    /// See [`Predict::guess_input`].
    fn guess_input(_entity: &Self::Entity) -> Self::Input {
        Self::Input::default()
    }
}

#[diagnostic::do_not_recommend]
impl<G: PredictEntity> Predict for G {
    type State = G::Entity;

    fn from_entity(
        _id: EntityId,
        entity: &G::Entity,
        predicted: Option<&G::Entity>,
    ) -> Option<G::Entity> {
        let mut state = G::is_predicted(entity).then(|| entity.clone())?;
        if let Some(predicted) = predicted {
            state.refine(predicted);
        }
        Some(state)
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

/// The surroundings of one predicted step, and its output.
pub struct PredictedStep<'a, G: Simulation> {
    nearby: &'a EachNearby<'a>,
    /// New entities, in the order in which they were spawned.
    pub spawned: Vec<G::Entity>,
    /// Events, in the order in which they were emitted.
    pub events: Vec<G::Event>,
}

impl<'a, G: Simulation> PredictedStep<'a, G> {
    /// A step that sees the entities of `nearby`.
    pub fn new(nearby: &'a EachNearby<'a>) -> Self {
        PredictedStep { nearby, spawned: Vec::new(), events: Vec::new() }
    }

    /// A step without other entities, for tests.
    pub fn alone() -> Self {
        Self::new(&|_| {})
    }

    /// Calls `visit` with every known entity except the stepped one, each where its velocity takes
    /// it from its last known state; see the `velocity` attribute of
    /// [`Replicate`](crate::Replicate).
    pub fn for_each_nearby(&self, mut visit: impl FnMut(EntityId, G::Entity)) {
        (self.nearby)(&mut |id, kind, lanes| {
            if let Some(entity) = G::Entity::from_lanes(kind, lanes) {
                visit(id, entity);
            }
        });
    }

    /// Shows a new entity of the player at once. It moves by its velocity; the server's entity
    /// replaces it when it arrives, otherwise it is removed.
    pub fn spawn(&mut self, entity: G::Entity) {
        self.spawned.push(entity);
    }

    /// Delivers an event to the client at once. The server's matching event is not delivered again:
    /// one of the same kind, about the same tick, with equal whole numbers, flags and choices.
    pub fn emit(&mut self, event: G::Event) {
        self.events.push(event);
    }
}

impl<G: Simulation> std::fmt::Debug for PredictedStep<'_, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PredictedStep({} entities, {} events)", self.spawned.len(), self.events.len())
    }
}
