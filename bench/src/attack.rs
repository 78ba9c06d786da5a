//! Measures the cost of an attack for the players: honest bots play while one kind of flood runs.
//!
//! Server, bots and attacker share one machine, in a network namespace made for the run, where each
//! has its own address: so the server's limits for each address apply as on a network.

mod counts;
mod floods;
mod namespace;
mod sessions;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::child::ServerProcess;
use crate::swarm::{self, Carrier, SwarmArguments, certs_dir};
use counts::Tally;
use watch::{Seen, Watch};

/// The room of the honest bots.
const ROOM: &str = "swarm";
/// Time by which the flood lasts longer than the measurement.
const MARGIN: Duration = Duration::from_secs(4);

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct AttackArguments {
    /// A flood to run; may be given several times. Without it all run, one after the other.
    #[arg(long = "flood", value_enum, value_name = "NAME")]
    floods: Vec<Flood>,
    /// Honest bots.
    #[arg(long, default_value_t = 20)]
    clients: usize,
    /// Seconds measured of each flood.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Print one JSON object a flood and nothing else.
    #[arg(long)]
    json: bool,
    /// Set for the run inside the namespace.
    #[arg(long, hide = true)]
    inside: bool,
}

/// One kind of attack. All except `initials` come from a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Flood {
    /// No attack, for comparison.
    None,
    /// 34 sessions that make rooms and leave them.
    Rooms,
    /// 34 sessions that join and leave the bots' room.
    Joins,
    /// A session that is first in the bots' room and removes everyone who joins.
    Kicks,
    /// 34 sessions that chat without a pause.
    Chat,
    /// 2000 sessions that say hello and nothing more.
    Idle,
    /// 64 concurrent connections that are closed as soon as their handshake is done.
    Handshakes,
    /// 2000 packets a second that begin handshakes and never continue, from 400 addresses.
    Initials,
    /// 20,000 packets a second of random bytes.
    Garbage,
    /// 1200 TCP connections that request pages and read none.
    Http,
    /// 8 WebSockets that send inputs as fast as they are taken.
    Websocket,
    /// 8 HTTP/3 connections that open streams without a pause.
    Streams,
}

/// The effect of one flood.
#[derive(Clone, Debug, Serialize)]
struct Row {
    flood: Flood,
    /// Of 60 expected ones.
    snapshots_per_client_second: f64,
    missing_fraction: f64,
    rtt_ms_p99: f64,
    /// Bots that did not play to the end.
    bots_lost: u64,
    #[serde(flatten)]
    seen: Seen,
    #[serde(flatten)]
    tally: Tally,
}

pub(crate) fn run(arguments: &AttackArguments) -> anyhow::Result<ExitCode> {
    ensure!(arguments.clients > 0 && arguments.seconds > 0, "give at least one bot and one second");
    if !arguments.inside {
        return namespace::run_inside();
    }
    namespace::set_up()?;
    let floods = match &arguments.floods[..] {
        [] => Flood::value_variants(),
        chosen => chosen,
    };
    if !arguments.json {
        println!("{}", Row::HEADING);
    }
    for flood in floods {
        let row = measure(arguments, *flood).with_context(|| format!("the flood {flood:?}"))?;
        match arguments.json {
            true => println!("{}", serde_json::to_string(&row)?),
            false => println!("{}", row.line()),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(arguments: &AttackArguments, flood: Flood) -> anyhow::Result<Row> {
    let words = ["serve-arena", "--certs-dir", &certs_dir(), "--listen", "[::]:0", "--log", "info"];
    let words = words.map(str::to_owned);
    let log = std::env::temp_dir().join(format!("tickwire-attack-{}.log", std::process::id()));
    let server = ServerProcess::start_logged(&words, &log)?;
    let port: u16 = server.udp.rsplit(':').next().context("no port")?.parse()?;
    let runtime = tokio::runtime::Runtime::new().context("the attacker's threads do not start")?;
    let time = Duration::from_secs(arguments.seconds) + MARGIN;

    let watch = Watch::new(&server, &log, port);
    let first = runtime.block_on(sessions::before_the_bots(flood, port))?;
    let bots = SwarmArguments {
        clients: arguments.clients,
        seconds: arguments.seconds,
        transport: Carrier::Quic,
        url: Some(format!("127.0.0.1:{port}")),
        room: Some(ROOM.to_owned()),
        threads: 1,
        busy_cores: 0,
        realtime: false,
        json: true,
        watch: None,
    };
    let (report, tally, seen) = std::thread::scope(|scope| -> anyhow::Result<_> {
        let bots = scope.spawn(|| swarm::measure(&bots));
        watch.wait_for_players(arguments.clients)?;
        let looking = scope.spawn(|| watch.look_for(time));
        let tally = runtime.block_on(floods::run(flood, port, time, first));
        let Ok(report) = bots.join() else { bail!("the bots panicked") };
        let Ok(seen) = looking.join() else { bail!("the watch panicked") };
        Ok((report?, tally, seen?))
    })?;
    drop(server);
    std::fs::remove_file(&log).context("the log cannot be removed")?;
    Ok(Row {
        flood,
        snapshots_per_client_second: report.snapshots_per_client_second,
        missing_fraction: report.missing_fraction,
        rtt_ms_p99: report.rtt_ms_p99,
        bots_lost: report.errors + (report.clients - report.connected) as u64,
        seen,
        tally,
    })
}

impl Row {
    const HEADING: &str = "flood        snapshots/s  missing  rtt p99  lost   CPU    memory MB      log     health     done  refused";

    fn line(&self) -> String {
        let Row { seen, tally, .. } = self;
        let name =
            self.flood.to_possible_value().map_or_else(String::new, |it| it.get_name().into());
        format!(
            "{name:<12} {:>11.1} {:>6.2} % {:>5.1} ms {:>5} {:>5.2} {:>4.0} to {:>4.0} {:>5.0} kB {:>7.0} ms {:>8} {:>8}",
            self.snapshots_per_client_second,
            self.missing_fraction * 100.0,
            self.rtt_ms_p99,
            self.bots_lost,
            seen.server_cores,
            seen.memory_before_mb,
            seen.memory_most_mb,
            seen.log_bytes as f64 / 1e3,
            seen.health_ms_most,
            tally.done,
            tally.refused,
        )
    }
}
