//! The steps that run one cargo command.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use crate::command::Run;
use crate::repo::Repo;
use crate::step::{Outcome, last_lines};

/// The packages built for this machine, with the same features in every step. The programs that
/// make ES modules and the book are built alone: together with the rest they would be built once
/// more, with other features.
pub(crate) const PACKAGES: [&str; 3] =
    ["--workspace", "--exclude=tickwire-bindgen", "--exclude=tickwire-book"];
const BUILT_ALONE: [&str; 2] = ["--package=tickwire-bindgen", "--package=tickwire-book"];

pub(crate) fn fmt(repo: &Repo) -> anyhow::Result<Outcome> {
    cargo(repo, &["fmt", "--all", "--check"])?;
    // The fuzz targets are a workspace of their own.
    Run::new("cargo", &["fmt", "--check"], &repo.fuzz()).show()?;
    Ok(Outcome::Passed)
}

pub(crate) fn clippy(repo: &Repo) -> anyhow::Result<Outcome> {
    for packages in [&PACKAGES[..], &BUILT_ALONE] {
        cargo(repo, &[&["clippy", "--all-targets"], packages, &["--", "-D", "warnings"]].concat())?;
    }
    Ok(Outcome::Passed)
}

/// Takes the totals from nextest's own report, so that they count tests that ran.
pub(crate) fn tests(repo: &Repo) -> anyhow::Result<Outcome> {
    // Nextest writes it here, whatever the target directory is.
    let report = repo.root().join("target/nextest/ci/junit.xml");
    // An earlier run's report must not count for this one.
    let _ = fs::remove_file(&report);
    let ran = cargo(repo, &[&["nextest", "run", "--profile=ci"], &PACKAGES[..]].concat());
    let Ok(text) = fs::read_to_string(&report) else {
        ran?;
        anyhow::bail!("nextest wrote no {}; is .config/nextest.toml whole?", report.display());
    };
    let (passed, failed) = counts(&text).context("nextest's report has no totals")?;
    let last_lines = match ran {
        Ok(_) => String::new(),
        Err(error) if failed > 0 => last_lines(&error),
        Err(error) => return Err(error),
    };
    Ok(Outcome::Counted { passed, failed, last_lines })
}

/// The properties of replication and of topics, over as many schedules as fit a minute, with the
/// programs built for the tests.
pub(crate) fn schedules(repo: &Repo) -> anyhow::Result<Outcome> {
    let replication = ["any_loss_", "every_event_", "a_keyframe_"];
    let topics = ["every_message_of_a_topic_"];
    for (program, properties) in
        [("--test=replication", &replication[..]), ("--test=topic_schedules", &topics)]
    {
        let test = [&["test", program], &PACKAGES[..], &["--"], properties].concat();
        let run = Run::new("cargo", &test, repo.root());
        run.env("TICKWIRE_CASES", "10000").show()?;
    }
    Ok(Outcome::Passed)
}

pub(crate) fn doctests(repo: &Repo) -> anyhow::Result<Outcome> {
    cargo(repo, &[&["test", "--doc"], &PACKAGES[..]].concat())
}

pub(crate) fn wasm(repo: &Repo) -> anyhow::Result<Outcome> {
    let packages = ["--package=tickwire-shared", "--package=tickwire-client", "--lib"];
    let target = ["--target=wasm32-unknown-unknown", "--profile=wasm"];
    cargo(repo, &[&["build"], packages.as_slice(), &target].concat())
}

pub(crate) fn docs(repo: &Repo) -> anyhow::Result<Outcome> {
    for packages in [&PACKAGES[..], &BUILT_ALONE] {
        let doc = [&["doc", "--no-deps"], packages].concat();
        Run::new("cargo", &doc, repo.root()).env("RUSTDOCFLAGS", "-D warnings").show()?;
    }
    Ok(Outcome::Passed)
}

/// Builds every binary of the workspace together with all tests: for the binaries alone cargo
/// selects other features of the dependencies, and builds most of them a second time.
///
/// Once for all steps: cargo takes a second to find that nothing has changed, and is asked forty times.
pub(crate) fn build_binaries(repo: &Repo) -> anyhow::Result<()> {
    static ARE_BUILT: AtomicBool = AtomicBool::new(false);
    if !ARE_BUILT.load(Ordering::Relaxed) {
        let build = [&["build", "--all-targets"], &PACKAGES[..]].concat();
        Run::new("cargo", &build, repo.root()).show()?;
        ARE_BUILT.store(true, Ordering::Relaxed);
    }
    Ok(())
}

fn cargo(repo: &Repo, arguments: &[&str]) -> anyhow::Result<Outcome> {
    Run::new("cargo", arguments, repo.root()).show()?;
    Ok(Outcome::Passed)
}

/// Passed and failed tests of a JUnit report, from the attributes of its root.
fn counts(report: &str) -> Option<(u64, u64)> {
    let root = report.split("<testsuites").nth(1)?.split('>').next()?;
    let attribute = |name: &str| -> Option<u64> {
        root.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?.parse().ok()
    };
    let failed = attribute("failures")? + attribute("errors")?;
    Some((attribute("tests")?.checked_sub(failed)?, failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_counted_by_its_root() {
        let report = r#"<?xml version="1.0"?>
            <testsuites name="run" tests="24" failures="2" errors="1" uuid="x" time="0.1">
                <testsuite name="inner" tests="3" failures="0" errors="0">"#;
        assert_eq!(counts(report), Some((21, 3)));
    }

    #[test]
    fn a_report_without_totals_is_not_counted() {
        for report in ["", "<testsuites>", r#"<testsuites tests="1" failures="2" errors="0">"#] {
            assert_eq!(counts(report), None, "{report}");
        }
    }
}
