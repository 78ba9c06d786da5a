//! Parses options from a peer's JSON, and derives a room's limits and listing from its policy.

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use tickwire_shared::control::{Redacted, RefuseCode, RoomInfo};
use tickwire_shared::text::is_control;
use tickwire_shared::{Options, Refusal, RoomPolicy};

use super::chat;
use crate::config::RoomConfig;

/// Parses options from JSON; an empty text gives the default.
///
/// # Errors
/// [`RefuseCode::OptionsInvalid`] with a text: too long, not JSON, nested too deeply, or not of
/// this type.
pub(crate) fn parse<T: Options>(
    config: &RoomConfig,
    text: &Redacted,
) -> Result<T, (RefuseCode, String)> {
    check_length(config, text)?;
    if text.is_empty() {
        return Ok(T::default());
    }
    let mut json = serde_json::Deserializer::from_str(text.as_str());
    let read = serde_path_to_error::deserialize::<_, T::Json>(&mut json);
    let error = match (read, json.end()) {
        (Ok(options), Ok(())) => return Ok(options.into()),
        (Ok(_), Err(error)) => error.to_string(),
        (Err(error), _) => describe::<T>(text.as_str(), &error),
    };
    let told = error.chars().flat_map(|c| escaped(c, is_control(c)));
    let told: String = told.take(ERROR_CHARACTERS_MAX).collect();
    Err((RefuseCode::OptionsInvalid, format!("these options are none of this game's: {told}")))
}

/// Describes the mistake with its place; for an enum with its valid names, without repeating the
/// given one.
fn describe<T: Options>(
    text: &str,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> String {
    let field = match error.path().iter().next() {
        Some(Segment::Unknown) | None => String::new(),
        Some(_) => {
            let path = error.path().to_string();
            format!("{}: ", path.chars().take(PATH_CHARACTERS_MAX).collect::<String>())
        }
    };
    match names::<T>(text, error.path()) {
        Some(names) => format!("{field}expected {names}"),
        None => format!("{field}{}", error.inner()),
    }
}

/// The names of the enum at `path`, as serde lists them; `None` if it is not an enum of names.
/// Serde lists them only after repeating a wrong name, which may be long; hence the empty name.
fn names<T: Options>(text: &str, path: &Path) -> Option<String> {
    let mut options: Value = serde_json::from_str(text).ok()?;
    let mut at = &mut options;
    for segment in path.iter() {
        at = match segment {
            Segment::Map { key } => at.get_mut(key)?,
            Segment::Enum { variant } => at.get_mut(variant)?,
            Segment::Seq { index } => at.get_mut(index)?,
            Segment::Unknown => return None,
        };
    }
    *at = Value::String(String::new());
    let error = serde_json::from_value::<T::Json>(options).err()?.to_string();
    error.strip_prefix("unknown variant ``, expected ").map(str::to_owned)
}

fn escaped(character: char, is_escaped: bool) -> impl Iterator<Item = char> {
    let as_it_is = (!is_escaped).then_some(character);
    let escape = is_escaped.then(|| character.escape_default());
    as_it_is.into_iter().chain(escape.into_iter().flatten())
}

/// # Errors
/// [`RefuseCode::OptionsInvalid`]: longer than `options_bytes_max`.
pub(crate) fn check_length(
    config: &RoomConfig,
    text: &Redacted,
) -> Result<(), (RefuseCode, String)> {
    let (bytes, most) = (text.as_str().len(), config.options_bytes_max);
    if bytes <= most {
        return Ok(());
    }
    let text = format!("these options have {bytes} bytes, and {most} are the most; leave some out");
    Err((RefuseCode::OptionsInvalid, text))
}

/// The code and text of the game's refusal, cut to a length for the client.
pub(crate) fn told(Refusal { code, text }: Refusal) -> (RefuseCode, String) {
    let text = text.chars().take(REFUSAL_CHARACTERS_MAX).collect();
    (RefuseCode::ByGame(code), text)
}

/// The refusal of a player for whom there is no seat.
pub(crate) fn no_seat(taken: usize, most: usize) -> (RefuseCode, String) {
    let text = format!(
        "every seat in this room is taken, {taken} of {most}; choose another room, or watch"
    );
    (RefuseCode::RoomFull, text)
}

/// True if `word` can be a room's name or a tag.
pub(crate) fn is_word(word: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=WORD_CHARACTERS_MAX).contains(&word.len()) && word.bytes().all(allowed)
}

/// # Errors
/// A description of the mistake, for the game's author.
pub(crate) fn check_policy(config: &RoomConfig, policy: &RoomPolicy) -> Result<(), String> {
    let RoomPolicy { tags, metadata, .. } = policy;
    if tags.len() > TAGS_MAX {
        return Err(format!("{} tags for a room; {TAGS_MAX} are the most", tags.len()));
    }
    if !tags.iter().all(|tag| is_word(tag)) {
        let most = WORD_CHARACTERS_MAX;
        return Err(format!("a room's tag that is not 1 to {most} ASCII letters, digits, - or _"));
    }
    let (bytes, most) = (metadata.len(), config.metadata_bytes_max);
    if bytes > most {
        return Err(format!("{bytes} bytes of metadata for a room; {most} are the most"));
    }
    let no_name = policy.bot_names.iter().find(|name| chat::clean_name(config, name).is_err());
    if let Some(name) = no_name {
        return Err(format!("a bot's name, {name:?}, that nobody may have"));
    }
    if !metadata.is_empty() && serde_json::from_str::<IgnoredAny>(metadata).is_err() {
        return Err("metadata of a room that is no JSON".to_owned());
    }
    Ok(())
}

/// A room's seats and places for spectators: the game's limits where they are below the server's.
pub(crate) fn limits(config: &RoomConfig, policy: &RoomPolicy) -> (usize, usize) {
    let seats = policy.seats.map_or(config.players_max, |seats| seats.max(1) as usize);
    let spectators = policy.spectators.map_or(config.spectators_max, |places| places as usize);
    (seats.min(config.players_max), spectators.min(config.spectators_max))
}

/// The most bots of a room.
pub(crate) fn bots(config: &RoomConfig, policy: &RoomPolicy) -> u32 {
    let (seats, _) = limits(config, policy);
    let seats = u32::try_from(seats.min(config.bots_max)).unwrap_or(u32::MAX);
    let wanted = if policy.bots_replace_lost { seats } else { policy.bots.unwrap_or(0) };
    wanted.min(seats)
}

/// The line of an empty room in the list of rooms.
pub(crate) fn listing(name: &str, config: &RoomConfig, policy: &RoomPolicy) -> RoomInfo {
    let (seats, _) = limits(config, policy);
    RoomInfo {
        name: name.to_owned(),
        players: 0,
        players_max: u32::try_from(seats).unwrap_or(u32::MAX),
        bots: 0,
        spectators: 0,
        needs_password: !policy.password.is_empty(),
        tags: policy.tags.clone(),
        metadata: policy.metadata.clone(),
    }
}

/// Most characters of a room's name, and of a tag.
pub(crate) const WORD_CHARACTERS_MAX: usize = 32;
/// Most tags of a room.
const TAGS_MAX: usize = 8;
/// Most characters of the description of invalid options.
const ERROR_CHARACTERS_MAX: usize = 200;
/// Most characters of the place in it.
const PATH_CHARACTERS_MAX: usize = 60;
/// Most characters of a game's refusal.
const REFUSAL_CHARACTERS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Match {
        map: String,
        rounds: u8,
        speed: f32,
        more: Vec<serde_json::Value>,
        side: Side,
        sides: Vec<Option<Side>>,
    }

    #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
    enum Side {
        #[default]
        Azure,
        Amber,
    }

    #[test]
    fn a_wrong_value_of_an_enum_is_told_its_names_whatever_it_is_and_however_long() {
        let long = format!(r#"{{"side":"{}"}}"#, "x".repeat(2000));
        let sides = |place| format!("{place}: expected `Azure` or `Amber`");
        for (options, place) in [
            (r#"{"side":"Azur"}"#, "side"),
            (r#"{"side":1}"#, "side"),
            (r#"{"side":null}"#, "side"),
            (long.as_str(), "side"),
            (r#"{"sides":["Azure",null,2]}"#, "sides[2]"),
        ] {
            let text = parsed(options).unwrap_err();
            assert!(text.ends_with(&sides(place)), "{options}: {text}");
        }
        let text = parsed(r#"{"rounds":"two"}"#).unwrap_err();
        assert!(text.contains("rounds: invalid type: string \"two\", expected u8"), "{text}");
        let text = parsed(r#"{"rounds":"\u202etwo"}"#).unwrap_err();
        assert!(text.contains(r"\u{202e}two"), "{text}");
    }

    fn parsed(text: &str) -> Result<Match, String> {
        let parsed = parse(&RoomConfig::default(), &text.into());
        parsed.map_err(|(code, text)| {
            assert_eq!(code, RefuseCode::OptionsInvalid);
            text
        })
    }

    #[test]
    fn omitted_options_are_the_default() {
        assert_eq!(parsed(""), Ok(Match::default()));
        assert_eq!(parsed("{}"), Ok(Match::default()));
        assert_eq!(parsed(r#"{"rounds":3}"#), Ok(Match { rounds: 3, ..Match::default() }));
    }

    #[test]
    fn hostile_options_are_refused_in_words() {
        let nested =
            |depth: usize| format!(r#"{{"more":[{}{}]}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(parsed(&nested(100)).is_ok());
        let long = format!(r#"{{"map":"{}"}}"#, "x".repeat(5000));
        let named = format!(r#"{{"rounds":"{}"}}"#, "\\u202e".repeat(300));
        for (options, words) in [
            (nested(200), "recursion limit"),
            (nested(1900), "recursion limit"),
            (r#"{"rounds":256}"#.to_owned(), "invalid value"),
            (r#"{"rounds":-1}"#.to_owned(), "invalid value"),
            (r#"{"rounds":99999999999999999999999999}"#.to_owned(), "invalid type"),
            (r#"{"speed":1e999}"#.to_owned(), "number out of range"),
            (format!(r#"{{"speed":{}}}"#, "9".repeat(3000)), "number out of range"),
            (r#"{"rounds":1,"rounds":2}"#.to_owned(), "duplicate field"),
            ("[".to_owned(), "EOF"),
            ("{} {}".to_owned(), "trailing"),
            ("\0".to_owned(), "expected value"),
            (r#"{"map":"\ud800"}"#.to_owned(), "hex escape"),
            (named, "invalid type"),
            (long, "5010 bytes, and 4096 are the most"),
        ] {
            let text = parsed(&options).unwrap_err();
            assert!(text.contains(words), "{text}");
            assert!(text.chars().count() < 300, "{text}");
        }
    }

    #[test]
    fn a_policy_stays_within_the_servers_limits() {
        let config = RoomConfig { players_max: 10, spectators_max: 5, ..RoomConfig::default() };
        let limits = |seats, spectators| {
            limits(&config, &RoomPolicy { seats, spectators, ..RoomPolicy::default() })
        };
        assert_eq!(limits(None, None), (10, 5));
        assert_eq!(limits(Some(4), Some(0)), (4, 0));
        assert_eq!(limits(Some(u32::MAX), Some(u32::MAX)), (10, 5));
        assert_eq!(limits(Some(0), None), (1, 5), "a room without seats is none");
    }

    #[test]
    fn a_policy_that_no_list_can_show_is_refused() {
        let config = RoomConfig::default();
        let check = |tags: &[&str], metadata: &str| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let metadata = metadata.to_owned();
            check_policy(&config, &RoomPolicy { tags, metadata, ..RoomPolicy::default() })
        };
        assert_eq!(check(&["ctf", "eu-1"], r#"{"map":"bay"}"#), Ok(()));
        assert!(check(&["t"; 9], "").unwrap_err().contains("9 tags"));
        assert!(check(&["a b"], "").unwrap_err().contains("tag"));
        assert!(check(&[], "{").unwrap_err().contains("no JSON"));
        assert!(check(&[], &"[".repeat(500)).unwrap_err().contains("no JSON"));
        assert!(check(&[], &"1".repeat(513)).unwrap_err().contains("513 bytes"));
    }
}
