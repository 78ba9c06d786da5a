//! `cargo xtask play`: from a fresh clone to the arena in a browser.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::command::Run;
use crate::fresh::is_fresh;
use crate::repo::Repo;
use crate::web;

#[derive(Args)]
pub(crate) struct PlayFlags {
    /// Flags for the arena server, after `--`; `-- --help` shows them.
    #[arg(last = true)]
    server: Vec<String>,
}

/// Builds what is stale and becomes the arena server, which prints its address.
pub(crate) fn play(repo: &Repo, flags: &PlayFlags) -> anyhow::Result<ExitCode> {
    web::build_all(repo)?;
    build_server(repo).context("the arena server does not build")?;
    println!("play: the arena server; stop it with Ctrl-C\n");
    let server = server_path(repo);
    let server = server.to_str().context("the path of the checkout is not UTF-8")?;
    let arguments: Vec<&str> = flags.server.iter().map(String::as_str).collect();
    serve(Run::new(server, &arguments, repo.root()))
}

/// The server holds the page. Cargo sees when a file in it changes, but not when the page was made
/// for the first time after the server.
fn build_server(repo: &Repo) -> anyhow::Result<()> {
    println!("build: the arena server");
    let build = || {
        let build = ["build", "--release", "--package=tickwire-arena", "--bin=arena-server"];
        Run::new("cargo", &build, repo.root()).show()
    };
    build()?;
    if !is_fresh(&server_path(repo), &[repo.page().join("dist/index.html")]) {
        Run::new("cargo", &["clean", "--release", "--package=tickwire-arena"], repo.root())
            .quiet()?;
        build()?;
    }
    Ok(())
}

fn server_path(repo: &Repo) -> PathBuf {
    repo.target().join("release/arena-server")
}

/// The server takes this process's place, so that Ctrl-C and SIGTERM reach it alone.
#[cfg(unix)]
fn serve(server: Run) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(server.into_command().exec()).context("the arena server cannot be started")
}

#[cfg(not(unix))]
fn serve(server: Run) -> anyhow::Result<ExitCode> {
    let status = server.into_command().status().context("the arena server cannot be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
