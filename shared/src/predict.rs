//! What a client steps by itself, so that its player does not feel the network.
//!
//! A game says so in [`Predict`]: a client then steps what its player steers at once, by the same code as
//! the server, and when the server's word comes and differs, goes back to that tick and steps anew
//! from there.

use crate::quantize::Kinds;
use crate::{EntityId, Simulation};

/// A game whose clients predict what their player steers.
pub trait Predict: Simulation {
    /// All that one tick of steering reads and writes of what is steered. It may know more than what is
    /// sent of it, such as how long until its gun fires again.
    type Own: Clone + Send + 'static;

    /// What is steered, by what the server says of an entity that the player owns; `None` if it is not
    /// this one. `before` is what was predicted for the same tick, for all that is not sent: it was wrong
    /// in something, or is the first of its kind when `None`.
    fn adopt(id: EntityId, entity: &Self::Entity, before: Option<&Self::Own>) -> Option<Self::Own>;

    /// It as the server would show it.
    fn show(own: &Self::Own) -> Self::Entity;

    /// One tick, as the server steps it. `around` is what else is seen, where it will be in that tick;
    /// what is made by it, such as a shot or the noise of it, goes to `made`.
    fn steer(
        own: &mut Self::Own,
        input: Self::Input,
        around: &Around<'_, Self::Entity>,
        made: &mut Made<Self>,
    );

    /// What the player of an entity like this is taken to hold, where a client steps what others steer: see the
    /// client's `Mode::ForwardSimulate`. It is stepped from each of its states as if it were alone, and what it
    /// makes is not shown. Nothing is held by default.
    fn input_of_other(_entity: &Self::Entity) -> Self::Input {
        Self::Input::default()
    }
}

/// What a tick of steering made, besides moving what is steered.
pub struct Made<S: Simulation> {
    /// New entities of the player that move by a velocity, in the order they were made.
    pub spawned: Vec<S::Entity>,
    /// What happened once, in order.
    pub events: Vec<S::Event>,
}

impl<S: Simulation> Made<S> {
    /// Makes an entity: it is shown at once, and becomes the server's when that comes.
    pub fn spawn(&mut self, entity: S::Entity) {
        self.spawned.push(entity);
    }

    /// Tells an event: the client has it at once. The server's own of the same kind, whose whole numbers,
    /// flags and choices are the same and whose tick is not far, is not told again.
    pub fn tell(&mut self, event: S::Event) {
        self.events.push(event);
    }
}

impl<S: Simulation> Default for Made<S> {
    fn default() -> Self {
        Made { spawned: Vec::new(), events: Vec::new() }
    }
}

impl<S: Simulation> std::fmt::Debug for Made<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Made({} entities, {} events)", self.spawned.len(), self.events.len())
    }
}

/// Calls its argument with the id, the kind and the lanes of every entity around.
pub type EachAround<'a> = dyn Fn(&mut dyn FnMut(EntityId, u8, &[i32])) + 'a;

/// What is around in a tick that is predicted.
///
/// Each entity is where its velocity takes it from its last known state; see the `velocity` attribute
/// of [`Replicate`](crate::Replicate).
pub struct Around<'a, E> {
    each: &'a EachAround<'a>,
    entity: std::marker::PhantomData<fn() -> E>,
}

impl<'a, E: Kinds> Around<'a, E> {
    /// Of what `each` gives.
    pub fn new(each: &'a EachAround<'a>) -> Self {
        Around { each, entity: std::marker::PhantomData }
    }

    /// Calls `visit` with every entity but what is steered.
    pub fn for_each(&self, mut visit: impl FnMut(EntityId, E)) {
        (self.each)(&mut |id, kind, lanes| {
            if let Some(entity) = E::from_lanes(kind, lanes) {
                visit(id, entity);
            }
        });
    }
}

impl<E> std::fmt::Debug for Around<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Around")
    }
}
