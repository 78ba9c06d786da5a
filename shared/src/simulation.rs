//! A game, as its author writes it.
//!
//! One type holds the whole state of a room and implements [`Simulation`]. The server steps it, and
//! clients read what it captured. Nothing else changes the world.

mod capture;
mod groups;
mod ids;
mod no_event;
mod profile;
mod rooms;
mod state;
mod static_data;
mod view;

pub use capture::{Capture, Captured, Position};
pub use groups::Groups;
pub use ids::{EntityId, EntityIds, PlayerId};
pub use no_event::{NoCommand, NoEvent};
pub use profile::SaveOutcome;
pub use rooms::{Account, LeaveReason, NewPlayer, NewRoom, Options, Refusal, RoomPolicy};
pub use state::{GameState, StatePart};
pub use static_data::{StaticData, StaticEdit};
pub use view::{Area, View, Viewer};

use glam::Vec3;

use crate::Tick;
use crate::quantize::{Kinds, Lanes};
use crate::schema::Schema;

/// The rules of a game and the state of one room.
///
/// Everything a step needs is in `self` and its arguments: no clock, no thread, no randomness from
/// outside (keep a seeded generator in the state). Then the same seed and inputs give the same
/// states on every machine, and the serialised state is a checkpoint.
pub trait Simulation: GameState {
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

    /// What the server's store keeps of an account from one stay to the next, such as its coins; `()` for nothing. Saved by
    /// [`Outbox::save`], given back in [`NewPlayer::profile`]. JSON in the store, so any type of serde: with
    /// `#[serde(default)]` a field can be added without a new version.
    type Profile: Options;

    /// The version of [`Simulation::Profile`], kept with each one.
    const PROFILE_VERSION: u32 = 1;

    /// Whether an account may take a seat while its profile cannot be read, as without a profile: what is saved for it in
    /// that stay is not kept. Otherwise its join is refused with `Busy`.
    const JOINS_WITHOUT_PROFILE: bool = false;

    /// A profile of another version than [`Simulation::PROFILE_VERSION`], from the JSON that was saved. Deterministic. With
    /// `None` its version is unknown: the account's join is refused, and what is saved of it stays as it is.
    fn migrate_profile(_version: u32, _json: &str) -> Option<Self::Profile> {
        None
    }

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

    /// Whether a player may take a seat now. [`Simulation::join`] follows if so. No bot is asked for, and one that would
    /// make way still has its seat: count people.
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

    /// A profile that the step of `tick` [saved](Outbox::save) for a player with a seat is on disk, or is not kept. Told at
    /// most once for each save, some ticks later: not if the player has left, or the server was killed meanwhile.
    fn saved(&mut self, _player: PlayerId, _tick: Tick, _outcome: SaveOutcome) {}

    /// One tick, `1 / TICK_HZ` seconds.
    fn step(&mut self, inputs: &Inputs<Self>, outbox: &mut Outbox<Self>);

    /// What a player is taken to hold in a tick whose input did not come in time: `last` is its newest input
    /// before that, `missed_ticks` ago, 1 at least. Unless the game says otherwise it holds on.
    ///
    /// The player's client predicts with what it sent; where that never comes, this is where the two part.
    fn missing_input(last: Self::Input, _missed_ticks: u32) -> Self::Input {
        last
    }

    /// What a bot of [`RoomPolicy::bots`] holds in the step of `tick`, by the state before it. What a bot remembers is
    /// part of the state, and changes in a step.
    fn bot_input(&self, _bot: PlayerId, _tick: Tick) -> Self::Input {
        Self::Input::default()
    }

    /// Whether the room's host may remove this member now. Only rooms that were made by name have a host.
    fn may_kick(&self, _host: PlayerId, _player: PlayerId) -> bool {
        true
    }

    /// Shows every entity as it is now. The order does not matter.
    fn capture(&self, world: &mut Capture<Self::Entity>);

    /// What all in the room need once, such as its map, as it is now. Asked when the room begins; see [`StaticData`].
    fn static_data(&self, _data: &mut StaticData) {}

    /// What someone in the room sees. Asked in each tick for each member, after the step: it is quick.
    fn view(&self, _viewer: Viewer) -> View {
        View::everything()
    }

    /// Whether `viewer` sees an entity that was captured [`checked`](Captured::checked), such as one in its line of
    /// sight. Asked in each tick, after the step, if the viewer's area reaches the entity and its groups let it see it,
    /// and never of its owner, who sees it. Unless the game says otherwise nobody else does.
    fn can_see(&self, _viewer: Viewer, _entity: EntityId) -> bool {
        false
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
    unreliable: Vec<OutboxEvent<G::Event>>,
    static_data: StaticData,
    saves: Vec<(PlayerId, G::Profile)>,
}

/// An event of an [`Outbox`].
#[derive(Debug)]
pub struct OutboxEvent<E> {
    /// Who is told.
    pub audience: Audience,
    /// Of those, who is told: viewers in one of these groups; `None` for all.
    pub groups: Option<Groups>,
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

    /// Tells nobody who is in none of `groups` in the tick of the event.
    pub fn only_for(&mut self, groups: Groups) -> &mut Self {
        self.groups = Some(groups);
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
    /// Whoever's area holds this place.
    Place(Vec3),
}

impl<G: Simulation> std::fmt::Debug for Outbox<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbox({} events, {} unreliable)", self.events.len(), self.unreliable.len())
    }
}

impl<G: Simulation> Default for Outbox<G> {
    fn default() -> Self {
        Outbox {
            events: Vec::new(),
            unreliable: Vec::new(),
            static_data: StaticData::default(),
            saves: Vec::new(),
        }
    }
}

impl<G: Simulation> Outbox<G> {
    /// Sends an event to everyone in the room. Refine the result by the calls of [`OutboxEvent`].
    pub fn to_room(&mut self, event: G::Event) -> &mut OutboxEvent<G::Event> {
        self.send(Audience::Room, event)
    }

    /// Sends an event to one player.
    pub fn to_player(&mut self, player: PlayerId, event: G::Event) -> &mut OutboxEvent<G::Event> {
        self.send(Audience::Player(player), event)
    }

    /// Sends an event to everyone whose area holds `place`, a [`Vec2`](glam::Vec2) or a [`Vec3`].
    pub fn to_place(
        &mut self,
        place: impl Into<Position>,
        event: G::Event,
    ) -> &mut OutboxEvent<G::Event> {
        let Position(place) = place.into();
        self.send(Audience::Place(place), event)
    }

    /// Sends an event to everyone who is in one of `groups` in this tick.
    pub fn to_groups(&mut self, groups: Groups, event: G::Event) -> &mut OutboxEvent<G::Event> {
        self.send(Audience::Room, event).only_for(groups)
    }

    /// Events that go into the snapshot of this tick and no other: `outbox.unreliable().to_place(at, spark)`. A client
    /// whose snapshot is lost or full never gets them. For what is of no use later, and for many events a tick: they
    /// wait for no acknowledgement.
    pub fn unreliable(&mut self) -> UnreliableOutbox<'_, G> {
        UnreliableOutbox { outbox: self, groups: None }
    }

    /// Where the step edits what [`Simulation::static_data`] began.
    pub fn static_data(&mut self) -> &mut StaticData {
        &mut self.static_data
    }

    /// Saves the profile of a player with an account, in place of the one before; of several in a step the last. Also in
    /// the step after [`Simulation::leave`] for the player that has left. [`Simulation::saved`] tells when the disk has it.
    /// Passed over for a guest, a bot, and without a store.
    ///
    /// Save where it matters, such as at the end of a round and at the leave: each save is a write to the disk, and those
    /// that find no place in the store's queue are not kept.
    pub fn save(&mut self, player: PlayerId, profile: G::Profile) {
        self.saves.push((player, profile));
    }

    /// Takes out all saves, in their order.
    pub fn drain_saves(&mut self) -> impl Iterator<Item = (PlayerId, G::Profile)> + '_ {
        self.saves.drain(..)
    }

    /// Takes out all reliable events, in the order in which they were sent.
    pub fn drain(&mut self) -> impl Iterator<Item = OutboxEvent<G::Event>> + '_ {
        self.events.drain(..)
    }

    /// Takes out the events of [`Outbox::unreliable`], in the order in which they were sent.
    pub fn drain_unreliable(&mut self) -> impl Iterator<Item = OutboxEvent<G::Event>> + '_ {
        self.unreliable.drain(..)
    }

    fn send(&mut self, audience: Audience, event: G::Event) -> &mut OutboxEvent<G::Event> {
        let at = self.events.len();
        self.events.push(OutboxEvent { audience, groups: None, event, after: None });
        &mut self.events[at]
    }
}

/// An [`Outbox`] for events that are sent once and not repeated.
#[derive(Debug)]
pub struct UnreliableOutbox<'a, G: Simulation> {
    outbox: &'a mut Outbox<G>,
    groups: Option<Groups>,
}

impl<G: Simulation> UnreliableOutbox<'_, G> {
    /// To nobody who is in none of `groups` in this tick: `outbox.unreliable().only_for(team).to_place(at, spark)`.
    #[must_use]
    pub fn only_for(self, groups: Groups) -> Self {
        UnreliableOutbox { groups: Some(groups), ..self }
    }

    /// To everyone in the room.
    pub fn to_room(self, event: G::Event) {
        self.send(Audience::Room, event);
    }

    /// To one player.
    pub fn to_player(self, player: PlayerId, event: G::Event) {
        self.send(Audience::Player(player), event);
    }

    /// To everyone whose area holds `place`, a [`Vec2`](glam::Vec2) or a [`Vec3`].
    pub fn to_place(self, place: impl Into<Position>, event: G::Event) {
        let Position(place) = place.into();
        self.send(Audience::Place(place), event);
    }

    /// To everyone who is in one of `groups` in this tick.
    pub fn to_groups(self, groups: Groups, event: G::Event) {
        self.only_for(groups).to_room(event);
    }

    fn send(self, audience: Audience, event: G::Event) {
        let UnreliableOutbox { outbox, groups } = self;
        outbox.unreliable.push(OutboxEvent { audience, groups, event, after: None });
    }
}
