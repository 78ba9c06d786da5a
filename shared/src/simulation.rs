//! A game, as its author writes it.
//!
//! One type holds the whole state of a room and implements [`Simulation`]. The server steps it, and
//! clients read what it captured. Nothing else changes the world.

mod rooms;

pub use rooms::{LeaveReason, NewPlayer, NewRoom, Options, Refusal, RoomPolicy};

use glam::Vec2;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Tick;
use crate::quantize::{Kinds, Lanes, Misfits};
use crate::schema::{KindSchema, Schema};

/// A session's number, unique in a server's life. Zero is the server itself.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PlayerId(pub u32);

/// A game's own name for an entity: any number that no other entity has at the same time.
///
/// An id may be used again once its entity is gone; clients then see the old one vanish and a new
/// one appear. From one tick to the next an entity of the same id is another one if its kind, its owner or a field
/// marked `initial` is another; else it is the same, and moved.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EntityId(pub u32);

/// The rules of a game and the state of one room.
///
/// Everything a step needs is in `self` and its arguments: no clock, no thread, no randomness from
/// outside (keep a seeded generator in the state). Then the same seed and inputs give the same
/// states on every machine, and the serialised state is a checkpoint.
pub trait Simulation: Serialize + DeserializeOwned + Send + 'static {
    /// The game's name; a client of another game is refused.
    const NAME: &'static str;

    /// Ticks a second.
    const TICK_HZ: u32 = 60;

    /// A [model](crate::model) trained for this game, as `include_bytes!` gives it: fewer bytes for the
    /// same snapshots. Clients are told of it. Without one, deltas take the general defaults.
    const MODEL: &'static [u8] = &[];

    /// What a player holds down in one tick: `#[derive(Input)]` on a small `Copy` struct.
    type Input: Lanes + Copy + Default + PartialEq + Send + 'static;

    /// What is seen: `#[derive(Replicate)]` on a struct, or on an enum of such structs.
    type Entity: Kinds + Send + 'static;

    /// What happens once: `#[derive(Replicate)]` as for entities, or [`NoEvent`].
    type Event: Kinds + Send + 'static;

    /// What a player asks for once, such as a vote or a purchase: `#[derive(Replicate)]` as for entities, or
    /// [`NoCommand`]. Commands come reliably and in order, each exactly once; see [`Inputs::commands`].
    ///
    /// ```
    /// use tickwire_shared::Replicate;
    ///
    /// #[derive(Replicate)]
    /// enum Command {
    ///     Ready(Ready),
    ///     Buy(Buy),
    /// }
    ///
    /// #[derive(Replicate)]
    /// struct Ready {}
    ///
    /// #[derive(Replicate)]
    /// struct Buy {
    ///     #[replicate(range = 0..=31)]
    ///     item: u8,
    /// }
    /// ```
    ///
    /// A client sends one by `client.command(&Command::Buy(Buy { item: 3 }))`, a page by
    /// `await client.command('Buy', { item: 3 })`. What comes is of the schema, each field within its range; whether the
    /// player may buy is the game's to decide:
    ///
    /// ```ignore
    /// fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>) {
    ///     for (player, command) in inputs.commands() {
    ///         match command {
    ///             Command::Ready(_) => self.ready(player),
    ///             Command::Buy(buy) => self.buy(player, buy.item),
    ///         }
    ///     }
    /// }
    /// ```
    type Command: Kinds + Send + 'static;

    /// What a room is made with, such as its map; `()` for none. JSON on the wire, so any type of serde.
    type RoomOptions: Options;

    /// What a player asks for when it joins, such as its team; `()` for none. JSON on the wire, so any type of serde.
    type JoinOptions: Options;

    /// A new room. The same seed, name and options give the same room.
    fn new(room: &NewRoom<Self>) -> Self;

    /// Whether a room may be made with these options, and what holds for it; see [`RoomPolicy`]. Called before the room
    /// is made, outside of any tick: it decides by the options alone, and is quick. If it panics no room is made.
    ///
    /// # Errors
    /// [`Refusal`], which the one who asked is told.
    fn room_policy(_options: &Self::RoomOptions) -> Result<RoomPolicy, Refusal> {
        Ok(RoomPolicy::default())
    }

    /// Whether a player may take a seat now. [`Simulation::join`] follows if so.
    ///
    /// # Errors
    /// [`Refusal`], which the player is told.
    fn may_join(&self, _player: &NewPlayer<Self>) -> Result<(), Refusal> {
        Ok(())
    }

    /// A player takes a seat.
    fn join(&mut self, player: &NewPlayer<Self>);

    /// A player leaves.
    fn leave(&mut self, player: PlayerId, reason: LeaveReason);

    /// A player's connection was lost. It keeps its seat for the server's `resume_grace_ms`, and its inputs are those of
    /// [`Simulation::missing_input`]. [`Simulation::back`] follows once it resumes its session, [`Simulation::leave`] with
    /// [`LeaveReason::Lost`] if it does not.
    fn away(&mut self, _player: PlayerId) {}

    /// A player that was away is back.
    fn back(&mut self, _player: PlayerId) {}

    /// One tick, `1 / TICK_HZ` seconds.
    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>);

    /// What a player is taken to hold in a tick whose input did not come in time: `last` is its newest input
    /// before that, `missed_ticks` ago, 1 at least. Unless the game says otherwise it holds on.
    ///
    /// The player's client predicts with what it sent; where that never comes, this is where the two part.
    fn missing_input(last: Self::Input, _missed_ticks: u32) -> Self::Input {
        last
    }

    /// Whether the room's host may remove this member now. Only rooms that were made by name have a host.
    fn may_kick(&self, _host: PlayerId, _player: PlayerId) -> bool {
        true
    }

    /// Shows every entity as it is now. The order does not matter.
    fn capture(&self, world: &mut Capture<Self::Entity>);

    /// What someone in the room sees.
    fn view(&self, _viewer: Viewer) -> View {
        View::Everything
    }
}

/// The schema of a game, from its types.
pub fn schema_of<S: Simulation>() -> Schema {
    Schema {
        game: S::NAME.to_owned(),
        tick_hz: S::TICK_HZ,
        input: <S::Input as Lanes>::schema(),
        entities: S::Entity::schemas(),
        events: S::Event::schemas(),
        commands: S::Command::schemas(),
        model: S::MODEL.to_vec(),
    }
}

/// Who sees a [`View`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Viewer {
    /// A player with a seat.
    Player(PlayerId),
    /// Someone who watches. The id is the session's; the game was never told of it.
    Spectator(PlayerId),
}

impl Viewer {
    /// The session's number.
    pub fn id(self) -> PlayerId {
        match self {
            Viewer::Player(id) | Viewer::Spectator(id) => id,
        }
    }

    /// The player, if it is one.
    pub fn player(self) -> Option<PlayerId> {
        match self {
            Viewer::Player(player) => Some(player),
            Viewer::Spectator(_) => None,
        }
    }
}

/// The part of the world a player is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum View {
    /// All of it.
    Everything,
    /// What was captured with a place no farther than `radius` from `center`, everything captured
    /// without a place, and the player's own entities. A place or a `center` that is not finite, and a `radius` that
    /// is no number or below zero, hide what they would have shown.
    Circle {
        /// The middle, in the game's units.
        center: Vec2,
        /// In the game's units. An entity already seen is kept until it is a tenth farther away.
        radius: f32,
    },
}

/// The inputs of one tick, one for each seated player, ordered by player.
///
/// For a player whose input did not come in time it is what [`Simulation::missing_input`] says.
pub struct Inputs<'a, G: Simulation> {
    tick: Tick,
    inputs: &'a [(PlayerId, G::Input)],
    commands: &'a [(PlayerId, G::Command)],
    view_delays: &'a [f32],
}

impl<G: Simulation> std::fmt::Debug for Inputs<'_, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Inputs(tick {}, {} players, {} commands)",
            self.tick.0,
            self.inputs.len(),
            self.commands.len()
        )
    }
}

impl<'a, G: Simulation> Inputs<'a, G> {
    /// `inputs` must be sorted by player.
    pub fn new(tick: Tick, inputs: &'a [(PlayerId, G::Input)]) -> Self {
        debug_assert!(inputs.is_sorted_by_key(|(player, _)| *player));
        Inputs { tick, inputs, commands: &[], view_delays: &[] }
    }

    /// The same, with the commands of this tick, in the order in which they came.
    pub fn with_commands(self, commands: &'a [(PlayerId, G::Command)]) -> Self {
        Inputs { commands, ..self }
    }

    /// The same, with how far behind the tick each of the players saw the others, in ticks.
    pub fn with_view_delays(self, view_delays: &'a [f32]) -> Self {
        debug_assert_eq!(view_delays.len(), self.inputs.len());
        Inputs { view_delays, ..self }
    }

    /// The commands of this tick with their players, in the order in which they came.
    ///
    /// Each is of a player who is seated in this tick, and in one tick only. Those of one player are at most
    /// `room.commands_per_tick_max` of the server's settings; what came beyond it is in the next ticks. Those that still
    /// wait when the player leaves are dropped, and refused to it.
    pub fn commands(&self) -> impl Iterator<Item = (PlayerId, &'a G::Command)> + use<'a, G> {
        self.commands.iter().map(|(player, command)| (*player, command))
    }

    /// The tick being stepped.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// What `player` holds; the default for one who is not seated.
    pub fn get(&self, player: PlayerId) -> G::Input {
        match self.inputs.binary_search_by_key(&player, |(player, _)| *player) {
            Ok(at) => self.inputs[at].1,
            Err(_) => G::Input::default(),
        }
    }

    /// How many ticks older than this tick the entities were that `player` saw when it sampled this input:
    /// the way to the server and back, and the delay at which they are shown. The server caps it. Take it
    /// to a [`Rewind`](crate::rewind::Rewind). 0 for one who is not seated.
    pub fn view_delay_ticks(&self, player: PlayerId) -> f32 {
        let at = self.inputs.binary_search_by_key(&player, |(player, _)| *player);
        at.ok().and_then(|at| self.view_delays.get(at)).copied().unwrap_or(0.0)
    }

    /// Every seated player with its input.
    pub fn iter(&self) -> impl Iterator<Item = (PlayerId, G::Input)> + '_ {
        self.inputs.iter().copied()
    }
}

/// Where a step puts what happened once.
///
/// Each client is told of events once and in the order in which they were told here. An event comes with the
/// snapshot of its tick or a later one, and a client takes in a snapshot as a whole: its entities, then its events.
/// Where not everything fits, an entity that changed or appeared in the same tick may come in a later one, and an event
/// before the entity that it names: hold it back by [`OutboxEvent::after`].
///
/// A snapshot tells at most 64 events. Of those that wait for a client beyond `room.events_queued_max` of the server's
/// settings the oldest are dropped, counted and logged.
pub struct Outbox<G: Simulation> {
    events: Vec<OutboxEvent<G::Event>>,
    unreliable: Vec<(Audience, G::Event)>,
}

/// An event of an [`Outbox`].
#[derive(Debug)]
pub struct OutboxEvent<E> {
    /// Who is told.
    pub audience: Audience,
    /// What happened.
    pub event: E,
    /// The entity that a client has before it hears of it.
    pub after: Option<EntityId>,
}

impl<E> OutboxEvent<E> {
    /// Holds the event, and those told after it, back from each client that sees `entity` and does not have it yet:
    /// it comes with the snapshot that brings the entity, or later. One that does not see the entity is told at
    /// once, and nobody waits longer than 127 ticks.
    pub fn after(&mut self, entity: EntityId) -> &mut Self {
        self.after = Some(entity);
        self
    }
}

/// Who is told of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Audience {
    /// Everyone in the room.
    Room,
    /// One player.
    Player(PlayerId),
    /// Whoever sees this place.
    Place(Vec2),
}

impl<G: Simulation> std::fmt::Debug for Outbox<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbox({} events, {} unreliable)", self.events.len(), self.unreliable.len())
    }
}

impl<G: Simulation> Default for Outbox<G> {
    fn default() -> Self {
        Outbox { events: Vec::new(), unreliable: Vec::new() }
    }
}

impl<G: Simulation> Outbox<G> {
    /// Sends an event to everyone in the room. Refine the result with [`OutboxEvent::after`].
    pub fn to_room(&mut self, event: G::Event) -> &mut OutboxEvent<G::Event> {
        self.send(Audience::Room, event)
    }

    /// Sends an event to one player.
    pub fn to_player(&mut self, player: PlayerId, event: G::Event) -> &mut OutboxEvent<G::Event> {
        self.send(Audience::Player(player), event)
    }

    /// Sends an event to everyone who sees `place`.
    pub fn to_place(&mut self, place: Vec2, event: G::Event) -> &mut OutboxEvent<G::Event> {
        self.send(Audience::Place(place), event)
    }

    /// Events that go into the snapshot of this tick and no other: `outbox.unreliable().to_place(at, spark)`. A client
    /// whose snapshot is lost or full never gets them. For what is of no use later, and for many events a tick: they
    /// wait for no acknowledgement.
    pub fn unreliable(&mut self) -> UnreliableOutbox<'_, G> {
        UnreliableOutbox { outbox: self }
    }

    /// Takes out all reliable events, in the order in which they were sent.
    pub fn drain(&mut self) -> impl Iterator<Item = OutboxEvent<G::Event>> + '_ {
        self.events.drain(..)
    }

    /// Takes out the events of [`Outbox::unreliable`], in the order in which they were sent.
    pub fn drain_unreliable(&mut self) -> impl Iterator<Item = (Audience, G::Event)> + '_ {
        self.unreliable.drain(..)
    }

    fn send(&mut self, audience: Audience, event: G::Event) -> &mut OutboxEvent<G::Event> {
        let at = self.events.len();
        self.events.push(OutboxEvent { audience, event, after: None });
        &mut self.events[at]
    }
}

/// An [`Outbox`] for events that are sent once and not repeated.
#[derive(Debug)]
pub struct UnreliableOutbox<'a, G: Simulation> {
    outbox: &'a mut Outbox<G>,
}

impl<G: Simulation> UnreliableOutbox<'_, G> {
    /// To everyone in the room.
    pub fn to_room(self, event: G::Event) {
        self.outbox.unreliable.push((Audience::Room, event));
    }

    /// To one player.
    pub fn to_player(self, player: PlayerId, event: G::Event) {
        self.outbox.unreliable.push((Audience::Player(player), event));
    }

    /// To everyone who sees `place`.
    pub fn to_place(self, place: Vec2, event: G::Event) {
        self.outbox.unreliable.push((Audience::Place(place), event));
    }
}

/// Where [`Simulation::capture`] shows its entities.
#[derive(Debug)]
pub struct Capture<E> {
    entities: Vec<Captured<E>>,
}

/// One entity of a [`Capture`].
#[derive(Debug)]
pub struct Captured<E> {
    /// The game's id.
    pub id: EntityId,
    /// Whose it is.
    pub owner: Option<PlayerId>,
    /// Where it is, for [`View::Circle`]; without a place it is always seen.
    pub place: Option<Vec2>,
    /// How much it matters where not everything fits a client's snapshots.
    pub priority: u8,
    /// Its state.
    pub entity: E,
}

impl<E> Default for Capture<E> {
    fn default() -> Self {
        Capture { entities: Vec::new() }
    }
}

impl<E> Capture<E> {
    /// Shows an entity. Refine the result with [`Captured::owned_by`] and [`Captured::at`].
    pub fn show(&mut self, id: EntityId, entity: E) -> &mut Captured<E> {
        let at = self.entities.len();
        self.entities.push(Captured { id, owner: None, place: None, priority: 1, entity });
        &mut self.entities[at]
    }

    /// Takes all entities out.
    pub fn drain(&mut self) -> impl Iterator<Item = Captured<E>> + '_ {
        self.entities.drain(..)
    }
}

impl<E> Captured<E> {
    /// `player` owns it: sees its owner-only fields, and always sees it.
    pub fn owned_by(&mut self, player: PlayerId) -> &mut Self {
        self.owner = Some(player);
        self
    }

    /// It is at `place`. Where that is not finite, it is seen by its owner and those who see everything.
    pub fn at(&mut self, place: Vec2) -> &mut Self {
        self.place = Some(place);
        self
    }

    /// Relative send priority; 1 is the lowest. Where not everything fits a client's snapshots, an entity of priority 3 is
    /// sent three times as often as one of priority 1.
    pub fn priority(&mut self, priority: u8) -> &mut Self {
        self.priority = priority;
        self
    }
}

/// The command type of a game that has none.
pub type NoCommand = NoEvent;

/// The event type of a game that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEvent {}

impl Kinds for NoEvent {
    fn schemas() -> Vec<KindSchema> {
        Vec::new()
    }

    fn kind(&self) -> u8 {
        match *self {}
    }

    fn to_lanes(&self, _lanes: &mut [i32]) -> Misfits {
        match *self {}
    }

    fn from_lanes(_kind: u8, _lanes: &[i32]) -> Option<Self> {
        None
    }
}
