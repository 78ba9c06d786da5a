//! `cargo xtask play`: from a fresh clone to an example in a browser.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};

use crate::command::Run;
use crate::fresh::is_fresh;
use crate::proxy::{self, Proxy};
use crate::repo::Repo;
use crate::web;

#[derive(Args)]
pub(crate) struct PlayFlags {
    /// What to play.
    #[arg(value_enum, default_value_t)]
    game: Game,
    /// Play the arena over a bad network: a proxy goes before it, both on free ports of this machine.
    #[arg(long, value_parser = ["lan", "wifi", "lte", "awful"])]
    profile: Option<String>,
    /// Flags for the server, after `--`; `-- --help` shows them.
    #[arg(last = true)]
    server: Vec<String>,
}

/// The examples that have a page.
#[derive(Clone, Copy, Default, PartialEq, ValueEnum)]
enum Game {
    /// Ships of two teams among asteroids.
    #[default]
    Arena,
    /// A dot that runs about: the game of the README.
    Minimal,
}

/// Builds what is stale and becomes the server, which prints its address.
pub(crate) fn play(repo: &Repo, flags: &PlayFlags) -> anyhow::Result<ExitCode> {
    let is_arena = flags.game == Game::Arena;
    ensure!(is_arena || flags.profile.is_none(), "only the arena plays over a --profile");
    let (server, page) = match flags.game {
        Game::Arena => {
            web::build_all(repo)?;
            build_server(repo).context("the arena server does not build")?;
            (server_path(repo), None)
        }
        Game::Minimal => {
            web::build_minimal(repo)?;
            println!("build: the minimal server");
            let build = ["build", "--release", "--package=tickwire-minimal"];
            Run::new("cargo", &build, repo.root()).show()?;
            let server = repo.target().join("release/tickwire-minimal");
            (server, Some(repo.minimal_page().join("dist")))
        }
    };
    let listens = flags.server.iter().any(|flag| flag.starts_with("--listen"));
    ensure!(
        flags.profile.is_none() || !listens,
        "with --profile the server listens where the proxy sends to: leave out --listen"
    );
    let mut arguments = Vec::new();
    if let Some(page) = &page {
        arguments.extend(["--page-dir", text(page)?]);
    }
    arguments.extend(flags.server.iter().map(String::as_str));
    if let Some(profile) = &flags.profile {
        return serve_over(repo, profile, (&server, arguments));
    }
    println!("play: stop the server with Ctrl-C\n");
    serve(Run::new(text(&server)?, &arguments, repo.root()).into_command())
}

/// The same with a proxy before it, which ends soon after the server has.
fn serve_over(
    repo: &Repo,
    profile: &str,
    (server, mut arguments): (&Path, Vec<&str>),
) -> anyhow::Result<ExitCode> {
    println!("build: the proxy");
    let build = ["build", "--release", "--package=tickwire-bench"];
    Run::new("cargo", &build, repo.root()).show().context("the proxy does not build")?;
    let reserved = proxy::reserve()?;
    let to = reserved.address.to_string();
    let program = repo.target().join("release/tickwire-bench");
    let flags = ["proxy", "--to", &to, "--profile", profile, "--until-eof"];
    let proxy = Proxy::start(Run::new(text(&program)?, &flags, repo.root()))?;
    drop(reserved);
    println!("play: over {profile}: http://{to}/?port={}", proxy.port);
    println!("play: the same by TCP: http://{to}/?port={}&transport=websocket", proxy.port);
    println!("play: stop the server and the proxy with Ctrl-C\n");
    arguments.extend(["--listen", &to]);
    let mut server = Run::new(text(server)?, &arguments, repo.root()).into_command();
    server.stdin(proxy.into_hold()?);
    serve(server)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the path of the checkout is not UTF-8")
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
fn serve(mut server: Command) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(server.exec()).context("the server cannot be started")
}

#[cfg(not(unix))]
fn serve(mut server: Command) -> anyhow::Result<ExitCode> {
    let status = server.status().context("the server cannot be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
