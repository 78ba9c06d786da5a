//! Builds the browser's files: the wasm client, the npm package, the examples' pages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::command::Run;
use crate::fresh::is_fresh;
use crate::install::{Need, node_modules_in};
use crate::repo::Repo;
use crate::step::Outcome;

/// The cargo profile of a module's build.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Small, for downloads over slow paths.
    Wasm,
    /// Built quickly, for somebody who waits.
    Play,
}

impl Profile {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Profile::Wasm => "wasm",
            Profile::Play => "play",
        }
    }
}

/// A library for browsers that becomes an ES module.
pub(crate) struct Module {
    /// Name in the printed line.
    about: &'static str,
    package: &'static [&'static str],
    library: &'static str,
    /// Name of the module's files.
    name: &'static str,
}

/// The client's core, in `client/web/wasm`.
pub(crate) const CLIENT: Module = Module {
    about: "the wasm client",
    package: &["--package=tickwire-client"],
    library: "tickwire_client",
    name: "tickwire",
};

/// The client's core with the arena's rules, in `examples/arena/web/wasm`.
pub(crate) const ARENA_RULES: Module = Module {
    about: "the arena's wasm rules",
    package: &["--package=tickwire-arena", "--no-default-features", "--features=web"],
    library: "tickwire_arena",
    name: "arena",
};

const REPLAY: Module = Module {
    about: "the replay's wasm",
    package: &["--package=tickwire-replay"],
    library: "tickwire_replay",
    name: "replay",
};

/// Builds everything that is stale.
pub(crate) fn build_all(repo: &Repo) -> anyhow::Result<()> {
    Need::WasmTarget.satisfy(repo)?;
    // The network is slow while the compiler is busy: run both at once.
    std::thread::scope(|scope| {
        let modules = scope.spawn(|| Need::NodeModules.satisfy(repo));
        let wasm = build_wasm(repo).and_then(|()| build_rules(repo));
        modules.join().expect("installing does not panic").and(wasm)
    })?;
    build_package(repo)?;
    build_page(repo)?;
    build_minimal_page(repo)?;
    build_tracking_page(repo)?;
    build_quotes_page(repo)?;
    build_rooms_page(repo)
}

/// Checks the types, runs the unit tests, and builds the package and the pages.
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
    npm_run(&repo.tracking_page(), "check")?;
    npm_run(&repo.tracking_page(), "test")?;
    build_tracking_page(repo)?;
    npm_run(&repo.quotes_page(), "check")?;
    npm_run(&repo.quotes_page(), "test")?;
    build_quotes_page(repo)?;
    npm_run(&repo.rooms_page(), "check")?;
    npm_run(&repo.rooms_page(), "test")?;
    build_rooms_page(repo)?;
    Ok(Outcome::Passed)
}

fn build_wasm(repo: &Repo) -> anyhow::Result<()> {
    CLIENT.build(repo, &repo.package().join("wasm"))
}

fn build_rules(repo: &Repo) -> anyhow::Result<()> {
    ARENA_RULES.build(repo, &repo.page().join("wasm"))
}

/// Prepares the client for the package `tickwire`: kept if it was built for publishing, else built
/// quickly.
pub(crate) fn prepare_package(repo: &Repo) -> anyhow::Result<()> {
    let output = repo.package().join("wasm");
    let is_small = CLIENT.is_bound(repo, Profile::Wasm, &output);
    CLIENT.build_by(repo, if is_small { Profile::Wasm } else { Profile::Play }, &output)
}

/// Builds the module that `wasm-speed` measures, in `output`, with the profile of the package. It
/// is not part of the package.
pub(crate) fn build_replay(repo: &Repo, output: &Path) -> anyhow::Result<()> {
    REPLAY.build(repo, output)
}

impl Module {
    /// Builds the module as it is published.
    fn build(&self, repo: &Repo, output: &Path) -> anyhow::Result<()> {
        self.build_by(repo, Profile::Wasm, output)
    }

    fn build_by(&self, repo: &Repo, profile: Profile, output: &Path) -> anyhow::Result<()> {
        self.compile(repo, profile)?;
        if self.is_bound(repo, profile, output) {
            return Ok(());
        }
        let build = ["build", "--profile=play", BINDGEN];
        Run::new("cargo", &build, repo.root()).show()?;
        self.bind(repo, profile, output)
    }

    /// Builds the library.
    pub(crate) fn compile(&self, repo: &Repo, profile: Profile) -> anyhow::Result<()> {
        println!("build: {}", self.about);
        let profile = format!("--profile={}", profile.name());
        let target = "--target=wasm32-unknown-unknown";
        let build = [&["rustc"], self.package, &["--lib", "--crate-type=cdylib", target, &profile]];
        let build = Run::new("cargo", &build.concat(), repo.root());
        build.show().with_context(|| format!("{} does not build", self.about))
    }

    /// Makes the library an ES module in `output`, unless it is up to date. `tickwire-bindgen` must
    /// exist.
    pub(crate) fn bind(&self, repo: &Repo, profile: Profile, output: &Path) -> anyhow::Result<()> {
        if self.is_bound(repo, profile, output) {
            return Ok(());
        }
        let (tool, input) =
            (repo.target().join("play/tickwire-bindgen"), self.compiled(repo, profile));
        let arguments = [text(&input)?, self.name, text(output)?];
        let bound = Run::new(text(&tool)?, &arguments, repo.root()).show();
        bound.with_context(|| format!("{} cannot be made an ES module", self.about))?;
        let stamp = output.join(STAMP);
        fs::write(&stamp, profile.name()).with_context(|| format!("{}", stamp.display()))
    }

    fn is_bound(&self, repo: &Repo, profile: Profile, output: &Path) -> bool {
        is_made_of(
            &self.compiled(repo, profile),
            profile,
            &output.join(format!("{}.js", self.name)),
        )
    }

    fn compiled(&self, repo: &Repo, profile: Profile) -> PathBuf {
        let folder = repo.target().join("wasm32-unknown-unknown").join(profile.name());
        folder.join(format!("{}.wasm", self.library))
    }
}

/// True if a module was made from the current library with this profile.
fn is_made_of(compiled: &Path, profile: Profile, module: &Path) -> bool {
    let made_by = fs::read_to_string(module.with_file_name(STAMP)).unwrap_or_default();
    made_by == profile.name() && is_fresh(module, &[compiled.to_path_buf()])
}

/// The program that makes ES modules.
pub(crate) const BINDGEN: &str = "--package=tickwire-bindgen";
/// The file beside a module that names its profile.
const STAMP: &str = "profile";

/// `client/web/dist`: the npm package `tickwire`.
pub(crate) fn build_package(repo: &Repo) -> anyhow::Result<()> {
    let folder = repo.package();
    let mut inputs = inputs(&folder, &["src", "package.json", "package-lock.json"]);
    inputs.extend(present(&folder, &["tsconfig.json", "tsconfig.build.json"]));
    inputs.push(folder.join("wasm/tickwire.js"));
    if is_fresh(&folder.join("dist/index.js"), &inputs) {
        return Ok(());
    }
    println!("build: client/web");
    npm_build(&folder)
}

/// `examples/arena/web/dist`: the page of the arena server.
pub(crate) fn build_page(repo: &Repo) -> anyhow::Result<()> {
    build_page_in(repo, &repo.page(), &[repo.page().join("wasm/arena.js")])
}

/// `examples/minimal/web/dist`: the page of the minimal example.
pub(crate) fn build_minimal_page(repo: &Repo) -> anyhow::Result<()> {
    build_page_in(repo, &repo.minimal_page(), &[])
}

/// `examples/tracking/web/dist`: the page of the tracking example.
pub(crate) fn build_tracking_page(repo: &Repo) -> anyhow::Result<()> {
    build_page_in(repo, &repo.tracking_page(), &[])
}

/// `examples/quotes/web/dist`: the page of the quotes example.
pub(crate) fn build_quotes_page(repo: &Repo) -> anyhow::Result<()> {
    build_page_in(repo, &repo.quotes_page(), &[])
}

/// `examples/rooms/web/dist`: the page of the rooms example.
pub(crate) fn build_rooms_page(repo: &Repo) -> anyhow::Result<()> {
    build_page_in(repo, &repo.rooms_page(), &[])
}

/// Builds a page from the package, its own folder and the files `more`.
fn build_page_in(repo: &Repo, folder: &Path, more: &[PathBuf]) -> anyhow::Result<()> {
    let mut inputs = inputs(folder, &["src", "index.html", "package.json", "package-lock.json"]);
    inputs.extend(present(folder, &["public", "tsconfig.json", "vite.config.ts"]));
    inputs.push(repo.package().join("dist/index.js"));
    inputs.push(repo.package().join("vite"));
    inputs.extend_from_slice(more);
    if is_fresh(&folder.join("dist/index.html"), &inputs) {
        return Ok(());
    }
    println!("build: {}", folder.strip_prefix(repo.root()).unwrap_or(folder).display());
    npm_build(folder)
}

/// Writes the reference of the package's exported names to `output`. A name without a comment is an error.
pub(crate) fn reference(repo: &Repo, output: &Path) -> anyhow::Result<()> {
    node_modules_in(&[repo.package(), repo.typedoc()])?;
    let arguments =
        ["run", "--silent", "build", "--", "--logLevel", "Warn", "--out", text(output)?];
    Run::new("npm", &arguments, &repo.typedoc()).quiet().context("the reference of the npm package")
}

/// Runs a script of a `package.json` with its output shown.
fn npm_run(folder: &Path, script: &str) -> anyhow::Result<()> {
    Run::new("npm", &["run", "--silent", script], folder)
        .show()
        .with_context(|| format!("`npm run {script}` in {}", folder.display()))
}

/// Builds a folder silently: cargo may be printing in parallel.
fn npm_build(folder: &Path) -> anyhow::Result<()> {
    Run::new("npm", &["run", "--silent", "build"], folder)
        .quiet()
        .with_context(|| format!("`npm run build` in {}", folder.display()))
}

fn inputs(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| folder.join(name)).collect()
}

/// Inputs that may be missing.
fn present(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    inputs(folder, names).into_iter().filter(|path| path.exists()).collect()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_of_the_other_profile_is_made_anew_however_new_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (compiled, module) = (dir.path().join("game.wasm"), dir.path().join("game.js"));
        fs::write(&compiled, "").unwrap();
        fs::write(&module, "").unwrap();
        assert!(!is_made_of(&compiled, Profile::Wasm, &module), "nobody knows of which profile");
        fs::write(dir.path().join(STAMP), Profile::Play.name()).unwrap();
        assert!(is_made_of(&compiled, Profile::Play, &module));
        assert!(!is_made_of(&compiled, Profile::Wasm, &module));
    }
}
