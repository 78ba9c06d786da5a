//! TCP connections of the HTTP side: their permits and timeouts, and TLS if a certificate is given.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::permits::{ConnectionPermits, PendingConnection, PendingConnections};
use crate::config::ServerConfig;
use crate::transport::UpgradedStream;

/// The TLS side of new HTTP connections; `None` for plain ones.
pub(crate) type HttpTls = Arc<ArcSwapOption<rustls::ServerConfig>>;

/// A TCP connection whose writes may not stall.
type TimedStream = Pin<Box<TimeoutStream<TcpStream>>>;

const BACKLOG: i32 = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Pause between two log lines about connections that were not accepted.
const FAILURES_PAUSE: Duration = Duration::from_secs(10);
/// Bytes of a request's head, at most.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The sender of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpPeer(pub(crate) SocketAddr);

/// The time at which the connection of a request takes no further ones. An answer that goes on until then ends by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionEnd(pub(super) tokio::time::Instant);

/// Listens on `address`; on an IPv6 address for IPv4 as well.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    listen_on(address, false)
}

/// As [`listen`], also while another process of the same user listens there, which did the same.
pub(crate) fn listen_shared(address: SocketAddr) -> io::Result<TcpListener> {
    listen_on(address, true)
}

fn listen_on(address: SocketAddr, is_shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A restarted server gets its port back at once.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(is_shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Timeouts of connections.
#[derive(Clone, Copy, Debug)]
struct HttpTimeouts {
    /// For a TLS handshake, a request's head, between two requests, and for a stalled answer.
    stall: Duration,
    /// For all requests of a connection together.
    whole: Duration,
}

/// Answers requests until it is dropped. An upgraded connection no longer counts.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: HttpTls,
    router: Router,
    config: Arc<ServerConfig>,
) {
    let times = HttpTimeouts {
        stall: Duration::from_millis(u64::from(config.http_stall_ms)),
        whole: Duration::from_secs(u64::from(config.http_connection_s)),
    };
    let connections_max = config.http_connections_max;
    let permits = ConnectionPermits::new(connections_max, config.http_connections_prefix_max);
    // Local connections wait apart, so that the machine's own health checks find room.
    let (mut near, mut far) =
        (PendingConnections::new(connections_max), PendingConnections::new(connections_max));
    let mut failures = AcceptFailures::default();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                failures.tell(&error);
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let guest = PendingConnection::new(&permits, peer.ip(), times.stall);
        let (has_place, place) = (guest.has_place(), guest.place());
        let tls = tls.load_full();
        let end = ConnectionEnd(tokio::time::Instant::now() + times.whole);
        let router = router.clone().layer(Extension(HttpPeer(peer))).layer(Extension(end));
        let router = router.layer(Extension(guest));
        let task = tokio::spawn(async move {
            if let Err(error) = answer(stream, tls, router, times).await {
                tracing::debug!(%peer, %error, "an HTTP connection failed");
            }
        });
        if !has_place {
            let waiting = if peer.ip().to_canonical().is_loopback() { &mut near } else { &mut far };
            waiting.push(task.abort_handle(), place);
        }
    }
}

/// Connections that could not be accepted, mostly for lack of file descriptors. That lasts until
/// others end, and must not fill the log meanwhile.
#[derive(Default)]
struct AcceptFailures {
    untold: u64,
    told_at: Option<Instant>,
}

impl AcceptFailures {
    fn tell(&mut self, error: &io::Error) {
        self.untold += 1;
        if self.told_at.is_none_or(|told_at| told_at.elapsed() >= FAILURES_PAUSE) {
            tracing::warn!(%error, times = self.untold, "HTTP connections were not accepted");
            (self.untold, self.told_at) = (0, Some(Instant::now()));
        }
    }
}

async fn answer(
    stream: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    router: Router,
    times: HttpTimeouts,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(times.stall));
    let stream = Box::pin(stream);
    match tls {
        None => answer_on(stream, router, times).await,
        Some(tls) => {
            let handshake = TlsAcceptor::from(tls).accept(stream);
            let stream = tokio::time::timeout(times.stall, handshake).await??;
            answer_on(stream, router, times).await
        }
    }
}

async fn answer_on(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    times: HttpTimeouts,
) -> io::Result<()> {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(times.stall)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done.map_err(io::Error::other),
        () = tokio::time::sleep(times.whole) => connection.as_mut().graceful_shutdown(),
    }
    // An answer under way gets time to arrive.
    tokio::time::timeout(times.stall, connection).await?.map_err(io::Error::other)
}

/// The TCP connection beneath an upgraded one, with the bytes that came after the request. From now
/// on the system buffers about `send_bytes` of outgoing data. `None` if it is not of this listener.
pub(super) fn wire_of(
    upgraded: Upgraded,
    send_bytes: usize,
) -> Option<(Box<dyn UpgradedStream>, Bytes)> {
    let keep = |tcp: &mut TimedStream| {
        // The system raises a value below its minimum.
        let _ = SockRef::from(tcp.get_ref()).set_send_buffer_size(send_bytes);
        // A session decides for itself who is too slow.
        tcp.as_mut().set_write_timeout_pinned(None);
    };
    match upgraded.downcast::<TokioIo<TimedStream>>() {
        Ok(parts) => {
            let mut stream = parts.io.into_inner();
            keep(&mut stream);
            Some((Box::new(stream), parts.read_buf))
        }
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<TlsStream<TimedStream>>>().ok()?;
            let mut stream = parts.io.into_inner();
            keep(stream.get_mut().0);
            Some((Box::new(stream), parts.read_buf))
        }
    }
}
