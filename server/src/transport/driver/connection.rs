//! One QUIC connection as its tasks see it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use quinn_proto::crypto::rustls::HandshakeData;
use quinn_proto::{ConnectionError, ConnectionHandle, Dir, StreamId, VarInt};

use super::DriverHandle;
use super::proof::AddressProof;
use super::shared::{ConnectionShared, DatagramSink};
use super::streams::{RecvStream, SendStream};

/// A connection as its tasks see it. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) shared: Arc<ConnectionShared>,
}

impl Connection {
    pub(super) fn new(
        handle: ConnectionHandle,
        proto: quinn_proto::Connection,
        proof: AddressProof,
        remote: Arc<DriverHandle>,
    ) -> Self {
        let shared = ConnectionShared::new(handle, proto, proof, remote);
        Connection { shared: Arc::new(shared) }
    }

    /// Waits until the peer has named its protocol.
    ///
    /// # Errors
    /// The connection's failure.
    pub(crate) async fn protocol(&self) -> Result<Option<Vec<u8>>, ConnectionError> {
        self.shared.when(|state| state.named).await?;
        let state = self.shared.lock();
        let data = state.proto.crypto_session().handshake_data();
        let data = data.and_then(|data| data.downcast::<HandshakeData>().ok());
        Ok(data.and_then(|data| data.protocol))
    }

    /// Waits until the handshake is done.
    ///
    /// # Errors
    /// The connection's failure.
    pub(crate) async fn established(&self) -> Result<(), ConnectionError> {
        self.shared.when(|state| state.connected).await
    }

    /// Waits until the connection ends, from either side.
    pub(crate) async fn closed(&self) -> ConnectionError {
        match self.shared.when(|_| false).await {
            Err(error) => error,
            Ok(()) => ConnectionError::LocallyClosed,
        }
    }

    /// Accepts the peer's next bidirectional stream. Only one task at a time may wait for it.
    ///
    /// # Errors
    /// The connection's end.
    pub(crate) async fn accept_bi(&self) -> Result<(SendStream, RecvStream), ConnectionError> {
        let id = self.accept(Dir::Bi).await?;
        let send = SendStream::new(Arc::clone(&self.shared), id);
        Ok((send, RecvStream::new(Arc::clone(&self.shared), id)))
    }

    /// Accepts the peer's next unidirectional stream. Only one task at a time may wait for it.
    ///
    /// # Errors
    /// The connection's end.
    pub(crate) async fn accept_uni(&self) -> Result<RecvStream, ConnectionError> {
        let id = self.accept(Dir::Uni).await?;
        Ok(RecvStream::new(Arc::clone(&self.shared), id))
    }

    /// Opens a unidirectional stream if the peer permits one now.
    pub(crate) fn open_uni(&self) -> Option<SendStream> {
        let id = self.shared.lock().proto.streams().open(Dir::Uni)?;
        Some(SendStream::new(Arc::clone(&self.shared), id))
    }

    /// Hands waiting and later datagrams to `sink`.
    pub(crate) fn set_sink(&self, sink: Box<dyn DatagramSink>) {
        self.shared.lock().set_sink(sink, Instant::now());
    }

    /// Most bytes of a datagram on the path now; 0 if the peer takes none.
    pub(crate) fn datagram_bytes_max(&self) -> usize {
        self.shared.lock().proto.datagrams().max_size().unwrap_or(0)
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.shared.lock().proto.remote_address()
    }

    /// Ends the connection at once. Unacknowledged data may be lost.
    pub(crate) fn close(&self, code: VarInt, text: &[u8]) {
        self.shared.close(code, Bytes::copy_from_slice(text));
    }

    async fn accept(&self, dir: Dir) -> Result<StreamId, ConnectionError> {
        let accepted = poll_fn(|context| {
            let mut state = self.shared.lock();
            if let Some(id) = state.proto.streams().accept(dir) {
                return Poll::Ready(Ok(id));
            }
            if let Some(error) = &state.over {
                return Poll::Ready(Err(error.clone()));
            }
            state.waiting.acceptors[dir as usize] = Some(context.waker().clone());
            Poll::Pending
        });
        accepted.await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.close(VarInt::from_u32(0), Bytes::new());
    }
}
