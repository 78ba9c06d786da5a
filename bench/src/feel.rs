//! Measures what players feel of a bad network: bots on the real client core and the real room,
//! connected by seeded links, in virtual time and one thread.

mod game;
mod inputs;
mod motion;
mod own;
mod player;
mod websocket;
mod world;

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::network::Profile;
use crate::stats::median;
use tickwire_arena::rules::Arena;
use tickwire_client::session::Mode;
use tickwire_sky::Sky;
use world::{Felt, World};

/// Half a second.
const AHEAD_TICKS_MAX: u32 = 30;

/// Method: bots fly in the arena at 60 Hz, each with an unsynchronised 60 Hz screen, over two links
/// of its own. The first 4 seconds do not count. Delays are spread evenly over their range;
/// datagrams keep their order except in `awful`. Figures are medians of the runs.
///
/// Over a WebSocket the same links carry the segments of a TCP connection with Linux's defaults:
/// lost ones are resent about a round trip later, or after silence, and everything behind them
/// waits. Server and client write to it by their own rules: a newer snapshot replaces a waiting
/// one.
///
/// late_input_fraction: the part of the needed inputs that the room did not have when their tick
/// was due.
///
/// input_margin_ticks: the mean time from an input's first sending to the deadline of its tick,
/// minus the smallest constant such time with which no more than the profile's wanted part of the
/// same inputs would have been late on the same network (lan 0, wifi 0.05 %, lte 0.2 %, awful 1 %):
/// the lead beyond the necessary one. It includes the wait for the next frame, half a tick in the
/// mean. None if more of the inputs than the wanted part never came.
///
/// input_early_ticks: the mean time from an input's first arrival to the deadline of its tick.
///
/// starved_fraction: the part of the remote ships in all frames that are shown at or past the
/// newest snapshot, or past their own newest state while they moved.
///
/// velocity_jump_p99: the change of a remote ship's velocity from frame to frame on the screen,
/// divided by the same from tick to tick in the room; the 99th percentile of each.
///
/// view_delay_ms: the mean delay of others' ships on the screen behind the server; negative is
/// ahead of it.
///
/// extra_input_frames: the mean number of frames from a turn of the own helm to the first frame
/// that shows it, without the frame of the input.
///
/// bytes_per_snapshot: of its datagram; others: the remote ships that a client has, each in the mean.
///
/// corrections_per_minute: corrections of the own ship by more than a unit (in `sky` a tenth of a metre), for each player and
/// minute; fade_ms: from one of them until the ship is shown within a unit of its true place, the
/// 99th percentile.
///
/// shots_confirmed, shots_cancelled, shots_missed: the own shots for each player and minute:
/// predicted and confirmed; predicted and cancelled; not predicted. pickups_confirmed,
/// pickups_cancelled, pickups_missed: the same for the pickups that the own ship flew over.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct FeelArguments {
    /// The game.
    #[arg(long, value_enum, default_value_t = Game::Arena)]
    game: Game,
    /// The network; `all` for each in turn.
    #[arg(long, value_enum, default_value_t = Profiles::All)]
    profile: Profiles,
    /// The transport of inputs and snapshots.
    #[arg(long, value_enum, default_value_t = Transport::Quic)]
    transport: Transport,
    /// The display of others' ships.
    #[arg(long, value_enum, default_value_t = Ships::Interpolate)]
    ships: Ships,
    /// Measured seconds, in virtual time.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Bots in the room.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=200))]
    clients: u32,
    /// Seed of the first run; each later run adds one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs of each profile.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    runs: u64,
    /// Print one JSON object a line for each profile and nothing else.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Game {
    /// Ships on a plane.
    Arena,
    /// Gliders in three dimensions, among drones.
    Sky,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profiles {
    /// No delay and no loss.
    Lan,
    /// 20 ± 5 ms one way, 0.5 % lost one by one.
    Wifi,
    /// 50 ± 15 ms, 2 % lost in bursts of three in the mean.
    Lte,
    /// 100 ± 25 ms, 5 % lost in bursts of four in the mean, the rest out of order.
    Awful,
    /// All of them in turn.
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// Datagrams, as of plain QUIC and WebTransport.
    Quic,
    /// Messages on one TCP connection: everything behind a lost segment waits.
    Websocket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ships {
    /// Between two received states.
    Interpolate,
    /// Ahead of their newest state by their velocity, by half a second at most.
    Extrapolate,
    /// Ahead of their newest state by the arena's rules, by half a second at most.
    ForwardSimulate,
}

/// The output of `--json`.
#[derive(Clone, Debug, Serialize)]
struct Report {
    profile: &'static str,
    transport: &'static str,
    ships: &'static str,
    late_input_fraction: f64,
    /// `None` if more inputs than the wanted part never came.
    input_margin_ticks: Option<f64>,
    input_early_ticks: f64,
    extra_input_frames: Option<f64>,
    corrections_per_minute: f64,
    fade_ms: Option<f64>,
    shots_confirmed: f64,
    shots_cancelled: f64,
    shots_missed: f64,
    pickups_confirmed: f64,
    pickups_cancelled: f64,
    pickups_missed: f64,
    /// `None` if no other ship was seen.
    starved_fraction: Option<f64>,
    velocity_jump_p99: Option<f64>,
    view_delay_ms: f64,
    bytes_per_snapshot: f64,
    others: f64,
}

pub(crate) fn run(arguments: &FeelArguments) -> anyhow::Result<ExitCode> {
    if !arguments.json {
        println!(
            "| profile | late inputs | margin beyond need | inputs early | extra frames | corrections a \
             minute | fade p99 | shots confirmed, cancelled, missed a minute | pickups likewise | starved | \
             velocity jumps p99 | view delay | bytes a snapshot | others |"
        );
        println!(
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
        );
    }
    for profile in arguments.profile.each() {
        let report = measure(profile, arguments)?;
        if arguments.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{}", report.row());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(profile: Profile, arguments: &FeelArguments) -> anyhow::Result<Report> {
    let network = (profile, arguments.transport);
    let bots = (arguments.clients, arguments.ships);
    let play = |seed| match arguments.game {
        Game::Arena => World::<Arena>::new(network, bots, arguments.seconds, seed).run(),
        Game::Sky => World::<Sky>::new(network, bots, arguments.seconds, seed).run(),
    };
    let runs: Vec<Felt> = (0..arguments.runs).map(|run| play(arguments.seed + run)).collect();
    if runs.iter().any(|felt| felt.late_fraction.is_nan()) {
        bail!("no input was due; run it longer");
    }
    let of = |of: fn(&Felt) -> f64| median(runs.iter().map(of));
    let of_some = |of: fn(&Felt) -> Option<f64>| {
        let values: Vec<f64> = runs.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| median(values))
    };
    Ok(Report {
        profile: profile.name(),
        transport: arguments.transport.name(),
        ships: arguments.ships.name(),
        late_input_fraction: of(|felt| felt.late_fraction),
        input_margin_ticks: of_some(|felt| felt.margin_ticks),
        input_early_ticks: of(|felt| felt.early_ticks),
        extra_input_frames: of_some(|felt| felt.extra_frames),
        corrections_per_minute: of(|felt| felt.corrections_per_minute),
        fade_ms: of_some(|felt| felt.fade_s.map(|s| s * 1000.0)),
        shots_confirmed: of(|felt| felt.shots[0]),
        shots_cancelled: of(|felt| felt.shots[1]),
        shots_missed: of(|felt| felt.shots[2]),
        pickups_confirmed: of(|felt| felt.pickups[0]),
        pickups_cancelled: of(|felt| felt.pickups[1]),
        pickups_missed: of(|felt| felt.pickups[2]),
        starved_fraction: of_some(|felt| felt.starved_fraction),
        velocity_jump_p99: of_some(|felt| felt.velocity_jump),
        view_delay_ms: of(|felt| felt.behind_ms),
        bytes_per_snapshot: of(|felt| felt.bytes_per_snapshot),
        others: of(|felt| felt.others),
    })
}

impl Profiles {
    fn each(self) -> Vec<Profile> {
        match self {
            Profiles::Lan => vec![Profile::Lan],
            Profiles::Wifi => vec![Profile::Wifi],
            Profiles::Lte => vec![Profile::Lte],
            Profiles::Awful => vec![Profile::Awful],
            Profiles::All => Profile::ALL.to_vec(),
        }
    }
}

impl Ships {
    fn name(self) -> &'static str {
        match self {
            Ships::Interpolate => "interpolate",
            Ships::Extrapolate => "extrapolate",
            Ships::ForwardSimulate => "forward-simulate",
        }
    }

    pub(crate) fn mode(self) -> Mode {
        let ticks_max = AHEAD_TICKS_MAX;
        match self {
            Ships::Interpolate => Mode::Interpolate,
            Ships::Extrapolate => Mode::Extrapolate { ticks_max },
            Ships::ForwardSimulate => Mode::ForwardSimulate { ticks_max },
        }
    }
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Transport::Quic => "quic",
            Transport::Websocket => "websocket",
        }
    }
}

impl Report {
    fn row(&self) -> String {
        let or_none = |value: Option<f64>, digits: usize, unit: &str| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}{unit}"))
        };
        format!(
            "| {} | {:.3} % | {} | {:.2} ticks | {} | {:.2} | {} | {:.1}, {:.1}, {:.1} | {:.2}, {:.2}, {:.2} | {} | \
             {} | {:.0} ms | {:.1} | {:.1} |",
            self.profile,
            self.late_input_fraction * 100.0,
            or_none(self.input_margin_ticks, 2, " ticks"),
            self.input_early_ticks,
            or_none(self.extra_input_frames, 2, ""),
            self.corrections_per_minute,
            or_none(self.fade_ms, 0, " ms"),
            self.shots_confirmed,
            self.shots_cancelled,
            self.shots_missed,
            self.pickups_confirmed,
            self.pickups_cancelled,
            self.pickups_missed,
            or_none(self.starved_fraction.map(|part| part * 100.0), 3, " %"),
            or_none(self.velocity_jump_p99, 2, ""),
            self.view_delay_ms,
            self.bytes_per_snapshot,
            self.others,
        )
    }
}
