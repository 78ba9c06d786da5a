//! The sources of the repository as text, for tests that hold what the compiler cannot.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file: where, and its lines of code without comments and tests.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) code: Vec<(usize, String)>,
}

/// The files of these folders, and these files, of the repository.
pub(crate) fn sources(places: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut paths = Vec::new();
    for place in places {
        list(&root.join(place), &["rs"], &mut paths);
    }
    assert!(!paths.is_empty(), "no sources in {places:?}");
    let source = |path: &PathBuf| Source {
        path: path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(),
        code: code(&fs::read_to_string(path).unwrap()),
    };
    paths.iter().map(source).collect()
}

/// The paths of the Rust files and the pages in these folders, below the repository's root.
pub(crate) fn texts(places: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut paths = Vec::new();
    for place in places {
        list(&root.join(place), &["rs", "md"], &mut paths);
    }
    paths
}

fn list(place: &Path, extensions: &[&str], paths: &mut Vec<PathBuf>) {
    if place.is_file() {
        return paths.push(place.to_owned());
    }
    let entries =
        fs::read_dir(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() || extension.is_some_and(|extension| extensions.contains(&extension)) {
            list(&path, extensions, paths);
        }
    }
}

/// Without comments, and without what stands below a file's `#[cfg(test)]`: tests come last.
fn code(text: &str) -> Vec<(usize, String)> {
    let lines = text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]");
    let lines = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.map(|(at, line)| (at + 1, line.split(" // ").next().unwrap().to_owned())).collect()
}

/// Where any of `words` stands.
pub(crate) fn found(sources: &[Source], words: &[&str]) -> Vec<String> {
    lines_where(sources, |line| words.iter().any(|word| has_word(line, word)))
}

/// Whether `word` stands in `line` and is not the end or the middle of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_name);
        let after = line[at + word.len()..].chars().next().is_some_and(is_name);
        let [first, last] = [word.chars().next(), word.chars().next_back()].map(Option::unwrap);
        !(before && is_name(first) || after && is_name(last))
    })
}

pub(crate) fn lines_where(sources: &[Source], wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = sources.iter().flat_map(|source| {
        let wrong = source.code.iter().filter(|(_, line)| wrong(line));
        wrong.map(|(at, line)| format!("{}:{at}: {}", source.path, line.trim()))
    });
    lines.collect()
}
