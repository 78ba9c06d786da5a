//! Runs the bench binaries briefly: checks that they work, not their speed.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::command::Run;
use crate::repo::Repo;
use crate::rust::{PACKAGES, build_binaries};
use crate::step::Outcome;

const CLIENTS: u64 = 5;

pub(crate) fn criterion(repo: &Repo) -> anyhow::Result<Outcome> {
    // Unoptimised: the same build as the tests', as nothing here is measured.
    let bench = [&["bench", "--bench=*", "--profile=dev"], &PACKAGES[..], &["--", "--test"]];
    Run::new("cargo", &bench.concat(), repo.root()).show()?;
    Ok(Outcome::Passed)
}

pub(crate) fn swarm(repo: &Repo) -> anyhow::Result<Outcome> {
    for transport in ["quic", "webtransport", "websocket"] {
        println!("--- {transport}");
        let found = measure(repo, &["swarm", "--transport", transport])?;
        ensure!(found["connected"] == CLIENTS, "{transport}: not all connected: {found}");
        ensure!(found["errors"] == 0, "{transport}: errors: {found}");
        ensure!(
            found["snapshots_per_client_second"].as_f64().is_some_and(|count| count > 0.0),
            "{transport}: no snapshots: {found}"
        );
    }
    Ok(Outcome::Passed)
}

pub(crate) fn floor(repo: &Repo) -> anyhow::Result<Outcome> {
    let found = measure(repo, &["floor", "--pairs", "1"])?;
    ensure!(found["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), "no ratio: {found}");
    Ok(Outcome::Passed)
}

pub(crate) fn field(repo: &Repo) -> anyhow::Result<Outcome> {
    for transport in ["quic", "webtransport"] {
        println!("--- {transport}");
        let found = measure(repo, &["field", "--transport", transport])?;
        ensure!(found["connected"] == CLIENTS, "{transport}: not all connected: {found}");
        ensure!(found["states_equal"] == true, "{transport}: not what the server had: {found}");
    }
    Ok(Outcome::Passed)
}

/// Floods against a server of this build: checks that the bots play on, not their speed.
pub(crate) fn attack(repo: &Repo) -> anyhow::Result<Outcome> {
    for flood in
        ["none", "rooms", "joins", "handshakes", "initials", "garbage", "http", "websocket"]
    {
        println!("--- {flood}");
        let found = measure(repo, &["attack", "--flood", flood])?;
        ensure!(found["bots_lost"] == 0, "{flood}: bots were lost: {found}");
        ensure!(
            found["snapshots_per_client_second"].as_f64().is_some_and(|count| count > 0.0),
            "{flood}: no snapshots: {found}"
        );
    }
    Ok(Outcome::Passed)
}

/// Runs in virtual time from one seed, so the figures are the same on every machine.
pub(crate) fn feel(repo: &Repo) -> anyhow::Result<Outcome> {
    for (transport, profile, late_max, starved_max) in [
        ("quic", "lan", 0.0, 0.0),
        ("quic", "awful", 0.03, 0.03),
        ("websocket", "lan", 0.0, 0.0),
        ("websocket", "lte", 0.03, 0.03),
    ] {
        println!("--- {transport}, {profile}");
        let network = ["--transport", transport, "--profile", profile];
        let found = measure_for(repo, "20", &[&["feel", "--runs", "1"][..], &network].concat())?;
        let figure = |name: &str| {
            found[name].as_f64().with_context(|| format!("{profile}: no {name}: {found}"))
        };
        ensure!(figure("late_input_fraction")? <= late_max, "late inputs: {found}");
        ensure!(figure("starved_fraction")? <= starved_max, "starved: {found}");
        ensure!(figure("extra_input_frames")? == 0.0, "inputs are not seen at once: {found}");
        ensure!(figure("shots_confirmed")? > 0.0, "no shot was predicted: {found}");
    }
    Ok(Outcome::Passed)
}

pub(crate) fn codec(repo: &Repo) -> anyhow::Result<Outcome> {
    let sizes = measure(repo, &["sizes"])?;
    let bytes = |name: &str| sizes[name].as_f64().with_context(|| format!("no {name}: {sizes}"));
    ensure!(bytes("tickwire")? < bytes("changed_zstd")?, "larger than zstd: {sizes}");
    let budget = measure(repo, &["budget"])?;
    let of_cap = budget["of_cap"].as_f64().with_context(|| format!("no cap: {budget}"))?;
    ensure!((0.9..1.02).contains(&of_cap), "not the budget: {budget}");
    let joins = measure(repo, &["join", "--joins-per-s", "5"])?;
    ensure!(joins["failed"] == 0 && joins["joins"] == 10, "not all joined: {joins}");
    let file = |name: &str| repo.target().join(name).display().to_string();
    let (trace, model) = (file("smoke.trace"), file("smoke.model"));
    let recorded = measure(repo, &["record", "--out", &trace])?;
    ensure!(recorded["connected"] == CLIENTS, "not all connected: {recorded}");
    let train = ["train", "--leaves", "4", "--out", &model, &trace];
    Run::new(&program(repo)?, &train, repo.root()).show()?;
    Ok(Outcome::Passed)
}

fn program(repo: &Repo) -> anyhow::Result<String> {
    let program = repo.target().join("debug/tickwire-bench");
    Ok(program.to_str().context("the path of the checkout is not UTF-8")?.to_owned())
}

/// Kills a server with journals under play: all players come back, and no command is stepped twice.
pub(crate) fn crash(repo: &Repo) -> anyhow::Result<Outcome> {
    let found = run(repo, &["crash", "--kills", "3"])?;
    ensure!(found["seats_lost"] == 0, "seats were lost: {found}");
    ensure!(found["commands_doubled"] == 0, "commands were stepped twice: {found}");
    ensure!(found["commands_sent"].as_u64().is_some_and(|sent| sent > 0), "no commands: {found}");
    ensure!(found["commands_unanswered"] == 0, "commands without an answer: {found}");
    Ok(Outcome::Passed)
}

/// Hands a server over under play, to the same version and to others: nobody loses anything.
pub(crate) fn handover(repo: &Repo) -> anyhow::Result<Outcome> {
    for migrate in [&[][..], &["--migrate"]] {
        let found = run(repo, &[&["handover", "--times", "2"][..], migrate].concat())?;
        for lost in ["sessions_lost", "seats_lost", "ticks_lost", "acked_chat_lost"] {
            ensure!(found[lost] == 0, "{lost}: {found}");
        }
        ensure!(found["refused_ok"] == true, "a refusal was noticed: {found}");
    }
    Ok(Outcome::Passed)
}

/// Subscribers of a topic, and one that stops: everything comes once and in order, and what is no longer kept is named.
pub(crate) fn topics(repo: &Repo) -> anyhow::Result<Outcome> {
    let load = ["topics", "--subscribers", "20", "--seconds", "2", "--peers", "none", "--json"];
    for more in [&["--slow-seconds", "3"][..], &["--delivery", "latest", "--slow", "0"]] {
        let found = print(repo, &[&load[..], more].concat())?;
        for wrong in ["lost", "doubled", "out_of_order", "errors"] {
            ensure!(found[wrong] == 0, "{wrong}: {found}");
        }
        let slow = &found["slow"];
        ensure!(slow.is_null() || slow["lost"] == 0, "lost to a slow reader: {found}");
        ensure!(slow.is_null() || slow["missed"] != 0, "it missed nothing: {found}");
    }
    Ok(Outcome::Passed)
}

/// Servers, journals and clients of some seeds: every one must heal, and repeat.
pub(crate) fn sim(repo: &Repo) -> anyhow::Result<Outcome> {
    let found = print(repo, &["sim", "--seeds", "0..8", "--json"])?;
    ensure!(found["failed"] == 0 && found["seeds"] == 8, "seeds failed: {found}");
    let again = print(repo, &["sim", "--seeds", "0..8", "--json"])?;
    ensure!(found["hash"] == again["hash"], "a seed does not repeat: {found}, then {again}");
    Ok(Outcome::Passed)
}

fn measure(repo: &Repo, command: &[&str]) -> anyhow::Result<Value> {
    measure_for(repo, "2", command)
}

fn measure_for(repo: &Repo, seconds: &str, command: &[&str]) -> anyhow::Result<Value> {
    run(repo, &[command, &["--seconds", seconds]].concat())
}

/// The object that a subcommand prints.
fn run(repo: &Repo, command: &[&str]) -> anyhow::Result<Value> {
    let clients = CLIENTS.to_string();
    print(repo, &[command, &["--clients", &clients, "--json"]].concat())
}

/// The object that these words print.
fn print(repo: &Repo, words: &[&str]) -> anyhow::Result<Value> {
    build_binaries(repo)?;
    let text = Run::new(&program(repo)?, words, repo.root()).read()?;
    serde_json::from_str(&text).with_context(|| format!("not one JSON object: {text}"))
}
