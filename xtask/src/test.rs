//! `cargo xtask test`: all checks required before a change is merged.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use crate::install::Need;
use crate::repo::Repo;
use crate::step::{Report, Step};
use crate::{bench, book, browser, dependencies, fuzz, new, probes, rust, wasm_speed, web};

/// In the order of running: quick and informative ones first.
const STEPS: &[Step] = &[
    Step::new("fmt", "rustfmt has nothing to change", &[], rust::fmt),
    Step::new("clippy", "no warnings", &[], rust::clippy),
    Step::new("tests", "unit and integration tests", &[Need::Nextest, Need::Tmux], rust::tests),
    Step::new(
        "schedules",
        "10,000 schedules of packets end in one world, and of topics in all messages",
        &[],
        rust::schedules,
    ),
    Step::new(
        "sim",
        "servers, journals and clients under faults, in virtual time",
        &[],
        bench::sim,
    ),
    Step::new("http3", "the server against HTTP/3 by hand", &[Need::Probes], probes::http3),
    Step::new(
        "protocol",
        "a client from the protocol pages alone",
        &[Need::Probes],
        probes::protocol,
    ),
    Step::new("doctests", "the examples of the documentation", &[], rust::doctests),
    Step::new("wasm", "shared and client for browsers", &[Need::WasmTarget], rust::wasm),
    Step::new("web", "the package and the pages: types, tests, build", WEB, web::checks),
    Step::new("chromium", "the examples in Chromium", CHROMIUM, browser::chromium),
    Step::new("firefox", "the examples in Firefox", FIREFOX, browser::firefox),
    Step::new("new", "a game of one's own: builds, tests, plays in Chromium", CHROMIUM, new::check),
    Step::new("docs", "the documentation, no warnings", &[], rust::docs),
    Step::new("book", "the book builds, and every link leads somewhere", &[], book::check),
    Step::new("deny", "licences, bans, sources", &[Need::Deny], dependencies::deny),
    Step::new("advisories", "known faults", &[Need::Deny], dependencies::advisories),
    Step::new("fuzz", "every decoder against random bytes", FUZZ, fuzz::all),
    Step::new("benches", "every bench runs once", &[], bench::criterion),
    Step::new("wasm-speed", "one world natively and as wasm", CHROMIUM, wasm_speed::smoke),
    Step::new("swarm", "five bots over each transport", &[], bench::swarm),
    Step::new("floor", "the arena against bare QUIC", &[], bench::floor),
    Step::new("attack", "bots who play while the server is flooded", &[Need::Ip], bench::attack),
    Step::new("crash", "players whose server is killed", &[], bench::crash),
    Step::new("handover", "players whose server is handed over", &[], bench::handover),
    Step::new("topics", "subscribers of a topic, and one that stops", &[], bench::topics),
    Step::new("codec", "a model from a recording, and simpler ways", &[], bench::codec),
    Step::new("feel", "five players on a good and on a bad network", &[], bench::feel),
    Step::new("field", "five players who all see each other", &[], bench::field),
];
const WEB: &[Need] = &[Need::WasmTarget, Need::NodeModules];
const CHROMIUM: &[Need] = &[Need::WasmTarget, Need::NodeModules, Need::Chromium];
const FIREFOX: &[Need] = &[Need::WasmTarget, Need::NodeModules, Need::Firefox];
const FUZZ: &[Need] = &[Need::Nightly, Need::Cxx, Need::Fuzz];

#[derive(Args)]
pub(crate) struct TestFlags {
    /// Run only this step; may be given several times. Without it, all.
    #[arg(long = "step", value_name = "NAME")]
    steps: Vec<String>,
    /// Show the steps and run none.
    #[arg(long)]
    list: bool,
}

/// Runs the chosen steps to the end despite failures; the last line printed has the totals.
pub(crate) fn test(repo: &Repo, flags: &TestFlags) -> anyhow::Result<ExitCode> {
    let steps = chosen(&flags.steps)?;
    if flags.list {
        for step in &steps {
            println!("{:12} {}", step.name, step.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let missing = install(repo, &steps);
    let mut report = Report::default();
    for step in steps {
        let unmet = missing.iter().find(|(need, _)| step.needs.contains(need));
        report.run(repo, step, unmet.map(|(_, why)| why.as_str()));
    }
    Ok(if report.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Step>> {
    for name in names {
        if !STEPS.iter().any(|step| step.name == name) {
            let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
            bail!("there is no step `{name}`; the steps are: {}", known.join(", "));
        }
    }
    let wanted = |step: &&Step| names.is_empty() || names.iter().any(|name| name == step.name);
    Ok(STEPS.iter().filter(wanted).collect())
}

/// Finds or installs the steps' needs; returns those that are unavailable, with the reasons.
fn install(repo: &Repo, steps: &[&Step]) -> Vec<(Need, String)> {
    let mut needs: Vec<Need> = Vec::new();
    for need in steps.iter().flat_map(|step| step.needs) {
        if !needs.contains(need) {
            needs.push(*need);
        }
    }
    let missing = needs.into_iter().filter_map(|need| {
        let error = need.satisfy(repo).err()?;
        println!("install: {error:#}");
        Some((need, format!("{error:#}")))
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_own_name_and_is_chosen_by_it() {
        for (at, step) in STEPS.iter().enumerate() {
            assert!(STEPS[..at].iter().all(|other| other.name != step.name), "{}", step.name);
            let found = chosen(&[step.name.to_owned()]).unwrap();
            assert_eq!(found.iter().map(|step| step.name).collect::<Vec<_>>(), [step.name]);
        }
        assert_eq!(chosen(&[]).unwrap().len(), STEPS.len());
    }

    #[test]
    fn an_unknown_step_is_answered_with_the_known_ones() {
        let error = chosen(&["fmd".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("`fmd`") && error.contains("fmt, clippy"), "{error}");
    }

    #[test]
    fn steps_run_in_the_order_of_the_list_however_they_are_asked_for() {
        let names = ["docs".to_owned(), "fmt".to_owned()];
        let found: Vec<_> = chosen(&names).unwrap().iter().map(|step| step.name).collect();
        assert_eq!(found, ["fmt", "docs"]);
    }
}
