//! Checks the links of documents that are read unbuilt, on a code hosting site or in an editor.

use std::path::{Path, PathBuf};

use super::links::{is_external, resolve};
use super::read;

/// All broken links of `documents`. Links with a scheme are not checked.
pub(super) fn faults(documents: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in documents {
        for link in links(&read(path)?).filter(|link| !is_external(link)) {
            if let Some(fault) = fault(path, &link)? {
                faults.push(format!("{}: {link}: {fault}", path.display()));
            }
        }
    }
    Ok(faults)
}

fn fault(from: &Path, link: &str) -> anyhow::Result<Option<&'static str>> {
    let (place, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match place {
        "" => from.to_path_buf(),
        place => resolve(from.parent().unwrap_or(from), place),
    };
    if !target.exists() {
        return Ok(Some("there is no such file"));
    }
    if anchor.is_empty() || target.extension().is_none_or(|it| it != "md") {
        return Ok(None);
    }
    let text = read(&target)?;
    let found = headings(&text).any(|heading| heading == anchor);
    Ok((!found).then_some("there is no such heading"))
}

/// The lines outside of code blocks.
pub(super) fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

fn links(text: &str) -> impl Iterator<Item = String> {
    prose(text).flat_map(|line| {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        targets.map(|(target, _)| target.to_owned()).collect::<Vec<_>>()
    })
}

/// The anchors of the headings: lower case, with hyphens for blanks, without punctuation.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|line| line.starts_with('#')).map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn links_outside_of_code_are_followed_to_headings() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a.md", "b.md"].map(|name| folder.path().join(name));
        let text = "[b](b.md#a-game-in-60-lines) [c](c.md) [d](b.md#gone) [e](https://e.example)\n\
            ```ts\n[f](f.md)\n```\n[self](#top)\n# Top\n";
        fs::write(&a, text).unwrap();
        fs::write(&b, "## A game, in 60 lines\n").unwrap();
        let faults = faults(&[a]).unwrap();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].ends_with("c.md: there is no such file"), "{faults:?}");
        assert!(faults[1].ends_with("b.md#gone: there is no such heading"), "{faults:?}");
    }
}
