//! The chores of this repository: `cargo xtask play`, `cargo xtask test`, `cargo xtask web`.

mod bench;
mod browser;
mod command;
mod dependencies;
mod fresh;
mod fuzz;
mod install;
mod play;
mod proxy;
mod repo;
mod rust;
mod step;
mod test;
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
    /// Run everything that must hold before a change is merged.
    Test(test::TestFlags),
    /// Build the wasm client, the npm package and the examples' pages.
    Web,
}

fn main() -> ExitCode {
    let chore = Flags::parse().chore;
    let done = Repo::find().and_then(|repo| match chore {
        Chore::Play(flags) => play::play(&repo, &flags),
        Chore::Test(flags) => test::test(&repo, &flags),
        Chore::Web => web::build_all(&repo).map(|()| ExitCode::SUCCESS),
    });
    done.unwrap_or_else(|error| {
        eprintln!("\nerror: {error:#}");
        ExitCode::FAILURE
    })
}
