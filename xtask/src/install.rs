//! Tools that the chores need beyond Rust, node and git: found or installed, with one line each.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::command::{Run, is_on_path};
use crate::fresh::is_fresh;
use crate::probes;
use crate::repo::Repo;

/// A tool that a step needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The compiler's target for browsers.
    WasmTarget,
    /// The toolchain for sanitizers.
    Nightly,
    /// `cargo nextest`.
    Nextest,
    /// `cargo deny`.
    Deny,
    /// `cargo fuzz`.
    Fuzz,
    /// A C++ compiler, for the fuzzer's runtime.
    Cxx,
    /// Debian's Chromium.
    Chromium,
    /// Debian's Firefox.
    Firefox,
    /// A terminal for the terminal client's test.
    Tmux,
    /// The tool that gives a network namespace its addresses.
    Ip,
    /// Python with the QUIC library of the HTTP/3 probes and the protocol client.
    Probes,
    /// The npm packages of `client/web` and the examples' pages.
    NodeModules,
}

impl Need {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Need::WasmTarget => "the wasm32 target",
            Need::Nightly => "the nightly toolchain",
            Need::Nextest => "cargo-nextest",
            Need::Deny => "cargo-deny",
            Need::Fuzz => "cargo-fuzz",
            Need::Cxx => "a C++ compiler",
            Need::Chromium => "chromium",
            Need::Firefox => "firefox-esr",
            Need::Tmux => "tmux",
            Need::Ip => "ip",
            Need::Probes => "python3 with aioquic",
            Need::NodeModules => "node modules",
        }
    }

    /// Finds or installs the tool.
    pub(crate) fn satisfy(self, repo: &Repo) -> anyhow::Result<()> {
        let installed = match self {
            Need::WasmTarget => rustup_target(repo),
            Need::Nightly => rustup_nightly(repo),
            Need::Nextest => cargo_tool(repo, "cargo-nextest"),
            Need::Deny => cargo_tool(repo, "cargo-deny"),
            Need::Fuzz => cargo_tool(repo, "cargo-fuzz"),
            Need::Cxx => debian_package(repo, "c++", "g++"),
            Need::Chromium => debian_package(repo, "chromium", "chromium"),
            Need::Firefox => debian_package(repo, "firefox-esr", "firefox-esr"),
            Need::Tmux => debian_package(repo, "tmux", "tmux"),
            Need::Ip => debian_package(repo, "ip", "iproute2"),
            Need::Probes => probes::environment(repo),
            Need::NodeModules => node_modules(repo),
        };
        installed.with_context(|| format!("{} is missing", self.name()))
    }
}

fn rustup_target(repo: &Repo) -> anyhow::Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let list = ["target", "list", "--installed"];
    let installed = Run::new("rustup", &list, repo.root()).read();
    match installed {
        Ok(installed) if installed.lines().any(|line| line == TARGET) => Ok(()),
        Ok(_) => {
            println!("install: rustup target add {TARGET}");
            Run::new("rustup", &["target", "add", TARGET], repo.root()).quiet()
        }
        // Rust without rustup may include the target; otherwise the build says so.
        Err(_) if !is_on_path("rustup") => Ok(()),
        Err(error) => Err(error),
    }
}

fn rustup_nightly(repo: &Repo) -> anyhow::Result<()> {
    let installed = Run::new("rustup", &["toolchain", "list"], repo.root()).read()?;
    if installed.lines().any(|line| line.starts_with("nightly")) {
        return Ok(());
    }
    println!("install: rustup toolchain install nightly --profile minimal");
    let install = ["toolchain", "install", "nightly", "--profile", "minimal"];
    Run::new("rustup", &install, repo.root()).quiet()
}

fn cargo_tool(repo: &Repo, tool: &str) -> anyhow::Result<()> {
    // Cargo finds its tools in its own folder even if that is not on the path.
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    if is_on_path(tool) || home.is_some_and(|home| home.join("bin").join(tool).is_file()) {
        return Ok(());
    }
    println!("install: cargo install --debug --locked {tool} (takes minutes)");
    // Unoptimised, as the tools mostly wait, and in one folder for all, as they share crates:
    // building the tools took longer than building everything that they test.
    Run::new("cargo", &["install", "--debug", "--locked", "--quiet", tool], repo.root())
        .env("CARGO_TARGET_DIR", repo.target().join("tools"))
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .quiet()
}

fn debian_package(repo: &Repo, program: &str, package: &str) -> anyhow::Result<()> {
    if is_on_path(program) { Ok(()) } else { debian_install(repo, program, package) }
}

/// Installs a Debian package that provides `program`.
pub(crate) fn debian_install(repo: &Repo, program: &str, package: &str) -> anyhow::Result<()> {
    let by_hand = format!("run: apt-get update && apt-get install {package}");
    if !is_on_path("apt-get") {
        bail!("there is no apt-get here; install {program} by other means");
    }
    let root = Run::new("id", &["-u"], repo.root()).read()?.trim() == "0";
    if !root && !is_on_path("sudo") {
        bail!("neither root nor sudo; {by_hand}");
    }
    println!("install: apt-get install {package}");
    let apt = |arguments: &[&str]| {
        let (program, first) = if root { ("apt-get", None) } else { ("sudo", Some("-n")) };
        let apt = if root { None } else { Some("apt-get") };
        let all: Vec<&str> =
            first.into_iter().chain(apt).chain(arguments.iter().copied()).collect();
        Run::new(program, &all, repo.root()).env("DEBIAN_FRONTEND", "noninteractive").quiet()
    };
    apt(&["update", "-qq"]).with_context(|| by_hand.clone())?;
    apt(&["install", "-y", "-qq", "--no-install-recommends", package]).with_context(|| by_hand)
}

fn node_modules(repo: &Repo) -> anyhow::Result<()> {
    node_modules_in(&[
        repo.package(),
        repo.page(),
        repo.minimal_page(),
        repo.quotes_page(),
        repo.rooms_page(),
        repo.tracking_page(),
    ])
}

/// Installs the packages of each folder's `package.json`.
pub(crate) fn node_modules_in(folders: &[PathBuf]) -> anyhow::Result<()> {
    if !is_on_path("npm") {
        bail!("there is no npm; install node 20 or newer");
    }
    // The pages link to the package, so the order does not matter: fetch them in parallel.
    std::thread::scope(|scope| {
        let fetching: Vec<_> =
            folders.iter().map(|folder| scope.spawn(move || npm_ci(folder))).collect();
        fetching.into_iter().try_for_each(|it| it.join().expect("npm_ci does not panic"))
    })
}

fn npm_ci(folder: &Path) -> anyhow::Result<()> {
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.package-lock.json");
    let inputs: [PathBuf; 2] = [lock, folder.join("package.json")];
    if is_fresh(&installed, &inputs) {
        return Ok(());
    }
    println!("install: npm ci in {}", folder.display());
    Run::new("npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"], folder).quiet()
}
