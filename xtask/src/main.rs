//! The chores of this repository: `cargo xtask play`, `cargo xtask new`, `cargo xtask test`, `cargo
//! xtask web`, `cargo xtask book`, `cargo xtask reference`, `cargo xtask connect-race`, `cargo xtask
//! wasm-speed`.

mod bench;
mod book;
mod browser;
mod command;
mod connect_race;
mod dependencies;
mod fresh;
mod fuzz;
mod install;
mod new;
mod play;
mod probes;
mod progress;
mod proxy;
mod repo;
mod rust;
mod shown;
mod step;
mod test;
mod wasm_speed;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::repo::Repo;

/// The chores of the tickwire repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Flags {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build an example, server and page, and serve it.
    Play(play::PlayFlags),
    /// Write a game of your own beside this repository: rules, server, page, tests.
    New(new::NewFlags),
    /// Run all checks required before a change is merged.
    Test(test::TestFlags),
    /// Build the wasm client, the npm package and the examples' pages.
    Web,
    /// Build the book and check its links; print its path.
    Book,
    /// Write the book's pages generated from the code: settings and limits.
    Reference,
    /// Show which transport Chromium's sessions use on better and worse networks, and when the
    /// first snapshot arrives.
    ConnectRace(connect_race::ConnectRaceFlags),
    /// Measure how fast Chromium applies snapshots, compared with the same code natively.
    WasmSpeed(wasm_speed::WasmSpeedFlags),
}

fn main() -> ExitCode {
    let chore = Flags::parse().chore;
    let done = Repo::find().and_then(|repo| match chore {
        Chore::Play(flags) => play::play(&repo, &flags),
        Chore::New(flags) => new::new(&repo, &flags),
        Chore::Test(flags) => test::test(&repo, &flags),
        Chore::Web => web::build_all(&repo).map(|()| ExitCode::SUCCESS),
        Chore::Book => book::show(&repo),
        Chore::Reference => book::write_reference(&repo),
        Chore::ConnectRace(flags) => connect_race::connect_race(&repo, &flags),
        Chore::WasmSpeed(flags) => wasm_speed::wasm_speed(&repo, &flags),
    });
    done.unwrap_or_else(|error| {
        eprintln!("\nerror: {error:#}");
        ExitCode::FAILURE
    })
}
