//! The command `replay` of a game's program: runs a journal again and prints the outcome.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command, value_parser};
use serde::Serialize;
use tickwire_shared::{Simulation, Tick};

use super::checkpoint::{Checkpoint, checkpoint_path, checkpoints};
use super::corrections::RecordedCorrections;
use super::error::JournalError;
use super::export::{ExportError, ExportedRange, export_range};
use super::newest::ReplayStart;
use super::reader::{JournalEnd, JournalReader};
use super::segment::SegmentWriter;
use crate::guard::guarded;
use crate::room::{JournalEntry, JournalHead, Replay, ReplayDifference, ReplayError, TickRecord};

/// The command line of `PROGRAM replay ...`.
#[derive(Debug)]
pub(crate) struct ReplayCommand {
    file: PathBuf,
    lanes: Option<PathBuf>,
    from: Option<u32>,
    export: Option<ExportRequest>,
    corrections: Option<PathBuf>,
    json: bool,
    watch: bool,
    listen: Option<SocketAddr>,
    page_dir: Option<PathBuf>,
}

/// A range that is to be exported, from the tick of `--from` on.
#[derive(Debug)]
struct ExportRequest {
    dir: PathBuf,
    to: Option<u32>,
}

/// A journal that is to be watched.
#[derive(Debug)]
pub(crate) struct WatchRequest {
    /// The room's folder.
    pub(crate) folder: PathBuf,
    pub(crate) listen: SocketAddr,
    /// In place of the game's own page.
    pub(crate) page_dir: Option<PathBuf>,
}

impl ReplayCommand {
    /// Reads it, or ends the process with its usage; `args` begin with the program and `replay`.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Self {
        // The word `replay` takes the place of the program's name.
        let matches = command().get_matches_from(args.into_iter().skip(1));
        let path = |name| matches.get_one::<PathBuf>(name).cloned();
        ReplayCommand {
            file: path("file").expect("a required argument"),
            lanes: path("lanes"),
            from: matches.get_one::<u32>("from").copied(),
            export: path("export")
                .map(|dir| ExportRequest { dir, to: matches.get_one::<u32>("to").copied() }),
            corrections: path("corrections"),
            json: matches.get_flag("json"),
            watch: matches.get_flag("watch"),
            listen: matches.get_one::<SocketAddr>("listen").copied(),
            page_dir: path("page_dir"),
        }
    }

    /// The journal and the address if people are to watch it.
    pub(crate) fn watch(&self) -> Option<WatchRequest> {
        let listen = self.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, WATCH_PORT)));
        let (folder, page_dir) = (folder_of(&self.file).to_owned(), self.page_dir.clone());
        self.watch.then_some(WatchRequest { folder, listen, page_dir })
    }

    /// Runs the journal again and prints the outcome.
    pub(crate) fn run<S: Simulation>(&self) -> ExitCode {
        if let Some(corrections) = &self.corrections {
            return show_corrections::<S>(&self.file, corrections);
        }
        let report = match &self.export {
            None => replay::<S>(&self.file, self.from, self.lanes.as_deref()),
            Some(request) => export::<S>(&self.file, self.from, request),
        };
        match self.json {
            true => println!("{}", serde_json::to_string(&report).unwrap_or_default()),
            false => println!("{report}"),
        }
        if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Prints what the journal has beside the corrections of a client.
fn show_corrections<S: Simulation>(file: &Path, corrections: &Path) -> ExitCode {
    let read = RecordedCorrections::read(corrections);
    match read.and_then(|read| RecordedCorrections::beside::<S>(folder_of(file), read)) {
        Ok(beside) => {
            println!("{beside}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The port of a watched replay, unless another is given: that of a server beside it is free.
const WATCH_PORT: u16 = 4434;

fn command() -> Command {
    let path = path_arg;
    Command::new("replay")
        .about("Runs a room's journal again and compares every tick with what was recorded.")
        .after_help(
            "Ends with 0 if every tick is as it was recorded and every checkpoint on the way as the replay has it, with 1 if not.",
        )
        .arg(path("file").value_name("FILE").required(true).help("A room's journal: its folder, or its first segment"))
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("TICK")
                .value_parser(value_parser!(u32))
                .conflicts_with("lanes")
                .help(
                    "Begin with the newest checkpoint at this tick or before it, instead of the beginning of the journal; \
                     with --export after this very tick",
                ),
        )
        .args(export_args())
        .arg(path("lanes").long("lanes").value_name("DIR").help(
            "Write the same journal to DIR, with all lanes of every tick: replayed by another build, it names the first \
             entity and field that differ",
        ))
        .arg(corrections_arg())
        .arg(
            Arg::new("watch")
                .long("watch")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["from", "lanes", "json"])
                .help("Serve it as a room to watch in a browser, with pause, seek and speed"),
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .requires("watch")
                .value_parser(value_parser!(SocketAddr))
                .help("The address to watch at; 127.0.0.1:4434 by default"),
        )
        .arg(
            path("page_dir")
                .long("page-dir")
                .value_name("DIR")
                .requires("watch")
                .help("The folder of the game's page, in place of the one built in"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print one object of JSON"))
}

fn path_arg(name: &'static str) -> Arg {
    Arg::new(name).value_parser(value_parser!(PathBuf))
}

fn export_args() -> [Arg; 2] {
    let export = path_arg("export").long("export").value_name("DIR");
    let to = Arg::new("to").long("to").value_name("TICK").value_parser(value_parser!(u32));
    [
        export.conflicts_with_all(["lanes", "watch"]).help(
            "Write the ticks after --from up to --to to the new folder DIR, as a journal that begins with a checkpoint",
        ),
        to.requires("export").help("The last tick to export; the end of the journal by default"),
    ]
}

fn corrections_arg() -> Arg {
    let corrections = path_arg("corrections").long("corrections").value_name("FILE");
    corrections.conflicts_with_all(["from", "lanes", "watch", "export", "json"]).help(
        "Print the corrections that a client wrote to FILE: what it had predicted, what the server said, and what the room has \
         in that tick when it is run again",
    )
}

/// The outcome of a replay.
#[derive(Debug, Default, Serialize)]
struct ReplayReport {
    ok: bool,
    game: String,
    room: String,
    seed: u64,
    tick_hz: u32,
    /// The tick of the checkpoint that it began with; 0 for the beginning.
    from_tick: u32,
    /// The ticks that were run.
    ticks: u32,
    players_max: usize,
    players: usize,
    bots: usize,
    spectators: usize,
    /// Of the last tick.
    hash: String,
    /// The last tick that was exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    exported_to: Option<u32>,
    /// The room was let go at the end.
    closed: bool,
    /// Bytes of a record that was cut at the end of the file.
    cut_bytes: u64,
    /// Checkpoints on the way that are what the replay came to.
    checkpoints: u32,
    /// Checkpoints that are damaged, or not what the replay came to.
    checkpoint_faults: Vec<String>,
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
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("the beginning of this journal was removed, and lanes are written from there on only")]
    NoBeginning,
}

fn replay<S: Simulation>(file: &Path, from: Option<u32>, lanes: Option<&Path>) -> ReplayReport {
    let mut report = ReplayReport::default();
    if let Err(error) = run::<S>(file, from, lanes, &mut report) {
        report.error = Some(error.to_string());
    }
    let is_same = report.difference.is_none() && report.checkpoint_faults.is_empty();
    report.ok = report.error.is_none() && is_same;
    report
}

/// Exports a range, and reports on it as on a replay of it.
fn export<S: Simulation>(file: &Path, from: Option<u32>, request: &ExportRequest) -> ReplayReport {
    let mut report = ReplayReport::default();
    let range = (from.map(Tick), request.to.map(Tick));
    match export_range::<S>(folder_of(file), &request.dir, range) {
        Ok(ExportedRange { head, from, to, end, replay }) => {
            report.take_head(&head);
            report.take(&replay);
            (report.from_tick, report.ticks) = (from.0, to.0 - from.0);
            report.exported_to = Some(to.0);
            report.closed = end == JournalEnd::Closed;
            report.ok = true;
        }
        Err(error) => report.error = Some(ReplayCommandError::from(error).to_string()),
    }
    report
}

fn run<S: Simulation>(
    file: &Path,
    from: Option<u32>,
    lanes: Option<&Path>,
    report: &mut ReplayReport,
) -> Result<(), ReplayCommandError> {
    let ReplayStart { replay, mut journal, from_tick, .. } = begin::<S>(file, from, report)?;
    let head = journal.head().clone();
    report.take_head(&head);
    report.from_tick = from_tick.0;
    if lanes.is_some() && from_tick != Tick(0) {
        return Err(ReplayCommandError::NoBeginning);
    }
    let on_the_way = checkpoints_of(file, report);
    let mut replay = if lanes.is_some() { replay.with_lanes() } else { replay };
    let mut copy = lanes.map(|dir| SegmentWriter::new(dir.to_owned(), head, u64::MAX));
    while let Some(record) = journal.next_record()? {
        let panicked = ReplayCommandError::Panic(record.tick.0);
        guarded(|| replay.step(&record)).ok_or(panicked)??;
        report.take(&replay);
        if let (None, Some(path)) = (&report.difference, on_the_way.get(&replay.tick())) {
            report.compare(&replay, path);
        }
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

/// The replay before the first record that is to be run.
fn begin<S: Simulation>(
    file: &Path,
    from: Option<u32>,
    report: &mut ReplayReport,
) -> Result<ReplayStart<S>, ReplayCommandError> {
    if let Some(tick) = from {
        return Ok(ReplayStart::newest(folder_of(file), Tick(tick))?);
    }
    if let Ok(journal) = JournalReader::open(file) {
        report.take_head(journal.head());
    }
    Ok(ReplayStart::first(file)?)
}

/// The checkpoints beside the journal, by tick. Those that cannot be read are faults.
fn checkpoints_of(file: &Path, report: &mut ReplayReport) -> BTreeMap<Tick, PathBuf> {
    let folder = folder_of(file);
    let mut by_tick = BTreeMap::new();
    for number in checkpoints(folder).unwrap_or_default() {
        let path = checkpoint_path(folder, number);
        match Checkpoint::read(&path) {
            Ok(checkpoint) => drop(by_tick.insert(checkpoint.head.tick, path)),
            Err(error) => report.checkpoint_faults.push(error.to_string()),
        }
    }
    by_tick
}

fn folder_of(file: &Path) -> &Path {
    if file.is_dir() { file } else { file.parent().unwrap_or(Path::new("")) }
}

impl ReplayReport {
    fn take_head(&mut self, head: &JournalHead) {
        self.game.clone_from(&head.schema.game);
        self.room.clone_from(&head.room);
        (self.seed, self.tick_hz) = (head.seed, head.schema.tick_hz);
    }

    /// Compares the checkpoint of the replay's tick.
    fn compare<S: Simulation>(&mut self, replay: &Replay<S>, path: &Path) {
        let saved = Checkpoint::read(path).map(|checkpoint| checkpoint.state);
        let own = guarded(|| replay.checkpoint().ok()).flatten();
        match (saved, own) {
            (Ok(saved), Some(own)) if saved == own => self.checkpoints += 1,
            (Ok(_), _) => {
                let (path, tick) = (path.display(), replay.tick().0);
                self.checkpoint_faults
                    .push(format!("{path} is not what the replay has after tick {tick}"));
            }
            (Err(error), _) => self.checkpoint_faults.push(error.to_string()),
        }
    }

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
            if self.from_tick > 0 {
                writeln!(f, "from the checkpoint of tick {} on", self.from_tick)?;
            }
            writeln!(f, "{ticks} ticks, {seconds:.1} s of play")?;
            let most = self.players_max;
            writeln!(
                f,
                "{most} players at most; at the end {players}, {bots} bots, {spectators} spectators"
            )?;
            writeln!(f, "hash {hash}")?;
        }
        if self.checkpoints > 0 {
            writeln!(f, "{} checkpoints on the way are the same", self.checkpoints)?;
        }
        for fault in &self.checkpoint_faults {
            writeln!(f, "error: {fault}")?;
        }
        if self.cut_bytes > 0 {
            let bytes = self.cut_bytes;
            writeln!(f, "the file ends within a record: {bytes} bytes are left out")?;
        }
        if let Some(to) = self.exported_to {
            writeln!(f, "exported the ticks after {} up to {to}", self.from_tick)?;
        }
        match (&self.difference, &self.error) {
            (Some(difference), _) => write!(f, "{difference}"),
            (None, Some(error)) => write!(f, "error: {error}"),
            (None, None) => write!(f, "every tick is as it was recorded"),
        }
    }
}
