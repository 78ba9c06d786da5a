//! The session over a WebSocket, for networks that block UDP.
//!
//! ```text
//! +----------+------------------------------------------------+
//! | lane: u8 | what QUIC carries there                        |   one binary message
//! +----------+------------------------------------------------+
//!   0         one datagram
//!   1 to 4    the next bytes of the control, the chat, the static or the topics stream
//! ```
//!
//! A stream's lane is its own first byte; each later message repeats it, and it is not sent
//! separately: [`STREAM_CONTROL`](crate::control::STREAM_CONTROL),
//! [`STREAM_CHAT`](crate::control::STREAM_CHAT), [`STREAM_STATIC`](crate::control::STREAM_STATIC),
//! [`STREAM_TOPICS`](crate::control::STREAM_TOPICS).

use crate::control::{CloseCode, FRAME_BYTES_MAX, FRAME_LENGTH_BYTES};

/// The path at which a server accepts WebSockets.
pub const PATH: &str = "/ws";
/// The lane of datagrams.
pub const LANE_DATAGRAM: u8 = 0x00;
/// Bytes of a message with the largest frame.
pub const MESSAGE_BYTES_MAX: usize = 1 + FRAME_LENGTH_BYTES + FRAME_BYTES_MAX;
/// A close code's number on a WebSocket is this plus its own number. Numbers from here on are free
/// for applications (RFC 6455, section 7.4.2).
pub const CLOSE_NUMBER_BASE: u16 = 4000;
/// Bytes of the close text: the space left in a WebSocket control frame (RFC 6455, section 5.5).
pub const CLOSE_TEXT_BYTES_MAX: usize = 123;

/// A close code's number on a WebSocket.
pub fn close_number(code: CloseCode) -> u16 {
    let number = u16::try_from(code.number()).expect("there are few close codes");
    CLOSE_NUMBER_BASE + number
}

/// The close code of a number on a WebSocket; `None` if it is not in the application's range.
pub fn close_code(number: u16) -> Option<CloseCode> {
    let own = number.checked_sub(CLOSE_NUMBER_BASE).filter(|own| *own < 1000)?;
    Some(CloseCode::from_number(u64::from(own)))
}

/// The part of `text` that fits into a close.
pub fn close_text(text: &str) -> &str {
    &text[..text.floor_char_boundary(CLOSE_TEXT_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_code_has_a_number_of_its_own() {
        for code in CloseCode::ALL {
            assert_eq!(close_code(close_number(code)), Some(code));
        }
        assert_eq!(close_code(4999), Some(CloseCode::ConnectionLost));
        for number in [0, 1000, 1006, 3999, 5000, u16::MAX] {
            assert_eq!(close_code(number), None, "{number}");
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(close_text("goodbye"), "goodbye");
        let text = "é".repeat(100);
        assert_eq!(close_text(&text), "é".repeat(61));
        assert_eq!(close_text(&"x".repeat(500)).len(), CLOSE_TEXT_BYTES_MAX);
    }
}
