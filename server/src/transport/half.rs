//! The two halves of a stream on any transport.

use super::driver::{ReadError, RecvStream, SendStream, WriteError};
use super::memory::{MemoryOver, MemoryReader, MemoryWriter};
use super::websocket::{ChannelOver, ChannelReader, ChannelWriter};

/// The reason why a stream takes or gives no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamOver {
    /// The peer gave up only this stream.
    #[error("the peer gave the stream up")]
    GivenUp,
    /// The session is over; its end gives the reason.
    #[error("the session is over")]
    WithSession,
}

/// The sending half of a stream.
#[derive(Debug)]
pub(crate) enum SendHalf {
    Stream(SendStream),
    Lane(ChannelWriter),
    Memory(MemoryWriter),
}

/// The receiving half of a stream.
#[derive(Debug)]
pub(crate) enum RecvHalf {
    Stream(RecvStream),
    Lane(ChannelReader),
    Memory(MemoryReader),
}

impl SendHalf {
    /// Hands all of `bytes` to the transport, waiting while the peer takes no more.
    ///
    /// # Errors
    /// If the peer will never take them.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), StreamOver> {
        match self {
            SendHalf::Stream(stream) => Ok(stream.write_all(bytes).await?),
            SendHalf::Lane(lane) => Ok(lane.write_all(bytes).await?),
            SendHalf::Memory(stream) => Ok(stream.write_all(bytes).await?),
        }
    }

    /// Waits until the peer gives the stream up; for ever if it does not.
    pub(crate) async fn given_up(&mut self) {
        if let SendHalf::Stream(stream) = self
            && stream.stopped().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    /// Ends the stream and waits until the peer has all of it, or never will. A WebSocket closes in
    /// order and loses nothing written before.
    pub(crate) async fn finish(&mut self) {
        match self {
            SendHalf::Stream(stream) => stream.finish().await,
            SendHalf::Lane(_) => {}
            SendHalf::Memory(stream) => stream.finish().await,
        }
    }
}

impl RecvHalf {
    /// Reads available bytes into `buffer`; `None` at the stream's end. Safe to drop while waiting.
    ///
    /// # Errors
    /// If the end will never come.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, StreamOver> {
        match self {
            RecvHalf::Stream(stream) => Ok(stream.read(buffer).await?),
            RecvHalf::Lane(lane) => Ok(lane.read(buffer).await?),
            RecvHalf::Memory(stream) => Ok(stream.read(buffer).await?),
        }
    }
}

impl From<ReadError> for StreamOver {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(_) => StreamOver::GivenUp,
            ReadError::Over => StreamOver::WithSession,
        }
    }
}

impl From<WriteError> for StreamOver {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(_) => StreamOver::GivenUp,
            WriteError::Over => StreamOver::WithSession,
        }
    }
}

impl From<MemoryOver> for StreamOver {
    fn from(MemoryOver: MemoryOver) -> Self {
        StreamOver::WithSession
    }
}

impl From<ChannelOver> for StreamOver {
    fn from(ChannelOver: ChannelOver) -> Self {
        StreamOver::WithSession
    }
}
