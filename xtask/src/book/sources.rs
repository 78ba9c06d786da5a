//! Checks the book's sources: their code is included from compiled files, and the paths in them
//! exist.

use std::path::{Path, PathBuf};

use super::markdown::prose;
use super::read;

/// Languages whose code must be included, not written in the book itself.
const COMPILED: [&str; 2] = ["rust", "ts"];
/// Prefixes of paths in the repository.
const ROOTS: [&str; 9] =
    ["bench/", "certs/", "client/", "docs/", "examples/", "server/", "shared/", "xtask/", ".ci/"];

/// All statements in `pages` that contradict the repository.
pub(super) fn faults(root: &Path, pages: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for page in pages {
        let text = read(page)?;
        let found = includes(&text).filter_map(|it| include_fault(page, it));
        let found = found.chain(own_code(&text)).chain(missing_paths(root, &text));
        let name = page.strip_prefix(root).unwrap_or(page).display();
        faults.extend(found.map(|fault| format!("{name}: {fault}")));
    }
    Ok(faults)
}

fn includes(text: &str) -> impl Iterator<Item = &str> {
    let marked = text.split("{{#include ").skip(1);
    marked.filter_map(|rest| rest.split_once("}}").map(|(target, _)| target.trim()))
}

fn include_fault(page: &Path, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once(':').unwrap_or((target, ""));
    let Ok(text) = std::fs::read_to_string(page.parent()?.join(file)) else {
        return Some(format!("cannot include {file}"));
    };
    let named = |mark: &str| {
        text.lines().any(|line| line.trim_end().ends_with(&format!("{mark}: {anchor}")))
    };
    let is_lines = anchor.chars().all(|it| it.is_ascii_digit() || it == ':');
    let whole = is_lines || named("ANCHOR") && named("ANCHOR_END");
    (!whole).then(|| format!("{file} has no anchor `{anchor}`"))
}

/// Blocks of a compiled language that contain anything but includes.
fn own_code(text: &str) -> impl Iterator<Item = String> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.filter_map(|block| {
        let (language, code) = block.split_once('\n')?;
        let language = language.split(',').next()?.trim();
        let own = code.lines().find(|line| !line.starts_with("{{#include ") && !line.is_empty())?;
        COMPILED.contains(&language).then(|| format!("code that nothing compiles: {own}"))
    })
}

/// Paths in code marks that look like the repository's and do not exist.
fn missing_paths(root: &Path, text: &str) -> Vec<String> {
    let words = prose(text).flat_map(|line| line.split('`').skip(1).step_by(2));
    let paths = words.filter(|word| {
        ROOTS.iter().any(|start| word.starts_with(start)) && !word.contains([' ', '*', '<'])
    });
    let missing = paths.filter(|path| !root.join(path).exists());
    missing.map(|path| format!("there is no {path}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_page_holds_no_code_of_its_own_and_names_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("shared")).unwrap();
        let code = "// ANCHOR: good\nfn good() {}\n// ANCHOR_END: good\n// ANCHOR: open\n";
        fs::write(folder.path().join("shared/code.rs"), code).unwrap();
        let page = folder.path().join("page.md");
        let text = "`shared/code.rs` `shared/gone.rs`\n\n```rust\n{{#include shared/code.rs:good}}\n```\n\
            \n```rust\n{{#include shared/code.rs:open}}\n```\n\n```ts\nlet own = 1;\n```\n\
            \n```sh\nls\n```\n\n```rust\n{{#include shared/none.rs}}\n```\n";
        fs::write(&page, text).unwrap();
        let faults = faults(folder.path(), &[page]).unwrap();
        let wanted = [
            "page.md: shared/code.rs has no anchor `open`",
            "page.md: cannot include shared/none.rs",
            "page.md: code that nothing compiles: let own = 1;",
            "page.md: there is no shared/gone.rs",
        ];
        assert_eq!(faults, wanted);
    }
}
