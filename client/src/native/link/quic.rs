//! Plain QUIC and WebTransport.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use quinn::crypto::rustls::QuicClientConfig;
use tickwire_congestion::WakefulCubic;
use tickwire_shared::control::CloseCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{Arrivals, Incoming, Queues, socket, unreachable};
use crate::native::ConnectError;
use crate::native::target::{Target, Transport};
use crate::native::trust::{Trust, client_tls};
use crate::session::WireStats;

/// ALPN of plain QUIC.
const ALPN: &[u8] = b"tickwire/1";
/// Bytes of one read from a stream.
const READ_BYTES: usize = 16 * 1024;

/// A connection whose two streams are read and written by tasks.
#[derive(Debug)]
pub(super) struct Quic {
    connection: quinn::Connection,
    /// The quarter stream id of a WebTransport session; empty for plain QUIC.
    prefix: Bytes,
    /// Dropping it ends the WebTransport session.
    _session: Option<Arc<wtransport::Connection>>,
}

type QuicHalves = (Box<dyn AsyncWrite + Send + Unpin>, Box<dyn AsyncRead + Send + Unpin>);

impl Quic {
    pub(super) async fn open(
        target: &Target,
        trust: &Trust,
        queues: Queues,
        arrivals: Arrivals,
    ) -> Result<Quic, ConnectError> {
        let address = resolve(target).await?;
        let opened = match target.transport {
            Transport::WebTransport => open_webtransport(target, trust, address).await?,
            _ => open_quic(target, trust, address).await?,
        };
        let OpenedConnection { connection, prefix, session, control, chat } = opened;
        tokio::spawn(write_stream(control.0, queues.control));
        tokio::spawn(write_stream(chat.0, queues.chat));
        tokio::spawn(read_stream(control.1, arrivals.clone(), Incoming::Control));
        tokio::spawn(read_stream(chat.1, arrivals.clone(), Incoming::Chat));
        let session = session.map(Arc::new);
        let opener = (connection.clone(), session.as_ref().map(Arc::downgrade));
        let wrap = (arrivals.clone(), Incoming::Static as fn(Bytes) -> Incoming);
        tokio::spawn(carry_optional(opener.clone(), queues.static_data, wrap));
        let wrap = (arrivals.clone(), Incoming::Topics as fn(Bytes) -> Incoming);
        tokio::spawn(carry_optional(opener, queues.topics, wrap));
        let known = session.as_ref().map(Arc::downgrade);
        tokio::spawn(read_datagrams(connection.clone(), prefix.clone(), known, arrivals));
        Ok(Quic { connection, prefix, _session: session })
    }

    pub(super) fn wire(&self) -> WireStats {
        let stats = self.connection.stats();
        WireStats {
            datagrams_in: stats.udp_rx.datagrams,
            bytes_in: stats.udp_rx.bytes,
            datagrams_out: stats.udp_tx.datagrams,
            bytes_out: stats.udp_tx.bytes,
        }
    }

    pub(super) fn send_datagram(&self, datagram: Vec<u8>) {
        let bytes = if self.prefix.is_empty() {
            Bytes::from(datagram)
        } else {
            let mut bytes = BytesMut::with_capacity(self.prefix.len() + datagram.len());
            bytes.extend_from_slice(&self.prefix);
            bytes.extend_from_slice(&datagram);
            bytes.freeze()
        };
        let _ = self.connection.send_datagram(bytes);
    }

    pub(super) fn close(&self, code: CloseCode, text: &str) {
        self.connection.close(code.number().into(), text.as_bytes());
    }

    /// Waits until either side has closed.
    pub(super) async fn closed(&self) {
        self.connection.closed().await;
    }
}

struct OpenedConnection {
    connection: quinn::Connection,
    prefix: Bytes,
    session: Option<wtransport::Connection>,
    control: QuicHalves,
    chat: QuicHalves,
}

async fn open_quic(
    target: &Target,
    trust: &Trust,
    address: SocketAddr,
) -> Result<OpenedConnection, ConnectError> {
    let connecting = bind(address)?
        .connect_with(client_config(trust, address, ALPN)?, address, &target.host)
        .map_err(|error| unreachable(target, &error))?;
    let connection = connecting.await.map_err(|error| refused(target, &error))?;
    let open = async || -> Result<QuicHalves, ConnectError> {
        let (send, recv) = connection.open_bi().await.map_err(|error| refused(target, &error))?;
        Ok(halves(send, recv))
    };
    let (control, chat) = (open().await?, open().await?);
    Ok(OpenedConnection { connection, prefix: Bytes::new(), session: None, control, chat })
}

async fn open_webtransport(
    target: &Target,
    trust: &Trust,
    address: SocketAddr,
) -> Result<OpenedConnection, ConnectError> {
    let tls = client_tls(trust, address, wtransport::tls::WEBTRANSPORT_ALPN)?;
    let config = wtransport::ClientConfig::builder()
        .with_bind_address(any_port(address))
        .with_custom_tls_and_transport(tls, transport_config())
        .build();
    let endpoint = wtransport::Endpoint::client(config)
        .map_err(|error| ConnectError::Local(error.to_string()))?;
    let host =
        if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.clone() };
    let url = format!("https://{host}:{}/", target.port);
    let session = endpoint.connect(&url).await.map_err(|error| unreachable(target, &error))?;
    let open = async || -> Result<QuicHalves, ConnectError> {
        let opening = session.open_bi().await.map_err(|error| unreachable(target, &error))?;
        let (send, recv) = opening.await.map_err(|error| unreachable(target, &error))?;
        Ok(halves(send, recv))
    };
    let (control, chat) = (open().await?, open().await?);
    let connection = session.quic_connection().clone();
    let prefix = varint(session.session_id().into_u64() / 4);
    Ok(OpenedConnection { connection, prefix, session: Some(session), control, chat })
}

fn client_config(
    trust: &Trust,
    address: SocketAddr,
    alpn: &[u8],
) -> Result<quinn::ClientConfig, ConnectError> {
    let tls = client_tls(trust, address, alpn)?;
    let crypto =
        QuicClientConfig::try_from(tls).map_err(|error| ConnectError::Local(error.to_string()))?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport_config()));
    Ok(config)
}

fn transport_config() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    let idle = Duration::from_secs(15).try_into().expect("15 s fit");
    transport.max_idle_timeout(Some(idle));
    transport.keep_alive_interval(Some(Duration::from_secs(4)));
    transport.congestion_controller_factory(Arc::new(WakefulCubic::default()));
    transport.datagram_send_buffer_size(8 * 1024);
    transport.datagram_receive_buffer_size(Some(256 * 1024));
    transport
}

async fn resolve(target: &Target) -> Result<SocketAddr, ConnectError> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let mut found = found.map_err(|error| ConnectError::Target {
        target: target.given.clone(),
        reason: format!("\"{}\" has no address ({error}); check the name", target.host),
    })?;
    found.next().ok_or_else(|| ConnectError::Target {
        target: target.given.clone(),
        reason: format!("\"{}\" has no address; check the name", target.host),
    })
}

fn halves(
    send: impl AsyncWrite + Send + Unpin + 'static,
    recv: impl AsyncRead + Send + Unpin + 'static,
) -> QuicHalves {
    (Box::new(send), Box::new(recv))
}

/// Any free port of this machine, in the address family of `address`.
fn any_port(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    }
}

fn bind(address: SocketAddr) -> Result<quinn::Endpoint, ConnectError> {
    let local = |error: std::io::Error| ConnectError::Local(error.to_string());
    let socket = UdpSocket::bind(any_port(address)).map_err(local)?;
    let runtime = quinn::default_runtime()
        .ok_or_else(|| ConnectError::Local("connect within a tokio runtime".to_owned()))?;
    let mut config = quinn::EndpointConfig::default();
    // The socket has a single connection: packets to it need no connection id, which saves 8 bytes
    // each.
    config.cid_generator(|| Box::new(quinn_proto::RandomConnectionIdGenerator::new(0)));
    let socket = socket::wrap(socket, &*runtime).map_err(local)?;
    quinn::Endpoint::new_with_abstract_socket(config, None, socket, runtime).map_err(local)
}

/// The variable-length integer of RFC 9000, section 16.
fn varint(value: u64) -> Bytes {
    match value {
        0..0x40 => Bytes::copy_from_slice(&[value as u8]),
        0x40..0x4000 => Bytes::copy_from_slice(&(value as u16 | 0x4000).to_be_bytes()),
        0x4000..0x4000_0000 => Bytes::copy_from_slice(&(value as u32 | 0x8000_0000).to_be_bytes()),
        _ => Bytes::copy_from_slice(&(value | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

async fn write_stream(
    mut stream: Box<dyn AsyncWrite + Send + Unpin>,
    mut queue: mpsc::Receiver<Vec<u8>>,
) {
    while let Some(bytes) = queue.recv().await {
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read_stream(
    mut stream: Box<dyn AsyncRead + Send + Unpin>,
    incoming: Arrivals,
    wrap: fn(Bytes) -> Incoming,
) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ_BYTES);
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if incoming.send((Instant::now(), wrap(buffer.split().freeze()))).await.is_err() {
            return;
        }
    }
}

/// Opens a stream with the first bytes for it.
async fn carry_optional(
    (connection, session): (quinn::Connection, Option<Weak<wtransport::Connection>>),
    mut queue: mpsc::Receiver<Vec<u8>>,
    (arrivals, wrap): (Arrivals, fn(Bytes) -> Incoming),
) {
    let Some(first) = queue.recv().await else { return };
    let opened = match session {
        None => connection.open_bi().await.ok().map(|(send, recv)| halves(send, recv)),
        Some(session) => match session.upgrade() {
            Some(session) => open_within(&session).await,
            None => None,
        },
    };
    // Whatever is wrong with the connection is told by its end.
    let Some((mut send, recv)) = opened else { return };
    tokio::spawn(read_stream(recv, arrivals, wrap));
    if send.write_all(&first).await.is_ok() {
        write_stream(send, queue).await;
    }
}

async fn open_within(session: &wtransport::Connection) -> Option<QuicHalves> {
    let (send, recv) = session.open_bi().await.ok()?.await.ok()?;
    Some(halves(send, recv))
}

async fn read_datagrams(
    connection: quinn::Connection,
    prefix: Bytes,
    session: Option<Weak<wtransport::Connection>>,
    incoming: Arrivals,
) {
    loop {
        match connection.read_datagram().await {
            Ok(bytes) if bytes.starts_with(&prefix) => {
                let datagram = Incoming::Datagram(bytes.slice(prefix.len()..));
                // If the caller does not keep up, the newest is lost; the statistics show it as
                // lost snapshots.
                let _ = incoming.try_send((Instant::now(), datagram));
            }
            Ok(_) => {}
            Err(error) => {
                let session = session.and_then(|session| session.upgrade());
                let (code, text) = match session {
                    Some(session) => session_close_reason(&session, &error).await,
                    None => close_reason(&error),
                };
                let _ = incoming.send((Instant::now(), Incoming::Closed { code, text })).await;
                return;
            }
        }
    }
}

/// Why a WebTransport session ended. When the server closed the session, this side closes the
/// connection.
async fn session_close_reason(
    session: &wtransport::Connection,
    error: &quinn::ConnectionError,
) -> (CloseCode, String) {
    // Only the session itself reports how it ended.
    match (error, session.accept_uni().await) {
        (
            quinn::ConnectionError::LocallyClosed,
            Err(wtransport::error::ConnectionError::ApplicationClosed(close)),
        ) => {
            let text = String::from_utf8_lossy(close.reason()).into_owned();
            (CloseCode::from_number(close.code().into_inner()), text)
        }
        _ => close_reason(error),
    }
}

fn close_reason(error: &quinn::ConnectionError) -> (CloseCode, String) {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => {
            let text = String::from_utf8_lossy(&close.reason).into_owned();
            (CloseCode::from_number(close.error_code.into_inner()), text)
        }
        quinn::ConnectionError::LocallyClosed => (CloseCode::Normal, String::new()),
        _ => (CloseCode::ConnectionLost, String::new()),
    }
}

fn refused(target: &Target, error: &quinn::ConnectionError) -> ConnectError {
    match close_reason(error) {
        (CloseCode::ConnectionLost, _) => unreachable(target, error),
        (code, text) => ConnectError::Refused { code, text },
    }
}
