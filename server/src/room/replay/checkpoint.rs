//! A replay in bytes, from which another one goes on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tickwire_shared::bits::{BitReader, BitWriter};
use tickwire_shared::{Account, PlayerId, Simulation, Tick};

use super::super::inputs::{BufferedInput, TakenInput};
use super::super::record::{JournalHead, SeatRole};
use super::super::resume_right::ResumeRight;
use super::super::static_data::{StaticState, StaticStore};
use super::super::stepped::SteppedCommands;
use super::{Replay, ReplayError, ReplaySeat, check_head, own_schema};

/// A player, bot or spectator of a replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayMember {
    /// Its number.
    pub player: PlayerId,
    /// Its display name.
    pub name: String,
    /// Its account; `None` for a guest, a bot and a spectator.
    pub account: Option<Account>,
    /// The number of its stay, if it may save a profile.
    pub fence: Option<u64>,
    /// Its part in the room.
    pub role: SeatRole,
    /// Its connection is lost. Never true of a bot or a spectator.
    pub is_away: bool,
    /// By which it resumes its session at a server that was started again; `None` if it cannot.
    pub resume: Option<ResumeRight>,
    /// Its last commands that a step had.
    pub stepped: SteppedCommands,
}

/// The part of a checkpoint before the bytes of the simulation.
#[derive(Serialize, Deserialize)]
struct RoomState {
    tick: Tick,
    hash: u64,
    /// By number.
    seats: Vec<SeatState>,
    /// By number.
    spectators: Vec<ReplayMember>,
    /// The inputs that people hold, in the order of their seats, as bits.
    held: Vec<u8>,
    /// The highest number of all who ever came.
    newest_player: PlayerId,
    static_data: StaticState,
}

#[derive(Serialize, Deserialize)]
struct SeatState {
    member: ReplayMember,
    missed_ticks: u32,
}

impl SeatState {
    /// The seat of a player who holds nothing.
    fn without_input<I: Copy + Default>(self) -> (PlayerId, ReplaySeat<I>) {
        let mut seat = ReplaySeat::new(self.member);
        seat.missed_ticks = self.missed_ticks;
        (seat.member.player, seat)
    }
}

impl<S: Simulation> Replay<S> {
    /// The whole state after the last tick: `postcard` of the members and then of the simulation.
    /// [`Replay::from_checkpoint`] goes on from it.
    ///
    /// # Errors
    /// [`ReplayError::Checkpoint`] if the game's state cannot be written in `postcard`, as with `#[serde(flatten)]`.
    pub fn checkpoint(&self) -> Result<Vec<u8>, ReplayError> {
        let mut held = BitWriter::default();
        for seat in self.seats.values().filter(|seat| !seat.is_bot()) {
            let taken = match seat.held == BufferedInput::default() {
                true => TakenInput::Same,
                false => TakenInput::New(seat.held),
            };
            self.input_codec.write(&mut held, &taken);
        }
        let seats = self.seats.values();
        let seats = seats.map(|ReplaySeat { member, missed_ticks, .. }| SeatState {
            member: member.clone(),
            missed_ticks: *missed_ticks,
        });
        let state = RoomState {
            tick: self.tick,
            hash: self.hash,
            seats: seats.collect(),
            spectators: self.spectators.values().cloned().collect(),
            held: held.into_bytes(),
            newest_player: self.newest_player,
            static_data: self.static_data.state(),
        };
        let failed = |error| ReplayError::Checkpoint(format!("it cannot be written: {error}"));
        let bytes = postcard::to_allocvec(&state).map_err(failed)?;
        postcard::to_extend(&self.simulation, bytes).map_err(failed)
    }

    /// The room of `head` as it was when `bytes` were its [checkpoint](Replay::checkpoint).
    ///
    /// # Errors
    /// [`ReplayError`] if it is of another game or of other field tables, or if the bytes give another room than the one that
    /// was written.
    pub fn from_checkpoint(head: &JournalHead, bytes: &[u8]) -> Result<Self, ReplayError> {
        let schema = check_head::<S>(head)?;
        let wrong = |what: &str| ReplayError::Checkpoint(what.to_owned());
        let (state, rest) = postcard::take_from_bytes::<RoomState>(bytes)
            .map_err(|_| wrong("its members cannot be read"))?;
        let (simulation, rest) = postcard::take_from_bytes::<S>(rest)
            .map_err(|error| wrong(&format!("the game's state cannot be read: {error}")))?;
        if !rest.is_empty() {
            return Err(wrong("the game's state is longer than what this build reads of it"));
        }
        let mut replay = Replay::with_simulation(head, schema, simulation);
        (replay.tick, replay.hash) = (state.tick, state.hash);
        replay.newest_player = state.newest_player;
        replay.static_data = StaticStore::from_state(state.static_data)
            .ok_or_else(|| wrong("its static data cannot be read"))?;
        replay.spectators =
            state.spectators.into_iter().map(|member| (member.player, member)).collect();
        replay.seats = replay.seats_of(state.seats, &state.held)?;
        // Nothing was shown before the first tick.
        if state.tick != Tick(0) {
            replay.look(false);
        }
        match replay.hash == state.hash {
            true => Ok(replay),
            false => Err(wrong("the game shows another world than the one that was saved")),
        }
    }

    /// The room of `head` as it was when `bytes` were its [checkpoint](Replay::checkpoint), in which it was played by another
    /// version of the game; and the head under which its journal goes on. Where the field tables are others, clients cannot
    /// resume; where those of inputs are, nobody holds any.
    ///
    /// # Errors
    /// [`ReplayError::Migrate`] with what the game says, [`ReplayError::OtherGame`], or [`ReplayError::Checkpoint`] for bytes
    /// that are none.
    pub fn migrated(head: &JournalHead, bytes: &[u8]) -> Result<(JournalHead, Self), ReplayError> {
        let schema = own_schema::<S>(head)?;
        let wrong = |what: &str| ReplayError::Checkpoint(what.to_owned());
        let (mut state, rest) = postcard::take_from_bytes::<RoomState>(bytes)
            .map_err(|_| wrong("its members cannot be read"))?;
        let simulation = S::migrate(head.version, rest)?;
        let is_resumable = head.schema == schema;
        let has_same_inputs = head.schema.input == schema.input;
        let head = JournalHead { version: S::VERSION, schema: schema.clone(), ..head.clone() };
        let mut replay = Replay::with_simulation(&head, schema, simulation);
        (replay.tick, replay.newest_player) = (state.tick, state.newest_player);
        replay.static_data = StaticStore::from_state(state.static_data)
            .ok_or_else(|| wrong("its static data cannot be read"))?;
        let seated = state.seats.iter_mut().map(|seat| &mut seat.member);
        for member in seated.chain(&mut state.spectators).filter(|_| !is_resumable) {
            member.resume = None;
        }
        replay.spectators =
            state.spectators.into_iter().map(|member| (member.player, member)).collect();
        replay.seats = match has_same_inputs {
            true => replay.seats_of(state.seats, &state.held)?,
            false => state.seats.into_iter().map(SeatState::without_input).collect(),
        };
        if state.tick != Tick(0) {
            replay.look(false);
        }
        Ok((head, replay))
    }

    /// All players, bots and spectators, by number and spectators last.
    pub fn all_members(&self) -> impl Iterator<Item = &ReplayMember> {
        self.seats.values().map(|seat| &seat.member).chain(self.spectators.values())
    }

    fn seats_of(
        &self,
        seats: Vec<SeatState>,
        held: &[u8],
    ) -> Result<BTreeMap<PlayerId, ReplaySeat<S::Input>>, ReplayError> {
        let wrong = |_| ReplayError::Checkpoint("the inputs of its players cannot be read".into());
        let mut reader = BitReader::new(held);
        let mut read = BTreeMap::new();
        for SeatState { member, missed_ticks } in seats {
            let mut seat = ReplaySeat::new(member);
            if !seat.is_bot()
                && let TakenInput::New(held) = self.input_codec.read(&mut reader).map_err(wrong)?
            {
                seat.held = held;
            }
            seat.missed_ticks = missed_ticks;
            read.insert(seat.member.player, seat);
        }
        reader.finish().map_err(wrong)?;
        Ok(read)
    }
}
