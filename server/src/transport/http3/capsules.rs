//! Capsules: the content of a session's own stream.
//!
//! ```text
//! +--------------+----------------+-------+
//! | kind: varint | length: varint | value |   RFC 9297, section 3.2
//! +--------------+----------------+-------+
//!   one after the other in the payloads of DATA frames, whatever these are cut to
//! ```

use super::HttpError;
use super::code::Code;
use super::frames::{CUT, FRAME_DATA, Reader, put_frame, put_varint};

/// Bytes of the text that closes a session (draft-ietf-webtrans-http3-16, section 6).
const CLOSE_TEXT_BYTES_MAX: u64 = 1024;
/// Bytes of the code in front of it.
const CLOSE_CODE_BYTES: u64 = 4;
/// The capsule that closes a session.
const CAPSULE_CLOSE: u64 = 0x2843;

/// A truncated or invalid capsule (RFC 9297, section 3.3).
const MALFORMED: HttpError = HttpError::Message(Code::MESSAGE_ERROR);

/// The peer's message at the end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SessionClose {
    /// A close with a number and a text.
    Close(u32, String),
    /// The stream ended without one.
    Nothing,
}

/// A session's own stream being read.
#[derive(Debug)]
pub(crate) struct Capsules {
    reader: Reader,
    /// Bytes of the current frame still to come.
    left: u64,
}

impl Capsules {
    pub(crate) fn new(reader: Reader) -> Self {
        Capsules { reader, left: 0 }
    }

    /// Reads until the session ends. Other capsules are ignored: flow control was not agreed on,
    /// and datagrams have frames of their own.
    ///
    /// # Errors
    /// [`HttpError::Message`] for invalid capsules, [`HttpError::Stream`] if the peer gave the
    /// stream up.
    pub(crate) async fn end(&mut self) -> Result<SessionClose, HttpError> {
        while let Some(first) = self.byte().await? {
            let kind = self.varint_after(first).await?;
            let first = self.byte().await?.ok_or(MALFORMED)?;
            let length = self.varint_after(first).await?;
            if kind == CAPSULE_CLOSE {
                return self.close(length).await;
            }
            let mut left = length;
            while left > 0 {
                left -= self.bytes(left).await?.ok_or(MALFORMED)?.len() as u64;
            }
        }
        Ok(SessionClose::Nothing)
    }

    /// Waits for the stream's end after the closing capsule. Returns true if no forbidden bytes
    /// came before it.
    pub(crate) async fn is_over(&mut self) -> bool {
        matches!(self.byte().await, Ok(None) | Err(HttpError::Stream))
    }

    /// Tells the peer to stop sending.
    pub(crate) fn stop(&mut self, code: Code) {
        self.reader.stop(code);
    }

    async fn close(&mut self, length: u64) -> Result<SessionClose, HttpError> {
        if !(CLOSE_CODE_BYTES..=CLOSE_CODE_BYTES + CLOSE_TEXT_BYTES_MAX).contains(&length) {
            return Err(MALFORMED);
        }
        let mut value = Vec::new();
        while value.len() as u64 != length {
            let left = length - value.len() as u64;
            value.extend_from_slice(self.bytes(left).await?.ok_or(MALFORMED)?);
        }
        let text = value.split_off(CLOSE_CODE_BYTES as usize);
        let code = value.iter().fold(0, |code, byte| code << 8 | u32::from(*byte));
        let text = String::from_utf8(text).map_err(|_| MALFORMED)?;
        Ok(SessionClose::Close(code, text))
    }

    async fn byte(&mut self) -> Result<Option<u8>, HttpError> {
        Ok(self.bytes(1).await?.map(|bytes| bytes[0]))
    }

    async fn varint_after(&mut self, first: u8) -> Result<u64, HttpError> {
        let mut value = u64::from(first & 0x3f);
        for _ in 1..1 << (first >> 6) {
            value = value << 8 | u64::from(self.byte().await?.ok_or(MALFORMED)?);
        }
        Ok(value)
    }

    /// The next bytes of the payloads, at most `bytes_max`; `None` at the stream's end.
    async fn bytes(&mut self, bytes_max: u64) -> Result<Option<&[u8]>, HttpError> {
        while self.left == 0 {
            match self.reader.frame().await? {
                Some((FRAME_DATA, length)) => self.left = length,
                // Only DATA frames may follow a CONNECT (RFC 9114, section 4.4).
                Some(_) => return Err(HttpError::Rule(Code::FRAME_UNEXPECTED)),
                None => return Ok(None),
            }
        }
        let bytes = self.reader.read(self.left.min(bytes_max)).await?.ok_or(CUT)?;
        self.left -= bytes.len() as u64;
        Ok(Some(bytes))
    }
}

/// The frame with the capsule that closes a session.
pub(crate) fn close_frame(number: u32, text: &str) -> Vec<u8> {
    let text = &text.as_bytes()[..text.floor_char_boundary(CLOSE_TEXT_BYTES_MAX as usize)];
    let (mut capsule, mut frame) = (Vec::new(), Vec::new());
    put_varint(CAPSULE_CLOSE, &mut capsule);
    put_varint(CLOSE_CODE_BYTES + text.len() as u64, &mut capsule);
    capsule.extend_from_slice(&number.to_be_bytes());
    capsule.extend_from_slice(text);
    put_frame(FRAME_DATA, &capsule, &mut frame);
    frame
}
