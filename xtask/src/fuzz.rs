//! Runs every decoder on random bytes, for a few seconds each.

use std::fs;

use anyhow::{Context as _, ensure};

use crate::command::Run;
use crate::repo::Repo;
use crate::step::Outcome;

/// Seconds for all targets together.
const SECONDS_TOTAL: usize = 20;

pub(crate) fn all(repo: &Repo) -> anyhow::Result<Outcome> {
    let targets = targets(repo)?;
    ensure!(!targets.is_empty(), "shared/fuzz has no targets");
    let seconds = (SECONDS_TOTAL / targets.len()).max(1);
    let limit = format!("-max_total_time={seconds}");
    let shared = repo.root().join("shared");
    let folder = repo.target().join("fuzz");
    // All at once: this keeps the cores busy, and each run finds its target built.
    let build = ["+nightly", "fuzz", "build"];
    Run::new("cargo", &build, &shared)
        .env("CARGO_TARGET_DIR", &folder)
        .quiet()
        .context("the fuzz targets do not build")?;
    for target in &targets {
        println!("--- {target}, {seconds} s");
        // A run that finds a fault fails and prints the path of the bytes.
        let run = ["+nightly", "fuzz", "run", target, "--", &limit, "-print_final_stats=0"];
        Run::new("cargo", &run, &shared)
            .env("CARGO_TARGET_DIR", &folder)
            .quiet()
            .with_context(|| format!("fuzz target `{target}`"))?;
    }
    Ok(Outcome::Passed)
}

/// The targets, one for each file, so that new ones need not be listed here.
fn targets(repo: &Repo) -> anyhow::Result<Vec<String>> {
    let folder = repo.fuzz().join("fuzz_targets");
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("cannot read {}; is the checkout whole?", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}
