//! The rules of a room run again by its journal, with no members and no network.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tickwire_shared::bits::BitReader;
use tickwire_shared::command::CommandCodec;
use tickwire_shared::control::Redacted;
use tickwire_shared::input::VIEW_DELAY_UNITS;
use tickwire_shared::quantize::Kinds as _;
use tickwire_shared::schema::{FieldSchema, FieldType, FieldValues, KindSchema, LANES_MAX, Schema};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Capture, Inputs, NewPlayer, NewRoom, Outbox, PlayerId, Simulation, Tick};

use super::inputs::{BufferedInput, TakenInput};
use super::record::{
    CommandRecord, EntityLanes, InputRecordCodec, JournalHead, SeatChange, SeatRole, TickRecord,
};
use super::state_hash::StateDigest;

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
    schema: Schema,
    tick: Tick,
    hash: u64,
    seats: BTreeMap<PlayerId, ReplaySeat<S::Input>>,
    spectators: BTreeMap<PlayerId, String>,
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
struct ReplaySeat<I> {
    is_bot: bool,
    held: BufferedInput<I>,
    missed_ticks: u32,
}

/// A journal cannot be run again, or cannot be run further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It is of another game.
    #[error("the journal is of the game {0:?}, not of this one")]
    OtherGame(String),
    /// The field tables of this build are others.
    #[error("the field tables are others than when the journal was written: {0}")]
    Schema(String),
    /// The room options or join options cannot be read.
    #[error("the options of {0} cannot be read: {1}")]
    Options(String, String),
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
}

/// The first tick that did not come to what it came to when it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplayDifference {
    /// The tick.
    pub tick: u32,
    /// The hash that was recorded.
    pub recorded_hash: u64,
    /// The hash of the replay.
    pub replayed_hash: u64,
    /// The first tick from then on whose lanes were recorded, if it was reached.
    pub lanes_tick: Option<u32>,
    /// The first lane that differs in that tick.
    pub lane: Option<LaneDifference>,
}

/// The first lane that differs, by entity and then by field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneDifference {
    /// The entity.
    pub entity: u32,
    /// Its kind.
    pub kind: String,
    /// The field; `None` where the whole entity is not there, is there twice, or is of another kind on one side.
    pub field: Option<String>,
    /// The recorded value in the field's unit; `None` where there is none.
    pub recorded: Option<f64>,
    /// The value of the replay.
    pub replayed: Option<f64>,
}

impl ReplayDifference {
    /// Nothing more will be known of it.
    pub fn is_settled(&self) -> bool {
        self.lanes_tick.is_some()
    }
}

impl std::fmt::Display for ReplayDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ReplayDifference { tick, recorded_hash, replayed_hash, .. } = self;
        let hashes = format!("recorded {recorded_hash:016x}, replayed {replayed_hash:016x}");
        write!(f, "tick {tick} differs: {hashes}")?;
        match (self.lanes_tick, &self.lane) {
            (None, _) => write!(f, "; no later record has the lanes to say where"),
            (Some(tick), None) => write!(f, "; in tick {tick} all lanes are equal again"),
            (Some(tick), Some(lane)) => write!(f, "; in tick {tick} first {lane}"),
        }
    }
}

impl std::fmt::Display for LaneDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LaneDifference { entity, kind, field, recorded, replayed } = self;
        let Some(field) = field else {
            return write!(f, "{kind}, entity {entity}, which is not the same on both sides");
        };
        let value = |value: &Option<f64>| value.map_or("none".to_owned(), |it| it.to_string());
        let (recorded, replayed) = (value(recorded), value(replayed));
        write!(f, "{kind}.{field} of entity {entity}: recorded {recorded}, replayed {replayed}")
    }
}

impl<S: Simulation> Replay<S> {
    /// The room as it was made.
    ///
    /// # Errors
    /// [`ReplayError`] if the journal is of another game, or of other field tables.
    pub fn new(head: &JournalHead) -> Result<Self, ReplayError> {
        let schema = Schema { model: Vec::new(), ..schema_of::<S>() };
        if head.schema.game != schema.game {
            return Err(ReplayError::OtherGame(head.schema.game.clone()));
        }
        if head.schema != schema {
            let what = head.schema.difference(&schema);
            let what = what.unwrap_or_else(|| "events, commands or the tick rate".to_owned());
            return Err(ReplayError::Schema(what));
        }
        let options = read_options::<S::RoomOptions>(&head.options, "the room")?;
        let new = NewRoom { seed: head.seed, name: &head.room, options };
        Ok(Replay {
            simulation: S::new(&new),
            tick: Tick(0),
            hash: 0,
            seats: BTreeMap::new(),
            spectators: BTreeMap::new(),
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
        })
    }

    /// Keeps the lanes of every tick for [`Replay::lanes`].
    #[must_use]
    pub fn with_lanes(self) -> Self {
        Replay { keeps_lanes: true, ..self }
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
        self.outbox = Outbox::default();
        self.look(record.lanes.is_some() || self.keeps_lanes);
        self.compare(record);
        Ok(())
    }

    /// The last tick that was run.
    pub fn tick(&self) -> Tick {
        self.tick
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
        let bots = self.seats.values().filter(|seat| seat.is_bot).count();
        [self.seats.len() - bots, bots, self.spectators.len()]
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
        match change {
            SeatChange::Join { player, name, role: SeatRole::Spectator, .. } => {
                match self.spectators.insert(*player, name.clone()) {
                    Some(_) => return wrong("a spectator comes who is there"),
                    None => return Ok(()),
                }
            }
            SeatChange::Join { player, name, account, options, role } => {
                let who = format!("player {}", player.0);
                let options = read_options::<S::JoinOptions>(options, &who)?;
                let is_bot = *role == SeatRole::Bot;
                let (held, missed_ticks) = (BufferedInput::default(), 0);
                let seat = ReplaySeat { is_bot, held, missed_ticks };
                if self.seats.insert(*player, seat).is_some() {
                    return wrong("a player joins who has a seat");
                }
                let account = account.as_ref();
                self.simulation.join(&NewPlayer { id: *player, name, account, options, is_bot });
            }
            SeatChange::Leave { player, reason } => {
                if self.seats.remove(player).is_some() {
                    self.simulation.leave(*player, *reason);
                } else if self.spectators.remove(player).is_none() {
                    return wrong("somebody leaves who is not there");
                }
            }
            SeatChange::Away { player } | SeatChange::Back { player }
                if !self.seats.contains_key(player) =>
            {
                return wrong("somebody is away or back who has no seat");
            }
            SeatChange::Away { player } => self.simulation.away(*player),
            SeatChange::Back { player } => self.simulation.back(*player),
        }
        Ok(())
    }

    fn take_inputs(&mut self, bits: &[u8]) -> Result<(), &'static str> {
        self.inputs.clear();
        self.view_delays.clear();
        let mut reader = BitReader::new(bits);
        for (player, seat) in &mut self.seats {
            if seat.is_bot {
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
        for CommandRecord { player, kind, fields } in records {
            if !self.seats.contains_key(player) {
                return Err("a command is of somebody who has no seat");
            }
            let command = self.command_codec.decode(*kind, fields);
            self.commands.push((*player, command.map_err(|_| "a command is none of the game's")?));
        }
        Ok(())
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

impl<I: Copy> ReplaySeat<I> {
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

/// As a room reads options of peers, but of any length: these were read before.
fn read_options<T: Default + DeserializeOwned>(
    text: &Redacted,
    whose: &str,
) -> Result<T, ReplayError> {
    if text.is_empty() {
        return Ok(T::default());
    }
    let read = serde_json::from_str(text.as_str());
    read.map_err(|error| ReplayError::Options(whose.to_owned(), error.to_string()))
}

/// Both are by entity.
fn first_difference(
    schema: &Schema,
    recorded: &[EntityLanes],
    replayed: &[EntityLanes],
) -> Option<LaneDifference> {
    let equal = recorded.iter().zip(replayed).take_while(|(one, two)| one == two).count();
    let (one, two) = (recorded.get(equal), replayed.get(equal));
    let id = one.into_iter().chain(two).map(|entity| entity.id).min()?;
    let of_id = |entity: &&EntityLanes| entity.id == id;
    let (one, two) = (one.filter(of_id), two.filter(of_id));
    let known = one.or(two)?;
    let kind = schema.entities.get(usize::from(known.kind));
    let whole = LaneDifference {
        entity: id.0,
        kind: kind.map_or_else(|| format!("kind {}", known.kind), |kind| kind.name.clone()),
        field: None,
        recorded: None,
        replayed: None,
    };
    let (Some(one), Some(two), Some(kind)) = (one, two, kind) else { return Some(whole) };
    if one.kind != two.kind || one.lanes.len() != two.lanes.len() {
        return Some(whole);
    }
    let mut lanes = one.lanes.iter().zip(&two.lanes);
    let Some(lane) = lanes.position(|(one, two)| one != two) else {
        let owner = |entity: &EntityLanes| entity.owner.map(|owner| f64::from(owner.0));
        let field = Some("owner".to_owned());
        return Some(LaneDifference { field, recorded: owner(one), replayed: owner(two), ..whole });
    };
    let (field, step) = field_of_lane(kind, lane);
    let value = |lanes: &[i32]| Some(f64::from(lanes[lane]) * step);
    let (recorded, replayed) = (value(&one.lanes), value(&two.lanes));
    Some(LaneDifference { field: Some(field), recorded, replayed, ..whole })
}

/// The name of a lane's field, with the coordinate of a vector, and how much a lane's 1 is in its unit.
fn field_of_lane(kind: &KindSchema, lane: usize) -> (String, f64) {
    let mut first = 0;
    for field in &kind.fields {
        if lane < first + field.lanes() {
            return (lane_name(field, lane - first), f64::from(field.ty.step()));
        }
        first += field.lanes();
    }
    (format!("lane {lane}"), 1.0)
}

fn lane_name(field: &FieldSchema, lane: usize) -> String {
    let is_vector = matches!(field.ty, FieldType::Vec2 { .. } | FieldType::Vec3 { .. });
    match (is_vector, field.values) {
        (true, FieldValues::One) => format!("{}.{}", field.name, ["x", "y", "z"][lane.min(2)]),
        (false, _) if field.lanes() == 1 => field.name.clone(),
        _ => format!("{}[{lane}]", field.name),
    }
}
