//! Transports of a session: datagrams in both directions, two streams, a close code. They know no
//! game.

mod driver;
mod endpoint;
mod half;
mod http3;
mod memory;
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
    ConnectDecision, Connection, DatagramSink, DriverLimits, Endpoint, Outbound, Service,
    UnsentDatagram, WakeSignal,
};
pub use endpoint::BindError;
pub(crate) use endpoint::{Bound, bind, on_socket, server_config};
pub(crate) use half::{RecvHalf, SendHalf, StreamOver};
pub(crate) use memory::{Memory, MemoryWire};
pub(crate) use origin::{Origins, host_of, is_this_machine};
pub(crate) use tls::tls_config;
pub use websocket::Pace as WebSocketPace;
pub(crate) use websocket::{UpgradedStream, WebSocket};

pub(crate) use quinn_proto::ConnectionError;

use http3::HttpError;
use webtransport::WebTransport;

/// Number of zero bytes in front of every datagram handed to [`TransportSession::send_datagram`].
/// They are not part of what the peer gets.
///
/// One zero byte is the whole WebTransport prefix of a browser's first session, and the datagram
/// lane of a WebSocket: so all transports can share slices of one allocation.
pub(crate) const DATAGRAM_HEADROOM_BYTES: usize = 1;

/// The number of [`CloseCode::ConnectionLost`] as QUIC has it.
const CONNECTION_LOST: VarInt = VarInt::from_u32(CloseCode::ConnectionLost as u32);

/// ALPN of browsers.
pub(crate) const ALPN_WEBTRANSPORT: &[u8] = b"h3";
/// ALPN of native clients.
pub(crate) const ALPN_QUIC: &[u8] = b"tickwire/1";

/// One peer's session over any transport.
#[derive(Debug)]
pub(crate) enum TransportSession {
    Quic(Connection),
    WebTransport(WebTransport),
    WebSocket(WebSocket),
    Memory(Memory),
}

/// How the peer, or the path to it, ended a session.
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

/// An end with its code's own text.
impl From<CloseCode> for Closed {
    fn from(code: CloseCode) -> Self {
        Closed { code, text: code.text().to_owned() }
    }
}

impl From<ConnectionError> for Closed {
    fn from(error: ConnectionError) -> Self {
        let code = match &error {
            // A client that goes on over another connection says so of this one.
            ConnectionError::ApplicationClosed(close) if close.error_code == CONNECTION_LOST => {
                CloseCode::ConnectionLost
            }
            ConnectionError::ApplicationClosed(_) => CloseCode::Normal,
            ConnectionError::ConnectionClosed(close)
                if close.error_code == TransportErrorCode::NO_ERROR
                    && !names_chromium_error(&close.reason) =>
            {
                CloseCode::Normal
            }
            _ => CloseCode::ConnectionLost,
        };
        Closed { code, text: error.to_string() }
    }
}

/// True if the reason is of a close that Chromium did not want. It sends NO_ERROR for most of its own errors too, such as a
/// connection on which it heard nothing for long, and its number for the error before the text: `25:No recent network
/// activity`. Its number for a close that it wants, as of a closed page, is 0.
fn names_chromium_error(reason: &[u8]) -> bool {
    let digits = reason.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = reason.split_at(digits);
    rest.starts_with(b":") && number.iter().any(|digit| *digit != b'0')
}

/// The reason why a connected peer got no session.
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

impl TransportSession {
    /// Does the handshakes of a new connection: TLS, and for browsers HTTP/3 and CONNECT.
    pub(crate) async fn establish(
        connection: Connection,
        origins: &Origins,
        limits: &ServerConfig,
    ) -> Result<TransportSession, EstablishError> {
        let protocol = connection.protocol().await?;
        connection.established().await?;
        match protocol.as_deref().ok_or(EstablishError::NoProtocol)? {
            ALPN_WEBTRANSPORT => {
                let web = WebTransport::accept(connection, origins, limits).await?;
                Ok(TransportSession::WebTransport(web))
            }
            _ => Ok(TransportSession::Quic(connection)),
        }
    }

    /// The name of the transport, for logs.
    pub(crate) fn transport_name(&self) -> &'static str {
        match self {
            TransportSession::Quic(_) => "quic",
            TransportSession::WebTransport(_) => "webtransport",
            TransportSession::WebSocket(_) => "websocket",
            TransportSession::Memory(_) => "memory",
        }
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        match self {
            TransportSession::Quic(quic) => quic.remote_address(),
            TransportSession::WebTransport(web) => web.quic().remote_address(),
            TransportSession::WebSocket(socket) => socket.remote_address(),
            TransportSession::Memory(memory) => memory.remote_address(),
        }
    }

    /// Most bytes of a datagram on the path now, without the headroom; 0 if the peer takes none.
    pub(crate) fn datagram_bytes_max(&self) -> usize {
        match self {
            TransportSession::Quic(quic) => quic.datagram_bytes_max(),
            TransportSession::WebTransport(web) => web.datagram_bytes_max(),
            TransportSession::WebSocket(_) => usize::from(u16::MAX),
            TransportSession::Memory(memory) => memory.datagram_bytes_max(),
        }
    }

    /// Sends a datagram that begins with [`DATAGRAM_HEADROOM_BYTES`] zero bytes. Never waits: while
    /// the path is full, the next datagram replaces it. Returns true if it replaced an unsent one
    /// itself.
    pub(crate) fn send_datagram(
        &self,
        outbound: &mut Outbound,
        datagram: Bytes,
    ) -> Result<bool, UnsentDatagram> {
        let (quic, datagram) = match self {
            TransportSession::Quic(quic) => (quic, datagram.slice(DATAGRAM_HEADROOM_BYTES..)),
            TransportSession::WebTransport(web) => (web.quic(), web.with_prefix(datagram)),
            TransportSession::WebSocket(socket) => return socket.send_datagram(datagram),
            TransportSession::Memory(memory) => return memory.send_datagram(datagram),
        };
        outbound.send_datagram(quic, datagram)
    }

    /// Hands every datagram of the session to `sink`, on a thread of the transport.
    pub(crate) fn set_sink(&self, sink: impl DatagramSink + 'static) {
        match self {
            TransportSession::Quic(quic) => quic.set_sink(Box::new(sink)),
            TransportSession::WebTransport(web) => web.set_sink(sink),
            TransportSession::WebSocket(socket) => socket.set_sink(Box::new(sink)),
            TransportSession::Memory(memory) => memory.set_sink(Box::new(sink)),
        }
    }

    /// True once this side closes the session. A browser then gives up its streams.
    pub(crate) fn is_closing(&self) -> bool {
        match self {
            TransportSession::WebTransport(web) => web.is_closing(),
            TransportSession::Quic(_)
            | TransportSession::WebSocket(_)
            | TransportSession::Memory(_) => false,
        }
    }

    /// Accepts the peer's next bidirectional stream; `None` once the session is over.
    pub(crate) async fn accept_bi(&self) -> Option<(SendHalf, RecvHalf)> {
        let (send, recv) = match self {
            TransportSession::Quic(quic) => quic.accept_bi().await.ok()?,
            TransportSession::WebTransport(web) => web.accept_bi().await?,
            TransportSession::WebSocket(socket) => {
                let (send, recv) = socket.accept_bi().await?;
                return Some((SendHalf::Lane(send), RecvHalf::Lane(recv)));
            }
            TransportSession::Memory(memory) => {
                let (send, recv) = memory.accept_bi().await?;
                return Some((SendHalf::Memory(send), RecvHalf::Memory(recv)));
            }
        };
        Some((SendHalf::Stream(send), RecvHalf::Stream(recv)))
    }

    /// Waits until the peer opens a unidirectional stream, which no client does; `None` once the
    /// session is over.
    pub(crate) async fn accept_uni(&self) -> Option<()> {
        match self {
            TransportSession::Quic(quic) => quic.accept_uni().await.ok().map(|_| ()),
            TransportSession::WebTransport(web) => web.accept_uni().await,
            // They have no such streams.
            TransportSession::WebSocket(_) | TransportSession::Memory(_) => {
                std::future::pending().await
            }
        }
    }

    /// Ends the session at once; frames that are not yet acknowledged may be lost.
    pub(crate) fn close(&self, code: CloseCode, text: &str) {
        let quic = match self {
            TransportSession::Quic(quic) => quic,
            TransportSession::WebTransport(web) => return web.close(code, text),
            TransportSession::WebSocket(socket) => return socket.close(code, text),
            TransportSession::Memory(memory) => return memory.close(code, text),
        };
        quic.close(VarInt::from_u32(code.number()), text.as_bytes());
    }

    /// Waits until the session ends, from either side, or until something must end it.
    pub(crate) async fn closed(&self) -> Closed {
        match self {
            TransportSession::Quic(quic) => quic.closed().await.into(),
            TransportSession::WebTransport(web) => web.closed().await,
            TransportSession::WebSocket(socket) => socket.closed().await,
            TransportSession::Memory(memory) => memory.closed().await,
        }
    }

    /// After a close, waits until the transport no longer needs the session.
    pub(crate) async fn gone(&self) {
        match self {
            TransportSession::Quic(_) | TransportSession::Memory(_) => {}
            TransportSession::WebTransport(web) => web.gone().await,
            TransportSession::WebSocket(socket) => socket.gone().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use quinn_proto::ConnectionClose;

    use super::*;

    fn closed(error_code: TransportErrorCode, reason: &'static str) -> CloseCode {
        let reason = Bytes::from_static(reason.as_bytes());
        let close = ConnectionClose { error_code, frame_type: None, reason };
        Closed::from(ConnectionError::ConnectionClosed(close)).code
    }

    #[test]
    fn a_close_without_error_is_a_lost_connection_where_chromium_names_an_error() {
        let clean = |reason| closed(TransportErrorCode::NO_ERROR, reason);
        for reason in ["", "0:", "0:the page is closed", "25", "bye", ":25"] {
            assert_eq!(clean(reason), CloseCode::Normal, "{reason}");
        }
        for reason in ["25:No recent network activity", "85:", "100:x"] {
            assert_eq!(clean(reason), CloseCode::ConnectionLost, "{reason}");
        }
        assert_eq!(closed(TransportErrorCode::INTERNAL_ERROR, "0:"), CloseCode::ConnectionLost);
    }
}
