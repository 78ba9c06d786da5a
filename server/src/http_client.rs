//! Connections of the server to HTTP servers of others: for keys, and for webhooks.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::http::HeaderValue;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::HttpAddress;
use crate::identity::{AuthoritiesError, TrustSettings, tls_by};

/// The server's own name, for the header `User-Agent`.
pub(crate) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("tickwire-server/", env!("CARGO_PKG_VERSION")));

/// Bytes of an answer's head, at most.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The time that each address of a name has to take a connection.
const ADDRESS_TIME: Duration = Duration::from_secs(3);

/// Connects to one HTTP server.
#[derive(Debug)]
pub(crate) struct HttpClient {
    address: HttpAddress,
    /// `None` over plain HTTP.
    tls: Option<Tls>,
    /// Plain HTTP is for this machine alone.
    is_near: bool,
}

/// TLS by the settings.
struct Tls(TlsConnector);

/// The reason for no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoConnection {
    #[error("its server cannot be reached: {0}")]
    Unreachable(String),
    #[error("its server's answer cannot be read: {0}")]
    Http(String),
}

/// Requests on a connection.
pub(crate) type RequestSender = http1::SendRequest<Full<Bytes>>;
/// Carries the requests of a connection while it is polled.
pub(crate) type Connecting = http1::Connection<TokioIo<Box<dyn ByteStream>>, Full<Bytes>>;

/// A TCP stream, with or without TLS.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

impl HttpClient {
    /// Trusts the authorities of a file, or those of this machine. Over plain HTTP it connects to this machine alone if
    /// `is_near`, wherever the name leads.
    ///
    /// # Errors
    /// [`AuthoritiesError`] without TLS for an address that needs it.
    pub(crate) fn new(
        address: &HttpAddress,
        (ca_file, settings): (Option<&Path>, TrustSettings),
        is_near: bool,
    ) -> Result<Self, AuthoritiesError> {
        let tls = address.is_https().then(|| tls_by(ca_file, settings));
        let tls = tls.transpose()?.map(Tls);
        Ok(HttpClient { address: address.clone(), tls, is_near })
    }

    pub(crate) fn address(&self) -> &HttpAddress {
        &self.address
    }

    /// A connection to the first address that takes it.
    pub(crate) async fn connect(&self) -> Result<(RequestSender, Connecting), NoConnection> {
        let stream = self.stream().await;
        let stream = stream.map_err(|error| NoConnection::Unreachable(error.to_string()))?;
        let mut builder = http1::Builder::new();
        let made = builder.max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream)).await;
        made.map_err(|error| NoConnection::Http(error.to_string()))
    }

    async fn stream(&self) -> std::io::Result<Box<dyn ByteStream>> {
        let found = tokio::net::lookup_host((self.address.host(), self.address.port())).await?;
        let is_safe =
            |to: &SocketAddr| self.tls.is_some() || !self.is_near || to.ip().is_loopback();
        let found: Vec<_> = found.filter(is_safe).collect();
        let stream = connect_to(&found).await?;
        stream.set_nodelay(true)?;
        let Some(Tls(tls)) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.address.host().to_owned());
        let name = name.map_err(std::io::Error::other)?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

/// A connection to the first of these addresses that takes one. One that does not answer leaves time for those after it.
async fn connect_to(found: &[SocketAddr]) -> std::io::Result<TcpStream> {
    let mut failed = std::io::Error::other("its name leads to no address that may be used");
    for to in found {
        failed = match timeout(ADDRESS_TIME, TcpStream::connect(to)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => std::io::Error::new(ErrorKind::TimedOut, "its address does not answer"),
        };
    }
    Err(failed)
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(..)")
    }
}

/// An open connection, until dropped: a task of its own carries it.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    pub(crate) sender: RequestSender,
    carrying: tokio::task::JoinHandle<()>,
}

impl OpenConnection {
    pub(crate) fn new((sender, connection): (RequestSender, Connecting)) -> Self {
        let carrying = tokio::spawn(async move {
            // How it ended is known to whoever waits for an answer.
            let _ = connection.await;
        });
        OpenConnection { sender, carrying }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}
