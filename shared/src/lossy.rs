//! The publish datagram, client to server: a message of a topic that may be lost.
//!
//! ```text
//! 1 byte   DATAGRAM_PUBLISH
//! varint   sequence number: LEB128 of a u32 without needless bytes, from 1, of the whole session
//! 1        bytes of the topic's name, 1 to 128
//!          the name, UTF-8
//! 1        bytes of the key, 0 to 64
//!          the key, UTF-8
//!          the payload: all that is left
//! ```

use crate::control::{TOPIC_KEY_BYTES_MAX, TOPIC_NAME_BYTES_MAX};
use crate::input::DatagramError;

/// First byte of a publish datagram.
pub const DATAGRAM_PUBLISH: u8 = 0x50;

/// Bytes of a publish datagram at most: every path of QUIC and WebTransport carries one of this length.
pub const PUBLISH_DATAGRAM_BYTES_MAX: usize = 1140;

/// Bytes of the largest sequence number.
const SEQUENCE_BYTES_MAX: usize = 5;

/// A message that a client publishes by datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossyMessage<'a> {
    /// Its number among those of the session, from 1.
    pub sequence: u32,
    /// The topic's name.
    pub topic: &'a str,
    /// What it is the newest value of; empty for the topic as a whole.
    pub key: &'a str,
    /// The message.
    pub payload: &'a [u8],
}

/// Why a message does not go into a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LossyError {
    /// The payload is too long.
    #[error(
        "a message of {bytes} bytes does not fit a datagram, which has {bytes_max} for it beside this topic and key; shorten it, or publish it reliably"
    )]
    TooLong {
        /// Those of the payload.
        bytes: usize,
        /// Those that fit.
        bytes_max: usize,
    },
    /// The topic has no name, or one that is too long.
    #[error("the name of a topic has 1 to {TOPIC_NAME_BYTES_MAX} bytes, not {bytes}")]
    Topic {
        /// Those of the name.
        bytes: usize,
    },
    /// The key is too long.
    #[error("a key has at most {TOPIC_KEY_BYTES_MAX} bytes, not {bytes}")]
    Key {
        /// Those of the key.
        bytes: usize,
    },
}

impl<'a> LossyMessage<'a> {
    /// Writes the datagram.
    ///
    /// # Errors
    /// [`LossyError`] for a message that does not fit, whatever its number is.
    pub fn encode(&self) -> Result<Vec<u8>, LossyError> {
        let LossyMessage { sequence, topic, key, payload } = *self;
        if topic.is_empty() || topic.len() > TOPIC_NAME_BYTES_MAX {
            return Err(LossyError::Topic { bytes: topic.len() });
        }
        if key.len() > TOPIC_KEY_BYTES_MAX {
            return Err(LossyError::Key { bytes: key.len() });
        }
        let head = 3 + SEQUENCE_BYTES_MAX + topic.len() + key.len();
        let bytes_max = PUBLISH_DATAGRAM_BYTES_MAX - head;
        if payload.len() > bytes_max {
            return Err(LossyError::TooLong { bytes: payload.len(), bytes_max });
        }
        let mut out = Vec::with_capacity(head + payload.len());
        out.push(DATAGRAM_PUBLISH);
        let mut left = sequence;
        while left >= 0x80 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
        for text in [topic, key] {
            out.push(text.len() as u8);
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(payload);
        Ok(out)
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// [`DatagramError`] for anything but a whole publish datagram.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DatagramError> {
        let (&kind, rest) = bytes.split_first().ok_or(DatagramError)?;
        if kind != DATAGRAM_PUBLISH || bytes.len() > PUBLISH_DATAGRAM_BYTES_MAX {
            return Err(DatagramError);
        }
        let (sequence, rest) = read_sequence(rest)?;
        let (topic, rest) = read_text(rest, TOPIC_NAME_BYTES_MAX)?;
        let (key, payload) = read_text(rest, TOPIC_KEY_BYTES_MAX)?;
        if sequence == 0 || topic.is_empty() {
            return Err(DatagramError);
        }
        Ok(LossyMessage { sequence, topic, key, payload })
    }
}

fn read_sequence(bytes: &[u8]) -> Result<(u32, &[u8]), DatagramError> {
    let mut sequence = 0u64;
    for (at, byte) in bytes.iter().take(SEQUENCE_BYTES_MAX).enumerate() {
        sequence |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let is_shortest = at == 0 || *byte != 0;
            let sequence = u32::try_from(sequence).ok().filter(|_| is_shortest);
            return Ok((sequence.ok_or(DatagramError)?, &bytes[at + 1..]));
        }
    }
    Err(DatagramError)
}

fn read_text(bytes: &[u8], bytes_max: usize) -> Result<(&str, &[u8]), DatagramError> {
    let (&length, rest) = bytes.split_first().ok_or(DatagramError)?;
    let length = usize::from(length);
    if length > bytes_max {
        return Err(DatagramError);
    }
    let (text, rest) = rest.split_at_checked(length).ok_or(DatagramError)?;
    Ok((str::from_utf8(text).map_err(|_| DatagramError)?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_has_the_bytes_that_the_book_says() {
        let message = LossyMessage { sequence: 300, topic: "t/a", key: "k", payload: b"hi" };
        let bytes = message.encode().unwrap();
        assert_eq!(bytes, b"\x50\xac\x02\x03t/a\x01khi");
        assert_eq!(LossyMessage::decode(&bytes), Ok(message));
        // Every beginning that ends before the payload is malformed.
        for length in 0..9 {
            assert_eq!(LossyMessage::decode(&bytes[..length]), Err(DatagramError), "{length}");
        }
    }

    #[test]
    fn a_message_that_does_not_fit_is_refused_whatever_its_number_is() {
        let (topic, key) = ("t".repeat(128), "k".repeat(64));
        let payload = [0; 1000];
        let message = |sequence, bytes| LossyMessage {
            sequence,
            topic: &topic,
            key: &key,
            payload: &payload[..bytes],
        };
        for sequence in [1, u32::MAX] {
            let most = message(sequence, 940).encode().unwrap();
            assert_eq!(LossyMessage::decode(&most), Ok(message(sequence, 940)));
            let error = message(sequence, 941).encode().unwrap_err();
            assert_eq!(error, LossyError::TooLong { bytes: 941, bytes_max: 940 });
        }
        let largest = message(u32::MAX, 940).encode().unwrap();
        assert_eq!(largest.len(), PUBLISH_DATAGRAM_BYTES_MAX);
        let long = LossyMessage { topic: &"t".repeat(129), ..message(1, 1) };
        assert_eq!(long.encode(), Err(LossyError::Topic { bytes: 129 }));
        let none = LossyMessage { topic: "", ..message(1, 1) };
        assert_eq!(none.encode(), Err(LossyError::Topic { bytes: 0 }));
        let long = LossyMessage { key: &"k".repeat(65), ..message(1, 1) };
        assert_eq!(long.encode(), Err(LossyError::Key { bytes: 65 }));
    }

    #[test]
    fn malformed_datagrams_are_no_messages() {
        for bytes in [
            &b"\x50\x00\x01t\x00"[..],
            b"\x50\x81\x00\x01t\x00",
            b"\x50\xff\xff\xff\xff\x10\x01t\x00",
            b"\x50\xff\xff\xff\xff\xff\x01\x01t\x00",
            b"\x50\x01\x00\x00",
            b"\x50\x01\x01\xff\x00",
            b"\x50\x01\x01t\x01\xff",
            b"\x49\x01\x01t\x00",
        ] {
            assert_eq!(LossyMessage::decode(bytes), Err(DatagramError), "{bytes:x?}");
        }
        let long = [&b"\x50\x01\x01t\x00"[..], &[0; PUBLISH_DATAGRAM_BYTES_MAX - 4]].concat();
        assert_eq!(LossyMessage::decode(&long), Err(DatagramError));
        assert!(LossyMessage::decode(&long[..PUBLISH_DATAGRAM_BYTES_MAX]).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = [&[DATAGRAM_PUBLISH][..], &bytes].concat();
            if let Ok(message) = LossyMessage::decode(&bytes) {
                prop_assert_eq!(message.encode().unwrap(), bytes);
            }
        }
    }
}
