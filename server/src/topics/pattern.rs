//! Names of topics and patterns of them.
//!
//! ```text
//! chat/room-7        a name: 1 to 8 levels, each of ASCII letters, digits and - _ . : @
//! chat/*             any one level: chat/room-7, not chat/room-7/mods
//! chat/**            one level or more, at the end: both
//! ```

use tickwire_shared::control::{TOPIC_LEVELS_MAX, TOPIC_NAME_BYTES_MAX};

/// A level of a pattern that stands for any one level.
pub(super) const ANY_LEVEL: &str = "*";
/// The last level of a pattern, which stands for one level or more.
pub(super) const ANY_REST: &str = "**";

/// The mistake in a name or a pattern, for a person.
pub(super) fn name_mistake(name: &str) -> Option<String> {
    mistake(name, false)
}

/// The same for a pattern.
pub(crate) fn pattern_mistake(pattern: &str) -> Option<String> {
    mistake(pattern, true)
}

fn mistake(text: &str, is_pattern: bool) -> Option<String> {
    let what = if is_pattern { "pattern of topics" } else { "topic's name" };
    if text.len() > TOPIC_NAME_BYTES_MAX {
        return Some(format!("a {what} has at most {TOPIC_NAME_BYTES_MAX} bytes"));
    }
    let levels: Vec<&str> = levels(text).collect();
    if levels.len() > TOPIC_LEVELS_MAX {
        return Some(format!("a {what} has at most {TOPIC_LEVELS_MAX} levels"));
    }
    for (at, level) in levels.iter().enumerate() {
        let is_last = at + 1 == levels.len();
        match *level {
            ANY_LEVEL if is_pattern => {}
            ANY_REST if is_pattern && is_last => {}
            ANY_REST if is_pattern => {
                return Some("** stands at the end of a pattern; write * for one level".to_owned());
            }
            "" => return Some(format!("a level of a {what} is empty; write a/b, not a//b or /a")),
            level if !level.chars().all(is_of_a_level) => {
                return Some(format!(
                    "a level of a {what} has ASCII letters, digits and - _ . : @ only"
                ));
            }
            _ => {}
        }
    }
    None
}

fn is_of_a_level(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.:@".contains(letter)
}

/// The levels of a name or a pattern.
pub(super) fn levels(text: &str) -> std::str::Split<'_, char> {
    text.split('/')
}

/// Whether every name that matches `inner`, a name or a pattern, matches the pattern `outer` as well.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    let (mut outer, mut inner) = (levels(outer), levels(inner));
    loop {
        match (outer.next(), inner.next()) {
            (None, None) | (Some(ANY_REST), Some(_)) => return true,
            (Some(ANY_LEVEL), Some(level)) if level != ANY_REST => {}
            (Some(level), Some(other)) if level == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_patterns_are_told_apart() {
        for name in ["a", "chat/room-7", "a/b/c/d/e/f/g/h", "x_1.2:3@4"] {
            assert_eq!((name_mistake(name), pattern_mistake(name)), (None, None), "{name}");
        }
        for pattern in ["*", "**", "a/*", "*/b", "a/**", "*/*/**"] {
            assert_eq!(pattern_mistake(pattern), None, "{pattern}");
            assert!(name_mistake(pattern).is_some(), "{pattern}");
        }
        let long = "x".repeat(TOPIC_NAME_BYTES_MAX + 1);
        for wrong in ["", "/", "/a", "a/", "a//b", "a b", "ä", "a*", "**/a", "a/**/b", "***", &long]
        {
            assert!(name_mistake(wrong).is_some() && pattern_mistake(wrong).is_some(), "{wrong}");
        }
        assert!(name_mistake("a/b/c/d/e/f/g/h/i").is_some());
    }

    fn name() -> impl Strategy<Value = String> {
        proptest::collection::vec("[ab]", 1..4).prop_map(|levels| levels.join("/"))
    }

    fn pattern() -> impl Strategy<Value = String> {
        let levels = proptest::collection::vec(prop_oneof!["[ab]", Just("*".to_owned())], 0..3);
        let last = prop_oneof!["[ab]", Just("*".to_owned()), Just("**".to_owned())];
        (levels, last).prop_map(|(mut levels, last)| {
            levels.push(last);
            levels.join("/")
        })
    }

    /// Whether a name matches, level by level from the end of the list of rules.
    fn matches(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (["**"], [_, ..]) => true,
            ([one, pattern @ ..], [level, name @ ..]) => {
                (one == level || *one == "*") && matches(pattern, name)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_that_covers_another_has_all_of_its_names(
            outer in pattern(),
            inner in pattern(),
            names in proptest::collection::vec(name(), 40),
        ) {
            let split = |text: &str| levels(text).map(str::to_owned).collect::<Vec<_>>();
            let has = |pattern: &str, name: &str| {
                let (pattern, name) = (split(pattern), split(name));
                let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
                matches(&pattern, &name.iter().map(String::as_str).collect::<Vec<_>>())
            };
            for name in &names {
                prop_assert_eq!(covers(&outer, name), has(&outer, name));
                if covers(&outer, &inner) && has(&inner, name) {
                    prop_assert!(has(&outer, name), "{} {} {}", outer, inner, name);
                }
            }
        }
    }
}
