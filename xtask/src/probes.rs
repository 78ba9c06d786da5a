//! Tests the server with clients in Python: those of `server/tests/http3` break every rule of HTTP/3
//! in turn, that of `server/tests/protocol_client` was written from the protocol pages alone.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::command::{Run, is_on_path};
use crate::fresh::is_fresh;
use crate::install::debian_install;
use crate::repo::Repo;
use crate::rust::build_binaries;
use crate::step::Outcome;
use crate::web::text;

/// Runs all probes against the server of the minimal example.
pub(crate) fn http3(repo: &Repo) -> anyhow::Result<Outcome> {
    build_binaries(repo)?;
    let (python, server) = (python(repo), repo.target().join("debug/tickwire-minimal"));
    let script = folder(repo).join("run.py");
    Run::new(text(&python)?, &["-B", text(&script)?, text(&server)?], repo.root()).show()?;
    Ok(Outcome::Passed)
}

/// Decodes the arena and a crowd with the client that was written from the protocol pages.
pub(crate) fn protocol(repo: &Repo) -> anyhow::Result<Outcome> {
    build_binaries(repo)?;
    let script = repo.root().join("server/tests/protocol_client/run.py");
    let server = |name: &str| repo.target().join("debug").join(name);
    let (arena, bench) = (server("arena-server"), server("tickwire-bench"));
    let arguments = ["-B", text(&script)?, text(&arena)?, text(&bench)?];
    Run::new(text(&python(repo))?, &arguments, repo.root()).show()?;
    Ok(Outcome::Passed)
}

/// A virtual environment under the target directory with the probes' packages.
pub(crate) fn environment(repo: &Repo) -> anyhow::Result<()> {
    if !is_on_path("python3") {
        debian_install(repo, "python3", "python3-venv")?;
    }
    let (environment, python) = (repo.target().join("http3-probes"), python(repo));
    let (wanted, installed) =
        (folder(repo).join("requirements.txt"), environment.join("installed"));
    let runs = Run::new(text(&python)?, &["-c", "import aioquic"], repo.root()).read().is_ok();
    if runs && is_fresh(&installed, std::slice::from_ref(&wanted)) {
        return Ok(());
    }
    // Debian's python3 lacks the modules that create an environment.
    let check = ["-c", "import ensurepip, venv"];
    if Run::new("python3", &check, repo.root()).read().is_err() {
        debian_install(repo, "python3 -m venv", "python3-venv")?;
    }
    println!("install: pip install -r {}", wanted.display());
    let make = ["-m", "venv", "--clear", text(&environment)?];
    Run::new("python3", &make, repo.root())
        .quiet()
        .context("no virtual environment can be made")?;
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", text(&wanted)?];
    Run::new(text(&python)?, &pip, repo.root()).quiet()?;
    if std::fs::write(&installed, "").is_err() {
        bail!("{} cannot be written", installed.display());
    }
    Ok(())
}

fn folder(repo: &Repo) -> PathBuf {
    repo.root().join("server/tests/http3")
}

fn python(repo: &Repo) -> PathBuf {
    repo.target().join("http3-probes/bin/python")
}
