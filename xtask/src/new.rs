//! `cargo xtask new NAME`: a new game, outside the repository.

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
    /// The name of the game: small letters, digits and hyphens.
    name: String,
    /// The folder to write, which must not exist yet; by default the name, beside the repository.
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

/// The step `new`: a written game passes the commands of its own file for continuous integration,
/// and plays in Chromium, served by its development server and by its own.
///
/// Its commands build in this repository's target directory, which has most of it already.
pub(crate) fn check(repo: &Repo) -> anyhow::Result<Outcome> {
    const NAME: &str = "star-chase";
    web::build_all(repo)?;
    let home = tempfile::tempdir().context("a folder for the game")?;
    let folder = files::write(repo, NAME, &home.path().join(NAME))?;
    npm_install(&folder)?;
    let text = fs::read_to_string(folder.join(".github/workflows/ci.yml"))?;
    let commands = ci_commands(&text, NAME);
    ensure!(commands.len() >= 5, "its file for continuous integration has {commands:?}");
    for (below, command) in commands.into_iter().chain([(String::new(), "cargo build".to_owned())])
    {
        println!("new: {command}");
        let run = Run::new("sh", &["-c", &command], &folder.join(below));
        let run = run.env("CARGO_TARGET_DIR", repo.target());
        run.show().context("the game that `cargo xtask new` writes")?;
    }
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

/// The commands that a workflow runs in the folder `name` or below it, each with the path below it.
fn ci_commands(workflow: &str, name: &str) -> Vec<(String, String)> {
    let steps = workflow.split("\n      - ").filter_map(|step| step.strip_prefix("run: "));
    let in_folder = steps.filter_map(|step| {
        let (command, rest) = step.split_once('\n')?;
        let below = rest.trim().strip_prefix("working-directory: ")?.strip_prefix(name)?;
        Some((below.trim_start_matches('/').to_owned(), command.to_owned()))
    });
    in_folder.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_a_workflow_are_those_in_the_folder_of_the_game() {
        let workflow = "jobs:\n  test:\n    steps:\n      - uses: x\n        with:\n          path: a\n      - run: all\n      \
                        - run: one --two\n        working-directory: demo\n      - run: three\n        \
                        working-directory: demo/page\n      - run: four\n        working-directory: other\n";
        let commands = ci_commands(workflow, "demo");
        let found: Vec<_> = commands.iter().map(|(below, run)| (&**below, &**run)).collect();
        assert_eq!(found, [("", "one --two"), ("page", "three")]);
    }
}
