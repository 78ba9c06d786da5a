//! The streams of a connection, for the tasks that read and write them.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use quinn_proto::{FinishError, StreamId, VarInt};

use super::shared::ConnectionShared;

/// The sending half of a stream. Dropping it without [`SendStream::finish`] ends the stream; it
/// does not reset it.
#[derive(Debug)]
pub(crate) struct SendStream {
    shared: Arc<ConnectionShared>,
    id: StreamId,
}

/// The receiving half of a stream. Dropping it tells the peer to stop sending.
#[derive(Debug)]
pub(crate) struct RecvStream {
    shared: Arc<ConnectionShared>,
    id: StreamId,
    /// There is nothing more to read.
    ended: bool,
}

/// The reason why a stream takes no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the peer reads no more of the stream: {0}")]
    Stopped(VarInt),
    #[error("the stream or its connection is over")]
    Over,
}

/// The reason why a stream gives no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the peer gave the stream up: {0}")]
    Reset(VarInt),
    #[error("the connection is over")]
    Over,
}

impl SendStream {
    pub(super) fn new(shared: Arc<ConnectionShared>, id: StreamId) -> Self {
        SendStream { shared, id }
    }

    pub(crate) fn id(&self) -> StreamId {
        self.id
    }

    /// Hands all of `bytes` to the connection, waiting while the peer takes no more.
    ///
    /// # Errors
    /// If the peer will never take them.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = poll_fn(|context| self.poll_write(context, rest)).await?;
            rest = &rest[count..];
        }
        Ok(())
    }

    /// Ends the stream and waits until the peer has all of it, or never will.
    pub(crate) async fn finish(&mut self) {
        if self.shared.lock().proto.send_stream(self.id).finish().is_err() {
            return;
        }
        self.shared.mark_dirty();
        self.stopped().await;
    }

    /// Waits until the peer has all of an ended stream (`None`), or refuses the rest (its reason).
    pub(crate) async fn stopped(&mut self) -> Option<VarInt> {
        poll_fn(|context| {
            let mut state = self.shared.lock();
            let stopped = state.proto.send_stream(self.id).stopped();
            match stopped {
                _ if state.over.is_some() => return Poll::Ready(None),
                Ok(None) => {}
                Ok(reason) => return Poll::Ready(reason),
                Err(_) => return Poll::Ready(None),
            }
            state.waiting.finishers.insert(self.id, context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Resets the stream: lost data is not sent again.
    pub(crate) fn reset(&mut self, code: VarInt) {
        // Fails if the stream is already over.
        if self.shared.lock().proto.send_stream(self.id).reset(code).is_ok() {
            self.shared.mark_dirty();
        }
    }

    fn poll_write(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, WriteError>> {
        let mut state = self.shared.lock();
        if state.over.is_some() {
            return Poll::Ready(Err(WriteError::Over));
        }
        let written = state.proto.send_stream(self.id).write(bytes);
        match written {
            Ok(count) => {
                drop(state);
                self.shared.mark_dirty();
                Poll::Ready(Ok(count))
            }
            Err(quinn_proto::WriteError::Blocked) => {
                state.waiting.writers.insert(self.id, context.waker().clone());
                Poll::Pending
            }
            Err(quinn_proto::WriteError::Stopped(code)) => {
                Poll::Ready(Err(WriteError::Stopped(code)))
            }
            Err(quinn_proto::WriteError::ClosedStream) => Poll::Ready(Err(WriteError::Over)),
        }
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.waiting.writers.remove(&self.id);
        state.waiting.finishers.remove(&self.id);
        if state.over.is_some() {
            return;
        }
        let mut stream = state.proto.send_stream(self.id);
        let must_send = match stream.finish() {
            Ok(()) => true,
            Err(FinishError::Stopped(code)) => stream.reset(code).is_ok(),
            Err(FinishError::ClosedStream) => false,
        };
        drop(state);
        if must_send {
            self.shared.mark_dirty();
        }
    }
}

impl RecvStream {
    pub(super) fn new(shared: Arc<ConnectionShared>, id: StreamId) -> Self {
        RecvStream { shared, id, ended: false }
    }

    /// Reads available bytes into `buffer`; `None` at the stream's end. Safe to drop while waiting.
    ///
    /// # Errors
    /// If the end will never come.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, ReadError> {
        poll_fn(|context| self.poll_read(context, buffer)).await
    }

    /// Tells the peer to stop sending.
    pub(crate) fn stop(&mut self, code: VarInt) {
        self.ended = true;
        let mut state = self.shared.lock();
        state.waiting.readers.remove(&self.id);
        // Fails if everything was already read.
        if state.over.is_none() && state.proto.recv_stream(self.id).stop(code).is_ok() {
            drop(state);
            self.shared.mark_dirty();
        }
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<Option<usize>, ReadError>> {
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        let mut state = self.shared.lock();
        let mut stream = state.proto.recv_stream(self.id);
        let Ok(mut chunks) = stream.read(true) else {
            return Poll::Ready(Err(ReadError::Over));
        };
        let read = chunks.next(buffer.len());
        let must_send = chunks.finalize().should_transmit();
        let result = match read {
            Ok(Some(chunk)) => {
                buffer[..chunk.bytes.len()].copy_from_slice(&chunk.bytes);
                Ok(Some(chunk.bytes.len()))
            }
            Ok(None) => {
                self.ended = true;
                Ok(None)
            }
            Err(quinn_proto::ReadError::Reset(code)) => {
                self.ended = true;
                Err(ReadError::Reset(code))
            }
            Err(quinn_proto::ReadError::Blocked) if state.over.is_some() => Err(ReadError::Over),
            Err(quinn_proto::ReadError::Blocked) => {
                state.waiting.readers.insert(self.id, context.waker().clone());
                return Poll::Pending;
            }
        };
        drop(state);
        if must_send {
            self.shared.mark_dirty();
        }
        Poll::Ready(result)
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        if !self.ended {
            self.stop(VarInt::from_u32(0));
        }
    }
}
