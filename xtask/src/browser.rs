//! Plays the examples in real browsers, against real servers.

use crate::command::Run;
use crate::repo::Repo;
use crate::rust::build_binaries;
use crate::step::Outcome;
use crate::web;

pub(crate) fn chromium(repo: &Repo) -> anyhow::Result<Outcome> {
    play_in(repo, "chromium")
}

pub(crate) fn firefox(repo: &Repo) -> anyhow::Result<Outcome> {
    play_in(repo, "firefox")
}

/// The tests start and stop their own servers: some of them check how a session ends.
fn play_in(repo: &Repo, browser: &str) -> anyhow::Result<Outcome> {
    web::build_all(repo)?;
    build_binaries(repo)?;
    run(repo, &[browser]).show()?;
    Ok(Outcome::Passed)
}

/// Runs the tests in a browser, or those of one file, with the programs of the debug build.
pub(crate) fn run(repo: &Repo, words: &[&str]) -> Run {
    let browser = words.first().copied().unwrap_or_default();
    Run::new("npm", &[&["run", "--silent", "e2e", "--"], words].concat(), &repo.page())
        .env("ARENA_SERVER", repo.target().join("debug/arena-server"))
        .env("ARENA_TERMINAL", repo.target().join("debug/arena-terminal"))
        .env("TICKWIRE_BENCH", repo.target().join("debug/tickwire-bench"))
        .env("TICKWIRE_CERTS", repo.target().join("debug/tickwire-certs"))
        .env("ECHO_SERVER", repo.target().join("debug/tickwire-echo"))
        .env("MINIMAL_SERVER", repo.target().join("debug/tickwire-minimal"))
        .env("TRACKING_SERVER", repo.target().join("debug/tickwire-tracking"))
        .env("QUOTES_SERVER", repo.target().join("debug/tickwire-quotes"))
        .env("ROOMS_SERVER", repo.target().join("debug/tickwire-rooms"))
        .env("MINE_SERVER", repo.target().join("debug/tickwire-mine"))
        .env("SCREENSHOTS", repo.target().join("e2e").join(browser))
}
