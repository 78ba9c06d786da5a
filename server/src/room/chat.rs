//! What may be said, and how often.

use std::time::Instant;

use tickwire_shared::control::RefuseCode;

use crate::config::RoomConfig;

/// Messages one member may still send: a bucket that fills up evenly.
#[derive(Debug)]
pub(super) struct ChatBucket {
    messages: f64,
    at: Instant,
}

impl ChatBucket {
    pub(super) fn new(config: &RoomConfig, now: Instant) -> Self {
        ChatBucket { messages: f64::from(config.chat_burst_messages), at: now }
    }

    /// Takes one message out, or says that there is none.
    pub(super) fn take(&mut self, config: &RoomConfig, now: Instant) -> bool {
        let burst = f64::from(config.chat_burst_messages);
        let elapsed_s = now.saturating_duration_since(self.at).as_secs_f64();
        let refill_s = f64::from(config.chat_refill_s.max(1));
        self.messages = (self.messages + elapsed_s * burst / refill_s).min(burst);
        self.at = now;
        let allowed = self.messages >= 1.0;
        if allowed {
            self.messages -= 1.0;
        }
        allowed
    }
}

/// The text as others may see it.
pub(super) fn clean_message(
    config: &RoomConfig,
    text: &str,
) -> Result<String, (RefuseCode, String)> {
    let text = clean(text);
    let most = config.chat_characters_max;
    if text.is_empty() {
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

/// The name as others may see it.
pub(super) fn clean_name(config: &RoomConfig, name: &str) -> Result<String, (RefuseCode, String)> {
    let name = clean(name);
    let most = config.name_characters_max;
    if name.is_empty() || name.chars().count() > most {
        let text = format!("a name has 1 to {most} visible characters; choose another");
        return Err((RefuseCode::NameInvalid, text));
    }
    Ok(name)
}

/// Two names that look alike to a person have the same key.
pub(super) fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// Without control characters and those that change the direction of writing or cannot be seen.
fn clean(text: &str) -> String {
    let kept =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|&c| !is_hidden(c));
    kept.collect::<String>().trim().to_owned()
}

/// Control, format, direction, filler and unassigned-by-design characters (Unicode categories Cc, Cf
/// and the blanks that render as nothing), but for the joiner that emoji and some scripts need.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{70f}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn control_and_direction_characters_are_stripped() {
        let config = RoomConfig::default();
        let dirty = " \u{202e}a\u{7}b\u{200f}\nc\u{2066}\u{1b}[31m ";
        assert_eq!(clean_message(&config, dirty).unwrap(), "ab c[31m");
        let empty = clean_message(&config, "\u{200b}\u{202e} \t").unwrap_err();
        assert_eq!(empty.0, RefuseCode::ChatEmpty);
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
        let mut bucket = ChatBucket::new(&config, start);
        assert!((0..5).all(|_| bucket.take(&config, start)));
        assert!(!bucket.take(&config, start));
        let later = start + Duration::from_millis(1001);
        assert!(bucket.take(&config, later));
        assert!(!bucket.take(&config, later));
    }
}
