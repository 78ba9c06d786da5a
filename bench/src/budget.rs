//! Measures a world far larger than a client's send budget: how close its snapshots come to the
//! cap, and how long visible entities wait.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;
use tickwire_shared::Simulation;

use crate::child::ServerProcess;
use crate::crowd::{Crowd, MOVERS, enter, look};
use crate::swarm::certs_dir;

/// After this every mover has been seen, and the waits are those of the steady state.
const WARM_UP_TICKS: u32 = 300;

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct BudgetArguments {
    /// Clients, each of which sees all of the crowd.
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// Seconds measured.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Cap of a client's snapshots, in bytes a second.
    #[arg(long, default_value_t = 32_000)]
    bytes_per_s: u32,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

/// The output of `--json`.
#[derive(Clone, Debug, Serialize)]
struct Report {
    clients: usize,
    entities: u32,
    cap_bytes_per_s: u32,
    /// Payload of the client that received most.
    bytes_per_s: f64,
    of_cap: f64,
    /// Ticks between two updates of one entity at one client.
    wait_ticks_p50: u32,
    wait_ticks_p99: u32,
    /// The longest wait of any entity at any client.
    wait_ticks_max: u32,
    /// Seconds until a client had seen everything.
    whole_view_s: f64,
}

pub(crate) fn run(arguments: &BudgetArguments) -> anyhow::Result<ExitCode> {
    if arguments.clients == 0 || arguments.seconds == 0 {
        bail!("give at least one client and one second");
    }
    let words = ["serve-crowd", "--certs-dir", &certs_dir(), "--snapshot-bytes-per-s-max"];
    let cap = arguments.bytes_per_s.to_string();
    let words: Vec<String> = words.into_iter().chain([&*cap]).map(str::to_owned).collect();
    let server = ServerProcess::start(&words)?;
    let target = format!("quic://{}", server.udp);
    let runtime = tokio::runtime::Runtime::new().context("the clients' threads do not start")?;
    let ticks = arguments.seconds as u32 * Crowd::TICK_HZ;
    let watched: Vec<Watched> = runtime.block_on(async {
        let clients = (0..arguments.clients).map(|number| {
            let target = target.clone();
            tokio::spawn(async move { watch(&target, number, ticks).await })
        });
        let mut watched = Vec::new();
        for client in clients.collect::<Vec<_>>() {
            watched.push(client.await.context("a client panicked")??);
        }
        anyhow::Ok(watched)
    })?;
    let mut waits: Vec<u32> = watched.iter().flat_map(|one| one.waits.iter().copied()).collect();
    waits.sort_unstable();
    let at = |part: f64| waits.get((waits.len() as f64 * part) as usize).copied().unwrap_or(0);
    let bytes_per_s = watched.iter().map(|one| one.bytes_per_s).fold(0.0, f64::max);
    let report = Report {
        clients: arguments.clients,
        entities: MOVERS,
        cap_bytes_per_s: arguments.bytes_per_s,
        bytes_per_s,
        of_cap: bytes_per_s / f64::from(arguments.bytes_per_s),
        wait_ticks_p50: at(0.5),
        wait_ticks_p99: at(0.99),
        wait_ticks_max: waits.last().copied().unwrap_or(0),
        whole_view_s: watched.iter().map(|one| one.whole_view_s).fold(0.0, f64::max),
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report:#?}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Counters of one client.
struct Watched {
    bytes_per_s: f64,
    waits: Vec<u32>,
    whole_view_s: f64,
}

async fn watch(target: &str, number: usize, ticks: u32) -> anyhow::Result<Watched> {
    let mut client = enter(target, &format!("watcher {number}")).await?;
    let mut last: HashMap<u32, u32> = HashMap::new();
    let mut waits = Vec::new();
    let (mut joined, mut whole, mut begin) = (None, None, None);
    loop {
        tokio::time::sleep(Duration::from_millis(2)).await;
        look(&mut client)?;
        let Some(replica) = client.session().room().map(|room| room.replica()) else { continue };
        let Some(newest) = replica.newest() else { continue };
        let since = newest.0 - *joined.get_or_insert(newest.0);
        for entity in replica.entities() {
            let tick = entity.states.tick(entity.states.len() - 1).0;
            if let Some(before) = last.insert(entity.id.0, tick)
                && tick > before
                && begin.is_some()
            {
                waits.push(tick - before);
            }
        }
        if whole.is_none() && last.len() == MOVERS as usize {
            whole = Some(since);
        }
        if let Some(whole) = whole
            && begin.is_none()
            && since >= whole + WARM_UP_TICKS
        {
            begin = Some((newest.0, client.stats().bytes_in));
        }
        let Some((from, bytes)) = begin else { continue };
        if newest.0 >= from + ticks {
            // Updates that have not come yet have waited as well.
            waits.extend(last.values().map(|tick| newest.0 - tick));
            let seconds = f64::from(newest.0 - from) / f64::from(Crowd::TICK_HZ);
            let watched = Watched {
                bytes_per_s: (client.stats().bytes_in - bytes) as f64 / seconds,
                waits,
                whole_view_s: f64::from(whole.unwrap_or(0)) / f64::from(Crowd::TICK_HZ),
            };
            client.close().await;
            return Ok(watched);
        }
    }
}
