//! What carries a session: datagrams both ways, two streams, a close code. It knows no game.

mod driver;
mod endpoint;
mod half;
mod http3;
mod origin;
mod tls;
mod websocket;
mod webtransport;

use std::net::SocketAddr;

use bytes::Bytes;
use quinn_proto::{TransportErrorCode, VarInt};
use tickwire_shared::control::CloseCode;

use crate::config::ServerConfig;
pub(crate) use driver::{
    Bell, Connection, DatagramError, DatagramSink, Endpoint, Knock, Limits, Outbound, Service,
};
pub use endpoint::BindError;
pub(crate) use endpoint::{Bound, bind, server_config};
pub(crate) use half::{RecvHalf, SendHalf, StreamOver};
pub(crate) use origin::{Origins, host_of, is_this_machine};
pub(crate) use tls::tls_config;
pub use websocket::Pace as WebSocketPace;
pub(crate) use websocket::{WebSocket, Wire};

pub(crate) use quinn_proto::ConnectionError;

use http3::HttpError;
use webtransport::WebTransport;

/// The first byte of every datagram handed to [`Session::send_datagram`] is zero and is not part of
/// what the peer gets.
///
/// It is the whole WebTransport prefix of a browser's first session, and the lane of datagrams on a
/// WebSocket, so all transports can be handed slices of one allocation.
pub(crate) const DATAGRAM_HEADROOM_BYTES: usize = 1;

/// The protocol's name for browsers.
pub(crate) const ALPN_WEBTRANSPORT: &[u8] = b"h3";
/// The protocol's name for native clients.
pub(crate) const ALPN_QUIC: &[u8] = b"tickwire/1";

/// One peer, over whichever transport it came.
#[derive(Debug)]
pub(crate) enum Session {
    Quic(Connection),
    WebTransport(WebTransport),
    WebSocket(WebSocket),
}

/// How the other side, or the way to it, ended a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) code: CloseCode,
    pub(crate) text: String,
}

impl Closed {
    /// The connection is gone.
    fn lost(how: &str) -> Self {
        Closed { code: CloseCode::ConnectionLost, text: how.to_owned() }
    }
}

/// One with the text of its code.
impl From<CloseCode> for Closed {
    fn from(code: CloseCode) -> Self {
        Closed { code, text: code.text().to_owned() }
    }
}

impl From<ConnectionError> for Closed {
    fn from(error: ConnectionError) -> Self {
        let code = match &error {
            ConnectionError::ApplicationClosed(_) => CloseCode::Normal,
            ConnectionError::ConnectionClosed(close)
                if close.error_code == TransportErrorCode::NO_ERROR =>
            {
                CloseCode::Normal
            }
            _ => CloseCode::ConnectionLost,
        };
        Closed { code, text: error.to_string() }
    }
}

/// Why a peer that connected got no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EstablishError {
    #[error("the connection failed: {0}")]
    Connection(#[from] ConnectionError),
    #[error("the browser's HTTP/3 failed: {0}")]
    Http(#[from] HttpError),
    #[error("the page's origin {origin:?} is not allowed; add it to allowed_origins")]
    Origin { origin: String },
    #[error("the TLS handshake named no protocol")]
    NoProtocol,
}

impl Session {
    /// Does the handshakes of a new connection: TLS, and for browsers HTTP/3 and CONNECT.
    pub(crate) async fn establish(
        connection: Connection,
        origins: &Origins,
        limits: &ServerConfig,
    ) -> Result<Session, EstablishError> {
        let protocol = connection.protocol().await?;
        connection.established().await?;
        match protocol.as_deref().ok_or(EstablishError::NoProtocol)? {
            ALPN_WEBTRANSPORT => {
                let web = WebTransport::accept(connection, origins, limits).await?;
                Ok(Session::WebTransport(web))
            }
            _ => Ok(Session::Quic(connection)),
        }
    }

    /// What it came over, for logs.
    pub(crate) fn transport_name(&self) -> &'static str {
        match self {
            Session::Quic(_) => "quic",
            Session::WebTransport(_) => "webtransport",
            Session::WebSocket(_) => "websocket",
        }
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        match self {
            Session::Quic(quic) => quic.remote_address(),
            Session::WebTransport(web) => web.quic().remote_address(),
            Session::WebSocket(socket) => socket.remote_address(),
        }
    }

    /// Most bytes of a datagram on its path now, without the headroom; 0 if it takes none.
    pub(crate) fn datagram_bytes_max(&self) -> usize {
        match self {
            Session::Quic(quic) => quic.datagram_bytes_max(),
            Session::WebTransport(web) => web.datagram_bytes_max(),
            Session::WebSocket(_) => usize::from(u16::MAX),
        }
    }

    /// Sends a datagram that begins with [`DATAGRAM_HEADROOM_BYTES`]. Never waits: what the path does not
    /// take now is replaced by the next. Says whether it took the place of one that was not sent.
    pub(crate) fn send_datagram(
        &self,
        outbound: &mut Outbound,
        datagram: Bytes,
    ) -> Result<bool, DatagramError> {
        let (quic, datagram) = match self {
            Session::Quic(quic) => (quic, datagram.slice(DATAGRAM_HEADROOM_BYTES..)),
            Session::WebTransport(web) => (web.quic(), web.with_prefix(datagram)),
            Session::WebSocket(socket) => return socket.send_datagram(datagram),
        };
        outbound.send_datagram(quic, datagram)
    }

    /// Hands every datagram of the session to `sink`, on a thread of the transport.
    pub(crate) fn set_sink(&self, sink: impl DatagramSink + 'static) {
        match self {
            Session::Quic(quic) => quic.set_sink(Box::new(sink)),
            Session::WebTransport(web) => web.set_sink(sink),
            Session::WebSocket(socket) => socket.set_sink(Box::new(sink)),
        }
    }

    /// The next stream the peer opened both ways, or `None` once the session is over.
    pub(crate) async fn accept_bi(&self) -> Option<(SendHalf, RecvHalf)> {
        let (send, recv) = match self {
            Session::Quic(quic) => quic.accept_bi().await.ok()?,
            Session::WebTransport(web) => web.accept_bi().await?,
            Session::WebSocket(socket) => return socket.accept_bi().await,
        };
        Some((SendHalf::Stream(send), RecvHalf::Stream(recv)))
    }

    /// Waits until the peer opened a stream one way, which no client does. `None` once it is over.
    pub(crate) async fn accept_uni(&self) -> Option<()> {
        match self {
            Session::Quic(quic) => quic.accept_uni().await.ok().map(|_| ()),
            Session::WebTransport(web) => web.accept_uni().await,
            // It has no such thing.
            Session::WebSocket(_) => std::future::pending().await,
        }
    }

    /// Ends the session at once; frames that are not yet acknowledged may be lost.
    pub(crate) fn close(&self, code: CloseCode, text: &str) {
        let quic = match self {
            Session::Quic(quic) => quic,
            Session::WebTransport(web) => return web.close(code, text),
            Session::WebSocket(socket) => return socket.close(code, text),
        };
        quic.close(VarInt::from_u32(code.number()), text.as_bytes());
    }

    /// Waits for the end of the session, from whichever side, or for what must end it.
    pub(crate) async fn closed(&self) -> Closed {
        match self {
            Session::Quic(quic) => quic.closed().await.into(),
            Session::WebTransport(web) => web.closed().await,
            Session::WebSocket(socket) => socket.closed().await,
        }
    }

    /// Waits, after a close, until the transport itself needs the session no more.
    pub(crate) async fn gone(&self) {
        match self {
            Session::Quic(_) => {}
            Session::WebTransport(web) => web.gone().await,
            Session::WebSocket(socket) => socket.gone().await,
        }
    }
}
