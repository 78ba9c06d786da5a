//! Whole frames out of a stream.

use serde::de::DeserializeOwned;
use tickwire_shared::control::{CloseCode, FrameReader};

use super::End;
use crate::transport::RecvHalf;

/// The frames of one stream, one after another.
pub(super) struct Frames<'a> {
    recv: &'a mut RecvHalf,
    reader: FrameReader,
}

impl<'a> Frames<'a> {
    pub(super) fn new(recv: &'a mut RecvHalf) -> Self {
        Frames { recv, reader: FrameReader::default() }
    }

    /// The next frame, or `None` at the stream's end. Safe to drop while waiting.
    ///
    /// # Errors
    /// How the session must end: the frame cannot be read, or the stream is lost.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, End> {
        loop {
            let polled = self.reader.poll();
            let failed = |error: tickwire_shared::control::FrameError| {
                End::new(error.close_code(), error.to_string())
            };
            if let Some(frame) = polled.map_err(failed)? {
                return Ok(Some(frame));
            }
            let mut bytes = [0; READ_BYTES];
            match self.recv.read(&mut bytes).await {
                Ok(Some(count)) => self.reader.push(&bytes[..count]),
                Ok(None) => return Ok(None),
                Err(_) => return Err(CloseCode::ConnectionLost.into()),
            }
        }
    }
}

/// Frames from clients are small: this much of a stream is read at once.
const READ_BYTES: usize = 1024;
