//! A quinn server that only sends and receives datagrams.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use quinn::crypto::rustls::QuicServerConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

pub(crate) const ALPN: &[u8] = b"tickwire-floor/1";

/// Its datagrams.
#[derive(Clone, Debug, Args)]
pub(crate) struct BareArguments {
    /// Directory of the certificates.
    #[arg(long)]
    certs_dir: PathBuf,
    /// Bytes of each datagram.
    #[arg(long)]
    down_bytes: usize,
    /// Datagrams a second to each client.
    #[arg(long)]
    down_hz: f64,
    /// Run on this processor only.
    #[arg(long)]
    core: Option<usize>,
}

type Connections = Arc<Mutex<Vec<quinn::Connection>>>;

pub(crate) fn serve(arguments: &BareArguments) -> anyhow::Result<ExitCode> {
    if let Some(core) = arguments.core {
        crate::core::pin(core)?;
    }
    let runtime = tokio::runtime::Runtime::new().context("the threads do not start")?;
    runtime.block_on(async {
        let connections = Connections::default();
        let endpoint = quinn::Endpoint::server(
            server_config(arguments)?,
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        )?;
        println!("listening udp={}", endpoint.local_addr()?);
        tokio::spawn(send(connections.clone(), arguments.clone()));
        let mut terminate = signal(SignalKind::terminate())?;
        loop {
            tokio::select! {
                incoming = endpoint.accept() => match incoming {
                    Some(incoming) => drop(tokio::spawn(receive(incoming, connections.clone()))),
                    None => break,
                },
                _ = terminate.recv() => break,
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn receive(incoming: quinn::Incoming, connections: Connections) {
    let Ok(connection) = incoming.await else { return };
    connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection.clone());
    while connection.read_datagram().await.is_ok() {}
}

async fn send(connections: Connections, arguments: BareArguments) {
    let datagram = Bytes::from(vec![0x5a; arguments.down_bytes]);
    let mut ticks = interval(Duration::from_secs_f64(1.0 / arguments.down_hz));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        ticks.tick().await;
        let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| {
            !matches!(
                connection.send_datagram(datagram.clone()),
                Err(quinn::SendDatagramError::ConnectionLost(_))
            )
        });
    }
}

fn server_config(arguments: &BareArguments) -> anyhow::Result<quinn::ServerConfig> {
    let now = time::OffsetDateTime::now_utc();
    let store = tickwire_certs::Store::open(&arguments.certs_dir, now)?;
    let certificate = store.current();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(certificate.chain.clone(), certificate.key.clone_key())?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(Arc::new(quinn::TransportConfig::default()));
    Ok(config)
}
