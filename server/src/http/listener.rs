//! TCP connections of the HTTP side: a bound on them, TLS where a certificate is given.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::{Extension, Router};
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::transport::Wire;

/// The TLS side of new HTTP connections; `None` for plain ones.
pub(crate) type HttpTls = Arc<ArcSwapOption<rustls::ServerConfig>>;

/// Who sent a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Listens on `address`, for IPv4 as well if it is an IPv6 address.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A server that is started again takes its port back at once.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Answers requests, at most `connections_max` connections at once, until it is dropped. One that was
/// upgraded is none any more.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: HttpTls,
    router: Router,
    connections_max: usize,
) {
    let places = Arc::new(Semaphore::new(connections_max));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: others must end before it gets better.
                tracing::warn!(%error, "an HTTP connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let tls = tls.load_full();
        let router = router.clone().layer(Extension(Peer(peer)));
        tokio::spawn(async move {
            if let Err(error) = answer(stream, tls, router).await {
                tracing::debug!(%peer, %error, "an HTTP connection failed");
            }
            drop(place);
        });
    }
}

async fn answer(
    stream: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    router: Router,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => answer_on(stream, router).await,
        Some(tls) => {
            let handshake = TlsAcceptor::from(tls).accept(stream);
            let stream = tokio::time::timeout(HEAD_TIME_MAX, handshake).await??;
            answer_on(stream, router).await
        }
    }
}

async fn answer_on(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
) -> io::Result<()> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades()
        .await
        .map_err(io::Error::other)
}

/// The TCP connection of an upgraded one, with what came behind the request. The system will keep
/// about `send_bytes` of what is sent on it until the peer has them. `None` for one that is not of
/// this listener.
pub(super) fn wire_of(upgraded: Upgraded, send_bytes: usize) -> Option<(Box<dyn Wire>, Bytes)> {
    let keep = |tcp: &TcpStream| {
        // Less than the system's least is raised to it.
        let _ = SockRef::from(tcp).set_send_buffer_size(send_bytes);
    };
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner();
            keep(&stream);
            Some((Box::new(stream), parts.read_buf))
        }
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>().ok()?;
            let stream = parts.io.into_inner();
            keep(stream.get_ref().0);
            Some((Box::new(stream), parts.read_buf))
        }
    }
}

const BACKLOG: i32 = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time for a TLS handshake, for a request's head, and between two requests.
const HEAD_TIME_MAX: Duration = Duration::from_secs(20);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
