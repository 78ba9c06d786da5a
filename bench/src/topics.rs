//! Measures the fan-out of topics: what a message costs the server for each subscriber and how long it takes to them, beside NATS
//! and Redis under the same load, and what a subscriber that stops means to the others.

mod load;
mod ours;
mod peer;
mod slow;
mod tally;
mod text;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use tickwire_shared::control::TopicDelivery;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::child::ServerProcess;
use crate::swarm::certs_dir;
use load::{Load, TOPIC};
pub(crate) use ours::serve;
use ours::{Listened, Publisher, listen_all};
use peer::Peer;
use slow::{BULK_BYTES, BULK_HZ, BULK_TOPIC, SlowFigures, SlowRead, SlowReaders};
use tally::{DeliveryTally, FanOutFigures, HEAD_BYTES, figures_of};

/// Seconds of messages before those that are measured: buffers grow, and windows open.
const WARM_UP_S: u64 = 1;
/// Time after the last message of a part for what is still on its way.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// Interval at which the leader looks.
const LOOK: Duration = Duration::from_millis(5);
/// Pause for what a server does after connections and messages.
const CALM: Duration = Duration::from_millis(500);

/// Method: a server without a game runs as a process of its own, and so does each peer, one after the other on this machine. In
/// this process N subscribers, each with a connection of its own, follow one topic, and a publisher sends messages at a fixed
/// rate, each with its number and its time. A second of messages comes before those that count. CPU time is the server process'
/// in user and in system mode by /proc, divided by the deliveries; latency is from before a message is given to the publisher's
/// connection until the subscriber has it, with everything that the clients in between do on the same processors.
///
/// In a second part, for tickwire alone, one more subscriber follows the topic and another one of large messages, reads for a
/// while, then stops as a suspended process does, and goes on.
///
/// tickwire encrypts every packet (QUIC) and keeps a topic's last messages; the peers run without TLS over TCP and keep nothing.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TopicsArguments {
    /// Subscribers, each with a connection of its own.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=9000))]
    subscribers: u64,
    /// Seconds measured.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Messages a second.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Bytes of a message, with the 16 of its number and its time.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(HEAD_BYTES as u64..=16_384))]
    bytes: u64,
    /// Every message in order, or the newest value alone. The peers know only the first.
    #[arg(long, value_enum, default_value_t = Delivery::Ordered)]
    delivery: Delivery,
    /// Subscribers that stop, in a second part; 0 leaves it out.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=8))]
    slow: u64,
    /// Seconds for which they stop; the server gives up a silent connection after 15.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(3..=10))]
    slow_seconds: u64,
    /// Other servers to measure with the same load, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "nats,redis")]
    peers: Vec<Peer>,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

/// Which messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Delivery {
    Ordered,
    Latest,
}

/// The output of `--json`.
#[derive(Clone, Debug, Serialize)]
struct TopicsReport {
    subscribers: u64,
    rate_hz: u32,
    payload_bytes: u64,
    delivery: Delivery,
    #[serde(flatten)]
    figures: FanOutFigures,
    /// The first error, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow: Option<SlowFigures>,
    peers: Vec<PeerReport>,
}

/// Another server under the same load.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum PeerReport {
    Measured {
        name: &'static str,
        version: String,
        encrypted: bool,
        #[serde(flatten)]
        figures: FanOutFigures,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    Missing {
        name: &'static str,
        peer: &'static str,
        install: String,
    },
}

pub(crate) fn run(arguments: &TopicsArguments) -> anyhow::Result<ExitCode> {
    let connections = arguments.subscribers + arguments.slow + 64;
    raise_file_limit(connections)?;
    let runtime = tokio::runtime::Runtime::new().context("the clients' threads do not start")?;
    let mut report = runtime.block_on(measure(arguments))?;
    for peer in &arguments.peers {
        report.peers.extend(runtime.block_on(measure_peer(*peer, arguments))?);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report:#?}");
    }
    let is_slow_whole = report.slow.as_ref().is_none_or(|slow| slow.lost == 0 && slow.missed > 0);
    let is_whole = report.figures.is_whole() && is_slow_whole;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures a server of topics.
async fn measure(arguments: &TopicsArguments) -> anyhow::Result<TopicsReport> {
    let words = ["serve-topics".to_owned(), "--certs-dir".to_owned(), certs_dir()];
    let server = ServerProcess::start(&words)?;
    let target = format!("quic://{}", server.udp);
    let delivery = match arguments.delivery {
        Delivery::Ordered => TopicDelivery::Ordered,
        Delivery::Latest => TopicDelivery::Latest,
    };
    let load = arguments.load(arguments.slow > 0);
    let mut listening = listen_all(&load, &target, delivery);
    all_ready(&load, &mut listening).await?;
    let mut publisher = Publisher::connect(&target).await?;
    let mut publish = async |number| publisher.publish(TOPIC, &load.message(number));

    let [warm, measured, without, with] = arguments.parts();
    load.pace(0..warm, &mut publish).await?;
    drain(&load).await;
    let before_us = server.usage()?.cpu_us;
    load.pace(warm..measured, &mut publish).await?;
    drain(&load).await;
    let cpu_us = server.usage()?.cpu_us - before_us;
    let slow_read = match arguments.slow {
        0 => None,
        _ => Some(measure_slow(arguments, &load, &target, &mut publish).await?),
    };
    publisher.close().await;
    let Gathered { tallies, error, errors } = end(&load, listening).await?;
    drop(server);

    let figures_in = |range| figures_of(&tallies, range, arguments.delivery == Delivery::Latest);
    let mut figures = figures_in(warm..measured);
    // What is lost later counts as well.
    figures.lost = figures_in(0..load.messages).lost;
    let p99_us = |range| figures_in(range).latency_us_p99;
    let slow = slow_read.map(|read| {
        let p99 = (p99_us(measured..without), p99_us(without..with));
        SlowFigures::new(&read, arguments.slow_seconds, p99)
    });
    Ok(TopicsReport {
        subscribers: arguments.subscribers,
        rate_hz: arguments.rate,
        payload_bytes: arguments.bytes,
        delivery: arguments.delivery,
        figures: figures.with(cpu_us, errors),
        error,
        slow,
        peers: Vec::new(),
    })
}

/// Publishes on beside slow readers: while they read, and while they have stopped. Returns what they read.
async fn measure_slow(
    arguments: &TopicsArguments,
    load: &Load,
    target: &str,
    mut publish: impl AsyncFnMut(u64) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<SlowRead>> {
    let [_, measured, without, with] = arguments.parts();
    let readers = SlowReaders::start(arguments.slow as usize, target).await?;
    let mut bulk = Bulk { publisher: Publisher::connect(target).await?, published: 0 };
    let seconds = arguments.slow_part_s();
    let (paced, sent) =
        tokio::join!(load.pace(measured..without, &mut publish), bulk.publish(seconds));
    paced.and(sent)?;
    drain(load).await;
    readers.stop(true);
    let stop = async {
        sleep(Duration::from_secs(arguments.slow_seconds)).await;
        readers.stop(false);
    };
    let (paced, sent, ()) =
        tokio::join!(load.pace(without..with, &mut publish), bulk.publish(seconds), stop);
    paced.and(sent)?;
    drain(load).await;
    let read = readers.finish([with, bulk.published]).await?;
    bulk.publisher.close().await;
    Ok(read)
}

/// Measures another server with the same load; `None` for none.
async fn measure_peer(
    peer: Peer,
    arguments: &TopicsArguments,
) -> anyhow::Result<Option<PeerReport>> {
    let Some(name) = peer.program() else { return Ok(None) };
    let Some(program) = peer.find() else {
        let install = format!("sudo apt-get install {name}");
        return Ok(Some(PeerReport::Missing { name, peer: "not installed", install }));
    };
    let version = peer.version(&program)?;
    let process = peer.start(&program).await?;
    let load = arguments.load(false);
    let mut listening = process.listen_all(&load);
    all_ready(&load, &mut listening).await?;
    let mut publisher = process.publisher().await?;
    let mut publish = async |number| publisher.publish(&load.message(number)).await;
    let [warm, measured, ..] = arguments.parts();
    load.pace(0..warm, &mut publish).await?;
    drain(&load).await;
    let before_us = process.cpu_us()?;
    load.pace(warm..measured, &mut publish).await?;
    drain(&load).await;
    let cpu_us = process.cpu_us()? - before_us;
    let Gathered { tallies, error, errors } = end(&load, listening).await?;
    let mut figures = figures_of(&tallies, warm..measured, false).with(cpu_us, errors);
    figures.lost = figures_of(&tallies, 0..measured, false).lost;
    Ok(Some(PeerReport::Measured { name, version, encrypted: false, figures, error }))
}

impl TopicsArguments {
    /// The ends of the parts of a run, as numbers of messages: of those before the measured ones, of these, of those with a slow
    /// reader that reads, and of those with one that has stopped.
    fn parts(&self) -> [u64; 4] {
        let rate = u64::from(self.rate);
        let (warm, measured) = (WARM_UP_S * rate, self.seconds * rate);
        let slow = self.slow_part_s() * rate;
        [warm, warm + measured, warm + measured + slow, warm + measured + 2 * slow]
    }

    /// Seconds of the parts with slow readers, each: the stop, and a while to catch up.
    fn slow_part_s(&self) -> u64 {
        self.slow_seconds + 2
    }

    fn load(&self, is_with_slow: bool) -> Arc<Load> {
        let [_, measured, _, with_slow] = self.parts();
        let messages = if is_with_slow { with_slow } else { measured };
        let pace = (self.rate, self.bytes as usize);
        Arc::new(Load::new(self.subscribers as usize, pace, messages))
    }
}

/// Publishes large messages for the slow readers.
struct Bulk {
    publisher: Publisher,
    published: u64,
}

impl Bulk {
    async fn publish(&mut self, seconds: u64) -> anyhow::Result<()> {
        let mut beat = tokio::time::interval(Duration::from_secs(1) / BULK_HZ);
        for _ in 0..seconds * u64::from(BULK_HZ) {
            beat.tick().await;
            self.publisher.publish(BULK_TOPIC, &[0; BULK_BYTES])?;
            self.published += 1;
        }
        Ok(())
    }
}

/// Waits until all have subscribed.
async fn all_ready(
    load: &Load,
    listening: &mut JoinSet<anyhow::Result<Listened>>,
) -> anyhow::Result<()> {
    while load.ready() < load.subscribers {
        sleep(LOOK).await;
        if let Some(done) = listening.try_join_next() {
            let listened = done.context("a subscriber panicked")?.context("subscribing")?;
            bail!("a subscriber ended: {}", listened.error.unwrap_or_default());
        }
    }
    sleep(CALM).await;
    Ok(())
}

/// Waits until all have the last message, or it is too late for it.
async fn drain(load: &Load) {
    let begin = Instant::now();
    while !load.is_done() && begin.elapsed() < DRAIN_TIME {
        sleep(LOOK).await;
    }
    // The last acknowledgements, and what comes twice.
    sleep(CALM).await;
}

/// What all subscribers of a run got.
struct Gathered {
    tallies: Vec<DeliveryTally>,
    error: Option<String>,
    errors: u64,
}

async fn end(
    load: &Load,
    mut listening: JoinSet<anyhow::Result<Listened>>,
) -> anyhow::Result<Gathered> {
    load.end();
    let mut gathered = Gathered { tallies: Vec::new(), error: None, errors: 0 };
    while let Some(done) = listening.join_next().await {
        let Listened { tally, error } = done.context("a subscriber panicked")??;
        gathered.errors += u64::from(error.is_some());
        gathered.error = gathered.error.or(error);
        gathered.tallies.push(tally);
    }
    Ok(gathered)
}

impl FanOutFigures {
    fn with(mut self, cpu_us: u64, errors: u64) -> Self {
        self.cpu_us_per_delivery = cpu_us as f64 / self.deliveries.max(1) as f64;
        self.errors += errors;
        self
    }
}

/// Lets this process, and those that it starts, have a socket for each connection.
fn raise_file_limit(connections: u64) -> anyhow::Result<()> {
    // Each may be a socket here and one there, and this process keeps a few files for each of its threads.
    let needed = 2 * connections + 256;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    ensure!(
        limit.maximum.is_none_or(|maximum| maximum >= needed),
        "the system permits {} open files, and {needed} are needed: raise `ulimit -Hn`, or give fewer --subscribers",
        limit.maximum.unwrap_or_default()
    );
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).context("raising the limit of open files")
}
