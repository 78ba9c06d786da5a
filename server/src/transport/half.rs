//! The two halves of a stream, whichever transport it is on.

use super::driver::{RecvStream, SendStream};
use super::websocket::{LaneReader, LaneWriter};

/// The stream takes or gives no more: its end, or that of the session, says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream or its session is over")]
pub(crate) struct StreamOver;

/// The sending half of a stream.
#[derive(Debug)]
pub(crate) enum SendHalf {
    Stream(SendStream),
    Lane(LaneWriter),
}

/// The receiving half of a stream.
#[derive(Debug)]
pub(crate) enum RecvHalf {
    Stream(RecvStream),
    Lane(LaneReader),
}

impl SendHalf {
    /// Hands all of `bytes` to the transport, waiting while the peer takes no more.
    ///
    /// # Errors
    /// When the peer will never take them.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), StreamOver> {
        match self {
            SendHalf::Stream(stream) => stream.write_all(bytes).await.map_err(|_| StreamOver),
            SendHalf::Lane(lane) => lane.write_all(bytes).await,
        }
    }

    /// Ends the stream and waits until the peer has everything, or will never have it. A WebSocket
    /// closes in order: nothing that was written before is lost.
    pub(crate) async fn finish(&mut self) {
        match self {
            SendHalf::Stream(stream) => stream.finish().await,
            SendHalf::Lane(_) => {}
        }
    }
}

impl RecvHalf {
    /// Reads what is there into `buffer`; `None` at the stream's end. Safe to drop while waiting.
    ///
    /// # Errors
    /// When the end will never come.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, StreamOver> {
        match self {
            RecvHalf::Stream(stream) => stream.read(buffer).await.map_err(|_| StreamOver),
            RecvHalf::Lane(lane) => lane.read(buffer).await,
        }
    }
}
