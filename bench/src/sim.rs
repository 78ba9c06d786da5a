//! Runs servers, rooms, journals and clients under a seeded network in virtual time, one thread, and holds them to what must
//! always be true.

mod bug;
mod client;
mod ending;
mod game;
mod hostile;
mod life;
mod link;
mod path;
mod process;
mod schedule;
mod seams;
mod shrink;
mod state;
mod truth;
mod world;

use std::ops::Range;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use crate::random::Splitmix;
use bug::PlantedBug;
use schedule::{Plan, PlanLimits};

/// Failures that are made smaller; the others are only told.
const SHRUNK_MAX: usize = 5;
/// Seeds that are tried for each planted bug.
const BUG_SEEDS_MAX: u64 = 200;

/// Method: for each seed a server with a journal runs 22 to 40 seconds of virtual time in one thread. Two to seven clients
/// play, chat and send commands over seeded links with delay, jitter, loss, duplicates and, in half of them, datagrams that
/// overtake others; two to ten faults follow from the seed. Sessions, rooms, journals, followers and clients are the real
/// ones; QUIC, WebSockets and threads are not in it. In the last 16 seconds nothing fails, and everything must heal.
///
/// A seed that fails is made smaller, and the command is printed that repeats it.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SimArguments {
    /// Seeds to run, the second one not included.
    #[arg(long, value_name = "A..B", default_value = "0..20")]
    seeds: Seeds,
    /// Clients, in place of the seed's own number.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=64))]
    clients: Option<u8>,
    /// Milliseconds in which faults happen, in place of the seed's own.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1000..=600_000))]
    fault_ms: Option<u64>,
    /// Only the faults of these numbers, separated by commas; `none` for no fault.
    #[arg(long, value_name = "NUMBERS")]
    only: Option<Only>,
    /// Print the faults of each seed.
    #[arg(long)]
    plans: bool,
    /// Plants each of five bugs in turn, and counts the seeds until it is found.
    #[arg(long)]
    bugs: bool,
    /// Plants one bug.
    #[arg(long, hide = true)]
    plant: Option<PlantedBug>,
    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

/// A range of seeds.
#[derive(Clone, Debug)]
struct Seeds(Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seeds = text.split_once("..").and_then(|(from, to)| {
            let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
            (from < to).then_some(Seeds(from..to))
        });
        seeds.ok_or_else(|| {
            "write the first seed and the one after the last, as in 0..100".to_owned()
        })
    }
}

/// Numbers of faults.
#[derive(Clone, Debug)]
struct Only(Vec<usize>);

impl FromStr for Only {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Only(Vec::new()));
        }
        let numbers: Result<Vec<usize>, _> = text.split(',').map(str::parse).collect();
        numbers.map(Only).map_err(|_| "write numbers separated by commas, as in 0,3,4".to_owned())
    }
}

/// What a range of seeds came to.
#[derive(Debug, Serialize)]
struct SimReport {
    seeds: u64,
    failed: u64,
    virtual_hours: f64,
    /// Of all that the clients of all seeds were shown.
    hash: String,
    wall_s: f64,
    failures: Vec<SimFailure>,
}

/// A seed that failed.
#[derive(Debug, Serialize)]
struct SimFailure {
    seed: u64,
    what: String,
    /// The command that repeats it, made smaller.
    command: String,
}

/// Seeds that a planted bug needed.
#[derive(Debug, Serialize)]
struct BugReport {
    bug: String,
    /// `None` if it was not found.
    seeds: Option<u64>,
    what: String,
}

pub(crate) fn run(arguments: &SimArguments) -> anyhow::Result<ExitCode> {
    if arguments.bugs {
        return find_bugs(arguments);
    }
    PlantedBug::plant(arguments.plant);
    let began = Instant::now();
    let (mut hash, mut virtual_ms, mut failures) = (0, 0, Vec::new());
    for seed in arguments.seeds.0.clone() {
        let plan = Plan::of_seed(seed, &arguments.limits());
        if arguments.plans {
            println!("{plan:#?}");
        }
        virtual_ms += plan.length_ms();
        match world::run(&plan) {
            Ok(of_seed) => hash = Splitmix::new(hash ^ of_seed).bits(),
            Err(error) => {
                let failure = match failures.len() < SHRUNK_MAX {
                    true => smaller(&plan, error),
                    false => SimFailure::of(&plan, &error),
                };
                if !arguments.json {
                    println!("seed {seed} fails: {}\n  {}", failure.what, failure.command);
                }
                failures.push(failure);
            }
        }
    }
    let seeds = arguments.seeds.0.end - arguments.seeds.0.start;
    let report = SimReport {
        seeds,
        failed: failures.len() as u64,
        virtual_hours: virtual_ms as f64 / 3_600_000.0,
        hash: format!("{hash:016x}"),
        wall_s: began.elapsed().as_secs_f64(),
        failures,
    };
    match arguments.json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => {
            let SimReport { seeds, failed, virtual_hours, hash, wall_s, .. } = &report;
            println!(
                "{seeds} seeds, {failed} failed, {virtual_hours:.2} virtual hours in {wall_s:.1} s, hash {hash}"
            );
        }
    }
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl SimArguments {
    fn limits(&self) -> PlanLimits {
        PlanLimits {
            clients: self.clients.map(usize::from),
            fault_ms: self.fault_ms,
            only: self.only.clone().map(|Only(numbers)| numbers),
        }
    }
}

fn smaller(plan: &Plan, error: anyhow::Error) -> SimFailure {
    let (plan, error) = shrink::shrink(plan, error, world::run);
    SimFailure::of(&plan, &error)
}

impl SimFailure {
    fn of(plan: &Plan, error: &anyhow::Error) -> Self {
        SimFailure { seed: plan.seed, what: format!("{error:#}"), command: plan.command() }
    }
}

/// Plants each bug, and counts the seeds until a run fails by it.
fn find_bugs(arguments: &SimArguments) -> anyhow::Result<ExitCode> {
    let mut reports = Vec::new();
    let first = arguments.seeds.0.start;
    for bug in PlantedBug::ALL {
        let plan = |seed| Plan::of_seed(seed, &arguments.limits());
        let found = find(bug, first..first + BUG_SEEDS_MAX, |seed| world::run(&plan(seed)));
        let (seed, what) = found.unzip();
        let seeds = seed.map(|seed| seed + 1 - first);
        let report = BugReport { bug: bug.name(), seeds, what: what.unwrap_or_default() };
        if !arguments.json {
            match report.seeds {
                Some(seeds) => println!("{}: {seeds} seeds: {}", report.bug, report.what),
                None => println!("{}: not found in {BUG_SEEDS_MAX} seeds", report.bug),
            }
        }
        reports.push(report);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&reports)?);
    }
    if reports.iter().any(|report| report.seeds.is_none()) {
        bail!("a planted bug was not found");
    }
    Ok(ExitCode::SUCCESS)
}

/// The first seed that fails with the bug and passes without it, and the failure.
fn find(
    bug: PlantedBug,
    mut seeds: Range<u64>,
    run: impl Fn(u64) -> anyhow::Result<u64>,
) -> Option<(u64, String)> {
    let found = seeds.find_map(|seed| {
        PlantedBug::plant(Some(bug));
        let error = run(seed).err()?;
        PlantedBug::plant(None);
        run(seed).is_ok().then(|| (seed, format!("{error:#}")))
    });
    PlantedBug::plant(None);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan::of_seed(seed, &PlanLimits::default())
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        assert_eq!(world::run(&plan(3)).unwrap(), world::run(&plan(3)).unwrap());
    }

    #[test]
    fn a_planted_bug_is_found_made_smaller_and_repeated_by_its_command() {
        PlantedBug::plant(Some(PlantedBug::LeakedField));
        let plan = plan(1);
        let error = world::run(&plan).unwrap_err();
        let (small, error) = shrink::shrink(&plan, error, world::run);
        let told = format!("{error:#}");
        assert!(told.contains("owner-only") || told.contains("owned: "), "{told}");
        assert!(small.faults.len() < plan.faults.len() && shrink::is_repeatable(&small));
        PlantedBug::plant(None);
        world::run(&plan).unwrap();
    }

    #[test]
    fn a_seed_that_fails_without_the_bug_has_not_found_it() {
        let bug = PlantedBug::DoubledSeat;
        let run = |seed| match seed {
            4 => bail!("it fails anyway"),
            6 if bug.is_planted() => bail!("a second ship"),
            _ => Ok(0),
        };
        assert_eq!(find(bug, 0..9, run), Some((6, "a second ship".to_owned())));
        assert_eq!(find(bug, 0..6, run), None);
        assert!(!bug.is_planted());
    }

    #[test]
    fn ranges_and_numbers_are_read() {
        assert_eq!("3..9".parse::<Seeds>().unwrap().0, 3..9);
        for wrong in ["3", "9..3", "a..b", ""] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
        assert_eq!("0,4".parse::<Only>().unwrap().0, [0, 4]);
        assert!("none".parse::<Only>().unwrap().0.is_empty() && "x".parse::<Only>().is_err());
    }
}
