//! The rules of a room run again by its journal, with no members and no network.

mod checkpoint;
mod difference;

pub use checkpoint::ReplayMember;
pub use difference::{LaneDifference, ReplayDifference};

use std::collections::BTreeMap;

use tickwire_shared::bits::BitReader;
use tickwire_shared::command::CommandCodec;
use tickwire_shared::control::Redacted;
use tickwire_shared::input::VIEW_DELAY_UNITS;
use tickwire_shared::quantize::Kinds as _;
use tickwire_shared::schema::{LANES_MAX, Schema};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{
    Capture, Inputs, MigrateError, NewPlayer, NewRoom, Options, Outbox, PlayerId, Simulation,
    StaticEdit, Tick,
};

use super::inputs::{BufferedInput, TakenInput};
use super::profile::read_profile;
use super::record::{
    CommandRecord, EntityLanes, InputRecordCodec, JournalHead, SeatChange, SeatRole, TickRecord,
};
use super::state_hash::StateDigest;
use super::static_data::StaticStore;
use super::stepped::SteppedCommands;
use difference::first_difference;

/// A journal that is run again: the same rules, given what they were given then.
///
/// Each tick's hash is compared with the recorded one. If one differs, [`Replay::difference`] has the tick. The entity and
/// the field are known if the record has all lanes; if not, go on until one has: [`ReplayDifference::is_settled`].
///
/// ```
/// # use tickwire_server::room::{JournalHead, Replay, ReplayDifference, ReplayError, TickRecord};
/// # use tickwire_shared::Simulation;
/// fn first_difference<S: Simulation>(
///     head: &JournalHead,
///     records: &[TickRecord],
/// ) -> Result<Option<ReplayDifference>, ReplayError> {
///     let mut replay = Replay::<S>::new(head)?;
///     for record in records {
///         replay.step(record)?;
///         if replay.difference().is_some_and(ReplayDifference::is_settled) {
///             break;
///         }
///     }
///     Ok(replay.difference().cloned())
/// }
/// ```
pub struct Replay<S: Simulation> {
    simulation: S,
    seed: u64,
    schema: Schema,
    tick: Tick,
    hash: u64,
    seats: BTreeMap<PlayerId, ReplaySeat<S::Input>>,
    spectators: BTreeMap<PlayerId, ReplayMember>,
    /// The highest number of all who ever came.
    newest_player: PlayerId,
    static_data: StaticStore,
    /// Of the last step.
    static_edits: Vec<StaticEdit>,
    static_bytes_max: usize,
    view_delay_max: f32,
    input_codec: InputRecordCodec,
    command_codec: CommandCodec,
    inputs: Vec<(PlayerId, S::Input)>,
    view_delays: Vec<f32>,
    commands: Vec<(PlayerId, S::Command)>,
    outbox: Outbox<S>,
    capture: Capture<S::Entity>,
    keeps_lanes: bool,
    lanes: Option<Vec<EntityLanes>>,
    difference: Option<ReplayDifference>,
}

/// A player of a replay.
#[derive(Clone, Debug)]
pub(super) struct ReplaySeat<I> {
    pub(super) member: ReplayMember,
    pub(super) held: BufferedInput<I>,
    pub(super) missed_ticks: u32,
}

/// The state that a replay came to.
pub(super) struct ReplayedState<S: Simulation> {
    pub(super) simulation: S,
    pub(super) seed: u64,
    pub(super) tick: Tick,
    pub(super) seats: BTreeMap<PlayerId, ReplaySeat<S::Input>>,
    pub(super) spectators: BTreeMap<PlayerId, ReplayMember>,
    pub(super) static_data: StaticStore,
}

/// A journal cannot be run again, or cannot be run further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It is of another game.
    #[error("the journal is of the game {0:?}, not of this one")]
    OtherGame(String),
    /// It is of another version of the game.
    #[error("the journal is of version {recorded} of the game, and this build is version {own}")]
    Version {
        /// The version that recorded it.
        recorded: u32,
        /// This build's.
        own: u32,
    },
    /// The state of another version cannot go on in this one.
    #[error("{0}")]
    Migrate(#[from] MigrateError),
    /// The field tables of this build are others.
    #[error("the field tables are others than when the journal was written: {0}")]
    Schema(String),
    /// The room options or join options cannot be read.
    #[error("the options of {0} cannot be read: {1}")]
    Options(String, String),
    /// The profile of a player cannot be read.
    #[error("the profile of {0} cannot be read: {1}")]
    Profile(String, String),
    /// Records are missing, doubled or out of order.
    #[error("the record of tick {expected} should come next, and that of tick {found} does")]
    Gap {
        /// The tick that comes next.
        expected: u32,
        /// The tick of the record.
        found: u32,
    },
    /// A record contradicts those before it.
    #[error("the record of tick {tick} cannot be: {what}")]
    Record {
        /// Its tick.
        tick: u32,
        /// The contradiction, in words.
        what: &'static str,
    },
    /// A checkpoint cannot be written or read: the reason, in words.
    #[error("a checkpoint of it is of no use: {0}")]
    Checkpoint(String),
}

impl<S: Simulation> Replay<S> {
    /// The room as it was made.
    ///
    /// # Errors
    /// [`ReplayError`] if the journal is of another game, or of other field tables.
    pub fn new(head: &JournalHead) -> Result<Self, ReplayError> {
        let schema = check_head::<S>(head)?;
        let options = read_options::<S::RoomOptions>(&head.options, "the room")?;
        let new = NewRoom { seed: head.seed, name: &head.room, options };
        let mut replay = Replay::with_simulation(head, schema, S::new(&new));
        replay.simulation.static_data(replay.outbox.static_data());
        replay.take_static_data();
        Ok(replay)
    }

    fn with_simulation(head: &JournalHead, schema: Schema, simulation: S) -> Self {
        Replay {
            simulation,
            seed: head.seed,
            tick: Tick(0),
            hash: 0,
            seats: BTreeMap::new(),
            spectators: BTreeMap::new(),
            newest_player: PlayerId(0),
            static_data: StaticStore::default(),
            static_edits: Vec::new(),
            static_bytes_max: usize::try_from(head.static_bytes_max).unwrap_or(usize::MAX),
            view_delay_max: head.rewind_ticks_max as f32,
            input_codec: InputRecordCodec::new(&schema),
            command_codec: CommandCodec::new(&schema),
            schema,
            inputs: Vec::new(),
            view_delays: Vec::new(),
            commands: Vec::new(),
            outbox: Outbox::default(),
            capture: Capture::default(),
            keeps_lanes: false,
            lanes: None,
            difference: None,
        }
    }

    /// Keeps the lanes of every tick for [`Replay::lanes`].
    #[must_use]
    pub fn with_lanes(self) -> Self {
        Replay { keeps_lanes: true, ..self }
    }

    /// Keeps the lanes of every tick from now on, or no longer does.
    pub(crate) fn set_keeps_lanes(&mut self, keeps_lanes: bool) {
        self.keeps_lanes = keeps_lanes;
    }

    /// Runs the tick of `record`, the one after the last.
    ///
    /// # Errors
    /// [`ReplayError`] if that is no record of this room's next tick. The replay is of no use after that.
    pub fn step(&mut self, record: &TickRecord) -> Result<(), ReplayError> {
        // A room that is as old as ticks count goes on at 1.
        let next = Tick(self.tick.next().0.max(1));
        if record.tick != next {
            return Err(ReplayError::Gap { expected: next.0, found: record.tick.0 });
        }
        self.tick = next;
        self.outbox = Outbox::default();
        let wrong = |what| ReplayError::Record { tick: next.0, what };
        for change in &record.changes {
            self.change(change)?;
        }
        self.take_inputs(&record.inputs).map_err(wrong)?;
        self.take_commands(&record.commands).map_err(wrong)?;
        let inputs = Inputs::new(next, &self.inputs)
            .with_commands(&self.commands)
            .with_view_delays(&self.view_delays);
        self.simulation.step(&inputs, &mut self.outbox);
        self.take_static_data();
        self.look(record.lanes.is_some() || self.keeps_lanes);
        self.compare(record);
        Ok(())
    }

    /// The last tick that was run.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The game's field tables.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The hash of the last tick.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The game's own state.
    pub fn simulation(&self) -> &S {
        &self.simulation
    }

    /// People with a seat, bots, and spectators, now.
    pub fn members(&self) -> [usize; 3] {
        let bots = self.seats.values().filter(|seat| seat.is_bot()).count();
        [self.seats.len() - bots, bots, self.spectators.len()]
    }

    /// The highest number of all who ever came.
    pub fn newest_player(&self) -> PlayerId {
        self.newest_player
    }

    /// Moves the events and the edits of static data of the last step to `outbox`.
    pub(super) fn move_told(&mut self, outbox: &mut Outbox<S>) {
        for edit in self.static_edits.drain(..) {
            match edit {
                StaticEdit::Set { key, bytes } => self.outbox.static_data().set(key, bytes),
                StaticEdit::Change { key, offset, bytes } => {
                    self.outbox.static_data().change(key, offset, bytes);
                }
            }
        }
        outbox.append(&mut self.outbox);
    }

    /// Every key of its static data, with the bytes as they are now.
    pub(super) fn static_bytes(&self) -> impl Iterator<Item = (u8, Vec<u8>)> + '_ {
        self.static_data.bytes()
    }

    /// The state that it came to.
    pub(super) fn into_state(self) -> ReplayedState<S> {
        let Replay { simulation, seed, tick, seats, spectators, static_data, .. } = self;
        ReplayedState { simulation, seed, tick, seats, spectators, static_data }
    }

    /// All that the game showed in the last tick, by entity, if it was [kept](Replay::with_lanes).
    pub fn lanes(&self) -> Option<&[EntityLanes]> {
        self.lanes.as_deref()
    }

    /// The first tick that did not come to what was recorded, if there was one.
    pub fn difference(&self) -> Option<&ReplayDifference> {
        self.difference.as_ref()
    }

    fn change(&mut self, change: &SeatChange) -> Result<(), ReplayError> {
        let tick = self.tick.0;
        let wrong = |what| Err(ReplayError::Record { tick, what });
        if let SeatChange::Join { player, .. } = change {
            self.newest_player = self.newest_player.max(*player);
        }
        match change {
            SeatChange::Join { player, name, account, profile, options, role, resume } => {
                let member = ReplayMember {
                    player: *player,
                    name: name.clone(),
                    account: account.clone(),
                    fence: profile.as_ref().map(|profile| profile.fence),
                    role: *role,
                    is_away: false,
                    resume: *resume,
                    stepped: SteppedCommands::default(),
                };
                if *role == SeatRole::Spectator {
                    return match self.spectators.insert(*player, member) {
                        Some(_) => wrong("a spectator comes who is there"),
                        None => Ok(()),
                    };
                }
                let who = format!("player {}", player.0);
                let options = read_options::<S::JoinOptions>(options, &who)?;
                let is_bot = *role == SeatRole::Bot;
                if self.seats.insert(*player, ReplaySeat::new(member)).is_some() {
                    return wrong("a player joins who has a seat");
                }
                let saved = profile.as_ref().and_then(|profile| profile.saved.as_ref());
                let profile = saved.map(read_profile::<S>).transpose();
                let profile = profile.map_err(|error| ReplayError::Profile(who, error))?;
                let (id, account) = (*player, account.as_ref());
                self.simulation.join(&NewPlayer { id, name, account, profile, options, is_bot });
            }
            SeatChange::Leave { player, reason } => {
                if self.seats.remove(player).is_some() {
                    self.simulation.leave(*player, *reason);
                } else if self.spectators.remove(player).is_none() {
                    return wrong("somebody leaves who is not there");
                }
            }
            SeatChange::Away { player } | SeatChange::Back { player } => {
                let Some(seat) = self.seats.get_mut(player) else {
                    return wrong("somebody is away or back who has no seat");
                };
                seat.member.is_away = matches!(change, SeatChange::Away { .. });
                match seat.member.is_away {
                    true => self.simulation.away(*player),
                    false => self.simulation.back(*player),
                }
            }
            SeatChange::Saved { player, tick, outcome } => {
                if !self.seats.contains_key(player) {
                    return wrong("a save is of somebody who has no seat");
                }
                self.simulation.saved(*player, *tick, *outcome);
            }
            SeatChange::Scored { player, board, tick, outcome } => {
                let board = S::SCORE_BOARDS.get(usize::from(*board));
                let Some(board) = board.filter(|_| self.seats.contains_key(player)) else {
                    return wrong("a score is of no board, or of somebody who has no seat");
                };
                self.simulation.scored(*player, *board, *tick, *outcome);
            }
        }
        Ok(())
    }

    fn take_inputs(&mut self, bits: &[u8]) -> Result<(), &'static str> {
        self.inputs.clear();
        self.view_delays.clear();
        let mut reader = BitReader::new(bits);
        for (player, seat) in &mut self.seats {
            if seat.is_bot() {
                self.inputs.push((*player, self.simulation.bot_input(*player, self.tick)));
                self.view_delays.push(0.0);
                continue;
            }
            let taken = self.input_codec.read(&mut reader);
            let input = seat.take::<S>(taken.map_err(|_| "its inputs end early")?);
            self.inputs.push((*player, input));
            let delay = f32::from(seat.held.view_delay) / VIEW_DELAY_UNITS as f32;
            self.view_delays.push(delay.min(self.view_delay_max));
        }
        reader.finish().map_err(|_| "it has more inputs than there are players")
    }

    fn take_commands(&mut self, records: &[CommandRecord]) -> Result<(), &'static str> {
        self.commands.clear();
        for CommandRecord { player, request, kind, fields } in records {
            let seat = self.seats.get_mut(player);
            let seat = seat.ok_or("a command is of somebody who has no seat")?;
            seat.member.stepped.note(*request);
            let command = self.command_codec.decode(*kind, fields);
            self.commands.push((*player, command.map_err(|_| "a command is none of the game's")?));
        }
        Ok(())
    }

    fn take_static_data(&mut self) {
        let limits = (self.tick, self.static_bytes_max);
        self.static_edits = self.outbox.static_data().drain().collect();
        self.static_data.apply(limits, self.static_edits.iter().cloned());
    }

    /// Takes in what the game shows.
    fn look(&mut self, with_lanes: bool) {
        let mut digest = StateDigest::new(with_lanes);
        self.simulation.capture(&mut self.capture);
        let mut lanes = [0; LANES_MAX];
        for shown in self.capture.drain() {
            let kind = shown.entity.kind();
            shown.entity.to_lanes(&mut lanes);
            let count = self.schema.entities[usize::from(kind)].lanes();
            digest.add(shown.id, kind, shown.owner, &lanes[..count]);
        }
        (self.hash, self.lanes) = digest.finish();
    }

    fn compare(&mut self, record: &TickRecord) {
        if self.difference.is_none()
            && let Some(recorded_hash) = record.hash.filter(|hash| *hash != self.hash)
        {
            self.difference = Some(ReplayDifference {
                tick: record.tick.0,
                recorded_hash,
                replayed_hash: self.hash,
                lanes_tick: None,
                lane: None,
            });
        }
        let Some(difference) = self.difference.as_mut().filter(|it| !it.is_settled()) else {
            return;
        };
        if let (Some(recorded), Some(replayed)) = (&record.lanes, &self.lanes) {
            difference.lanes_tick = Some(record.tick.0);
            difference.lane = first_difference(&self.schema, recorded, replayed);
        }
    }
}

impl<I: Copy + Default> ReplaySeat<I> {
    fn new(member: ReplayMember) -> Self {
        ReplaySeat { member, held: BufferedInput::default(), missed_ticks: 0 }
    }

    pub(super) fn is_bot(&self) -> bool {
        self.member.role == SeatRole::Bot
    }

    /// The seat's input in a tick for which the journal has `taken`.
    fn take<S: Simulation<Input = I>>(&mut self, taken: TakenInput<I>) -> I {
        match taken {
            TakenInput::Missing => {
                self.missed_ticks = self.missed_ticks.saturating_add(1);
                return S::missing_input(self.held.input, self.missed_ticks);
            }
            TakenInput::New(held) => self.held = held,
            TakenInput::Same => {}
        }
        self.missed_ticks = 0;
        self.held.input
    }
}

impl<S: Simulation> std::fmt::Debug for Replay<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Replay(tick {}, {:?})", self.tick.0, self.difference)
    }
}

/// This build's field tables, if the journal's version and tables are the same.
fn check_head<S: Simulation>(head: &JournalHead) -> Result<Schema, ReplayError> {
    let schema = own_schema::<S>(head)?;
    if head.version != S::VERSION {
        return Err(ReplayError::Version { recorded: head.version, own: S::VERSION });
    }
    if head.schema != schema {
        let what = head.schema.difference(&schema);
        let what = what.unwrap_or_else(|| "events, commands or the tick rate".to_owned());
        return Err(ReplayError::Schema(what));
    }
    Ok(schema)
}

/// This build's field tables, if the journal is of the same game.
fn own_schema<S: Simulation>(head: &JournalHead) -> Result<Schema, ReplayError> {
    let schema = Schema { model: Vec::new(), ..schema_of::<S>() };
    match head.schema.game == schema.game {
        true => Ok(schema),
        false => Err(ReplayError::OtherGame(head.schema.game.clone())),
    }
}

/// As a room reads options of peers, but of any length: these were read before.
fn read_options<T: Options>(text: &Redacted, whose: &str) -> Result<T, ReplayError> {
    if text.is_empty() {
        return Ok(T::default());
    }
    let read = serde_json::from_str::<T::Json>(text.as_str());
    read.map(Into::into).map_err(|error| ReplayError::Options(whose.to_owned(), error.to_string()))
}
