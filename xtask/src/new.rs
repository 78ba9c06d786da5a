//! `cargo xtask new NAME`: a game of one's own, outside the repository.

mod files;
mod name;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::command::Run;
use crate::install::{Need, node_modules_in};
use crate::progress::Progress;
use crate::repo::Repo;
use crate::step::Outcome;
use crate::web;

#[derive(Args)]
pub(crate) struct NewFlags {
    /// What the game is called: small letters, digits and hyphens.
    name: String,
    /// The folder to write; it must not be there yet. The name, beside the repository, if not given.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

/// Writes the game, builds what its page needs of this repository, and says how to play it.
pub(crate) fn new(repo: &Repo, flags: &NewFlags) -> anyhow::Result<ExitCode> {
    name::check(&flags.name)?;
    let beside = repo.root().parent().unwrap_or(repo.root()).join(&flags.name);
    let folder = flags.path.clone().unwrap_or(beside);
    ensure!(!folder.exists(), files::is_there(&folder));
    let mut progress = Progress::new(2);
    progress.step("the package for browsers; beside it the node modules");
    thread::scope(|scope| {
        let modules = scope.spawn(|| node_modules_in(&[repo.package()]));
        Need::WasmTarget.satisfy(repo)?;
        web::prepare_package(repo)?;
        modules.join().expect("installing does not panic")
    })?;
    web::build_package(repo)?;
    progress.step("the game");
    let folder = files::write(repo, &flags.name, &folder)?;
    npm_install(&folder)?;
    println!("{}", how_to_play(&folder));
    Ok(ExitCode::SUCCESS)
}

fn how_to_play(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "\n{folder} is a game of your own. Play it, by two commands in two terminals:\n\n    \
         cd {folder} && cargo run\n    cd {folder}/page && npm run dev\n\n\
         then open http://localhost:5173/. Its README.md says what is where."
    )
}

fn npm_install(folder: &Path) -> anyhow::Result<()> {
    println!("install: npm install in {}", folder.join("page").display());
    let install = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
    Run::new("npm", &install, &folder.join("page")).quiet()
}

/// The step `new`: what is written builds, passes its own tests, and plays in Chromium by its development server.
///
/// Its commands build in this repository's target directory, where most of it is there already.
pub(crate) fn check(repo: &Repo) -> anyhow::Result<Outcome> {
    const NAME: &str = "star-chase";
    web::build_all(repo)?;
    let home = tempfile::tempdir().context("a folder for the game")?;
    let folder = files::write(repo, NAME, &home.path().join(NAME))?;
    let cargo = |arguments: &[&str]| {
        let run = Run::new("cargo", arguments, &folder).env("CARGO_TARGET_DIR", repo.target());
        run.show().context("the game that `cargo xtask new` writes")
    };
    cargo(&["fmt", "--check"])?;
    cargo(&["test", "--quiet"])?;
    cargo(&["build"])?;
    npm_install(&folder)?;
    let pictures = repo.target().join("e2e/chromium");
    fs::create_dir_all(&pictures)?;
    let test =
        ["--test", "--test-timeout=900000", "--test-reporter=spec", "xtask/e2e/new.test.mjs"];
    Run::new("node", &test, repo.root())
        .env("CARGO_TARGET_DIR", repo.target())
        .env("GAME", &folder)
        .env("GAME_SERVER", repo.target().join("debug").join(NAME))
        .env("SCREENSHOTS", &pictures)
        .show()?;
    Ok(Outcome::Passed)
}
