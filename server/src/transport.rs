//! What carries a session: datagrams both ways, two streams, a close code. It knows no game.

mod driver;
mod endpoint;
mod http3;
mod origin;
mod tls;
mod webtransport;

use std::net::SocketAddr;

use bytes::Bytes;
use quinn_proto::VarInt;
use tickwire_shared::control::CloseCode;

use crate::config::ServerConfig;
pub(crate) use driver::{
    Bell, Connection, DatagramError, DatagramSink, Endpoint, Knock, Outbound, Service,
};
pub(crate) use driver::{RecvStream as RecvHalf, SendStream as SendHalf};
pub use endpoint::BindError;
pub(crate) use endpoint::{Bound, bind, server_config};
pub(crate) use origin::{Origins, host_of, is_this_machine};
pub(crate) use tls::tls_config;

pub(crate) use quinn_proto::ConnectionError;

use http3::HttpError;
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
    Quic(Connection),
    WebTransport(WebTransport),
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
                let streams_max = limits.bidi_streams_max as usize;
                let web = WebTransport::accept(connection, origins, streams_max).await?;
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
        }
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.quic().remote_address()
    }

    /// Most bytes of a datagram on its path now, without the headroom; 0 if it takes none.
    pub(crate) fn datagram_bytes_max(&self) -> usize {
        let path = self.quic().datagram_bytes_max();
        match self {
            Session::Quic(_) => path,
            Session::WebTransport(web) => path.saturating_sub(web.prefix_bytes()),
        }
    }

    /// Sends a datagram that begins with [`DATAGRAM_HEADROOM_BYTES`]. Never waits: what does not fit
    /// the send buffer pushes older ones out.
    pub(crate) fn send_datagram(
        &self,
        outbound: &mut Outbound,
        datagram: Bytes,
    ) -> Result<(), DatagramError> {
        let datagram = match self {
            Session::Quic(_) => datagram.slice(DATAGRAM_HEADROOM_BYTES..),
            Session::WebTransport(web) => web.with_prefix(datagram),
        };
        outbound.send_datagram(self.quic(), datagram)
    }

    /// Hands every datagram of the session to `sink`, on the driver's thread.
    pub(crate) fn set_sink(&self, sink: impl DatagramSink + 'static) {
        match self {
            Session::Quic(quic) => quic.set_sink(Box::new(sink)),
            Session::WebTransport(web) => web.set_sink(sink),
        }
    }

    /// The next stream the peer opened both ways, or `None` once the session is over.
    pub(crate) async fn accept_bi(&self) -> Option<(SendHalf, RecvHalf)> {
        match self {
            Session::Quic(quic) => quic.accept_bi().await.ok(),
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
        self.quic().close(VarInt::from_u32(code.number()), text.as_bytes());
    }

    /// Waits for the end of the session, from whichever side.
    pub(crate) async fn closed(&self) -> ConnectionError {
        self.quic().closed().await
    }

    fn quic(&self) -> &Connection {
        match self {
            Session::Quic(quic) => quic,
            Session::WebTransport(web) => web.quic(),
        }
    }
}
