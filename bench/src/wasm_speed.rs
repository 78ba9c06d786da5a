//! Compares applying snapshots in a browser with the same natively.
//!
//! The two take turns, A B A B, with the same bytes: this program, and a page of Chromium with the
//! same code as wasm. Both are timed by the wall clock, because a page has no other, and both must
//! end in the same world.

mod page;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use serde::Serialize;
use tickwire_bench::rooms::{Record, STREAMS};
use tickwire_replay::Replay;

use crate::stats::median;
use page::Page;

/// Samples of each side before those that count: a browser recompiles hot code, after a while.
const WARM_UP_SAMPLES: usize = 5;

/// Arguments of the run.
#[derive(Clone, Debug, Args)]
pub(crate) struct WasmSpeedArguments {
    /// Folder of the module of `bench/replay`, built for the web; the streams are written there
    /// too.
    #[arg(long)]
    module: PathBuf,
    /// The script that opens the page.
    #[arg(long, default_value = "bench/replay/page.mjs")]
    script: PathBuf,
    /// Samples of each side and stream, taken in turn.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Least duration of a sample, in milliseconds.
    #[arg(long, default_value_t = 200)]
    sample_ms: u64,
    /// Most ticks of a room, both before the timed snapshots and for them: for trying it out.
    #[arg(long, default_value_t = u32::MAX)]
    ticks_max: u32,
    /// Print one JSON object for each stream and nothing else.
    #[arg(long)]
    json: bool,
}

/// The output of `--json` for each stream.
#[derive(Clone, Debug, Serialize)]
struct Report {
    stream: &'static str,
    browser: String,
    /// Snapshots of one pass, and changed entities in each of them.
    snapshots: usize,
    entities_mean: f64,
    runs: usize,
    native_ns_per_entity: f64,
    native_ns_per_entity_min: f64,
    wasm_ns_per_entity: f64,
    wasm_ns_per_entity_min: f64,
    /// The median of the runs' ratios.
    ratio: f64,
    /// The ratio of the fastest samples.
    ratio_min: f64,
    /// The hash of the final world on both sides.
    hash: String,
}

/// The time of some passes, and the hash of the final world.
struct Sample {
    took: Duration,
    hash: u64,
}

/// One side: a function that runs passes, and their number.
struct Side<R> {
    run: R,
    passes: u32,
    entities: f64,
    hash: u64,
}

pub(crate) fn run(arguments: &WasmSpeedArguments) -> anyhow::Result<ExitCode> {
    ensure!(arguments.runs > 0, "there must be at least one run; give --runs 1 or more");
    ensure!(arguments.ticks_max > 0, "there must be at least one tick; give --ticks-max 1 or more");
    let mut page = Page::open(&arguments.script, &arguments.module)?;
    if !arguments.json {
        println!("{}; ns a changed entity, median of {} (least)", page.browser, arguments.runs);
    }
    for (name, record) in STREAMS {
        let report = measure(arguments, &mut page, name, record)?;
        if arguments.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{report}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(
    arguments: &WasmSpeedArguments,
    page: &mut Page,
    name: &'static str,
    record: Record,
) -> anyhow::Result<Report> {
    let stream = record(arguments.ticks_max);
    let file = name.replace('/', "-");
    page.give(&file, &stream.to_bytes())?;
    let replay = Replay::new(stream)?;
    let browser = page.browser.clone();

    let long = Duration::from_millis(arguments.sample_ms);
    let entities = replay.entities_mean() * replay.snapshots() as f64;
    let mut native = Side::new(entities, long, |passes| Ok(natively(&replay, passes)))?;
    let mut wasm = Side::new(entities, long, |passes| page.run(&file, passes))?;
    let mut pairs = Vec::new();
    for _ in 0..arguments.runs {
        pairs.push((native.sample_ns()?, wasm.sample_ns()?));
        ensure!(
            native.hash == wasm.hash,
            "{name} ends in two worlds: {:016x} natively, {:016x} in the browser",
            native.hash,
            wasm.hash
        );
    }
    let least = |side: fn(&(f64, f64)) -> f64| pairs.iter().map(side).fold(f64::MAX, f64::min);
    let middle = |side: fn(&(f64, f64)) -> f64| median(pairs.iter().map(side));
    Ok(Report {
        stream: name,
        browser,
        snapshots: replay.snapshots(),
        entities_mean: replay.entities_mean(),
        runs: arguments.runs,
        native_ns_per_entity: middle(|pair| pair.0),
        native_ns_per_entity_min: least(|pair| pair.0),
        wasm_ns_per_entity: middle(|pair| pair.1),
        wasm_ns_per_entity_min: least(|pair| pair.1),
        ratio: middle(|pair| pair.1 / pair.0),
        ratio_min: least(|pair| pair.1) / least(|pair| pair.0),
        hash: format!("{:016x}", native.hash),
    })
}

fn natively(replay: &Replay, passes: u32) -> Sample {
    let begin = Instant::now();
    let (took, hash) = replay.run(passes, || begin.elapsed());
    Sample { took, hash }
}

impl<R: FnMut(u32) -> anyhow::Result<Sample>> Side<R> {
    /// Warms up, and finds the number of passes that then take `long`.
    fn new(entities: f64, long: Duration, run: R) -> anyhow::Result<Self> {
        let mut side = Side { run, passes: 1, entities, hash: 0 };
        side.lengthen(long)?;
        for _ in 0..WARM_UP_SAMPLES {
            side.sample_ns()?;
        }
        side.lengthen(long)?;
        Ok(side)
    }

    fn lengthen(&mut self, long: Duration) -> anyhow::Result<()> {
        loop {
            let took = (self.run)(self.passes)?.took;
            if took >= long {
                return Ok(());
            }
            let part = took.as_secs_f64() / long.as_secs_f64();
            // A little more than estimated, and limited, as the clock may have cut a sample short.
            self.passes = (f64::from(self.passes) * (1.1 / part).min(10.0)).ceil() as u32;
        }
    }

    /// The nanoseconds for one changed entity.
    fn sample_ns(&mut self) -> anyhow::Result<f64> {
        let Sample { took, hash } = (self.run)(self.passes)?;
        self.hash = hash;
        Ok(took.as_nanos() as f64 / (f64::from(self.passes) * self.entities))
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:20} native {:6.1} ({:.1}), wasm {:6.1} ({:.1}), ratio {:.2} ({:.2}); {} snapshots of {:.1}, end {}",
            self.stream,
            self.native_ns_per_entity,
            self.native_ns_per_entity_min,
            self.wasm_ns_per_entity,
            self.wasm_ns_per_entity_min,
            self.ratio,
            self.ratio_min,
            self.snapshots,
            self.entities_mean,
            self.hash,
        )
    }
}
