//! Many players on one field, all visible to all: the workload with which other servers were
//! measured.
//!
//! Server and clients are two processes, on one processor each. The server records every walker in
//! every tick; two clients record their states in every tick, and all clients their final states.

mod rules;
mod walker;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use tickwire_shared::Simulation as _;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::child::ServerProcess;
use crate::floor::client::{Load, measure as measure_bare};
use crate::metronome::Metronome;
use crate::swarm::{Carrier, Phase, certs_dir};
use crate::{core, serve, stats};
use rules::{Field, State};
use walker::Outcome;

const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;
/// Clients that record every tick.
const SAMPLES: usize = 2;
const CONNECTING_MAX: usize = 16;
const WARM_UP: Duration = Duration::from_secs(3);

/// Bytes of an IPv4 and a UDP header.
const PACKET_HEADER_BYTES: u64 = 28;

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct FieldArguments {
    /// Players, each with a connection of its own.
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// Seconds measured, after everyone has joined and walked for three.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The transport of the sessions.
    #[arg(long, value_enum, default_value_t = Carrier::Quic)]
    transport: Carrier,
    /// Afterwards run a bare quinn server with the same datagrams, and compare.
    #[arg(long)]
    floor: bool,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

/// The field's server as `field` starts it.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeFieldArguments {
    #[command(flatten)]
    serve: serve::ServeArguments,
    /// File for the state of every walker in every tick, written at the end.
    #[arg(long)]
    truth: PathBuf,
}

/// The output of `--json`.
#[derive(Clone, Debug, Serialize)]
struct Report {
    clients: usize,
    transport: String,
    connected: usize,
    server_cpu_us_per_client_tick: f64,
    /// IPv4 packets with all content, acknowledgements included.
    down_bytes_per_client_tick: f64,
    up_bytes_per_client_tick: f64,
    down_packets_per_client_tick: f64,
    up_packets_per_client_tick: f64,
    /// The snapshots alone.
    snapshot_bytes: f64,
    snapshots_per_client_second: f64,
    missing_fraction: f64,
    /// The part of all walkers and ticks for which two clients had the true state.
    update_rate: f64,
    /// In the end every client had the true state of every walker.
    states_equal: bool,
    server_rss_mb: f64,
    lateness_us_p99: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor_cpu_us_per_client_tick: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

pub(crate) fn serve(arguments: &ServeFieldArguments) -> anyhow::Result<ExitCode> {
    rules::TRUTH_WANTED.store(true, Ordering::Relaxed);
    let code = serve::run::<Field>(&arguments.serve)?;
    let bytes = postcard::to_allocvec(&rules::take_truth()).context("the truth")?;
    let path = &arguments.truth;
    std::fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))?;
    Ok(code)
}

pub(crate) fn run(arguments: &FieldArguments) -> anyhow::Result<ExitCode> {
    if arguments.clients < SAMPLES || arguments.seconds == 0 {
        bail!("a field needs two clients and a second at least; give larger numbers");
    }
    core::pin(CLIENT_CORE)?;
    let directory = PathBuf::from(certs_dir());
    std::fs::create_dir_all(&directory).context("a directory for the run")?;
    let truth = directory.join("field-truth");
    let server = ServerProcess::start(&[
        "serve-field".to_owned(),
        "--certs-dir".to_owned(),
        certs_dir(),
        "--core".to_owned(),
        SERVER_CORE.to_string(),
        "--truth".to_owned(),
        truth.display().to_string(),
    ])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut report, outcomes) = runtime.block_on(walk(arguments, &server))?;
    drop(server);
    compare(&mut report, &outcomes, &truth)?;
    if arguments.floor {
        let bare = measure_bare(&Load {
            clients: arguments.clients,
            seconds: arguments.seconds,
            down_bytes: report.snapshot_bytes.round() as usize,
            up_bytes: outcomes[0].input_bytes,
            down_hz: f64::from(Field::TICK_HZ),
            up_hz: f64::from(Field::TICK_HZ),
            server_core: Some(SERVER_CORE),
        })?;
        report.floor_cpu_us_per_client_tick = Some(bare.cpu_us_per_client_tick);
        report.ratio = Some(report.server_cpu_us_per_client_tick / bare.cpu_us_per_client_tick);
    }
    report.print(arguments.json)?;
    let whole = report.connected == arguments.clients && report.states_equal;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn walk(
    arguments: &FieldArguments,
    server: &ServerProcess,
) -> anyhow::Result<(Report, Vec<Outcome>)> {
    let http = server.http.clone().context("the server has no HTTP side")?;
    let target = match arguments.transport {
        Carrier::Quic => format!("quic://{}", server.udp),
        Carrier::Webtransport => format!("https://{}/", server.udp),
        Carrier::Websocket => format!("ws://{}/ws", server.udp),
    };
    let metronome = Metronome::start(arguments.clients, Duration::from_secs(1) / Field::TICK_HZ);
    let gate = std::sync::Arc::new(Semaphore::new(CONNECTING_MAX));
    let phase = watch::Sender::new(Phase::Before);
    let mut walkers = JoinSet::new();
    for number in 0..arguments.clients {
        let (target, gate) = (target.clone(), gate.clone());
        let beat = metronome.beat(number);
        let phase = phase.subscribe();
        let sample = number < SAMPLES;
        walkers.spawn(
            async move { walker::walk(&target, number, sample, &gate, (phase, &beat)).await },
        );
    }
    tokio::time::sleep(WARM_UP + Duration::from_millis(20 * arguments.clients as u64)).await;
    // Each gives its turn back once it has joined: the last may take longer on a slow machine.
    drop(gate.acquire_many(CONNECTING_MAX as u32).await.context("the gate is closed")?);
    stats::reset(&http)?;
    let before = server.usage()?;
    phase.send_replace(Phase::Measured);
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    let seconds = start.elapsed().as_secs_f64();
    let after = server.usage()?;
    let counted = stats::read(&http)?;
    phase.send_replace(Phase::Over);
    let mut outcomes = Vec::new();
    while let Some(done) = walkers.join_next().await {
        outcomes.push(done.context("a client panicked")?.context("a client failed")?);
    }
    outcomes.sort_by_key(|outcome| outcome.number);
    let sum = |value: fn(&Outcome) -> u64| outcomes.iter().map(value).sum::<u64>() as f64;
    let client_ticks = outcomes.len() as f64 * seconds * f64::from(Field::TICK_HZ);
    let (datagrams_in, datagrams_out) =
        (sum(|o| o.wire.datagrams_in), sum(|o| o.wire.datagrams_out));
    let report = Report {
        clients: arguments.clients,
        transport: format!("{:?}", arguments.transport).to_lowercase(),
        connected: outcomes.len(),
        server_cpu_us_per_client_tick: (after.cpu_us - before.cpu_us) as f64 / client_ticks,
        down_bytes_per_client_tick: (sum(|o| o.wire.bytes_in)
            + datagrams_in * PACKET_HEADER_BYTES as f64)
            / client_ticks,
        up_bytes_per_client_tick: (sum(|o| o.wire.bytes_out)
            + datagrams_out * PACKET_HEADER_BYTES as f64)
            / client_ticks,
        down_packets_per_client_tick: datagrams_in / client_ticks,
        up_packets_per_client_tick: datagrams_out / client_ticks,
        snapshot_bytes: counted.datagram_bytes_out as f64 / counted.datagrams_out.max(1) as f64,
        snapshots_per_client_second: sum(|o| o.snapshots) / outcomes.len().max(1) as f64 / seconds,
        missing_fraction: 1.0 - sum(|o| o.snapshots) / sum(|o| o.expected).max(1.0),
        update_rate: 0.0,
        states_equal: false,
        server_rss_mb: after.rss_bytes as f64 / 1e6,
        lateness_us_p99: counted.lateness_us.p99,
        floor_cpu_us_per_client_tick: None,
        ratio: None,
    };
    Ok((report, outcomes))
}

/// Compares the clients' states with the true ones.
fn compare(report: &mut Report, outcomes: &[Outcome], truth: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(truth).context("the server left no truth")?;
    let truth: Vec<State> = postcard::from_bytes(&bytes).context("the truth")?;
    let mut by_tick: HashMap<u32, Vec<State>> = HashMap::new();
    for state in truth {
        by_tick.entry(state.tick).or_default().push(state);
    }
    let (mut seen, mut all) = (0u64, 0u64);
    for outcome in outcomes {
        let had: HashMap<(u32, u32), _> =
            outcome.had.iter().map(|state| ((state.tick, state.id), state.lanes)).collect();
        for tick in outcome.ticks.clone() {
            for state in by_tick.get(&tick).map_or(&[][..], Vec::as_slice) {
                all += 1;
                seen += u64::from(had.get(&(tick, state.id)) == Some(&state.lanes));
            }
        }
    }
    report.update_rate = seen as f64 / all.max(1) as f64;
    report.states_equal = outcomes.iter().all(|outcome| {
        let tick = outcome.last.first().map_or(0, |state| state.tick);
        let mut was = by_tick.get(&tick).cloned().unwrap_or_default();
        let mut had = outcome.last.clone();
        was.sort_by_key(|state| state.id);
        had.sort_by_key(|state| state.id);
        !had.is_empty() && was == had
    });
    Ok(())
}

impl Report {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        let row = |name: &str, value: String| println!("{name:<34}{value:>16}");
        row("clients connected", format!("{} / {}", self.connected, self.clients));
        row("server CPU / client / tick", format!("{:.2} us", self.server_cpu_us_per_client_tick));
        row("down / client / tick, IP", format!("{:.1} B", self.down_bytes_per_client_tick));
        row("up / client / tick, IP", format!("{:.1} B", self.up_bytes_per_client_tick));
        row("snapshot", format!("{:.1} B", self.snapshot_bytes));
        row("snapshots / client / s", format!("{:.2}", self.snapshots_per_client_second));
        row("snapshots missing", format!("{:.4} %", self.missing_fraction * 100.0));
        row("updates seen", format!("{:.4}", self.update_rate));
        row("states equal in the end", self.states_equal.to_string());
        row("server memory", format!("{:.1} MB", self.server_rss_mb));
        row("tick lateness p99", format!("{} us", self.lateness_us_p99));
        if let (Some(floor), Some(ratio)) = (self.floor_cpu_us_per_client_tick, self.ratio) {
            row("bare quinn CPU / client / tick", format!("{floor:.2} us"));
            row("ratio to bare quinn", format!("{ratio:.3}"));
        }
        Ok(())
    }
}
