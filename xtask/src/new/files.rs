//! The files of a new game: those of `xtask/template`, under another name.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};

use super::name::in_capitals;
use crate::command::Run;
use crate::repo::Repo;
use crate::web::text;

/// Files that are made when the template is built in place.
const MADE: [&str; 7] =
    [".tickwire", "Cargo.lock", "dist", "node_modules", "package-lock.json", "rules", "target"];

/// Writes the game `name` to `folder`, which must not exist yet. Returns the whole path.
pub(super) fn write(repo: &Repo, name: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!(is_there(folder));
        }
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be made", folder.display()));
        }
    }
    let folder = fs::canonicalize(folder)?;
    let words = Words::new(repo, name, &folder)?;
    copy(&repo.root().join("xtask/template"), &folder, &words)?;
    // The versions that this repository is tested with; cargo removes those that are not needed.
    fs::copy(repo.root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    // A longer name may break lines elsewhere.
    Run::new("cargo", &["fmt"], &folder).quiet()?;
    Ok(folder)
}

/// The message for a folder that exists already.
pub(super) fn is_there(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "{folder} is there already, and is left alone: choose another name, or another folder with --path"
    )
}

/// The words of the template with their replacements.
struct Words(Vec<(String, String)>);

impl Words {
    fn new(repo: &Repo, name: &str, folder: &Path) -> anyhow::Result<Words> {
        let root = fs::canonicalize(repo.root())?;
        let up = relative(folder, &root);
        let up = text(&up)?;
        let clone = root.file_name().and_then(|name| name.to_str()).unwrap_or("tickwire");
        let type_name = in_capitals(name);
        let (first, rest) = type_name.split_at(1);
        let words = [
            ("my-game", name.to_owned()),
            ("my_game", name.replace('-', "_")),
            ("myGame", first.to_ascii_lowercase() + rest),
            ("MyGame", type_name.clone()),
            ("file:../../..", format!("file:../{up}")),
            ("(../..", format!("({up}")),
            ("\"../..\"", format!("{up:?}")),
            ("path: tickwire\n", format!("path: {clone}\n")),
            ("directory: tickwire\n", format!("directory: {clone}\n")),
        ];
        Ok(Words(words.map(|(from, to)| (from.to_owned(), to)).into()))
    }

    /// The text with the words replaced, and without the marks that the book uses to show parts of
    /// it.
    fn put_into(&self, text: &str) -> String {
        let is_mark = |line: &&str| line.trim_start().starts_with("// ANCHOR");
        let text: String = text.split_inclusive('\n').filter(|line| !is_mark(line)).collect();
        self.0.iter().fold(text, |text, (from, to)| text.replace(from, to))
    }
}

fn copy(from: &Path, to: &Path, words: &Words) -> anyhow::Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if MADE.iter().any(|made| name == *made) {
            continue;
        }
        let target = to.join(&name);
        if path.is_dir() {
            fs::create_dir(&target)?;
            copy(&path, &target, words)?;
        } else {
            let text = fs::read_to_string(&path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            fs::write(&target, words.put_into(&text))?;
        }
    }
    Ok(())
}

/// The path from one folder to another; both are whole paths.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<Component>, Vec<Component>) =
        (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = from[common..].iter().map(|_| Component::ParentDir);
    up.chain(to[common..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_reached_from_another() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(way("/a/demo", "/a/tickwire"), Path::new("../tickwire"));
        assert_eq!(way("/a/b/c/demo", "/a/tickwire"), Path::new("../../../tickwire"));
        assert_eq!(way("/demo", "/a/b"), Path::new("../a/b"));
        assert_eq!(way("/a/b/demo", "/a"), Path::new("../.."));
    }

    #[test]
    fn a_game_has_its_own_name_everywhere_and_a_folder_is_never_written_over() {
        let repo = Repo::find().unwrap();
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("game");
        let written = write(&repo, "space-race", &folder).unwrap();
        let manifest = fs::read_to_string(written.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("name = \"space-race\""), "{manifest}");
        let page = fs::read_to_string(written.join("page/src/types.ts")).unwrap();
        assert!(
            page.contains("interface SpaceRace ") && page.contains("spaceRaceSchema"),
            "{page}"
        );
        assert!(holds_nothing_of_the_template(&written));
        fs::write(written.join("Cargo.toml"), "mine").unwrap();
        let error = write(&repo, "space-race", &folder).unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(fs::read_to_string(written.join("Cargo.toml")).unwrap(), "mine");
    }

    /// True if no file contains a name of the template or its relative path to the repository.
    fn holds_nothing_of_the_template(folder: &Path) -> bool {
        fs::read_dir(folder).unwrap().all(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                return holds_nothing_of_the_template(&path);
            }
            let text = fs::read_to_string(&path).unwrap();
            !["my-game", "my_game", "MyGame", "myGame", "\"../..\"", "ANCHOR"]
                .iter()
                .any(|word| text.contains(word))
        })
    }
}
