//! One word for one thing: what the glossary asks for, held by reading the sources of the repository.

mod sources;

use std::collections::BTreeMap;

use sources::{found, sources};

const PRODUCT: [&str; 5] =
    ["shared/src", "shared/derive/src", "server/src", "client/src", "certs/src"];

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
