//! Measures joins into a room of thousands of entities: the time until the client sees all of them,
//! and the effect on the ticks' lateness.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use tickwire_client::Client;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::child::ServerProcess;
use crate::crowd::{Crowd, JOIN_TIME, MOVERS, enter, look};
use crate::stats::{self, ServerStats, Spread};
use crate::swarm::certs_dir;

/// By then the residents have seen everything.
const WARM_UP: Duration = Duration::from_secs(4);
/// Interval at which a client looks for news.
const LOOK: Duration = Duration::from_millis(4);

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct JoinArguments {
    /// Clients that stay in the room.
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// Joins a second. Each leaves as soon as it has seen everything.
    #[arg(long, default_value_t = 50)]
    joins_per_s: u32,
    /// Seconds measured without joins, and again with joins.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Bytes a second of keyframes to one client; 0 sends everything in snapshots. Without it, the
    /// server's default.
    #[arg(long)]
    keyframe_bytes_per_s_max: Option<u32>,
    /// Run the server's simulation in the real-time class where the system permits it.
    #[arg(long)]
    realtime: bool,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

/// The output of `--json`.
#[derive(Clone, Debug, Serialize)]
struct Report {
    entities: u32,
    residents: usize,
    joins: usize,
    failed: usize,
    /// The first failure, as text.
    error: Option<String>,
    /// Milliseconds from the request to the seat.
    seat_ms: Times,
    /// Milliseconds from the seat to the whole view.
    whole_view_ms: Times,
    /// The ticks without joins.
    quiet: Ticks,
    /// The ticks with joins.
    joining: Ticks,
}

#[derive(Clone, Debug, Serialize)]
struct Times {
    p50: f64,
    p99: f64,
    max: f64,
}

/// Microseconds from a tick's deadline to its start, and from its start to its end.
#[derive(Clone, Debug, Serialize)]
struct Ticks {
    lateness_us_p50: u64,
    lateness_us_p99: u64,
    duration_us_p50: u64,
    duration_us_p99: u64,
    skipped: u64,
}

impl From<ServerStats> for Ticks {
    fn from(stats: ServerStats) -> Self {
        let (Spread { p50: late, p99: late_p99, .. }, Spread { p50: long, p99: long_p99, .. }) =
            (stats.lateness_us, stats.tick_duration_us);
        Ticks {
            lateness_us_p50: late,
            lateness_us_p99: late_p99,
            duration_us_p50: long,
            duration_us_p99: long_p99,
            skipped: stats.ticks_skipped,
        }
    }
}

/// The view of a client that joined.
#[derive(Clone, Copy, Debug)]
struct Joined {
    seat_ms: f64,
    whole_view_ms: f64,
}

pub(crate) fn run(arguments: &JoinArguments) -> anyhow::Result<ExitCode> {
    if arguments.clients == 0 || arguments.seconds == 0 || arguments.joins_per_s == 0 {
        bail!("give at least one client, one join and one second");
    }
    let mut words = vec!["serve-crowd".to_owned(), "--certs-dir".to_owned(), certs_dir()];
    if let Some(bytes) = arguments.keyframe_bytes_per_s_max {
        words.extend(["--keyframe-bytes-per-s-max".to_owned(), bytes.to_string()]);
    }
    if arguments.realtime {
        words.push("--realtime".to_owned());
    }
    let server = ServerProcess::start(&words)?;
    let runtime = tokio::runtime::Runtime::new().context("the clients' threads do not start")?;
    let report = runtime.block_on(measure(arguments, &server))?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report:#?}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(arguments: &JoinArguments, server: &ServerProcess) -> anyhow::Result<Report> {
    let target = format!("quic://{}", server.udp);
    let http = server.http.clone().context("the server has no HTTP side")?;
    let mut residents = JoinSet::new();
    for number in 0..arguments.clients {
        let target = target.clone();
        residents.spawn(async move { reside(&target, &format!("resident {number}")).await });
    }
    sleep(WARM_UP).await;
    let quiet = count(&http, sleep(Duration::from_secs(arguments.seconds))).await?.0;
    let (joining, results) = count(&http, join_all(arguments, &target)).await?;
    if let Some(ended) = residents.try_join_next() {
        ended?.context("a resident's session ended")?;
    }
    let error = results.iter().find_map(|result| result.as_ref().err());
    let error = error.map(|error| format!("{error:#}"));
    let joined: Vec<Joined> = results.iter().flatten().copied().collect();
    let times = |value: fn(&Joined) -> f64| {
        let mut times: Vec<f64> = joined.iter().map(value).collect();
        times.sort_by(f64::total_cmp);
        let last = times.len().saturating_sub(1);
        let at = |part: f64| times.get((last as f64 * part) as usize).copied().unwrap_or(0.0);
        Times { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    };
    Ok(Report {
        entities: MOVERS,
        residents: arguments.clients,
        joins: joined.len(),
        failed: results.len() - joined.len(),
        error,
        seat_ms: times(|joined| joined.seat_ms),
        whole_view_ms: times(|joined| joined.whole_view_ms),
        quiet: quiet.into(),
        joining: joining.into(),
    })
}

/// The server's counts during `meanwhile`.
async fn count<T>(
    http: &str,
    meanwhile: impl Future<Output = T>,
) -> anyhow::Result<(ServerStats, T)> {
    let url = http.to_owned();
    tokio::task::spawn_blocking(move || stats::reset(&url)).await??;
    let done = meanwhile.await;
    let url = http.to_owned();
    Ok((tokio::task::spawn_blocking(move || stats::read(&url)).await??, done))
}

async fn join_all(arguments: &JoinArguments, target: &str) -> Vec<anyhow::Result<Joined>> {
    let mut beat = interval(Duration::from_secs(1) / arguments.joins_per_s);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut joins = JoinSet::new();
    for number in 0..u64::from(arguments.joins_per_s) * arguments.seconds {
        beat.tick().await;
        let target = target.to_owned();
        joins.spawn(async move { join(&target, &format!("guest {number}")).await });
    }
    joins.join_all().await
}

/// Joins, sees everything, and leaves.
async fn join(target: &str, name: &str) -> anyhow::Result<Joined> {
    let begin = Instant::now();
    let mut client = enter(target, name).await?;
    let seated = Instant::now();
    timeout(JOIN_TIME, see_all(&mut client)).await.context("not all seen in time")??;
    let whole = Instant::now();
    client.close().await;
    let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1000.0;
    Ok(Joined { seat_ms: ms(begin, seated), whole_view_ms: ms(seated, whole) })
}

async fn see_all(client: &mut Client<Crowd>) -> anyhow::Result<()> {
    loop {
        look(client)?;
        let room = client.session().room();
        if room.is_some_and(|room| room.replica().entities().len() == MOVERS as usize) {
            return Ok(());
        }
        sleep(LOOK).await;
    }
}

/// Plays until the end.
async fn reside(target: &str, name: &str) -> anyhow::Result<()> {
    let mut client = enter(target, name).await?;
    loop {
        look(&mut client)?;
        sleep(LOOK).await;
    }
}
