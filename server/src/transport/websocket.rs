//! A session over one TCP connection, for networks that block UDP.
//!
//! [`tickwire_shared::websocket`] shows the lanes. A WebSocket keeps order and loses nothing, which
//! is wrong for snapshots. So only the newest waiting snapshot is kept, and none follows until the
//! peer, by answering a ping, has confirmed enough of those on their way.

mod channels;
mod idle;
mod intake;
mod pace;
mod pump;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tickwire_shared::control::CloseCode;
use tickwire_shared::websocket::{LANE_DATAGRAM, close_number, close_text};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::driver::{DatagramSink, UnsentDatagram};
use super::{Closed, DATAGRAM_HEADROOM_BYTES};
use crate::config::ServerConfig;
use channels::{Channel, ChannelInputs};
pub(crate) use channels::{ChannelOver, ChannelReader, ChannelWriter};
use intake::Intake;
pub use pace::Pace;
use pump::{Pump, PumpEnds};

/// Sinks of datagrams that the pump has not taken yet: the pump takes the first before it reads, and a connection is given to
/// another session once.
const SINKS_MAX: usize = 4;
/// Bytes of one read: clients send little at once.
const READ_BYTES: usize = 4096;

/// A TCP connection after its HTTP upgrade, with or without TLS.
pub(crate) trait UpgradedStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> UpgradedStream for T {}

/// One peer over a WebSocket.
pub(crate) struct WebSocket {
    shared: Arc<WebSocketShared>,
    peer: SocketAddr,
    streams: AsyncMutex<Receiver<Channel>>,
    /// Passes sinks of datagrams to the pump: that of the session that said hello here, then that of the one that goes on here.
    sinks: Sender<Box<dyn DatagramSink>>,
}

/// The state that the session and its pump share.
struct WebSocketShared {
    /// The newest waiting datagram, with its lane in front.
    newest: Mutex<Option<Bytes>>,
    newest_came: Notify,
    /// The reason why nothing more comes from the peer, once that is so.
    over: watch::Sender<Option<Closed>>,
    /// This side's close, once it closes.
    closing: watch::Sender<Option<CloseFrame>>,
    /// The TCP connection is gone.
    gone: watch::Sender<bool>,
}

impl WebSocket {
    /// Serves a connection whose upgrade was granted; `early` are the bytes after the request. The
    /// peer is read at no more than `messages_hz` small messages a second.
    pub(crate) async fn start(
        (wire, early): (Box<dyn UpgradedStream>, Bytes),
        peer: SocketAddr,
        messages_hz: u32,
        limits: &ServerConfig,
    ) -> WebSocket {
        let message_bytes_max = limits.websocket_message_bytes_max;
        let config = WebSocketConfig::default()
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max))
            .read_buffer_size(READ_BYTES)
            // Written data leaves at once: a snapshot waiting in this buffer could not be replaced.
            .write_buffer_size(0)
            .max_write_buffer_size(2 * message_bytes_max);
        let intake = Intake::new(wire, early, messages_hz);
        let unfinished = intake.unfinished();
        let socket = WebSocketStream::from_raw_socket(intake, Role::Server, Some(config));
        let shared = Arc::new(WebSocketShared {
            newest: Mutex::new(None),
            newest_came: Notify::new(),
            over: watch::Sender::new(None),
            closing: watch::Sender::new(None),
            gone: watch::Sender::new(false),
        });
        let (incoming, streams, pieces) = ChannelInputs::new(limits.stream_window_bytes as usize);
        let (given, sinks) = mpsc::channel(SINKS_MAX);
        let pump = Pump::new(Arc::clone(&shared), unfinished, limits);
        tokio::spawn(pump.run(socket.await, PumpEnds { pieces, incoming, sinks }));
        WebSocket { shared, peer, streams: AsyncMutex::new(streams), sinks: given }
    }

    pub(super) fn remote_address(&self) -> SocketAddr {
        self.peer
    }

    /// Takes a datagram with its lane in front. Returns true if it replaced an unsent one.
    pub(super) fn send_datagram(&self, datagram: Bytes) -> Result<bool, UnsentDatagram> {
        debug_assert_eq!(datagram[..DATAGRAM_HEADROOM_BYTES], [LANE_DATAGRAM]);
        if self.shared.over.borrow().is_some() {
            return Err(UnsentDatagram::Undeliverable);
        }
        let mut newest = self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = newest.replace(datagram).is_some();
        drop(newest);
        self.shared.newest_came.notify_one();
        Ok(replaced)
    }

    pub(super) fn set_sink(&self, sink: Box<dyn DatagramSink>) {
        // Fails if the pump is gone: then there are no datagrams.
        let _ = self.sinks.try_send(sink);
    }

    pub(super) async fn accept_bi(&self) -> Option<Channel> {
        self.streams.lock().await.recv().await
    }

    pub(super) fn close(&self, code: CloseCode, text: &str) {
        self.shared.close(code, text);
    }

    pub(super) async fn closed(&self) -> Closed {
        let mut over = self.shared.over.subscribe();
        let closed = over.wait_for(Option::is_some).await;
        closed.ok().and_then(|closed| closed.clone()).unwrap_or_else(|| Closed::lost("it is over"))
    }

    /// After a close, waits until the TCP connection is gone.
    pub(super) async fn gone(&self) {
        let mut gone = self.shared.gone.subscribe();
        // An error means the same.
        let _ = gone.wait_for(|gone| *gone).await;
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        self.shared.close(CloseCode::Normal, "");
    }
}

impl std::fmt::Debug for WebSocket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WebSocket").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl WebSocketShared {
    /// Asks the pump to close, unless it is already asked.
    fn close(&self, code: CloseCode, text: &str) {
        self.closing.send_if_modified(|closing| {
            let first = closing.is_none();
            if first {
                let (code, reason) = (close_number(code).into(), close_text(text).into());
                *closing = Some(CloseFrame { code, reason });
            }
            first
        });
    }

    /// Records why nothing more comes from the peer, unless a reason is known.
    fn end(&self, why: Closed) {
        self.over.send_if_modified(|over| {
            let first = over.is_none();
            over.get_or_insert(why);
            first
        });
    }

    /// Waits until nothing more comes from the peer.
    async fn is_over(&self) {
        let mut over = self.over.subscribe();
        // The sender lives in this struct.
        let _ = over.wait_for(Option::is_some).await;
    }

    fn take_newest(&self) -> Option<Bytes> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until this side is asked to close.
    async fn close_asked(&self) -> CloseFrame {
        let mut closing = self.closing.subscribe();
        let asked = closing.wait_for(Option::is_some).await;
        match asked.ok().and_then(|asked| asked.clone()) {
            Some(frame) => frame,
            // The sender lives in this struct.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Instant;

    use tokio::io::{AsyncWriteExt as _, DuplexStream, ReadBuf};

    use super::*;

    /// A connection on which every write fails, as on one whose peer has gone; what the peer sent before can be read.
    struct Unwritable {
        wire: DuplexStream,
        /// A write failed.
        failed: Arc<Notify>,
    }

    impl AsyncRead for Unwritable {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.wire).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Unwritable {
        fn poll_write(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
            _bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.failed.notify_one();
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    struct Nobody;

    impl DatagramSink for Nobody {
        fn take(&mut self, _datagram: Bytes, _at: Instant) {}
    }

    #[tokio::test]
    async fn a_close_that_is_read_after_a_write_failed_is_a_close() {
        let (mut peer, wire) = tokio::io::duplex(1024);
        let failed = Arc::new(Notify::new());
        let wire = Box::new(Unwritable { wire, failed: Arc::clone(&failed) });
        let address = SocketAddr::from(([192, 0, 2, 1], 443));
        let limits = ServerConfig::default();
        let socket = WebSocket::start((wire, Bytes::new()), address, 100, &limits).await;
        socket.set_sink(Box::new(Nobody));
        assert!(socket.send_datagram(Bytes::from_static(&[LANE_DATAGRAM, 0])).is_ok());
        failed.notified().await;
        // Its end with the number 1000, under a mask of zeros.
        peer.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).await.unwrap();
        assert_eq!(socket.closed().await.code, CloseCode::Normal);
    }
}
