//! Many bots in one room, each with the real client library on a socket of its own.

mod bot;
mod report;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use tickwire_arena::rules::Arena;
use tickwire_client::Client;
use tickwire_shared::Simulation;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::busy::BusyCores;
use crate::child::{ServerProcess, Usage};
use crate::metronome::Metronome;
use crate::progress::Progress;
use crate::stats::{self, ServerStats};
pub(crate) use bot::Phase;
use bot::{BotResult, PhaseSender, play};
pub(crate) use report::Report;

/// Most connections opened at once; more would only wait for each other's handshakes.
const CONNECTING_MAX: usize = 16;
/// Time of play before measuring, in which clocks settle and the world fills up.
const WARM_UP: Duration = Duration::from_secs(2);

/// Number of watched bots, if watching is asked for.
const WATCHERS: usize = 8;

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct SwarmArguments {
    /// Bots, each with a connection of its own.
    #[arg(long, default_value_t = 100)]
    pub(crate) clients: usize,
    /// Seconds measured, after everyone has joined and played for two.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// The transport of the sessions.
    #[arg(long, value_enum, default_value_t = Carrier::Quic)]
    pub(crate) transport: Carrier,
    /// `host:port` of a running server; without it an arena server is started for the run.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// The room to play in; without it the bots use quick match, as a page's players do.
    #[arg(long)]
    pub(crate) room: Option<String>,
    /// Threads of the bots; 0 for one per processor.
    #[arg(long, default_value_t = 0)]
    pub(crate) threads: usize,
    /// Cores kept busy by something else meanwhile.
    #[arg(long, default_value_t = 0)]
    pub(crate) busy_cores: usize,
    /// Run the server's simulation in the real-time class where the system permits it.
    #[arg(long)]
    pub(crate) realtime: bool,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    /// Receives the view of a few bots.
    #[arg(skip)]
    pub(crate) watch: Option<Arc<dyn Watch>>,
}

/// Receives a bot's view in each tick of the measured time.
pub(crate) trait Watch: std::fmt::Debug + Send + Sync {
    /// Handles the snapshots that a client got since tick `from`, and returns the tick after the
    /// last.
    fn look(
        &self,
        viewer: u8,
        client: &Client<Arena>,
        from: Option<u32>,
    ) -> anyhow::Result<Option<u32>>;
}

/// The transport of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Carrier {
    /// Plain QUIC.
    Quic,
    /// WebTransport over HTTP/3.
    Webtransport,
    /// A WebSocket on the HTTP side.
    Websocket,
}

pub(crate) fn run(arguments: &SwarmArguments) -> anyhow::Result<ExitCode> {
    let report = measure(arguments)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        report.print();
    }
    Ok(report.exit_code())
}

/// Runs a swarm and returns its figures.
pub(crate) fn measure(arguments: &SwarmArguments) -> anyhow::Result<Report> {
    if arguments.clients == 0 || arguments.seconds == 0 {
        bail!("a swarm needs at least one client and one second; give larger numbers");
    }
    let own = match arguments.url {
        Some(_) => None,
        None => Some(start_server(arguments)?),
    };
    let address = match (&arguments.url, &own) {
        (Some(url), _) => url
            .trim_start_matches("quic://")
            .trim_start_matches("https://")
            .trim_start_matches("ws://")
            .trim_end_matches("/ws")
            .trim_end_matches('/')
            .to_owned(),
        (None, Some(server)) => server.udp.clone(),
        (None, None) => bail!("there is no server"),
    };
    let target = match arguments.transport {
        Carrier::Quic => format!("quic://{address}"),
        Carrier::Webtransport => format!("https://{address}/"),
        // The HTTP side has the same port number.
        Carrier::Websocket => format!("ws://{address}/ws"),
    };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if arguments.threads > 0 {
        builder.worker_threads(arguments.threads);
    }
    let runtime = builder.enable_all().build().context("the bots' threads do not start")?;
    let _busy = BusyCores::start(arguments.busy_cores)?;
    runtime.block_on(play_all(arguments, &target, own.as_ref()))
}

/// A separate directory for each server, so that runs do not share certificates.
pub(crate) fn certs_dir() -> String {
    std::env::temp_dir()
        .join(format!("tickwire-bench-{}", std::process::id()))
        .display()
        .to_string()
}

fn start_server(arguments: &SwarmArguments) -> anyhow::Result<ServerProcess> {
    let mut words = vec!["serve-arena".to_owned(), "--certs-dir".to_owned(), certs_dir()];
    if arguments.realtime {
        words.push("--realtime".to_owned());
    }
    ServerProcess::start(&words)
}

async fn play_all(
    arguments: &SwarmArguments,
    target: &str,
    own: Option<&ServerProcess>,
) -> anyhow::Result<Report> {
    let period = Duration::from_secs(1) / Arena::TICK_HZ;
    let metronome = Metronome::start(arguments.clients, period);
    let (phase, mut bots) = start_bots(arguments, target, &metronome);
    let mut bar = Progress::new("joining", arguments.clients as u64, arguments.json);
    let mut failures = Vec::new();
    while phase.joined() + failures.len() < arguments.clients {
        bar.show(phase.joined() as u64, String::new());
        tokio::time::sleep(Duration::from_millis(20)).await;
        while let Some(done) = bots.try_join_next() {
            failures.push(done.context("a bot panicked")?);
        }
    }
    bar.finish();
    let connected = phase.joined();
    if connected == 0 {
        let first = failures.first().and_then(|result: &BotResult| result.error.clone());
        bail!("no bot could join: {}", first.unwrap_or_default());
    }
    tokio::time::sleep(WARM_UP).await;

    let begin = begin_server(own).await?;
    phase.set(Phase::Measured);
    let mut bar = Progress::new("playing", arguments.seconds, arguments.json);
    let start = Instant::now();
    let end = start + Duration::from_secs(arguments.seconds);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(200)).await;
        bar.show(start.elapsed().as_secs(), phase.live_line());
    }
    let seconds = start.elapsed().as_secs_f64();
    let finished = end_server(own, begin).await?;
    phase.set(Phase::Over);
    bar.finish();

    let mut results = failures;
    while let Some(done) = bots.join_next().await {
        results.push(done.context("a bot panicked")?);
    }
    Ok(Report::new(arguments, connected, seconds, &results, finished))
}

fn start_bots(
    arguments: &SwarmArguments,
    target: &str,
    metronome: &Metronome,
) -> (PhaseSender, JoinSet<BotResult>) {
    let phase = PhaseSender::new();
    let gate = Arc::new(Semaphore::new(CONNECTING_MAX));
    let mut bots = JoinSet::new();
    let clients = arguments.clients;
    for number in 0..clients {
        let (target, room) = (target.to_owned(), arguments.room.clone());
        let (gate, phase, beat) = (gate.clone(), phase.receiver(), metronome.beat(number));
        let watch = arguments.watch.clone().filter(|_| number < WATCHERS);
        bots.spawn(async move {
            let time = (phase, &*beat);
            match play(&target, room.as_deref(), (number, clients), &gate, time, watch.as_deref())
                .await
            {
                Ok(result) => result,
                Err(error) => {
                    BotResult { error: Some(format!("{error:#}")), ..BotResult::default() }
                }
            }
        });
    }
    (phase, bots)
}

/// The server's side of the measured time.
#[derive(Clone, Debug)]
pub(crate) struct ServerSide {
    pub(crate) cpu_us: u64,
    pub(crate) rss_bytes: u64,
    pub(crate) stats: ServerStats,
}

async fn begin_server(own: Option<&ServerProcess>) -> anyhow::Result<Option<Usage>> {
    let Some(server) = own else { return Ok(None) };
    if let Some(http) = server.http.clone() {
        tokio::task::spawn_blocking(move || stats::reset(&http)).await??;
    }
    Ok(Some(server.usage()?))
}

async fn end_server(
    own: Option<&ServerProcess>,
    begin: Option<Usage>,
) -> anyhow::Result<Option<ServerSide>> {
    let (Some(server), Some(begin)) = (own, begin) else { return Ok(None) };
    let usage = server.usage()?;
    let http = server.http.clone().context("the server has no HTTP side")?;
    let stats = tokio::task::spawn_blocking(move || stats::read(&http)).await??;
    let cpu_us = usage.cpu_us - begin.cpu_us;
    Ok(Some(ServerSide { cpu_us, rss_bytes: usage.rss_bytes, stats }))
}
