//! Builds the book in `docs`, and checks its links, includes and paths.

mod links;
mod markdown;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::command::Run;
use crate::repo::Repo;
use crate::rust::PACKAGES;
use crate::step::Outcome;
use crate::web::{self, text};

/// The documents beside the book whose links are checked.
const DOCUMENTS: [&str; 6] = [
    "README.md",
    "CHANGELOG.md",
    "bench/README.md",
    "client/web/README.md",
    "shared/README.md",
    "shared/fuzz/README.md",
];

/// `cargo xtask book`: builds the book and prints its path.
pub(crate) fn show(repo: &Repo) -> anyhow::Result<ExitCode> {
    check(repo)?;
    println!("{}", output(repo).join("index.html").display());
    Ok(ExitCode::SUCCESS)
}

/// The step `book`: checks that the book builds and that its references exist.
pub(crate) fn check(repo: &Repo) -> anyhow::Result<Outcome> {
    build(repo)?;
    let mut faults = sources::faults(repo.root(), &files(&repo.root().join("docs/src"), "md")?)?;
    faults.extend(links::faults(&output(repo))?);
    let documents: Vec<PathBuf> = DOCUMENTS.iter().map(|it| repo.root().join(it)).collect();
    faults.extend(markdown::faults(&documents)?);
    if faults.is_empty() {
        return Ok(Outcome::Passed);
    }
    bail!("{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// `cargo xtask reference`: writes the pages generated from the code. The test that compares them
/// with the code writes them.
pub(crate) fn write_reference(repo: &Repo) -> anyhow::Result<ExitCode> {
    let test = [&["test", "--lib"], &PACKAGES[..], &["--", "the_reference_"]].concat();
    Run::new("cargo", &test, repo.root()).env("TICKWIRE_WRITE_REFERENCE", "1").show()?;
    Ok(ExitCode::SUCCESS)
}

fn output(repo: &Repo) -> PathBuf {
    repo.target().join("book")
}

fn build(repo: &Repo) -> anyhow::Result<()> {
    let build = ["build", "--package=tickwire-book"];
    Run::new("cargo", &build, repo.root()).show()?;
    let program = repo.target().join("debug/tickwire-book");
    let (docs, output) = (repo.root().join("docs"), output(repo));
    let arguments = [text(&docs)?, text(&output)?];
    Run::new(text(&program)?, &arguments, repo.root()).quiet()?;
    web::reference(repo, &output.join("typescript-api"))
}

/// The files of a folder and all below it that end in `.extension`, in order.
fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
