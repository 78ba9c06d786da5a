//! Frames as bytes: written whole, and read as their bytes come.

use serde::{Serialize, de::DeserializeOwned};

use super::{CloseCode, FRAME_BYTES_MAX, FRAME_LENGTH_BYTES};
use crate::PROTOCOL_VERSION;

/// Why a frame could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`FRAME_BYTES_MAX`], or empty.
    #[error("a frame of {bytes} bytes; 2 to {FRAME_BYTES_MAX} are allowed")]
    Length {
        /// The length it announced.
        bytes: u32,
    },
    /// Of another protocol version.
    #[error(
        "a frame of protocol version {theirs}, this side speaks {PROTOCOL_VERSION}; update the older one"
    )]
    Version {
        /// The version it carries.
        theirs: u8,
    },
    /// Not a frame this side knows: unknown variant, truncated, or bytes left over.
    #[error("a frame that is not of this protocol; update the client")]
    Body,
}

impl FrameError {
    /// The close code a peer that sent such a frame is given.
    pub fn close_code(&self) -> CloseCode {
        match self {
            FrameError::Length { .. } => CloseCode::FrameTooLarge,
            FrameError::Version { .. } => CloseCode::VersionMismatch,
            FrameError::Body => CloseCode::MalformedFrame,
        }
    }
}

/// Appends `frame` to `out` with its length and version.
///
/// # Panics
/// If the frame is longer than [`FRAME_BYTES_MAX`]: callers bound what they put in.
pub fn write_frame<T: Serialize>(frame: &T, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_LENGTH_BYTES]);
    out.push(PROTOCOL_VERSION);
    let body = postcard::to_allocvec(frame).expect("frames are plain data");
    out.extend_from_slice(&body);
    let length = out.len() - start - FRAME_LENGTH_BYTES;
    assert!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes");
    out[start..start + FRAME_LENGTH_BYTES].copy_from_slice(&(length as u32).to_le_bytes());
}

/// Collects the bytes of one stream and gives back whole frames.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    read: usize,
}

impl FrameReader {
    /// Takes bytes as they came. Holds at most one frame more than `bytes` if every frame is polled.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a frame has come in part, once all whole ones were polled.
    pub fn is_within_frame(&self) -> bool {
        self.read < self.buffer.len()
    }

    /// Bytes that came and are not polled yet.
    pub fn waiting_bytes(&self) -> usize {
        self.buffer.len() - self.read
    }

    /// The next whole frame, if its last byte has come.
    ///
    /// # Errors
    /// [`FrameError`]; the stream cannot be read further.
    pub fn poll<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let pending = &self.buffer[self.read..];
        let Some((length, rest)) = pending.split_first_chunk::<FRAME_LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length);
        if !(2..=FRAME_BYTES_MAX as u32).contains(&length) {
            return Err(FrameError::Length { bytes: length });
        }
        // The version is checked first: of a newer frame nothing else can be trusted.
        if let Some(&version) = rest.first()
            && version != PROTOCOL_VERSION
        {
            return Err(FrameError::Version { theirs: version });
        }
        let Some(frame) = rest.get(..length as usize) else { return Ok(None) };
        let (value, left) = postcard::take_from_bytes(&frame[1..]).map_err(|_| FrameError::Body)?;
        if !left.is_empty() {
            return Err(FrameError::Body);
        }
        self.read += FRAME_LENGTH_BYTES + length as usize;
        Ok(Some(value))
    }
}
