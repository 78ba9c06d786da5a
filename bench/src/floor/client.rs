//! Bare quinn clients for the bare server, with the swarm's sizes and rates.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::server::ALPN;
use crate::child::ServerProcess;
use crate::metronome::Metronome;
use crate::swarm::certs_dir;

/// The arena server's datagrams, as measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    pub(crate) seconds: u64,
    pub(crate) down_bytes: usize,
    pub(crate) up_bytes: usize,
    pub(crate) down_hz: f64,
    pub(crate) up_hz: f64,
    /// The processor of the bare server, if it is pinned to one.
    pub(crate) server_core: Option<usize>,
}

/// The bare server's cost and throughput.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bare {
    pub(crate) cpu_us_per_client_tick: f64,
    pub(crate) down_hz: f64,
    pub(crate) up_hz: f64,
}

#[derive(Debug, Default)]
struct Counts {
    down: AtomicU64,
    up: AtomicU64,
}

/// Runs the bare server with the load and measures its cost.
pub(crate) fn measure(load: &Load) -> anyhow::Result<Bare> {
    let mut words = vec![
        "serve-bare".to_owned(),
        "--certs-dir".to_owned(),
        certs_dir(),
        "--down-bytes".to_owned(),
        load.down_bytes.to_string(),
        "--down-hz".to_owned(),
        load.down_hz.to_string(),
    ];
    words.extend(load.server_core.iter().flat_map(|core| ["--core".to_owned(), core.to_string()]));
    let server = ServerProcess::start(&words)?;
    let address: SocketAddr = server.udp.parse().context("the bare server's address")?;
    let runtime = tokio::runtime::Runtime::new().context("the clients' threads do not start")?;
    runtime.block_on(async {
        let counts = Arc::new(Counts::default());
        let period = Duration::from_secs_f64(1.0 / load.up_hz);
        let metronome = Metronome::start(load.clients, period);
        let mut clients = JoinSet::new();
        for number in 0..load.clients {
            let connection =
                connect(address, ALPN).await.context("a bare client did not connect")?;
            clients.spawn(receive(connection.clone(), counts.clone()));
            clients.spawn(send(connection, *load, metronome.beat(number), counts.clone()));
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = server.usage()?;
        counts.down.store(0, Ordering::Relaxed);
        counts.up.store(0, Ordering::Relaxed);
        let start = Instant::now();
        tokio::time::sleep(Duration::from_secs(load.seconds)).await;
        let cpu_us = server.usage()?.cpu_us - before.cpu_us;
        let client_seconds = start.elapsed().as_secs_f64() * load.clients as f64;
        let rate = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / client_seconds;
        let (down_hz, up_hz) = (rate(&counts.down), rate(&counts.up));
        Ok(Bare {
            cpu_us_per_client_tick: cpu_us as f64 / client_seconds / load.down_hz,
            down_hz,
            up_hz,
        })
    })
}

async fn receive(connection: quinn::Connection, counts: Arc<Counts>) {
    while connection.read_datagram().await.is_ok() {
        counts.down.fetch_add(1, Ordering::Relaxed);
    }
}

async fn send(connection: quinn::Connection, load: Load, beat: Arc<Notify>, counts: Arc<Counts>) {
    let datagram = Bytes::from(vec![0x5a; load.up_bytes]);
    loop {
        beat.notified().await;
        match connection.send_datagram(datagram.clone()) {
            Ok(()) => drop(counts.up.fetch_add(1, Ordering::Relaxed)),
            Err(_) => return,
        }
    }
}

/// Connects to a server started by this process, without checking its certificate.
pub(crate) async fn connect(address: SocketAddr, alpn: &[u8]) -> anyhow::Result<quinn::Connection> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OwnServer(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
    Ok(endpoint.connect_with(config, address, "localhost")?.await?)
}

/// Accepts the certificate of the child process that this process has just started.
#[derive(Debug)]
struct OwnServer(Arc<CryptoProvider>);

impl ServerCertVerifier for OwnServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
