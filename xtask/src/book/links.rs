//! Checks the links of the built book: every page, picture and anchor must exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::{files, read};

/// A page's anchors and link targets.
struct Page {
    anchors: BTreeSet<String>,
    links: BTreeSet<String>,
}

/// All broken links of the pages in `folder`. Links with a scheme are not checked.
pub(super) fn faults(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    for path in files(folder, "html")? {
        let html = read(&path)?;
        pages.insert(path, Page::of(&html));
    }
    let mut faults = Vec::new();
    // The page for printing repeats all others; the error page is served from any path.
    let repeats = ["print.html", "404.html", "toc.html"].map(|name| folder.join(name));
    for (path, page) in pages.iter().filter(|(path, _)| !repeats.contains(path)) {
        for link in &page.links {
            if let Some(fault) = fault(&pages, path, link) {
                let page = path.strip_prefix(folder).unwrap_or(path);
                faults.push(format!("{}: {link}: {fault}", page.display()));
            }
        }
    }
    Ok(faults)
}

/// The fault of a link on the page `from`, if any.
fn fault(pages: &BTreeMap<PathBuf, Page>, from: &Path, link: &str) -> Option<&'static str> {
    if is_external(link) {
        return None;
    }
    let (place, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match place {
        "" => from.to_path_buf(),
        place => resolve(from.parent().unwrap_or(from), place),
    };
    if !target.is_file() {
        return Some("there is no such file");
    }
    let page = pages.get(&target).filter(|_| !anchor.is_empty())?;
    (!page.anchors.contains(anchor)).then_some("there is no such anchor")
}

/// True if a link has a scheme or a host; such links are not checked.
pub(super) fn is_external(link: &str) -> bool {
    let scheme = link.split(['/', '#', '?']).next().unwrap_or_default();
    link.starts_with("//") || scheme.contains(':')
}

/// Resolves `place` relative to `folder`, without the file system.
pub(super) fn resolve(folder: &Path, place: &str) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in folder.join(place.split('?').next().unwrap_or_default()).components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            part => resolved.push(part),
        }
    }
    resolved
}

impl Page {
    fn of(html: &str) -> Page {
        let links = attribute(html, "href").chain(attribute(html, "src"));
        Page { anchors: attribute(html, "id").collect(), links: links.collect() }
    }
}

/// The values of an attribute in all tags. Text between tags has no unescaped quotes, or is in no
/// tag.
fn attribute<'a>(html: &'a str, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let tags = html.split('<').skip(1).filter_map(|tag| tag.split_once('>'));
    tags.filter_map(move |(tag, _)| {
        let (_, value) = tag.split_once(&format!(" {name}=\""))?;
        Some(value.split('"').next()?.replace("&amp;", "&"))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let page = "<h1 id=\"top\">a</h1><a href=\"b.html#there\">b</a><a class=\"x\" href=\"#top\">c</a>\
            <a href=\"https://play.example/\">d</a><img src=\"gone.png\"><a href=\"b.html#gone\">e</a>";
        fs::write(folder.path().join("a.html"), page).unwrap();
        fs::create_dir(folder.path().join("c")).unwrap();
        fs::write(folder.path().join("b.html"), "<p id=\"there\"></p>").unwrap();
        fs::write(folder.path().join("c/d.html"), "<a href=\"../b.html#there\">b</a>").unwrap();
        let faults = faults(folder.path()).unwrap();
        let wanted = [
            "a.html: b.html#gone: there is no such anchor",
            "a.html: gone.png: there is no such file",
        ];
        assert_eq!(faults, wanted);
    }
}
