//! Measures what players lose when their network is away: blackouts, UDP that is blocked, and routers that forget ports.

mod network;
mod player;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::child::ServerProcess;
use crate::stats::median;
use crate::swarm::certs_dir;
use network::{BLOCKS_UDP, BadNetwork, Way};
use player::{Addresses, Outcome, play};

/// Time from the start of a proxy to its first blackout. All clients have joined by then.
const JOIN_TIME: Duration = Duration::from_secs(6);
/// Time for a session to go on after the network's return: the longest wait between two attempts,
/// and an attempt.
const RETURN_TIME: Duration = Duration::from_secs(12);
/// Seconds for which UDP is blocked: longer than any run.
const BLOCKED_S: u64 = 3600;
/// Interval of the rebinds of a client's port.
const REBIND_EVERY: Duration = Duration::from_millis(500);

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReconnectArguments {
    /// Clients behind the proxy in each case; one more is not behind it.
    #[arg(long, default_value_t = 20)]
    clients: usize,
    /// Seconds of each blackout, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,5,20")]
    blackouts: Vec<u64>,
    /// Also each direction alone.
    #[arg(long)]
    one_way: bool,
    /// Also UDP that is blocked for good, for clients with the address of a WebSocket.
    #[arg(long)]
    block_udp: bool,
    /// Changes of source ports in all, the last case; 0 for none.
    #[arg(long, default_value_t = 1000)]
    rebinds: usize,
    /// Milliseconds of a round trip.
    #[arg(long, default_value_t = 50)]
    round_trip_ms: u32,
    /// Path of the clients: `quic`, `webtransport` or `websocket`.
    #[arg(long, default_value = "quic")]
    transport: String,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

/// The output of `--json`.
#[derive(Clone, Debug, Serialize)]
struct Report {
    clients: usize,
    round_trip_ms: u32,
    cases: Vec<CaseReport>,
}

/// All clients of a case.
#[derive(Clone, Debug, Serialize)]
struct CaseReport {
    case: String,
    sessions_lost: usize,
    /// The first reason of a lost session, as text.
    error: Option<String>,
    /// Chat messages that a client did not get, or whose sender had no answer.
    chat_gap: usize,
    chat_doubled: usize,
    chat_heard: usize,
    /// Clients that needed another connection.
    needed_reconnect: usize,
    /// From the network's return to the first snapshot.
    first_snapshot_ms_p50: f64,
    first_snapshot_ms_p99: f64,
    first_snapshot_round_trips_p50: f64,
    /// The longest time without a snapshot.
    longest_gap_ms_p50: f64,
    longest_gap_ms_max: f64,
    /// Changed source ports.
    rebinds: usize,
}

/// What happens to the network.
#[derive(Clone, Copy, Debug)]
enum Case {
    Blackout { seconds: u64, way: Way },
    BlockedUdp,
    Rebinds { wanted: usize },
}

pub(crate) fn run(arguments: &ReconnectArguments) -> anyhow::Result<ExitCode> {
    if arguments.clients == 0 || arguments.round_trip_ms == 0 {
        bail!("give at least one client and a round trip of a millisecond");
    }
    let ways: &[Way] =
        if arguments.one_way { &[Way::Both, Way::Up, Way::Down] } else { &[Way::Both] };
    let blackouts = arguments.blackouts.iter();
    let mut cases: Vec<Case> = blackouts
        .flat_map(|seconds| ways.iter().map(|way| Case::Blackout { seconds: *seconds, way: *way }))
        .collect();
    if arguments.block_udp {
        cases.push(Case::BlockedUdp);
    }
    if arguments.rebinds > 0 {
        cases.push(Case::Rebinds { wanted: arguments.rebinds });
    }
    let runtime = tokio::runtime::Runtime::new().context("the clients' threads do not start")?;
    let mut report = Report {
        clients: arguments.clients,
        round_trip_ms: arguments.round_trip_ms,
        cases: Vec::new(),
    };
    for case in cases {
        let measured = runtime.block_on(measure(arguments, case))?;
        if !arguments.json {
            println!("{measured:#?}");
        }
        report.cases.push(measured);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    let is_whole = |case: &CaseReport| case.sessions_lost + case.chat_gap + case.chat_doubled == 0;
    Ok(if report.cases.iter().all(is_whole) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays one case with a server and a proxy of its own.
async fn measure(arguments: &ReconnectArguments, case: Case) -> anyhow::Result<CaseReport> {
    let words = ["serve-arena".to_owned(), "--certs-dir".to_owned(), certs_dir()];
    let server = ServerProcess::start(&words)?;
    let mut flags: Vec<String> =
        ["--delay", &(f64::from(arguments.round_trip_ms) / 2.0).to_string()]
            .map(str::to_owned)
            .into();
    let lasts = match case {
        Case::Blackout { seconds, way } => {
            flags.push(format!("--blackout={}:{seconds}", JOIN_TIME.as_secs()));
            flags.push(format!("--blackout-way={}", way.name()));
            JOIN_TIME + Duration::from_secs(seconds) + RETURN_TIME
        }
        Case::BlockedUdp => {
            flags.push(format!("--blackout={}:{BLOCKED_S}", JOIN_TIME.as_secs()));
            flags.push(BLOCKS_UDP.to_owned());
            JOIN_TIME + RETURN_TIME
        }
        Case::Rebinds { wanted } => {
            flags.push(format!("--rebind-every={}", REBIND_EVERY.as_secs_f64()));
            let rounds = wanted.div_ceil(arguments.clients) as u32;
            JOIN_TIME + REBIND_EVERY * rounds + RETURN_TIME
        }
    };
    let network = BadNetwork::start(&server.udp, &flags)?;
    let scheme = match arguments.transport.as_str() {
        "websocket" => "ws",
        "webtransport" => "https",
        _ => "quic",
    };
    let path = if scheme == "ws" { "/ws" } else { "" };
    let (far, near) = (format!("{scheme}://{}{path}", network.address), server.udp.clone());
    let fallback = matches!(case, Case::BlockedUdp).then(|| format!("ws://{}/ws", network.address));
    let far = Addresses { target: far, fallback };
    let near = Addresses { target: format!("quic://{near}"), fallback: None };
    let mut players = JoinSet::new();
    for number in 0..=arguments.clients {
        let addresses = if number == 0 { near.clone() } else { far.clone() };
        players.spawn(play(addresses, number, network.watch(), lasts));
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = players.join_next().await {
        outcomes.push(outcome.context("a client failed")??);
    }
    sleep(Duration::from_millis(100)).await;
    Ok(summary(arguments, case, &outcomes, network.rebinds()))
}

fn summary(
    arguments: &ReconnectArguments,
    case: Case,
    outcomes: &[Outcome],
    rebinds: usize,
) -> CaseReport {
    let far = || outcomes.iter().filter(|outcome| outcome.number > 0);
    let first_ms: Vec<f64> = far().filter_map(|outcome| outcome.first_snapshot_ms).collect();
    let gap_ms: Vec<f64> = far().map(|outcome| outcome.longest_gap_ms).collect();
    let p50 = median(first_ms.iter().copied());
    CaseReport {
        case: match case {
            Case::Blackout { seconds, way } => format!("blackout of {seconds} s, {}", way.name()),
            Case::BlockedUdp => "UDP blocked".to_owned(),
            Case::Rebinds { .. } => "rebinds".to_owned(),
        },
        sessions_lost: outcomes.iter().filter(|outcome| outcome.error.is_some()).count(),
        error: outcomes.iter().find_map(|outcome| outcome.error.clone()),
        chat_gap: outcomes.iter().map(|outcome| outcome.chat.gap).sum(),
        chat_doubled: outcomes.iter().map(|outcome| outcome.chat.doubled).sum(),
        chat_heard: outcomes.iter().map(|outcome| outcome.chat.heard).sum(),
        needed_reconnect: far().filter(|outcome| outcome.needed_reconnect).count(),
        first_snapshot_ms_p50: p50,
        first_snapshot_ms_p99: percentile_99(first_ms),
        first_snapshot_round_trips_p50: p50 / f64::from(arguments.round_trip_ms),
        longest_gap_ms_p50: median(gap_ms.iter().copied()),
        longest_gap_ms_max: gap_ms.into_iter().fold(0.0, f64::max),
        rebinds,
    }
}

/// The value that 99 % do not exceed; 0 for no values.
fn percentile_99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * 99).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or(0.0)
}
