//! The room's side of its journal: the game, and a record of every call that changes it.

use std::ops::Deref;

use tickwire_shared::bits::BitWriter;
use tickwire_shared::command::CommandCodec;
use tickwire_shared::control::RequestId;
use tickwire_shared::quantize::Kinds;
use tickwire_shared::schema::LANES_MAX;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{
    Inputs, LeaveReason, NewPlayer, Outbox, PlayerId, SaveOutcome, Simulation, Tick,
};

use super::Room;
use super::playback::Playback;
use super::profile::JoinProfile;
use super::record::{
    CommandRecord, InputRecordCodec, JournalEntry, SeatChange, SeatRole, TickRecord,
};
use super::resume_right::ResumeRight;
use super::state_hash::StateDigest;

/// A game, of which nothing changes but by what the journal has too: there is no other way to a `&mut S`.
#[derive(Debug)]
pub(super) struct RecordedGame<S: Simulation> {
    game: Game<S>,
    /// `None` unless a journal is kept.
    recorder: Option<Box<Recorder>>,
}

#[derive(Debug)]
enum Game<S: Simulation> {
    Live(S),
    /// What its members see was recorded before.
    Replayed(Box<Playback<S>>),
}

/// The parts of the next record, and the last record until it is polled.
#[derive(Debug)]
struct Recorder {
    changes: Vec<SeatChange>,
    /// Ticks between two records with all lanes; 0 for none.
    lanes_ticks: u32,
    inputs: InputRecordCodec,
    commands: CommandCodec,
    /// Of the tick that is stepped.
    digest: StateDigest,
    /// Of the last tick, or of the one that is stepped.
    record: Option<TickRecord>,
}

impl<S: Simulation> Deref for RecordedGame<S> {
    type Target = S;

    fn deref(&self) -> &S {
        match &self.game {
            Game::Live(simulation) => simulation,
            Game::Replayed(playback) => playback.simulation(),
        }
    }
}

impl<S: Simulation> RecordedGame<S> {
    pub(super) fn new(simulation: S) -> Self {
        RecordedGame { game: Game::Live(simulation), recorder: None }
    }

    /// A game that runs the records of `playback`, whatever else it is told.
    pub(super) fn replayed(playback: Playback<S>) -> Self {
        RecordedGame { game: Game::Replayed(Box::new(playback)), recorder: None }
    }

    /// The playback; `None` of a live game.
    pub(super) fn playback(&self) -> Option<&Playback<S>> {
        match &self.game {
            Game::Live(_) => None,
            Game::Replayed(playback) => Some(playback),
        }
    }

    pub(super) fn playback_mut(&mut self) -> Option<&mut Playback<S>> {
        match &mut self.game {
            Game::Live(_) => None,
            Game::Replayed(playback) => Some(playback),
        }
    }

    /// Calls the live game.
    fn live(&mut self, call: impl FnOnce(&mut S)) {
        if let Game::Live(simulation) = &mut self.game {
            call(simulation);
        }
    }

    /// A player takes a seat; `options` are its join options as they came, and by `resume` it goes on with its session
    /// at a server that was started again.
    pub(super) fn join(
        &mut self,
        new: &NewPlayer<S>,
        profile: Option<&JoinProfile>,
        options: &str,
        resume: Option<ResumeRight>,
    ) {
        let role = if new.is_bot { SeatRole::Bot } else { SeatRole::Player };
        self.note(|| SeatChange::Join {
            player: new.id,
            name: new.name.to_owned(),
            account: new.account.cloned(),
            profile: profile.cloned(),
            options: options.into(),
            role,
            resume,
        });
        self.live(|game| game.join(new));
    }

    pub(super) fn leave(&mut self, player: PlayerId, reason: LeaveReason) {
        self.note(|| SeatChange::Leave { player, reason });
        self.live(|game| game.leave(player, reason));
    }

    pub(super) fn away(&mut self, player: PlayerId) {
        self.note(|| SeatChange::Away { player });
        self.live(|game| game.away(player));
    }

    pub(super) fn back(&mut self, player: PlayerId) {
        self.note(|| SeatChange::Back { player });
        self.live(|game| game.back(player));
    }

    pub(super) fn saved(&mut self, player: PlayerId, tick: Tick, outcome: SaveOutcome) {
        self.note(|| SeatChange::Saved { player, tick, outcome });
        self.live(|game| game.saved(player, tick, outcome));
    }

    pub(super) fn scored(
        &mut self,
        player: PlayerId,
        board: u8,
        (tick, outcome): (Tick, SaveOutcome),
    ) {
        let Some(of_game) = S::SCORE_BOARDS.get(usize::from(board)) else { return };
        self.note(|| SeatChange::Scored { player, board, tick, outcome });
        self.live(|game| game.scored(player, *of_game, tick, outcome));
    }

    pub(super) fn step(&mut self, inputs: &Inputs<'_, S>, outbox: &mut Outbox<S>) {
        match &mut self.game {
            Game::Live(simulation) => simulation.step(inputs, outbox),
            Game::Replayed(playback) => playback.step(outbox),
        }
    }

    /// A spectator came: the journal alone is told.
    pub(super) fn watched_by(&mut self, player: PlayerId, name: &str, resume: Option<ResumeRight>) {
        self.note(|| SeatChange::Join {
            player,
            name: name.to_owned(),
            account: None,
            profile: None,
            options: "".into(),
            role: SeatRole::Spectator,
            resume,
        });
    }

    /// A spectator left: the journal alone is told.
    pub(super) fn left_by_spectator(&mut self, player: PlayerId, reason: LeaveReason) {
        self.note(|| SeatChange::Leave { player, reason });
    }

    /// The digest of the states after the step of `tick`, if a journal is kept.
    pub(super) fn digest(&mut self, tick: Tick) -> Option<&mut StateDigest> {
        let recorder = self.recorder.as_mut()?;
        let every = recorder.lanes_ticks;
        recorder.digest = StateDigest::new(every > 0 && tick.0.is_multiple_of(every));
        Some(&mut recorder.digest)
    }

    fn note(&mut self, change: impl FnOnce() -> SeatChange) {
        if let Some(recorder) = &mut self.recorder {
            recorder.changes.push(change());
        }
    }
}

impl<S: Simulation> Room<S> {
    /// Keeps a journal from now on: [`Room::poll_journal`] gives a record after each tick. One in `lanes_ticks` has all that
    /// the game showed, so that a replay that differs can say where; with 0 none has. Call it on a room that nobody was in,
    /// or on a [restored](Room::restored) one before its first tick.
    pub fn start_journal(&mut self, lanes_ticks: u32) {
        let schema = schema_of::<S>();
        self.simulation.recorder = Some(Box::new(Recorder {
            changes: Vec::new(),
            lanes_ticks,
            inputs: InputRecordCodec::new(&schema),
            commands: CommandCodec::new(&schema),
            digest: StateDigest::default(),
            record: None,
        }));
    }

    /// Keeps none any more.
    pub fn stop_journal(&mut self) {
        self.simulation.recorder = None;
    }

    /// The record of the last tick, a [`JournalEntry`] in bytes, once; `None` if no journal is kept. One that was not
    /// polled before the next tick is lost, and with it all after it. Where the game panicked in a step it is what that step
    /// was given: a replay panics there too.
    pub fn poll_journal(&mut self) -> Option<Vec<u8>> {
        let record = self.simulation.recorder.as_mut()?.record.take()?;
        Some(JournalEntry::Tick(record).to_bytes())
    }

    /// True if somebody came or left since the last record. A room that has become empty needs one more step then.
    pub fn has_unrecorded_changes(&self) -> bool {
        self.simulation.recorder.as_ref().is_some_and(|recorder| !recorder.changes.is_empty())
    }

    /// Notes what the step of this tick is given.
    pub(super) fn begin_record(&mut self) {
        let Some(recorder) = &mut self.simulation.recorder else { return };
        let mut writer = BitWriter::default();
        for member in self.members.values_mut() {
            if let Some(inputs) = &mut member.inputs {
                recorder.inputs.write(&mut writer, &inputs.taken_since_recorded());
            }
        }
        let commands = self.commands.taken().iter().zip(self.commands.requests());
        let commands = commands
            .map(|((player, command), request)| recorder.command((*player, *request), command));
        recorder.record = Some(TickRecord {
            tick: self.tick,
            commands: commands.collect(),
            changes: std::mem::take(&mut recorder.changes),
            inputs: writer.into_bytes(),
            hash: None,
            lanes: None,
        });
    }

    /// Notes what it came to.
    pub(super) fn end_record(&mut self) {
        let Some(recorder) = &mut self.simulation.recorder else { return };
        let (hash, lanes) = std::mem::take(&mut recorder.digest).finish();
        if let Some(record) = &mut recorder.record {
            (record.hash, record.lanes) = (Some(hash), lanes);
        }
    }
}

impl Recorder {
    fn command<C: Kinds>(
        &self,
        (player, request): (PlayerId, RequestId),
        command: &C,
    ) -> CommandRecord {
        let (mut lanes, kind) = ([0; LANES_MAX], command.kind());
        command.to_lanes(&mut lanes);
        let fields = self.commands.encode(kind, &lanes).unwrap_or_default();
        CommandRecord { player, request, kind, fields }
    }
}
