//! Whole frames out of a stream.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tickwire_shared::control::{CloseCode, FrameReader};
use tokio::time::Instant;

use super::SessionEnd;
use crate::transport::{RecvHalf, StreamOver, TransportSession};

/// Frames from clients are small: this much of a stream is read at once.
const READ_BYTES: usize = 1024;

/// The frames of one stream, one after another.
#[derive(Debug)]
pub(super) struct FrameStream {
    recv: RecvHalf,
    reader: FrameReader,
    time_max: Duration,
    /// When the frame that has come in part must be whole.
    due: Option<Instant>,
}

/// Why a stream gives no frame.
#[derive(Debug)]
pub(super) enum NoFrame {
    /// The client ended the stream.
    Finished,
    /// The connection is over.
    Lost,
    /// The client gave the stream up.
    GivenUp,
    /// The session must end: the frame cannot be read, or the stream was given up.
    End(SessionEnd),
}

impl FrameStream {
    /// A frame that began must be whole within `time_max`.
    pub(super) fn new(recv: RecvHalf, time_max: Duration) -> Self {
        FrameStream { recv, reader: FrameReader::default(), time_max, due: None }
    }

    /// The next frame, or that the connection is over and every frame was read that had come. Safe to drop while waiting.
    ///
    /// # Errors
    /// Why there will be none.
    pub(super) async fn next_on<T: DeserializeOwned>(
        &mut self,
        transport: &TransportSession,
    ) -> Result<T, NoFrame> {
        tokio::select! {
            biased;
            frame = self.next() => match frame {
                // A browser gives its streams up when this side closes the connection.
                Err(NoFrame::GivenUp) if transport.is_closing() => Err(NoFrame::Lost),
                frame => frame,
            },
            _ = transport.closed() => Err(NoFrame::Lost),
        }
    }

    /// The next frame. Safe to drop while waiting.
    ///
    /// # Errors
    /// Why there will be none.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<T, NoFrame> {
        loop {
            let polled = self.reader.poll();
            let failed = |error: tickwire_shared::control::FrameError| {
                NoFrame::End(SessionEnd::new(error.close_code(), error.to_string()))
            };
            if let Some(frame) = polled.map_err(failed)? {
                self.due = None;
                return Ok(frame);
            }
            if self.reader.is_within_frame() && self.due.is_none() {
                self.due = Some(Instant::now() + self.time_max);
            }
            let mut bytes = [0; READ_BYTES];
            let read = self.recv.read(&mut bytes);
            let read = match self.due {
                None => read.await,
                Some(due) => tokio::time::timeout_at(due, read).await.map_err(|_| {
                    let text = "a frame began and did not end in time";
                    NoFrame::End(SessionEnd::new(CloseCode::MalformedFrame, text))
                })?,
            };
            match read {
                Ok(Some(count)) => self.reader.push(&bytes[..count]),
                Ok(None) => return Err(NoFrame::Finished),
                Err(StreamOver::GivenUp) => return Err(NoFrame::GivenUp),
                Err(StreamOver::WithSession) => return Err(NoFrame::Lost),
            }
        }
    }
}
