//! The command `replay` of a game's program: runs a journal again and prints the outcome.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command, value_parser};
use serde::Serialize;
use tickwire_shared::Simulation;

use super::error::JournalError;
use super::reader::{JournalEnd, JournalReader};
use super::segment::SegmentWriter;
use crate::guard::guarded;
use crate::room::{JournalEntry, Replay, ReplayDifference, ReplayError, TickRecord};

/// Runs `PROGRAM replay ...`; `args` begin with the program and `replay`.
pub(crate) fn replay_command<S: Simulation>(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // The word `replay` takes the place of the program's name.
    let matches = command().get_matches_from(args.into_iter().skip(1));
    let file = matches.get_one::<PathBuf>("file").expect("a required argument");
    let lanes = matches.get_one::<PathBuf>("lanes").map(PathBuf::as_path);
    let report = replay::<S>(file, lanes);
    match matches.get_flag("json") {
        true => println!("{}", serde_json::to_string(&report).unwrap_or_default()),
        false => println!("{report}"),
    }
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn command() -> Command {
    let path = |name: &'static str| Arg::new(name).value_parser(value_parser!(PathBuf));
    Command::new("replay")
        .about("Runs a room's journal again and compares every tick with what was recorded.")
        .after_help("Ends with 0 if every tick is as it was recorded, with 1 if not.")
        .arg(path("file").value_name("FILE").required(true).help("A room's journal: its folder, or its first segment"))
        .arg(path("lanes").long("lanes").value_name("DIR").help(
            "Write the same journal to DIR, with all lanes of every tick: replayed by another build, it names the first \
             entity and field that differ",
        ))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print one object of JSON"))
}

/// The outcome of a replay.
#[derive(Debug, Default, Serialize)]
struct ReplayReport {
    ok: bool,
    game: String,
    room: String,
    seed: u64,
    tick_hz: u32,
    /// The ticks that were run.
    ticks: u32,
    players_max: usize,
    players: usize,
    bots: usize,
    spectators: usize,
    /// Of the last tick.
    hash: String,
    /// The room was let go at the end.
    closed: bool,
    /// Bytes of a record that was cut at the end of the file.
    cut_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<ReplayDifference>,
    /// The reason why it stopped early.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The reason why a replay stopped before the end of its journal.
#[derive(Debug, thiserror::Error)]
enum ReplayCommandError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("the rules panic in tick {0}")]
    Panic(u32),
    #[error("{}: {error}", path.display())]
    Lanes { path: PathBuf, error: std::io::Error },
}

fn replay<S: Simulation>(file: &Path, lanes: Option<&Path>) -> ReplayReport {
    let mut report = ReplayReport::default();
    if let Err(error) = run::<S>(file, lanes, &mut report) {
        report.error = Some(error.to_string());
    }
    report.ok = report.error.is_none() && report.difference.is_none();
    report
}

fn run<S: Simulation>(
    file: &Path,
    lanes: Option<&Path>,
    report: &mut ReplayReport,
) -> Result<(), ReplayCommandError> {
    let mut journal = JournalReader::open(file)?;
    let head = journal.head();
    report.game.clone_from(&head.schema.game);
    report.room.clone_from(&head.room);
    (report.seed, report.tick_hz) = (head.seed, head.schema.tick_hz);
    let replay = guarded(|| Replay::<S>::new(head)).ok_or(ReplayCommandError::Panic(0))??;
    let mut replay = if lanes.is_some() { replay.with_lanes() } else { replay };
    let mut copy = lanes.map(|dir| SegmentWriter::new(dir.to_owned(), head.clone(), u64::MAX));
    while let Some(record) = journal.next_record()? {
        let panicked = ReplayCommandError::Panic(record.tick.0);
        guarded(|| replay.step(&record)).ok_or(panicked)??;
        report.take(&replay);
        if let (Some(copy), Some(dir)) = (&mut copy, lanes) {
            let lanes = replay.lanes().map(<[_]>::to_vec);
            copy.append(&JournalEntry::Tick(TickRecord { lanes, ..record }));
            let flushed = copy.flush(false);
            flushed.map_err(|error| ReplayCommandError::Lanes { path: dir.to_owned(), error })?;
        }
        if report.difference.as_ref().is_some_and(ReplayDifference::is_settled) {
            return Ok(());
        }
    }
    report.closed = journal.end() == JournalEnd::Closed;
    if let JournalEnd::Cut(bytes) = journal.end() {
        report.cut_bytes = bytes;
    }
    Ok(())
}

impl ReplayReport {
    fn take<S: Simulation>(&mut self, replay: &Replay<S>) {
        self.ticks += 1;
        [self.players, self.bots, self.spectators] = replay.members();
        self.players_max = self.players_max.max(self.players + self.bots);
        self.hash = format!("{:016x}", replay.hash());
        self.difference = replay.difference().cloned();
    }
}

impl std::fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ReplayReport { game, room, seed, ticks, players, bots, spectators, hash, .. } = self;
        if !game.is_empty() {
            let seconds = f64::from(*ticks) / f64::from(self.tick_hz.max(1));
            writeln!(f, "game {game}, room {room}, seed {seed}")?;
            writeln!(f, "{ticks} ticks, {seconds:.1} s of play")?;
            let most = self.players_max;
            writeln!(
                f,
                "{most} players at most; at the end {players}, {bots} bots, {spectators} spectators"
            )?;
            writeln!(f, "hash {hash}")?;
        }
        if self.cut_bytes > 0 {
            let bytes = self.cut_bytes;
            writeln!(f, "the file ends within a record: {bytes} bytes are left out")?;
        }
        match (&self.difference, &self.error) {
            (Some(difference), _) => write!(f, "{difference}"),
            (None, Some(error)) => write!(f, "error: {error}"),
            (None, None) => write!(f, "every tick is as it was recorded"),
        }
    }
}
