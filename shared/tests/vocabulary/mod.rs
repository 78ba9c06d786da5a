//! One word for one thing: what the glossary asks for, held by reading the sources of the repository.

use std::collections::BTreeMap;

use crate::sources::{found, sources, texts};

const PRODUCT: [&str; 6] = [
    "shared/src",
    "shared/congestion/src",
    "shared/derive/src",
    "server/src",
    "client/src",
    "certs/src",
];

/// Types that stand twice: one for each way to compile, or one for each side of the derive.
const TWICE: [&str; 3] = [
    // With and without `Send`: a step in a browser may be a JavaScript function.
    "MaybeSend",
    "RulesFor",
    // The struct's field at compile time, and the trait of its type.
    "Field",
];

#[test]
fn a_type_name_means_one_thing() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources(&PRODUCT) {
        if source.path.ends_with("tests.rs") {
            continue;
        }
        for (at, line) in &source.code {
            if let Some(name) = defined(line) {
                places.entry(name.to_owned()).or_default().push(format!("{}:{at}", source.path));
            }
        }
    }
    assert!(places.len() > 300, "only {} types were found", places.len());
    places.retain(|name, places| places.len() > 1 && !TWICE.contains(&name.as_str()));
    assert_eq!(places, BTreeMap::new());
}

/// The type that a line of code defines.
fn defined(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let mut word = words.next()?;
    if word.starts_with("pub") {
        word = words.next()?;
    }
    // An indented `type` is a trait's own, and means what the trait says.
    let is_item = ["struct", "enum", "trait", "union"].contains(&word)
        || word == "type" && !line.starts_with(' ');
    if !is_item {
        return None;
    }
    let name = words.next().filter(|name| name.starts_with(char::is_uppercase))?;
    name.split(|letter: char| !letter.is_alphanumeric()).next()
}

/// The field's own words for these are in the glossary.
#[test]
fn no_type_has_a_house_word_for_its_name() {
    let house = [
        "Packets",
        "Fragments",
        "Draft",
        "Scene",
        "Glance",
        "Sight",
        "Common",
        "Farewell",
        "Ahead",
        "Leaving",
        "Course",
        "Way",
        "Moment",
        "Ran",
        "Knock",
        "Door",
        "Place",
        "Remote",
        "LaneName",
        "Host",
        "Told",
        "Bell",
        "Eyes",
        "Soon",
        "Theirs",
        "OfSome",
    ];
    let sources = sources(&PRODUCT);
    let types =
        sources.iter().flat_map(|source| source.code.iter().filter_map(|(_, line)| defined(line)));
    let found_types: Vec<&str> = types.filter(|name| house.contains(name)).collect();
    assert_eq!(found_types, [""; 0]);
    assert_eq!(found(&sources, &["crowded", "put_off", "owes", "aimed"]), [""; 0]);
}

/// Phrases that say nothing without their context, in comments and pages.
#[test]
fn no_comment_and_no_page_has_a_banned_phrase() {
    let banned = ["so many", "told by whom", "what is not there yet", "for company"];
    let mut found = Vec::new();
    let mut seen = 0;
    for path in texts(&[&PRODUCT[..], &["src", "docs/src"]].concat()) {
        if path.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let tests = text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        for (at, line) in text[..tests].lines().enumerate() {
            seen += 1;
            let line = line.to_lowercase();
            if banned.iter().any(|phrase| line.contains(phrase)) {
                found.push(format!("{}:{}: {}", path.display(), at + 1, line.trim()));
            }
        }
    }
    assert!(seen > 10_000, "only {seen} lines were read");
    assert_eq!(found, [""; 0]);
}

/// The glossary has a line for each term, none twice.
#[test]
fn the_glossary_has_each_term_once() {
    let glossary = include_str!("../../../docs/src/glossary.md");
    let mut terms: Vec<&str> = glossary
        .lines()
        .filter_map(|line| line.strip_prefix("| **"))
        .flat_map(|line| line.split(" | ").next().unwrap_or_default().split(", **"))
        .map(|term| term.trim_matches('*'))
        .collect();
    assert!(terms.len() >= 40, "only {} terms", terms.len());
    terms.sort_unstable();
    let twice: Vec<_> = terms.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
