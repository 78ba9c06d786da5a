//! The UDP socket and the limits of its connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn_proto::crypto::rustls::QuicServerConfig;
use quinn_proto::{EndpointConfig, HashedConnectionIdGenerator, TransportConfig, VarInt};
use ring::hmac;
use socket2::{Domain, Protocol, Socket, Type};
use tickwire_certs::{Certificate, Secret};
use tickwire_congestion::WakefulCubic;

use super::{ALPN_QUIC, ALPN_WEBTRANSPORT, DriverLimits, tls_config};
use crate::config::ServerConfig;

/// Space for the one datagram on its way into the next packet: larger than any path carries.
const DATAGRAM_SEND_BYTES: usize = 70_000;
/// Time between two stateless resets: after a restart all players learn of it within seconds.
const RESET_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// The reason why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is unusable.
    #[error("cannot listen on {address} ({protocol}): {error}; choose another with --{flag}")]
    Socket {
        /// The address.
        address: SocketAddr,
        /// UDP or TCP.
        protocol: &'static str,
        /// The flag that changes it.
        flag: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// The certificate is unusable.
    #[error("the certificate cannot be served: {0}; check cert_file and key_file")]
    Certificate(#[from] rustls::Error),
}

/// A bound socket without a reader, and the settings of its connections.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) socket: UdpSocket,
    pub(crate) server: Arc<quinn_proto::ServerConfig>,
    pub(crate) endpoint: EndpointConfig,
    pub(crate) limits: DriverLimits,
}

/// Binds the socket of `config`, with `certificate`. Peers of an earlier server process with the
/// same `secret` learn that it is gone.
pub(crate) fn bind(
    config: &ServerConfig,
    certificate: &Certificate,
    secret: &Secret,
) -> Result<Bound, BindError> {
    on_socket(config, bind_socket(config)?, certificate, secret)
}

/// [`bind`], on a socket that is bound already.
pub(crate) fn on_socket(
    config: &ServerConfig,
    socket: UdpSocket,
    certificate: &Certificate,
    secret: &Secret,
) -> Result<Bound, BindError> {
    let limits = DriverLimits {
        gather_time: Duration::from_micros(u64::from(config.udp_gather_us)),
        handshake_packets_max: config.handshake_packets_max,
        handshakes_percent: config.handshakes_percent,
        draining_max: config.draining_max,
    };
    let server = server_config(config, certificate)?;
    Ok(Bound { socket, server, endpoint: endpoint_config(secret), limits })
}

/// Settings of connection ids and stateless resets (RFC 9000, section 10.3). Both come from
/// `secret`, so that a restarted server recognises the ids of the one before it.
fn endpoint_config(secret: &Secret) -> EndpointConfig {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.bytes());
    let reset_key = hmac::sign(&secret, b"stateless reset");
    let number_key = hmac::sign(&secret, b"connection numbers");
    let number_key =
        number_key.as_ref().first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
    let reset_key = hmac::Key::new(hmac::HMAC_SHA256, reset_key.as_ref());
    let mut endpoint = EndpointConfig::new(Arc::new(reset_key));
    endpoint
        .cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(number_key)))
        .min_reset_interval(RESET_INTERVAL_MIN);
    endpoint
}

/// The limits of every connection, and the certificate for new ones.
pub(crate) fn server_config(
    config: &ServerConfig,
    certificate: &Certificate,
) -> Result<Arc<quinn_proto::ServerConfig>, rustls::Error> {
    let tls = tls_config(certificate, &[ALPN_WEBTRANSPORT, ALPN_QUIC])?;
    let crypto = QuicServerConfig::try_from(tls)
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let mut server = quinn_proto::ServerConfig::with_crypto(Arc::new(crypto));
    server.transport_config(Arc::new(transport_config(config)));
    Ok(Arc::new(server))
}

fn transport_config(config: &ServerConfig) -> TransportConfig {
    let idle = VarInt::from_u32(config.idle_ms);
    let keep_alive = Duration::from_millis(u64::from(config.keep_alive_ms));
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(config.bidi_streams_max))
        .max_concurrent_uni_streams(VarInt::from_u32(config.uni_streams_max))
        .stream_receive_window(VarInt::from_u32(config.stream_window_bytes))
        .receive_window(VarInt::from_u32(config.connection_window_bytes))
        .send_window(u64::from(config.send_window_bytes))
        .datagram_receive_buffer_size(Some(config.datagram_receive_bytes))
        .datagram_send_buffer_size(DATAGRAM_SEND_BYTES)
        .max_idle_timeout(Some(idle.into()))
        .keep_alive_interval(Some(keep_alive))
        .congestion_controller_factory(Arc::new(WakefulCubic::default()));
    transport
}

/// Binds the socket, dual-stack for an IPv6 address. On a machine without IPv6 the default address
/// falls back to IPv4 with a log line.
fn bind_socket(config: &ServerConfig) -> Result<UdpSocket, BindError> {
    let address = config.listen;
    match bind_to(address, config) {
        Ok(socket) => Ok(socket),
        Err(error) if is_no_ipv6(&error) && address.is_ipv6() && address.ip().is_unspecified() => {
            let fallback = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            tracing::warn!(%error, %fallback, "this machine has no IPv6: listening on IPv4 only");
            bind_to(fallback, config).map_err(|error| socket_error(fallback, error))
        }
        Err(error) => Err(socket_error(address, error)),
    }
}

fn bind_to(address: SocketAddr, config: &ServerConfig) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // The system may grant less; burst losses are worth a log line.
    let _ = socket.set_recv_buffer_size(config.udp_receive_bytes);
    let _ = socket.set_send_buffer_size(config.udp_send_bytes);
    let granted = socket.recv_buffer_size().unwrap_or(0);
    if granted < config.udp_receive_bytes {
        let wanted = config.udp_receive_bytes;
        tracing::info!(granted, wanted, "small UDP receive buffer: raise net.core.rmem_max");
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn is_no_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let numbers = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|number| numbers.contains(&number))
}

fn socket_error(address: SocketAddr, error: io::Error) -> BindError {
    BindError::Socket { address, protocol: "UDP", flag: "listen", error }
}
