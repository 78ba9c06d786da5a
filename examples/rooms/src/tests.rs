use super::names::{account_of, mentioned, sides};

#[test]
fn names_are_plain() {
    assert_eq!(account_of("Ann_B-1").as_deref(), Some("ann_b-1"));
    for name in ["", "a b", "a.b", "ä", "a~b", "a*"] {
        assert_eq!(account_of(name), None, "{name:?}");
    }
}

#[test]
fn a_text_mentions_names_after_an_at_sign() {
    let found = mentioned("@ann, @Bob_! @ann x@cid (@dan) é@eve @@fay @");
    assert_eq!(found, ["ann", "bob_", "dan", "fay"]);
}

#[test]
fn direct_messages_have_one_topic() {
    assert_eq!(sides("dm/ann/bob"), Some(("ann", "bob")));
    for topic in ["dm/bob/ann", "dm/ann/ann", "dm/ann", "dm/ann/bob/cid", "dm/Ann/bob", "channel/x"]
    {
        assert_eq!(sides(topic), None, "{topic}");
    }
}
