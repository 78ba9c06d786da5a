//! Builds what the browser gets: the wasm client, the npm package, the examples' pages.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::command::Run;
use crate::fresh::is_fresh;
use crate::install::Need;
use crate::repo::Repo;
use crate::step::Outcome;

/// Everything, what is fresh left alone.
pub(crate) fn build_all(repo: &Repo) -> anyhow::Result<()> {
    Need::WasmTarget.satisfy(repo)?;
    // The network is slow where the compiler is busy: both at once.
    std::thread::scope(|scope| {
        let modules = scope.spawn(|| Need::NodeModules.satisfy(repo));
        let wasm = build_wasm(repo).and_then(|()| build_rules(repo));
        modules.join().expect("installing does not panic").and(wasm)
    })?;
    build_package(repo)?;
    build_page(repo)?;
    build_minimal_page(repo)
}

/// What the minimal example's page is made of, and no more.
pub(crate) fn build_minimal(repo: &Repo) -> anyhow::Result<()> {
    Need::WasmTarget.satisfy(repo)?;
    Need::NodeModules.satisfy(repo)?;
    build_wasm(repo)?;
    build_package(repo)?;
    build_minimal_page(repo)
}

/// The types, the unit tests and the build of the package and the pages.
pub(crate) fn checks(repo: &Repo) -> anyhow::Result<Outcome> {
    build_wasm(repo)?;
    build_rules(repo)?;
    npm_run(&repo.package(), "check")?;
    npm_run(&repo.package(), "test")?;
    build_package(repo)?;
    npm_run(&repo.page(), "check")?;
    npm_run(&repo.page(), "test")?;
    build_page(repo)?;
    npm_run(&repo.minimal_page(), "check")?;
    build_minimal_page(repo)?;
    Ok(Outcome::Passed)
}

/// `client/web/wasm`: the client's core as an ES module.
fn build_wasm(repo: &Repo) -> anyhow::Result<()> {
    println!("build: the wasm client");
    let output = repo.package().join("wasm");
    build_module(repo, &["--package=tickwire-client"], "tickwire_client", "tickwire", &output)
        .context("the wasm client does not build")
}

/// `examples/arena/web/wasm`: the same with the arena's rules, as an ES module.
fn build_rules(repo: &Repo) -> anyhow::Result<()> {
    println!("build: the arena's wasm rules");
    let package = ["--package=tickwire-arena", "--no-default-features", "--features=web"];
    let output = repo.page().join("wasm");
    build_module(repo, &package, "tickwire_arena", "arena", &output)
        .context("the arena's wasm rules do not build")
}

/// The module that `wasm-speed` measures, in `output`: by the profile of the package, but no part of it.
pub(crate) fn build_replay(repo: &Repo, output: &Path) -> anyhow::Result<()> {
    build_module(repo, &["--package=tickwire-replay"], "tickwire_replay", "replay", output)
        .context("the replay's wasm does not build")
}

/// Builds a library for browsers, and makes it an ES module called `name` in `output`.
fn build_module(
    repo: &Repo,
    package: &[&str],
    library: &str,
    name: &str,
    output: &Path,
) -> anyhow::Result<()> {
    let mut build = vec!["rustc"];
    build.extend_from_slice(package);
    let target = "--target=wasm32-unknown-unknown";
    build.extend(["--lib", "--crate-type=cdylib", target, "--profile=wasm"]);
    Run::new("cargo", &build, repo.root()).show()?;
    let input = repo.target().join(format!("wasm32-unknown-unknown/wasm/{library}.wasm"));
    if is_fresh(&output.join(format!("{name}.js")), std::slice::from_ref(&input)) {
        return Ok(());
    }
    bind(repo, &input, name, output).context("it cannot be made an ES module")
}

/// `client/web/dist`: the npm package `tickwire`.
fn build_package(repo: &Repo) -> anyhow::Result<()> {
    let folder = repo.package();
    let mut inputs = inputs(&folder, &["src", "package.json", "package-lock.json"]);
    inputs.extend(present(&folder, &["tsconfig.json", "tsconfig.build.json"]));
    inputs.push(folder.join("wasm/tickwire.js"));
    if is_fresh(&folder.join("dist/index.js"), &inputs) {
        return Ok(());
    }
    println!("build: client/web");
    npm_run(&folder, "build")
}

/// `examples/arena/web/dist`: the page the arena server shows.
fn build_page(repo: &Repo) -> anyhow::Result<()> {
    build_page_in(repo, &repo.page(), &[repo.page().join("wasm/arena.js")])
}

/// `examples/minimal/web/dist`: the page of the minimal example.
fn build_minimal_page(repo: &Repo) -> anyhow::Result<()> {
    build_page_in(repo, &repo.minimal_page(), &[])
}

/// A page that is made of the package, of its own folder and of what `more` names.
fn build_page_in(repo: &Repo, folder: &Path, more: &[PathBuf]) -> anyhow::Result<()> {
    let mut inputs = inputs(folder, &["src", "index.html", "package.json", "package-lock.json"]);
    inputs.extend(present(folder, &["public", "tsconfig.json", "vite.config.ts"]));
    inputs.push(repo.package().join("dist/index.js"));
    inputs.push(repo.root().join("examples/precompress.ts"));
    inputs.extend_from_slice(more);
    if is_fresh(&folder.join("dist/index.html"), &inputs) {
        return Ok(());
    }
    println!("build: {}", folder.strip_prefix(repo.root()).unwrap_or(folder).display());
    npm_run(folder, "build")
}

/// Runs a script of a `package.json` with its output shown.
fn npm_run(folder: &Path, script: &str) -> anyhow::Result<()> {
    Run::new("npm", &["run", "--silent", script], folder)
        .show()
        .with_context(|| format!("`npm run {script}` in {}", folder.display()))
}

fn bind(repo: &Repo, input: &Path, name: &str, output: &Path) -> anyhow::Result<()> {
    let build = ["build", "--package=tickwire-bindgen"];
    Run::new("cargo", &build, repo.root()).show()?;
    let tool = repo.target().join("debug/tickwire-bindgen");
    let (tool, input, output) = (text(&tool)?, text(input)?, text(output)?);
    Run::new(tool, &[input, name, output], repo.root()).show()
}

fn inputs(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| folder.join(name)).collect()
}

/// Inputs that need not exist.
fn present(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    inputs(folder, names).into_iter().filter(|path| path.exists()).collect()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
