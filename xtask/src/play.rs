//! `cargo xtask play`: from a fresh clone to an example in a browser.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::command::Run;
use crate::install::{Need, node_modules_in};
use crate::progress::Progress;
use crate::proxy::{self, Proxy};
use crate::repo::Repo;
use crate::web::{self, Module, Profile, text};

#[derive(Args)]
pub(crate) struct PlayFlags {
    /// The example to serve.
    #[arg(value_enum, default_value_t)]
    game: Game,
    /// Play the arena over a bad network: starts a proxy before it, both on free ports of this
    /// machine.
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
    /// A dot that moves about: the game of the README.
    Minimal,
    /// Prices of 5000 shares by topics, without a game.
    Quotes,
    /// Chat by topics, without a game.
    Rooms,
    /// A thousand couriers on a map by topics, without a game.
    Tracking,
}

/// An example: the folder of its page, and the parts of its server and page.
struct Example {
    page: PathBuf,
    build_page: fn(&Repo) -> anyhow::Result<()>,
    /// Arguments for cargo.
    server: &'static [&'static str],
    program: &'static str,
    /// Its settings, within the repository.
    config: Option<&'static str>,
    /// Each with its output folder.
    modules: Vec<(Module, PathBuf)>,
}

impl Game {
    fn example(self, repo: &Repo) -> Example {
        let client = (web::CLIENT, repo.package().join("wasm"));
        match self {
            Game::Arena => Example {
                page: repo.page(),
                build_page: web::build_page,
                server: ARENA_SERVER,
                program: "arena-server",
                config: None,
                modules: vec![client, (web::ARENA_RULES, repo.page().join("wasm"))],
            },
            Game::Minimal => Example {
                page: repo.minimal_page(),
                build_page: web::build_minimal_page,
                server: &["--package=tickwire-minimal", "--bin=tickwire-minimal"],
                program: "tickwire-minimal",
                config: None,
                modules: vec![client],
            },
            Game::Quotes => Example {
                page: repo.quotes_page(),
                build_page: web::build_quotes_page,
                server: &["--package=tickwire-quotes", "--bin=tickwire-quotes"],
                program: "tickwire-quotes",
                config: Some("examples/quotes/quotes.toml"),
                modules: vec![client],
            },
            Game::Rooms => Example {
                page: repo.rooms_page(),
                build_page: web::build_rooms_page,
                server: &["--package=tickwire-rooms", "--bin=tickwire-rooms"],
                program: "tickwire-rooms",
                config: Some("examples/rooms/rooms.toml"),
                modules: vec![client],
            },
            Game::Tracking => Example {
                page: repo.tracking_page(),
                build_page: web::build_tracking_page,
                server: &["--package=tickwire-tracking", "--bin=tickwire-tracking"],
                program: "tickwire-tracking",
                config: Some("examples/tracking/tracking.toml"),
                modules: vec![client],
            },
        }
    }
}

/// Without a page in its binary, so that it need not be built after the page.
const ARENA_SERVER: &[&str] = &[
    "--package=tickwire-arena",
    "--bin=arena-server",
    "--no-default-features",
    "--features=tickwire-arena/server",
];

/// Builds everything stale and becomes the server, which prints its address.
pub(crate) fn play(repo: &Repo, flags: &PlayFlags) -> anyhow::Result<ExitCode> {
    let is_arena = flags.game == Game::Arena;
    ensure!(is_arena || flags.profile.is_none(), "only the arena plays over a --profile");
    let gives = |name: &str| flags.server.iter().any(|flag| flag.starts_with(name));
    ensure!(
        flags.profile.is_none() || !gives("--listen"),
        "with --profile the server listens where the proxy sends to: leave out --listen"
    );
    let example = flags.game.example(repo);
    let mut progress = Progress::new(if flags.profile.is_some() { 4 } else { 3 });
    build(repo, &example, &mut progress)?;
    let page = example.page.join("dist");
    let mut arguments = Vec::new();
    if !gives("--page-dir") {
        arguments.extend(["--page-dir", text(&page)?]);
    }
    let config = example.config.map(|file| repo.root().join(file));
    if let Some(config) = config.as_deref().filter(|_| !gives("--config")) {
        arguments.extend(["--config", text(config)?]);
    }
    arguments.extend(flags.server.iter().map(String::as_str));
    let server = repo.target().join("play").join(example.program);
    if let Some(profile) = &flags.profile {
        progress.step("the proxy, then the game");
        return serve_over(repo, profile, (&server, arguments));
    }
    progress.step("the game; stop it with Ctrl-C\n");
    serve(Run::new(text(&server)?, &arguments, repo.root()).into_command())
}

/// Builds the example: npm works in parallel while cargo is busy.
fn build(repo: &Repo, example: &Example, progress: &mut Progress) -> anyhow::Result<()> {
    thread::scope(|scope| {
        progress.step("the client for browsers; beside it the node modules");
        let folders = [repo.package(), example.page.clone()];
        let node_modules = scope.spawn(move || node_modules_in(&folders));
        Need::WasmTarget.satisfy(repo)?;
        for (module, _) in &example.modules {
            module.compile(repo, Profile::Play)?;
        }
        progress.step("the server; beside it the page");
        let (bindgen_is_built, bindgen) = mpsc::channel();
        let page = scope.spawn(move || {
            node_modules.join().expect("installing does not panic")?;
            build_page(repo, example, &bindgen)
        });
        let programs = [example.server, &[web::BINDGEN, "--bin=tickwire-bindgen"]].concat();
        let server = build_programs(repo, &programs, |program| {
            if program == "tickwire-bindgen" {
                // Without a reader the page has failed, which is reported below.
                let _ = bindgen_is_built.send(());
            }
        });
        drop(bindgen_is_built);
        let page = page.join().expect("building a page does not panic");
        server.context("the server does not build")?;
        page.context("the page does not build")
    })
}

/// Builds the modules, the package and the page, once `tickwire-bindgen` exists.
fn build_page(repo: &Repo, example: &Example, bindgen: &Receiver<()>) -> anyhow::Result<()> {
    bindgen.recv().context("tickwire-bindgen was not built")?;
    for (module, output) in &example.modules {
        module.bind(repo, Profile::Play, output)?;
    }
    web::build_package(repo)?;
    (example.build_page)(repo)
}

/// Builds programs with the profile `play`, with cargo's own progress shown, and calls `built` with
/// each finished one.
fn build_programs(repo: &Repo, what: &[&str], mut built: impl FnMut(&str)) -> anyhow::Result<()> {
    let json = "--message-format=json-render-diagnostics";
    let build = [&["build", "--profile=play", json], what].concat();
    Run::new("cargo", &build, repo.root()).lines(|line| {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return };
        let name = message["target"]["name"].as_str();
        if message["executable"].is_string()
            && let Some(name) = name
        {
            built(name);
        }
    })
}

/// Like [`serve`], with a proxy before the server; it ends soon after the server.
fn serve_over(
    repo: &Repo,
    profile: &str,
    (server, mut arguments): (&Path, Vec<&str>),
) -> anyhow::Result<ExitCode> {
    let build = ["build", "--profile=play", "--package=tickwire-bench", "--bin=tickwire-bench"];
    Run::new("cargo", &build, repo.root()).show().context("the proxy does not build")?;
    let reserved = proxy::reserve()?;
    let to = reserved.address.to_string();
    let program = repo.target().join("play/tickwire-bench");
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

/// Replaces this process by the server, so that Ctrl-C and SIGTERM reach only the server.
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
