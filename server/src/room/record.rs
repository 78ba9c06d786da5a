//! A room's journal: a head, and one record a tick of everything that the rules were given.
//!
//! Inputs that the rules make themselves are not kept: those of bots, and those in place of missing ones. A replay asks the
//! rules for them again.

use serde::{Deserialize, Serialize};
use tickwire_shared::bits::{BitError, BitReader, BitStream, BitWriter, INFALLIBLE};
use tickwire_shared::control::{Redacted, RequestId};
use tickwire_shared::delta::LaneTable;
use tickwire_shared::quantize::Lanes;
use tickwire_shared::schema::{LANES_MAX, Schema};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Account, EntityId, LeaveReason, PlayerId, SaveOutcome, Simulation, Tick};

use super::inputs::{BufferedInput, TakenInput};
use super::profile::JoinProfile;
use super::resume_right::ResumeRight;
use crate::config::RoomConfig;

/// The making of a room: its name, seed and options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalHead {
    /// The version of the game's state and rules: [`Simulation::VERSION`].
    pub version: u32,
    /// The game's field tables, without its model.
    pub schema: Schema,
    /// The room's name.
    pub room: String,
    /// The seed of its random numbers.
    pub seed: u64,
    /// The room options as they came, as JSON; empty for the default.
    pub options: Redacted,
    /// The number of its first bot.
    pub first_bot: PlayerId,
    /// It was made by a quick match: it has no host.
    pub is_quick: bool,
    /// The setting `room.rewind_ticks_max`, which bounds what the rules are told of view delays.
    pub rewind_ticks_max: u32,
    /// The setting `room.static_bytes_max`, which bounds the static data.
    pub static_bytes_max: u64,
}

/// One entry of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum JournalEntry {
    /// A tick.
    Tick(TickRecord),
    /// The room was let go after this.
    Closed,
}

/// One tick: the changes since the tick before, the inputs and commands of the step, and the hash of its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TickRecord {
    /// Its number.
    pub tick: Tick,
    /// Joins, leaves and lost connections before it, in order.
    pub changes: Vec<SeatChange>,
    /// The inputs of people with a seat, by player, as bits.
    pub inputs: Vec<u8>,
    /// The commands of the tick, in the order in which the rules had them.
    pub commands: Vec<CommandRecord>,
    /// The hash of all that the game showed after the step; `None` if it panicked.
    pub hash: Option<u64>,
    /// All that it showed, by entity; in few ticks.
    pub lanes: Option<Vec<EntityLanes>>,
}

/// Somebody came, went, lost the connection or is back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SeatChange {
    /// A player or a spectator came.
    Join {
        /// Its number.
        player: PlayerId,
        /// Its display name.
        name: String,
        /// Its account; `None` for a guest, a bot and a spectator.
        account: Option<Account>,
        /// The profile of its account, as the rules were given it; `None` where none is kept.
        profile: Option<JoinProfile>,
        /// The join options as they came, as JSON; empty for the default.
        options: Redacted,
        /// Its part in the room.
        role: SeatRole,
        /// By which it resumes its session at a server that was started again; `None` if it cannot.
        resume: Option<ResumeRight>,
    },
    /// A player or a spectator left.
    Leave {
        /// Its number.
        player: PlayerId,
        /// The game's reason.
        reason: LeaveReason,
    },
    /// A player's connection was lost.
    Away {
        /// Its number.
        player: PlayerId,
    },
    /// A player is back.
    Back {
        /// Its number.
        player: PlayerId,
    },
    /// The rules were told what became of a save.
    Saved {
        /// The player's number.
        player: PlayerId,
        /// The step that saved.
        tick: Tick,
        /// What became of it.
        outcome: SaveOutcome,
    },
    /// The rules were told what became of a score.
    Scored {
        /// The player's number.
        player: PlayerId,
        /// The board's place in [`Simulation::SCORE_BOARDS`].
        board: u8,
        /// The step that scored.
        tick: Tick,
        /// What became of it.
        outcome: SaveOutcome,
    },
}

/// The part of a member in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeatRole {
    /// A person who plays.
    Player,
    /// A bot of the server's own.
    Bot,
    /// A person who watches: the rules know nothing of it.
    Spectator,
}

/// A command of a tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// The sender.
    pub player: PlayerId,
    /// The sender's number for it.
    pub request: RequestId,
    /// Its place in the schema.
    pub kind: u8,
    /// Its fields, as they are on the wire.
    pub fields: Vec<u8>,
}

/// An entity as it was shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntityLanes {
    /// Its number.
    pub id: EntityId,
    /// The number of its kind.
    pub kind: u8,
    /// Its owner, if any.
    pub owner: Option<PlayerId>,
    /// Its lanes.
    pub lanes: Vec<i32>,
}

impl JournalHead {
    /// The head of a room that is about to be made.
    pub fn new<S: Simulation>(
        (room, seed): (&str, u64),
        options: &Redacted,
        config: &RoomConfig,
    ) -> Self {
        JournalHead {
            version: S::VERSION,
            schema: Schema { model: Vec::new(), ..schema_of::<S>() },
            room: room.to_owned(),
            seed,
            options: options.clone(),
            first_bot: PlayerId(0),
            is_quick: false,
            rewind_ticks_max: config.rewind_ticks_max,
            static_bytes_max: config.static_bytes_max as u64,
        }
    }
}

impl JournalEntry {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("an entry holds nothing that cannot be written")
    }

    /// Reads an entry from [its bytes](JournalEntry::to_bytes).
    ///
    /// # Errors
    /// If the bytes are no entry, or more than one.
    pub fn from_bytes(bytes: &[u8]) -> postcard::Result<Self> {
        match postcard::take_from_bytes(bytes)? {
            (entry, []) => Ok(entry),
            _ => Err(postcard::Error::DeserializeBadEncoding),
        }
    }
}

/// Reads and writes the inputs of a tick: one bit for the same as before, two for a missing one.
#[derive(Clone, Debug)]
pub(super) struct InputRecordCodec {
    table: LaneTable,
}

impl InputRecordCodec {
    pub(super) fn new(schema: &Schema) -> Self {
        InputRecordCodec { table: LaneTable::new(&schema.input, schema.tick_hz) }
    }

    pub(super) fn write<I: Lanes>(&self, writer: &mut BitWriter, taken: &TakenInput<I>) {
        let mut prefix = match taken {
            TakenInput::Same => return writer.flag(&mut false).expect(INFALLIBLE),
            TakenInput::Missing => 0b01,
            TakenInput::New(_) => 0b11,
        };
        writer.bits(&mut prefix, 2).expect(INFALLIBLE);
        if let TakenInput::New(BufferedInput { input, view_delay }) = taken {
            let mut lanes = [0; LANES_MAX];
            input.to_lanes(&mut lanes);
            self.table.whole(writer, &mut lanes[..self.table.len()], true).expect(INFALLIBLE);
            writer.bits(&mut u32::from(*view_delay), 8).expect(INFALLIBLE);
        }
    }

    pub(super) fn read<I: Lanes>(
        &self,
        reader: &mut BitReader<'_>,
    ) -> Result<TakenInput<I>, BitError> {
        let (mut differs, mut came) = (false, false);
        reader.flag(&mut differs)?;
        if !differs {
            return Ok(TakenInput::Same);
        }
        reader.flag(&mut came)?;
        if !came {
            return Ok(TakenInput::Missing);
        }
        let (mut lanes, mut view_delay) = ([0; LANES_MAX], 0);
        self.table.whole(reader, &mut lanes[..self.table.len()], true)?;
        reader.bits(&mut view_delay, 8)?;
        let input = I::from_lanes(&lanes);
        Ok(TakenInput::New(BufferedInput { input, view_delay: view_delay as u8 }))
    }
}
