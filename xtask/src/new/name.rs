//! Names for games.

use anyhow::bail;

const CHARACTERS_MAX: usize = 40;

/// Names that a crate cannot have here: keywords, the game's dependencies, cargo's folders, and
/// names that the page's code uses for something else.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "anyhow",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "client",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "error",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "game",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "map",
    "match",
    "mod",
    "move",
    "mut",
    "number",
    "object",
    "override",
    "page",
    "priv",
    "proc-macro",
    "promise",
    "pub",
    "quat",
    "record",
    "ref",
    "return",
    "self",
    "set",
    "static",
    "std",
    "string",
    "struct",
    "super",
    "symbol",
    "team",
    "tempfile",
    "test",
    "tickwire",
    "tokio",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "vec2",
    "vec3",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Rejects names that cannot be those of a crate, a program and a type.
pub(super) fn check(name: &str) -> anyhow::Result<()> {
    let is_letter = |letter: char| letter.is_ascii_lowercase();
    let fits = name.starts_with(is_letter)
        && name.chars().all(|letter| is_letter(letter) || letter.is_ascii_digit() || letter == '-')
        && !name.ends_with('-')
        && !name.contains("--");
    if !fits || name.len() > CHARACTERS_MAX {
        bail!(
            "{name:?} cannot be the name of a game: give 1 to {CHARACTERS_MAX} small letters, digits and single \
             hyphens, the first a letter, as in space-race2"
        );
    }
    if TAKEN.contains(&name) {
        bail!(
            "{name:?} means something else in Rust, cargo or the page: choose another name, such as my-{name}"
        );
    }
    Ok(())
}

/// `space-race2` as `SpaceRace2`, as `npx tickwire types` names a type.
pub(super) fn in_capitals(name: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_crate_and_of_a_type() {
        for name in ["demo", "space-race2", "a", "x-1"] {
            check(name).unwrap();
        }
        for name in [
            "",
            "Demo",
            "2fast",
            "-a",
            "a-",
            "a--b",
            "a_b",
            "a b",
            "../up",
            "höhle",
            "match",
            "tokio",
            "client",
            &"a".repeat(41),
        ] {
            let error = check(name).unwrap_err().to_string();
            assert!(error.contains(&format!("{name:?}")), "{error}");
        }
        assert_eq!(in_capitals("space-race2"), "SpaceRace2");
    }
}
