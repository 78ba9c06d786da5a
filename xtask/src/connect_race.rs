//! `cargo xtask connect-race`: the transports of a browser's sessions on better and worse networks.

use std::process::ExitCode;

use clap::Args;

use crate::browser;
use crate::install::Need;
use crate::repo::Repo;
use crate::rust::build_binaries;
use crate::web;

const NEEDS: &[Need] = &[Need::WasmTarget, Need::NodeModules, Need::Chromium];

#[derive(Args)]
pub(crate) struct ConnectRaceFlags {
    /// Connections over each network, each from a browser without memory of earlier ones.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
}

/// Connects headless Chromium through the proxy, by UDP and by TLS over TCP. Prints a table, and
/// fails if datagrams passed and were not used.
pub(crate) fn connect_race(repo: &Repo, flags: &ConnectRaceFlags) -> anyhow::Result<ExitCode> {
    NEEDS.iter().try_for_each(|need| need.satisfy(repo))?;
    web::build_all(repo)?;
    build_binaries(repo)?;
    browser::run(repo, &["chromium", "race"]).env("RACE_RUNS", flags.runs.to_string()).show()?;
    Ok(ExitCode::SUCCESS)
}
