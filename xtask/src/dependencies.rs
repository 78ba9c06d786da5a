//! What the project depends on: licences, bans, known faults.

use crate::command::Run;
use crate::repo::Repo;
use crate::step::Outcome;

/// Where cargo-deny gets the known faults from.
const ADVISORIES_URL: &str = "https://github.com/RustSec/advisory-db";

pub(crate) fn deny(repo: &Repo) -> anyhow::Result<Outcome> {
    Run::new("cargo", &["deny", "check", "bans", "licenses", "sources"], repo.root()).show()?;
    Ok(Outcome::Passed)
}

/// Not run where the database cannot be reached: nothing is known about the dependencies then.
pub(crate) fn advisories(repo: &Repo) -> anyhow::Result<Outcome> {
    let reach = ["ls-remote", "--exit-code", ADVISORIES_URL, "HEAD"];
    if Run::new("git", &reach, repo.root()).env("GIT_TERMINAL_PROMPT", "0").read().is_err() {
        return Ok(Outcome::NotRun(format!("{ADVISORIES_URL} cannot be reached")));
    }
    Run::new("cargo", &["deny", "check", "advisories"], repo.root()).show()?;
    Ok(Outcome::Passed)
}
