//! Complete frames from a stream.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tickwire_shared::control::{CloseCode, FrameReader};
use tokio::time::Instant;

use super::SessionEnd;
use crate::transport::{RecvHalf, StreamOver};

/// The successive frames of one stream.
pub(super) struct FrameStream<'a> {
    recv: &'a mut RecvHalf,
    reader: FrameReader,
    time_max: Duration,
    /// The deadline of the frame that has arrived in part.
    due: Option<Instant>,
}

impl<'a> FrameStream<'a> {
    /// Each frame must be complete within `time_max` of its beginning.
    pub(super) fn new(recv: &'a mut RecvHalf, time_max: Duration) -> Self {
        FrameStream { recv, reader: FrameReader::default(), time_max, due: None }
    }

    /// The next frame, or `None` at the stream's end. Safe to drop while waiting.
    ///
    /// # Errors
    /// How the session must end: the frame is unreadable, or the stream was given up.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, SessionEnd> {
        loop {
            let polled = self.reader.poll();
            let failed = |error: tickwire_shared::control::FrameError| {
                SessionEnd::new(error.close_code(), error.to_string())
            };
            if let Some(frame) = polled.map_err(failed)? {
                self.due = None;
                return Ok(Some(frame));
            }
            if self.reader.is_within_frame() && self.due.is_none() {
                self.due = Some(Instant::now() + self.time_max);
            }
            let mut bytes = [0; READ_BYTES];
            let read = self.recv.read(&mut bytes);
            let read = match self.due {
                None => read.await,
                Some(due) => tokio::time::timeout_at(due, read).await.map_err(|_| {
                    SessionEnd::new(
                        CloseCode::MalformedFrame,
                        "a frame began and did not end in time",
                    )
                })?,
            };
            match read {
                Ok(Some(count)) => self.reader.push(&bytes[..count]),
                Ok(None) => return Ok(None),
                Err(StreamOver::GivenUp) => return Err(SessionEnd::given_up()),
                // The session's own end gives the reason.
                Err(StreamOver::WithSession) => std::future::pending().await,
            }
        }
    }
}

/// Bytes of one read: frames from clients are small.
const READ_BYTES: usize = 1024;
