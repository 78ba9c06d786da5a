//! No two files of a crate import each other: a file can be read with what it names, and without what names it.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{Source, sources};

const CRATES: [&str; 8] = [
    "bench/src",
    "certs/src",
    "client/src",
    "examples/arena/src",
    "server/src",
    "shared/congestion/src",
    "shared/derive/src",
    "shared/src",
];

/// A module's path below its crate.
type Module = Vec<String>;

#[test]
fn no_two_files_of_a_crate_import_each_other() {
    for folder in CRATES {
        let imports = Imports::of(folder, &sources(&[folder]));
        assert_eq!(imports.circles(), [""; 0], "{folder}");
    }
}

#[test]
fn a_circle_is_found_through_nested_imports_and_what_a_parent_passes_on() {
    let source = |path: &str, code: &str| Source {
        path: path.to_owned(),
        code: code.lines().map(|line| (1, line.to_owned())).collect(),
    };
    let files = [
        source("x/src/lib.rs", "mod near;\nmod far;"),
        source("x/src/near.rs", "use crate::{\n    far::{One, Two},\n};"),
        source("x/src/far.rs", "mod deep;\npub(crate) use deep::{One, Two};"),
        source("x/src/far/deep.rs", "use super::super::near::Three as Four;\nuse std::fmt;"),
    ];
    assert_eq!(Imports::of("x/src", &files).circles(), ["far::deep and near"]);
}

/// Which file of a crate imports from which.
struct Imports {
    by_module: BTreeMap<Module, BTreeSet<Module>>,
}

impl Imports {
    fn of(folder: &str, files: &[Source]) -> Self {
        let modules: BTreeMap<Module, Vec<Module>> =
            files.iter().map(|file| (module(folder, &file.path), imported(&text(file)))).collect();
        // What a module passes on from one below it.
        let mut passed_on = BTreeMap::new();
        for (module, paths) in &modules {
            for path in paths {
                let child = [&module[..], &path[..1]].concat();
                if path.len() == 2 && modules.contains_key(&child) {
                    passed_on.insert([&module[..], &path[1..]].concat(), child);
                }
            }
        }
        let find = |module: &Module, path: &Module| {
            let full = absolute(module, path, |child| modules.contains_key(child))?;
            let known = |count: &usize| modules.contains_key(&full[..*count]);
            let mut found = full[..(0..=full.len()).rev().find(known)?].to_vec();
            if let Some(name) = full.get(found.len()) {
                while let Some(child) =
                    passed_on.get(&[&found[..], std::slice::from_ref(name)].concat())
                {
                    if child == &found || child == module {
                        break;
                    }
                    found.clone_from(child);
                }
            }
            (&found != module).then_some(found)
        };
        let by_module = modules.iter().map(|(module, paths)| {
            (module.clone(), paths.iter().filter_map(|path| find(module, path)).collect())
        });
        Imports { by_module: by_module.collect() }
    }

    /// Pairs of files that import each other; a module and one below it are one thing in two files.
    fn circles(&self) -> Vec<String> {
        let mut circles = Vec::new();
        for (one, imported) in &self.by_module {
            for other in imported.iter().filter(|other| *other > one) {
                let is_back = self.by_module.get(other).is_some_and(|back| back.contains(one));
                if is_back && !other.starts_with(one) && !one.starts_with(other) {
                    circles.push(format!("{} and {}", one.join("::"), other.join("::")));
                }
            }
        }
        circles
    }
}

/// The module that is in the file at `path`.
fn module(folder: &str, path: &str) -> Module {
    let below = path.strip_prefix(folder).unwrap().trim_start_matches('/');
    let names = below.trim_end_matches(".rs").split('/');
    let names = names.filter(|name| !["lib", "main", "mod"].contains(name));
    names.map(str::to_owned).collect()
}

fn text(file: &Source) -> String {
    file.code.iter().fold(String::new(), |text, (_, line)| text + line + "\n")
}

/// The paths of all imports of a file, one for each name.
fn imported(text: &str) -> Vec<Module> {
    let mut paths = Vec::new();
    for statement in text.split("use ").skip(1) {
        let statement = statement.split(';').next().unwrap();
        let tree: String = statement.split_whitespace().map(|word| format!("{word} ")).collect();
        expand("", tree.trim(), &mut paths);
    }
    let names = |path: &String| {
        let path = path.split(" as ").next().unwrap();
        path.split("::").map(|name| name.trim().to_owned()).collect()
    };
    paths.iter().map(names).collect()
}

/// Adds the paths of a tree of imports.
fn expand(before: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((head, rest)) = tree.split_once('{') else {
        return paths.push(format!("{before}{tree}"));
    };
    let (before, mut depth, mut start) = (format!("{before}{}", head.trim()), 0, 0);
    for (at, letter) in rest.char_indices() {
        let ends = depth == 0 && (letter == ',' || letter == '}');
        if ends && !rest[start..at].trim().is_empty() {
            expand(&before, rest[start..at].trim(), paths);
        }
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => return,
            '}' => depth -= 1,
            ',' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
}

/// An import's path from the root of its crate; `None` if it leads elsewhere.
fn absolute(module: &Module, path: &Module, is_module: impl Fn(&Module) -> bool) -> Option<Module> {
    let child = [&module[..], &path[..1]].concat();
    match path[0].as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([&module[..], &path[1..]].concat()),
        "super" => {
            let ups = path.iter().take_while(|name| *name == "super").count();
            let above = &module[..module.len().checked_sub(ups)?];
            Some([above, &path[ups..]].concat())
        }
        _ if is_module(&child) => Some([&module[..], &path[..]].concat()),
        _ => None,
    }
}
