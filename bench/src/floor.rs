//! Compares the arena server's cost with that of bare quinn for the same datagrams.
//!
//! The two run in turn, A B A B, each as a child process: first the arena with a swarm, then a
//! quinn server that only sends and receives datagrams of the measured sizes and rates.

pub(crate) mod client;
mod server;

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;

use crate::stats::median;
use crate::swarm::{self, Carrier, SwarmArguments};
pub(crate) use server::{BareArguments, serve as serve_bare};

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct FloorArguments {
    /// Clients of each server.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// Seconds measured of each server in each pair.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Pairs of runs; the median is reported.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

/// The output of `--json`.
#[derive(Clone, Debug, Serialize)]
struct FloorReport {
    clients: usize,
    server_cpu_us_per_client_tick: f64,
    floor_cpu_us_per_client_tick: f64,
    /// The median of the pairs' ratios.
    ratio: f64,
    errors: u64,
    pairs: Vec<Pair>,
}

/// One arena run and the bare run after it.
#[derive(Clone, Debug, Serialize)]
struct Pair {
    server_cpu_us_per_client_tick: f64,
    floor_cpu_us_per_client_tick: f64,
    ratio: f64,
    down_datagram_bytes: f64,
    up_datagram_bytes: f64,
    down_datagrams_per_client_second: f64,
    up_datagrams_per_client_second: f64,
    floor_down_datagrams_per_client_second: f64,
    floor_up_datagrams_per_client_second: f64,
}

pub(crate) fn run(arguments: &FloorArguments) -> anyhow::Result<ExitCode> {
    if arguments.pairs == 0 {
        bail!("there must be at least one pair; give --pairs 1 or more");
    }
    let mut report = FloorReport {
        clients: arguments.clients,
        server_cpu_us_per_client_tick: 0.0,
        floor_cpu_us_per_client_tick: 0.0,
        ratio: 0.0,
        errors: 0,
        pairs: Vec::new(),
    };
    for number in 1..=arguments.pairs {
        let (pair, errors) = run_pair(arguments)?;
        report.errors += errors;
        if !arguments.json {
            println!(
                "pair {number}: arena {:.2} us, bare {:.2} us, ratio {:.3} (down {:.0} B, up {:.0} B)",
                pair.server_cpu_us_per_client_tick,
                pair.floor_cpu_us_per_client_tick,
                pair.ratio,
                pair.down_datagram_bytes,
                pair.up_datagram_bytes,
            );
        }
        report.pairs.push(pair);
    }
    let middle = |value: fn(&Pair) -> f64| median(report.pairs.iter().map(value));
    report.server_cpu_us_per_client_tick = middle(|pair| pair.server_cpu_us_per_client_tick);
    report.floor_cpu_us_per_client_tick = middle(|pair| pair.floor_cpu_us_per_client_tick);
    report.ratio = middle(|pair| pair.ratio);
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!(
            "median of {}: arena {:.2} us, bare {:.2} us a client and tick, ratio {:.3}",
            arguments.pairs,
            report.server_cpu_us_per_client_tick,
            report.floor_cpu_us_per_client_tick,
            report.ratio,
        );
    }
    Ok(if report.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_pair(arguments: &FloorArguments) -> anyhow::Result<(Pair, u64)> {
    let arena = swarm::measure(&SwarmArguments {
        clients: arguments.clients,
        seconds: arguments.seconds,
        transport: Carrier::Quic,
        url: None,
        room: None,
        threads: 0,
        busy_cores: 0,
        realtime: false,
        json: arguments.json,
        watch: None,
    })?;
    let server = arena.server.as_ref().context("the swarm owned no server")?;
    let load = client::Load {
        clients: arguments.clients,
        seconds: arguments.seconds,
        down_bytes: server.down_datagram_bytes.round() as usize,
        up_bytes: server.up_datagram_bytes.round() as usize,
        down_hz: server.down_datagrams_per_client_second,
        up_hz: server.up_datagrams_per_client_second,
        server_core: None,
    };
    let bare = client::measure(&load)?;
    let pair = Pair {
        server_cpu_us_per_client_tick: server.server_cpu_us_per_client_tick,
        floor_cpu_us_per_client_tick: bare.cpu_us_per_client_tick,
        ratio: server.server_cpu_us_per_client_tick / bare.cpu_us_per_client_tick,
        down_datagram_bytes: server.down_datagram_bytes,
        up_datagram_bytes: server.up_datagram_bytes,
        down_datagrams_per_client_second: load.down_hz,
        up_datagrams_per_client_second: load.up_hz,
        floor_down_datagrams_per_client_second: bare.down_hz,
        floor_up_datagrams_per_client_second: bare.up_hz,
    };
    Ok((pair, arena.errors))
}
