//! Checks the dependencies: licences, bans, known vulnerabilities.

use crate::command::Run;
use crate::repo::Repo;
use crate::step::Outcome;

/// Source of cargo-deny's known vulnerabilities.
const ADVISORIES_URL: &str = "https://github.com/RustSec/advisory-db";

pub(crate) fn deny(repo: &Repo) -> anyhow::Result<Outcome> {
    Run::new("cargo", &["deny", "check", "bans", "licenses", "sources"], repo.root()).show()?;
    Ok(Outcome::Passed)
}

/// Not run if the database is unreachable: then nothing is known about the dependencies.
pub(crate) fn advisories(repo: &Repo) -> anyhow::Result<Outcome> {
    let reach = ["ls-remote", "--exit-code", ADVISORIES_URL, "HEAD"];
    if Run::new("git", &reach, repo.root()).env("GIT_TERMINAL_PROMPT", "0").read().is_err() {
        return Ok(Outcome::NotRun(format!("{ADVISORIES_URL} cannot be reached")));
    }
    Run::new("cargo", &["deny", "check", "advisories"], repo.root()).show()?;
    Ok(Outcome::Passed)
}
