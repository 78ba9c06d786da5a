//! Checks of chat messages and names, and the rate of messages.

use std::time::Instant;

use tickwire_shared::control::RefuseCode;

use super::text::{self, NameKey};
use crate::config::RoomConfig;
use crate::token_bucket::TokenBucket;

/// A full token bucket for one member's messages.
pub(super) fn bucket(config: &RoomConfig, now: Instant) -> TokenBucket {
    let burst = f64::from(config.chat_burst_messages);
    TokenBucket::new(burst, burst / f64::from(config.chat_refill_s.max(1)), now)
}

/// The cleaned text that others see.
pub(super) fn clean_message(config: &RoomConfig, said: &str) -> Result<String, ChatRefusal> {
    let text = text::clean(said);
    let most = config.chat_characters_max;
    if !text::is_visible(&text) {
        return Err((RefuseCode::ChatEmpty, "there is nothing in this message to show".into()));
    }
    let length = text.chars().count();
    if length > most {
        let text =
            format!("a message has at most {most} characters, this one {length}; shorten it");
        return Err((RefuseCode::ChatTooLong, text));
    }
    Ok(text)
}

/// The cleaned name that others see, and its key for comparisons.
pub(super) fn clean_name(
    config: &RoomConfig,
    name: &str,
) -> Result<(String, NameKey), ChatRefusal> {
    let name = text::clean_name(name);
    let most = config.name_characters_max;
    if !text::is_visible(&name) || name.chars().count() > most {
        let text = format!("a name has 1 to {most} visible characters; choose another");
        return Err((RefuseCode::NameInvalid, text));
    }
    let key = NameKey::new(&name);
    if config.names_reserved.0.iter().any(|reserved| NameKey::new(reserved).is_like(&key)) {
        let text = "this name, or one that looks like it, is reserved; choose another".to_owned();
        return Err((RefuseCode::NameInvalid, text));
    }
    Ok((name, key))
}

/// A refusal: a code for programs and a text for people.
pub(super) type ChatRefusal = (RefuseCode, String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::List;
    use std::time::Duration;

    #[test]
    fn a_message_without_anything_to_see_is_refused() {
        let config = RoomConfig::default();
        for empty in ["", "\u{200b}\u{202e} \t", "\u{2800}\u{200d}", "\u{301}"] {
            assert_eq!(clean_message(&config, empty).unwrap_err().0, RefuseCode::ChatEmpty);
        }
        assert_eq!(clean_message(&config, "نمی\u{200c}دانم").unwrap(), "نمی\u{200c}دانم");
    }

    #[test]
    fn reserved_names_are_taken_in_every_form_that_looks_like_them() {
        let config = RoomConfig { names_reserved: List::of(&["Admin"]), ..RoomConfig::default() };
        for name in ["admin", "ADMIN", "аdmin", "Adm\u{200d}in", "ａｄｍｉｎ"] {
            let refused = clean_name(&config, name).unwrap_err();
            assert_eq!(refused.0, RefuseCode::NameInvalid, "{name:?}");
        }
        assert!(clean_name(&config, "Admiral").is_ok());
        let none = RoomConfig { names_reserved: List::default(), ..config };
        assert!(clean_name(&none, "admin").is_ok());
    }

    #[test]
    fn length_is_counted_in_characters() {
        let config = RoomConfig::default();
        assert!(clean_message(&config, &"é".repeat(500)).is_ok());
        let long = clean_message(&config, &"é".repeat(501)).unwrap_err();
        assert_eq!(long.0, RefuseCode::ChatTooLong);
        assert!(clean_name(&config, &"é".repeat(32)).is_ok());
        assert!(clean_name(&config, &"é".repeat(33)).is_err());
        assert!(clean_name(&config, "\u{200b}").is_err());
    }

    #[test]
    fn five_messages_in_five_seconds() {
        let config = RoomConfig::default();
        let start = Instant::now();
        let mut bucket = bucket(&config, start);
        assert!((0..5).all(|_| bucket.take(start)));
        assert!(!bucket.take(start));
        let later = start + Duration::from_millis(1001);
        assert!(bucket.take(later));
        assert!(!bucket.take(later));
    }
}
