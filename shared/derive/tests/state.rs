//! What `#[state]` takes beside plain fields: it asks nothing of a type of which serde asks nothing.

use tickwire_shared::state;

/// Not serialisable.
#[derive(Debug, Default, PartialEq)]
struct Cache;

#[state]
#[derive(Debug, Default, PartialEq)]
struct Node {
    name: String,
    children: Vec<Self>,
    #[serde(skip)]
    cache: Cache,
    #[cfg_attr(test, serde(skip))]
    again: Cache,
}

#[state]
#[cfg_attr(test, derive(Default))]
enum Step {
    #[default]
    Forward,
    #[serde(skip)]
    Looked(Cache),
    #[cfg(windows)]
    Only(NowhereElse),
}

#[state]
#[derive(Debug, PartialEq)]
enum Shape<T> {
    Wide(T),
    Deep { parts: Vec<Node> },
}

#[test]
fn a_state_may_hold_itself_generic_types_and_what_is_skipped() {
    fn serialises<T: tickwire_shared::simulation::GameState>(_: &T) {}
    let (cache, again) = (Cache, Cache);
    let node = Node { name: "root".to_owned(), children: vec![Node::default()], cache, again };
    serialises(&node);
    serialises(&[Step::default(), Step::Looked(Cache)]);
    serialises(&Shape::Wide(1));
    serialises(&Shape::<u8>::Deep { parts: vec![node] });
}
