//! A game, as its author writes it.
//!
//! One type holds the whole state of a room and implements [`Simulation`]. The server steps it, and
//! clients read what it captured. Nothing else changes the world.

mod capture;
mod groups;
mod ids;
mod migrate;
mod no_event;
mod no_game;
mod outbox;
mod profile;
mod rooms;
mod score;
mod state;
mod static_data;
mod view;

pub use capture::{Capture, Captured, Position};
pub use groups::Groups;
pub use ids::{EntityId, EntityIds, PlayerId};
pub use migrate::{MigrateError, read_state};
pub use no_event::{NoCommand, NoEvent};
pub use no_game::{NoEntity, NoGame, NoInput};
pub use outbox::{Audience, Outbox, OutboxEvent, UnreliableOutbox};
pub use profile::SaveOutcome;
pub use rooms::{Account, LeaveReason, NewPlayer, NewRoom, Options, Refusal, RoomPolicy};
pub use score::{ScoreBoard, ScoreRule};
pub use state::{GameState, StatePart};
pub use static_data::{StaticData, StaticEdit};
pub use view::{Area, View, Viewer};

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

    /// The version of the state and of the rules that change it. Raise it with every change by which the same journal comes to
    /// other states, and say in [`Simulation::migrate`] how a state of an earlier version goes on.
    const VERSION: u32 = 1;

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

    /// The score boards that the server's store keeps of accounts, at most 16. A step scores by [`Outbox::score`].
    ///
    /// ```ignore
    /// const SCORE_BOARDS: &'static [ScoreBoard] = &[KILLS, LAP];
    /// ```
    ///
    /// A board goes on under its name, also where its rule is another one. One whose order is another one begins anew.
    const SCORE_BOARDS: &'static [ScoreBoard] = &[];

    /// A profile of another version than [`Simulation::PROFILE_VERSION`], from the JSON that was saved. Deterministic. With
    /// `None` its version is unknown: the account's join is refused, and what is saved of it stays as it is.
    fn migrate_profile(_version: u32, _json: &str) -> Option<Self::Profile> {
        None
    }

    /// A new room. The same seed, name and options give the same room.
    fn new(room: &NewRoom<Self>) -> Self;

    /// The state of a room that was played by version `from` of the game, which goes on in this version: `bytes` is that
    /// state as [`read_state`] reads it, by the type that it was of then. Called outside of any tick, when a server of this
    /// version takes over from another one or restores its rooms.
    ///
    /// ```
    /// # use tickwire_shared::{MigrateError, read_state, state};
    /// /// The state of version 1.
    /// #[state]
    /// struct Race1 {
    ///     laps: u8,
    /// }
    ///
    /// #[state]
    /// struct Race {
    ///     laps: u8,
    ///     weather: u8,
    /// }
    ///
    /// # impl Race {
    /// fn migrate(from: u32, bytes: &[u8]) -> Result<Self, MigrateError> {
    ///     match from {
    ///         1 => read_state::<Race1>(bytes).map(|Race1 { laps }| Race { laps, weather: 0 }),
    ///         _ => Err(MigrateError::version(from)),
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`MigrateError`] for a version or bytes that this one cannot read: the other server goes on. Unless the game says
    /// otherwise, that is every version.
    fn migrate(from: u32, _bytes: &[u8]) -> Result<Self, MigrateError> {
        Err(MigrateError::version(from))
    }

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

    /// What became of a [score](Outbox::score) of the step of `tick`, of a player with a seat: told at most once for each
    /// player, board and step, as [`Simulation::saved`] tells of profiles.
    fn scored(
        &mut self,
        _player: PlayerId,
        _board: ScoreBoard,
        _tick: Tick,
        _outcome: SaveOutcome,
    ) {
    }

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
