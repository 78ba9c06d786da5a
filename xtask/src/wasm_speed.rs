//! `cargo xtask wasm-speed`: a browser's speed at applying snapshots, compared with the same code
//! natively.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::Value;

use crate::command::Run;
use crate::install::Need;
use crate::repo::Repo;
use crate::rust::build_binaries;
use crate::step::Outcome;
use crate::web::{self, text};

/// Tools for the browser's side.
const NEEDS: &[Need] = &[Need::WasmTarget, Need::NodeModules, Need::Chromium];

#[derive(Args)]
pub(crate) struct WasmSpeedFlags {
    /// Samples of each side and stream, taken in turn; the median is reported.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Print one JSON object for each stream and nothing else.
    #[arg(long)]
    json: bool,
}

/// Measures both sides as shipped: the release build, and the profile of the npm package.
pub(crate) fn wasm_speed(repo: &Repo, flags: &WasmSpeedFlags) -> anyhow::Result<ExitCode> {
    NEEDS.iter().try_for_each(|need| need.satisfy(repo))?;
    let build = ["build", "--release", "--package=tickwire-bench"];
    Run::new("cargo", &build, repo.root()).show()?;
    let runs = flags.runs.to_string();
    let json: &[&str] = if flags.json { &["--json"] } else { &[] };
    command(repo, "release", &[&["--runs", &runs], json].concat())?.show()?;
    Ok(ExitCode::SUCCESS)
}

/// Checks that both sides end in the same world; ignores the speed.
pub(crate) fn smoke(repo: &Repo) -> anyhow::Result<Outcome> {
    build_binaries(repo)?;
    let short = ["--runs", "1", "--sample-ms", "1", "--ticks-max", "12", "--json"];
    let printed = command(repo, "debug", &short)?.read()?;
    let mut streams = 0;
    for line in printed.lines() {
        let found: Value =
            serde_json::from_str(line).with_context(|| format!("not a JSON object: {line}"))?;
        ensure!(found["snapshots"] == 12, "not twelve snapshots: {found}");
        ensure!(found["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), "no ratio: {found}");
        println!("{}: both end in {}", found["stream"], found["hash"]);
        streams += 1;
    }
    ensure!(streams == 3, "not three streams: {printed}");
    Ok(Outcome::Passed)
}

fn command(repo: &Repo, profile: &str, flags: &[&str]) -> anyhow::Result<Run> {
    let module = repo.target().join("replay");
    web::build_replay(repo, &module)?;
    let program = repo.target().join(profile).join("tickwire-bench");
    let module = ["wasm-speed", "--module", text(&module)?];
    Ok(Run::new(text(&program)?, &[&module, flags].concat(), repo.root()))
}
