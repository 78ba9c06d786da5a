//! What carries a session: datagrams both ways, two streams, a close code. It knows no game.

pub(crate) mod endpoint;
mod origin;
mod tls;
mod webtransport;

use std::net::SocketAddr;

use bytes::Bytes;
use tickwire_shared::control::CloseCode;

pub use endpoint::BindError;
pub(crate) use endpoint::{endpoint, server_config};
pub(crate) use origin::{Origins, host_of, is_this_machine};
pub(crate) use tls::tls_config;

use webtransport::WebTransport;

/// The first byte of every datagram handed to [`Session::send_datagram`] is zero and is not part of
/// what the peer gets.
///
/// It is the whole WebTransport prefix of a browser's first session, so both transports can be
/// handed slices of one allocation.
pub(crate) const DATAGRAM_HEADROOM_BYTES: usize = 1;

/// The protocol's name for browsers.
pub(crate) const ALPN_WEBTRANSPORT: &[u8] = b"h3";
/// The protocol's name for native clients.
pub(crate) const ALPN_QUIC: &[u8] = b"tickwire/1";

/// One peer, over whichever transport it came.
#[derive(Debug)]
pub(crate) enum Session {
    Quic(quinn::Connection),
    WebTransport(WebTransport),
}

/// Why a peer that connected got no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EstablishError {
    #[error("the connection failed: {0}")]
    Connection(#[from] quinn::ConnectionError),
    #[error("the WebTransport session failed: {0}")]
    WebTransport(#[from] wtransport::error::ConnectionError),
    #[error("the page's origin {origin:?} is not allowed; add it to allowed_origins")]
    Origin { origin: String },
    #[error("the TLS handshake named no protocol")]
    NoProtocol,
}

impl Session {
    /// Does the handshakes of a new connection: TLS, and for browsers HTTP/3 and CONNECT.
    pub(crate) async fn establish(
        incoming: quinn::Incoming,
        origins: &Origins,
    ) -> Result<Session, EstablishError> {
        let mut connecting = incoming.accept()?;
        let data = connecting.handshake_data().await?;
        let data = data.downcast::<quinn::crypto::rustls::HandshakeData>();
        let protocol = data.ok().and_then(|data| data.protocol);
        match protocol.as_deref().ok_or(EstablishError::NoProtocol)? {
            ALPN_WEBTRANSPORT => {
                Ok(Session::WebTransport(WebTransport::accept(connecting, origins).await?))
            }
            _ => Ok(Session::Quic(connecting.await?)),
        }
    }

    /// What it came over, for logs.
    pub(crate) fn transport_name(&self) -> &'static str {
        match self {
            Session::Quic(_) => "quic",
            Session::WebTransport(_) => "webtransport",
        }
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.quic().remote_address()
    }

    /// Most bytes of a datagram on its path now, without the headroom; 0 if it takes none.
    pub(crate) fn datagram_bytes_max(&self) -> usize {
        let path = self.quic().max_datagram_size().unwrap_or(0);
        match self {
            Session::Quic(_) => path,
            Session::WebTransport(web) => path.saturating_sub(web.prefix_bytes()),
        }
    }

    /// Sends a datagram that begins with [`DATAGRAM_HEADROOM_BYTES`]. Never waits: what does not fit
    /// the send buffer pushes older ones out.
    pub(crate) fn send_datagram(&self, datagram: Bytes) -> Result<(), quinn::SendDatagramError> {
        match self {
            Session::Quic(quic) => quic.send_datagram(datagram.slice(DATAGRAM_HEADROOM_BYTES..)),
            Session::WebTransport(web) => web.send_datagram(datagram),
        }
    }

    /// The next datagram. Safe to drop while waiting.
    pub(crate) async fn recv_datagram(&self) -> Result<Bytes, quinn::ConnectionError> {
        match self {
            Session::Quic(quic) => quic.read_datagram().await,
            Session::WebTransport(web) => web.recv_datagram().await,
        }
    }

    /// The next stream the peer opened both ways, or `None` once the session is over.
    pub(crate) async fn accept_bi(&self) -> Option<(SendHalf, RecvHalf)> {
        match self {
            Session::Quic(quic) => {
                let (send, recv) = quic.accept_bi().await.ok()?;
                Some((SendHalf::Quic(send), RecvHalf::Quic(recv)))
            }
            Session::WebTransport(web) => web.accept_bi().await,
        }
    }

    /// Waits until the peer opened a stream one way, which no client does. `None` once it is over.
    pub(crate) async fn accept_uni(&self) -> Option<()> {
        match self {
            Session::Quic(quic) => quic.accept_uni().await.ok().map(|_| ()),
            Session::WebTransport(web) => web.accept_uni().await,
        }
    }

    /// Ends the session at once; frames that are not yet acknowledged may be lost.
    pub(crate) fn close(&self, code: CloseCode, text: &str) {
        self.quic().close(quinn::VarInt::from_u32(code.number()), text.as_bytes());
    }

    /// Waits for the end of the session, from whichever side.
    pub(crate) async fn closed(&self) -> quinn::ConnectionError {
        self.quic().closed().await
    }

    fn quic(&self) -> &quinn::Connection {
        match self {
            Session::Quic(quic) => quic,
            Session::WebTransport(web) => web.quic(),
        }
    }
}

/// The sending half of a stream.
#[derive(Debug)]
pub(crate) enum SendHalf {
    Quic(quinn::SendStream),
    WebTransport(wtransport::SendStream),
}

impl SendHalf {
    /// Hands all of `bytes` to the transport, waiting while the peer takes no more.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), quinn::WriteError> {
        self.quic().write_all(bytes).await
    }

    /// Ends the stream and waits until the peer has everything, or will never have it.
    pub(crate) async fn finish(&mut self) {
        // An error says that the stream or the connection is over already.
        if self.quic().finish().is_ok() {
            let _ = self.quic().stopped().await;
        }
    }

    fn quic(&mut self) -> &mut quinn::SendStream {
        match self {
            SendHalf::Quic(send) => send,
            SendHalf::WebTransport(send) => send.quic_stream_mut(),
        }
    }
}

/// The receiving half of a stream.
#[derive(Debug)]
pub(crate) enum RecvHalf {
    Quic(quinn::RecvStream),
    WebTransport(wtransport::RecvStream),
}

impl RecvHalf {
    /// Reads what is there into `buffer`; `None` at the stream's end. Safe to drop while waiting.
    pub(crate) async fn read(
        &mut self,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, quinn::ReadError> {
        match self {
            RecvHalf::Quic(recv) => recv.read(buffer).await,
            RecvHalf::WebTransport(recv) => recv.quic_stream_mut().read(buffer).await,
        }
    }
}
