//! Short texts as fields: names, labels, tags.

use std::fmt::{Debug, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most bytes that a [`Text`] may be declared to hold.
pub const TEXT_BYTES_MAX: usize = 64;

/// A text of at most `N` bytes of UTF-8, 1 to 64, as a field of an entity, event, command or input.
///
/// It has no control characters, no line separators, and none that turn the direction of what follows: what a peer sends
/// can be shown as it is. A text from a peer that breaks these rules, or is longer, is refused with all that came with it.
///
/// ```
/// use tickwire_shared::Text;
///
/// let name: Text<16> = "Ann".parse()?;
/// assert_eq!(name, "Ann");
/// assert_eq!(format!("Hello {name}"), "Hello Ann");
/// assert!(Text::<4>::new("Michael").is_err());
/// assert_eq!(Text::<3>::cut("Zoë"), "Zo", "the ë has two bytes");
/// # Ok::<(), tickwire_shared::text::TextError>(())
/// ```
///
/// On the wire it is its length and its bytes; see [`FieldType::Text`](crate::schema::FieldType::Text). With serde it is a
/// string.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    length: u8,
    /// Those after `length` are 0.
    bytes: [u8; N],
}

/// Why a text cannot be a [`Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It is longer.
    #[error("a text of {bytes} bytes, and {most} are the most; shorten it, or take `Text::cut`")]
    TooLong {
        /// Its bytes of UTF-8.
        bytes: usize,
        /// As many as there may be.
        most: usize,
    },
    /// It has a character that is not shown as it is.
    #[error(
        "a text with a character that controls how others are shown; leave it out, or take `Text::cut`"
    )]
    ControlCharacter,
}

impl<const N: usize> Text<N> {
    /// Most bytes it may have, as the field table tells them.
    pub const BYTES_MAX: u8 = if N > u8::MAX as usize { u8::MAX } else { N as u8 };

    /// No text.
    pub const EMPTY: Self = Text { length: 0, bytes: [0; N] };

    /// The text as it is.
    ///
    /// # Errors
    /// [`TextError`] for one that is longer than `N` bytes, or has a control character.
    pub fn new(text: &str) -> Result<Self, TextError> {
        if text.chars().any(is_control) {
            return Err(TextError::ControlCharacter);
        }
        match text.len() {
            bytes if bytes > N => Err(TextError::TooLong { bytes, most: N }),
            _ => Ok(Text::cut(text)),
        }
    }

    /// As much of the text as fits, in whole characters, without its control characters.
    pub fn cut(text: &str) -> Self {
        let mut cut = Text::EMPTY;
        for character in text.chars().filter(|&character| !is_control(character)) {
            let (from, to) = (cut.len(), cut.len() + character.len_utf8());
            if to > N.min(TEXT_BYTES_MAX) {
                break;
            }
            character.encode_utf8(&mut cut.bytes[from..to]);
            cut.length = to as u8;
        }
        cut
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let bytes = &self.bytes[..usize::from(self.length)];
        std::str::from_utf8(bytes).expect("only whole characters are put in")
    }

    /// Its bytes.
    pub fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// Whether a [`Text`] has no such character: it is not shown, separates lines, or turns the direction of what follows.
pub fn is_control(character: char) -> bool {
    let separates_lines = matches!(character, '\u{2028}' | '\u{2029}');
    let turns_direction = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || separates_lines || turns_direction
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Text::EMPTY
    }
}

impl<const N: usize> Deref for Text<N> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> AsRef<str> for Text<N> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> Display for Text<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> Debug for Text<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> TryFrom<&str> for Text<N> {
    type Error = TextError;

    fn try_from(text: &str) -> Result<Self, TextError> {
        Text::new(text)
    }
}

impl<const N: usize> FromStr for Text<N> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Text::new(text)
    }
}

impl<const N: usize, const M: usize> PartialEq<Text<M>> for Text<N> {
    fn eq(&self, other: &Text<M>) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<const N: usize> Eq for Text<N> {}

impl<const N: usize> PartialEq<str> for Text<N> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl<const N: usize> PartialEq<&str> for Text<N> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl<const N: usize> PartialOrd for Text<N> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Ord for Text<N> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl<const N: usize> Hash for Text<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl<const N: usize> Serialize for Text<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Text::new(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_taken_as_it_is_or_not_at_all(text in ".{0,12}") {
            let taken = Text::<8>::new(&text);
            let fits = text.len() <= 8 && !text.chars().any(is_control);
            prop_assert_eq!(taken.is_ok(), fits);
            if let Ok(taken) = taken {
                prop_assert_eq!(taken.as_str(), text.as_str());
                let json = serde_json(&taken);
                prop_assert_eq!(postcard::from_bytes::<Text<8>>(&json).unwrap(), taken);
            }
        }

        #[test]
        fn what_is_cut_is_the_beginning_in_whole_characters(text in any::<String>()) {
            let cut = Text::<8>::cut(&text);
            let clean: String = text.chars().filter(|&c| !is_control(c)).collect();
            prop_assert!(clean.starts_with(cut.as_str()));
            let next = clean[cut.len()..].chars().next();
            prop_assert!(next.is_none_or(|next| cut.len() + next.len_utf8() > 8));
        }
    }

    fn serde_json(text: &Text<8>) -> Vec<u8> {
        postcard::to_allocvec(text).unwrap()
    }

    #[test]
    fn what_controls_how_others_are_shown_is_refused_by_all_ways_in() {
        for wrong in ["a\nb", "\0", "\u{7f}", "\u{2028}", "\u{202e}evil", "\u{2066}"] {
            assert_eq!(Text::<16>::new(wrong), Err(TextError::ControlCharacter), "{wrong:?}");
            assert_eq!(wrong.parse::<Text<16>>(), Err(TextError::ControlCharacter));
            let bytes = postcard::to_allocvec(wrong).unwrap();
            assert!(postcard::from_bytes::<Text<16>>(&bytes).is_err());
        }
        assert_eq!(Text::<16>::cut("a\nb\u{202e}c"), "abc");
        assert_eq!(Text::<16>::new("اسم 🚀").unwrap(), "اسم 🚀");
        let long = TextError::TooLong { bytes: 5, most: 4 };
        assert_eq!(Text::<4>::new("abcde"), Err(long));
        assert!(postcard::from_bytes::<Text<4>>(&postcard::to_allocvec("abcde").unwrap()).is_err());
    }
}
