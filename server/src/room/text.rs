//! Clean texts for others to see, and names that look alike to a person.
//!
//! Cleaning removes invisible characters: controls, those that change the direction of writing,
//! everything that Unicode calls default-ignorable, and letters and signs without ink. Three of
//! them stay where a script needs them: the two joiners between letters that join and after a
//! virama, and in emoji the joiner and the selector of the coloured form. Names are compared
//! without them.

use caseless::default_case_fold_str;
use icu_properties::props::{
    CanonicalCombiningClass, DefaultIgnorableCodePoint, ExtendedPictographic, GeneralCategory,
    GeneralCategoryGroup, JoiningType,
};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

/// Characters examined on either side of a joiner: more than the marks of a letter.
const NEAR_MAX: usize = 8;
/// Zero width joiner.
const JOINER: char = '\u{200d}';
/// Zero width non-joiner.
const NON_JOINER: char = '\u{200c}';
/// The variation selector that gives the sign before it the form of an emoji.
const EMOJI_FORM: char = '\u{fe0f}';
/// The frame around a key, as in the emoji of digits.
const KEYCAP: char = '\u{20e3}';

/// The text without invisible characters, each white space as a space.
pub(super) fn clean(text: &str) -> String {
    let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let kept: Vec<char> =
        spaced.filter(|&c| is_joiner(c) || c == EMOJI_FORM || !is_hidden(c)).collect();
    let mut cleaned: Vec<char> = Vec::with_capacity(kept.len());
    for (at, &c) in kept.iter().enumerate() {
        let after = &kept[at + 1..];
        let stays = match c {
            JOINER | NON_JOINER => joins(c, &cleaned, after),
            EMOJI_FORM => forms(&cleaned, after),
            _ => true,
        };
        if stays {
            cleaned.push(c);
        }
    }
    cleaned.into_iter().collect::<String>().trim().to_owned()
}

/// A display name without invisible characters, with single spaces.
pub(super) fn clean_name(name: &str) -> String {
    let cleaned = clean(name);
    cleaned.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// True if a clean text has a letter, a digit, a symbol or a punctuation mark.
pub(super) fn is_visible(text: &str) -> bool {
    let seen = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Symbol)
        .union(GeneralCategoryGroup::Punctuation);
    text.chars().any(|c| seen.contains(category(c)))
}

/// A name's key for comparisons. Names that look alike, or differ in case, in joiners or in the
/// composition of their characters, are like each other.
#[derive(Clone, Debug)]
pub(crate) struct NameKey {
    /// The skeleton of the name in lower case: `Ivan` is like `ivan`.
    folded: String,
    /// The skeleton of the name in its own case: `Ivan`, with a capital i, is like `lvan`, with a
    /// small L.
    shown: String,
}

impl NameKey {
    pub(super) fn new(name: &str) -> Self {
        let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        let plain: String = name.chars().filter(|&c| !ignorable.contains(c)).nfkc().collect();
        let skeleton_of = |text: &str| skeleton(text).collect::<String>();
        NameKey {
            folded: skeleton_of(&default_case_fold_str(&plain)),
            shown: default_case_fold_str(&skeleton_of(&plain)),
        }
    }

    pub(crate) fn is_like(&self, other: &NameKey) -> bool {
        self.folded == other.folded || self.shown == other.shown
    }
}

/// The key of a name as a peer or an operator gives it.
pub(crate) fn name_key(name: &str) -> NameKey {
    NameKey::new(&clean_name(name))
}

fn is_joiner(c: char) -> bool {
    matches!(c, JOINER | NON_JOINER)
}

/// True for a character without ink, or one that changes how its neighbours are drawn.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        // Annotations; a braille pattern, a note's head and hieroglyphs without ink.
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{2800}' | '\u{1d159}' | '\u{13441}' | '\u{13442}')
}

/// True if a joiner has a task between `before`, which is clean, and `after`.
fn joins(joiner: char, before: &[char], after: &[char]) -> bool {
    let Some(&last) = before.last() else { return false };
    if is_joiner(last) {
        return false;
    }
    if is_virama(last) {
        return true;
    }
    let before = before.iter().rev().take(NEAR_MAX).copied();
    let after = after.iter().take(NEAR_MAX).copied();
    let mut after = after.filter(|&c| !is_joiner(c) && c != EMOJI_FORM);
    let is_sign = |c: &char| !matches!(*c, EMOJI_FORM | '\u{1f3fb}'..='\u{1f3ff}');
    if joiner == JOINER && before.clone().find(is_sign).is_some_and(is_pictograph) {
        return after.next().is_some_and(is_pictograph);
    }
    let is_letter = |c: &char| joining(*c) != JoiningType::Transparent;
    let is_joined = |c: char| {
        matches!(
            joining(c),
            JoiningType::DualJoining | JoiningType::LeftJoining | JoiningType::RightJoining
        )
    };
    before.clone().find(is_letter).is_some_and(is_joined)
        && after.find(is_letter).is_some_and(is_joined)
}

/// True if the selector of the coloured form has a task there.
fn forms(before: &[char], after: &[char]) -> bool {
    let Some(&last) = before.last() else { return false };
    let is_key = matches!(last, '0'..='9' | '#' | '*') && after.first() == Some(&KEYCAP);
    is_pictograph(last) || is_key
}

fn is_pictograph(c: char) -> bool {
    CodePointSetData::new::<ExtendedPictographic>().contains(c)
}

fn is_virama(c: char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama
}

fn joining(c: char) -> JoiningType {
    CodePointMapData::<JoiningType>::new().get(c)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Characters that strangers hid in names, at least one of each kind.
    const HIDDEN: [char; 24] = [
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{1160}',
        '\u{17b4}',
        '\u{17b5}',
        '\u{180b}',
        '\u{180e}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2800}',
        '\u{3164}',
        '\u{fe0e}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{e0041}',
        '\u{e0100}',
    ];

    #[test]
    fn invisible_characters_are_removed() {
        for hidden in HIDDEN {
            assert_eq!(clean(&format!("Bo{hidden}b")), "Bob", "{hidden:?}");
            assert_eq!(clean(&format!("{hidden}Bob{hidden}")), "Bob", "{hidden:?}");
            assert!(!is_visible(&clean(&hidden.to_string().repeat(3))), "{hidden:?}");
        }
        assert_eq!(clean(" \u{202e}a\u{7}b\u{200f}\nc\u{2066}\u{1b}[31m "), "ab c[31m");
        assert_eq!(clean("a\u{2028}b\u{a0}c\u{3000}d"), "a b c d");
    }

    #[test]
    fn joiners_stay_where_a_script_needs_them() {
        for text in [
            // Persian, "I want"; and "the houses".
            "می\u{200c}خواهم",
            "خانه\u{200c}ها",
            // With a vowel sign between.
            "بِ\u{200c}بین",
            // Malayalam and Sinhala, after a virama.
            "ന്\u{200d}",
            "ක්\u{200d}ෂ",
            // A family, a flag, a sailor of a skin colour, a heart and a key.
            "👩\u{200d}👩\u{200d}👧",
            "🏳\u{fe0f}\u{200d}🌈",
            "🧑🏽\u{200d}✈\u{fe0f}",
            "❤\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
        ] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn a_name_needs_something_to_be_seen() {
        for name in ["a", "7", "★", "字", "؟", "🙂", "-_-", "ـ"] {
            assert!(is_visible(&clean(name)), "{name:?}");
        }
        for name in ["", " ", "\u{301}", "\u{200d}", "\u{2800}\u{2800}", "\u{13441}", "\u{1d159}"] {
            assert!(!is_visible(&clean(name)), "{name:?}");
        }
    }

    #[test]
    fn names_that_look_alike_are_alike() {
        for (one, other) in [
            ("Bob", "bOB"),
            ("Bob", "Воb"),
            ("Ann", "Ａｎｎ"),
            ("José", "Jose\u{301}"),
            ("paypal", "paypaI"),
            ("paypal", "pаypal"),
            ("Ivan", "ivan"),
            ("Ivan", "lvan"),
            ("scope", "ѕсоре"),
            ("straße", "STRASSE"),
            ("O0", "0O"),
            ("fi", "ﬁ"),
            ("ΣΑΣ", "σας"),
            ("corn", "com"),
            ("می\u{200c}خواهم", "میخواهم"),
            ("❤\u{fe0f}", "❤"),
            ("a b", "a\u{a0}b"),
        ] {
            let key = |name| NameKey::new(&clean_name(name));
            assert!(key(one).is_like(&key(other)), "{one:?} and {other:?}");
            assert!(key(other).is_like(&key(one)), "{other:?} and {one:?}");
        }
        for (one, other) in
            [("Bob", "Rob"), ("Ann", "Anne"), ("pilot 7", "pilot 9"), ("王", "玉"), ("a b", "ab")]
        {
            assert!(!NameKey::new(one).is_like(&NameKey::new(other)), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn spaces_in_a_row_are_one_in_a_name() {
        assert_eq!(clean_name("  Bo \u{200b} \u{3000}b "), "Bo b");
    }

    #[test]
    fn a_joiner_that_others_surround_is_judged_by_what_is_near() {
        let far = "\u{64e}".repeat(NEAR_MAX);
        assert_eq!(clean(&format!("م{far}\u{200c}م")), format!("م{far}م"));
        assert_eq!(clean(&format!("م{}م", "\u{200c}".repeat(60_000))), "م\u{200c}م");
        assert_eq!(clean("م\u{200c}\u{200d}\u{200c}م"), "م\u{200c}م");
    }

    fn characters() -> impl Strategy<Value = char> {
        let letters =
            ['a', 'Z', '1', 'é', 'م', 'ی', 'ന', '്', '👩', '❤', '🏽', '\u{301}', '\u{20e3}', ' '];
        let odd = prop::sample::select([&HIDDEN[..], &letters].concat());
        prop_oneof![3 => odd, 1 => any::<char>()]
    }

    proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(text in prop::collection::vec(characters(), 0..20)) {
            let once = clean(&text.into_iter().collect::<String>());
            prop_assert_eq!(clean(&once), once.clone());
            let name = clean_name(&once);
            prop_assert_eq!(clean_name(&name), name);
        }

        #[test]
        fn hidden_characters_do_not_change_the_comparison_of_names(
            name in prop::collection::vec(characters(), 1..12),
            hidden in prop::sample::select(HIDDEN.to_vec()),
            at in any::<prop::sample::Index>(),
        ) {
            let plain: String = name.iter().filter(|c| !HIDDEN.contains(c)).collect();
            let mut spoilt: Vec<char> = plain.chars().collect();
            spoilt.insert(at.index(spoilt.len() + 1), hidden);
            let spoilt = clean_name(&spoilt.into_iter().collect::<String>());
            prop_assert!(NameKey::new(&spoilt).is_like(&NameKey::new(&clean_name(&plain))));
        }
    }
}
