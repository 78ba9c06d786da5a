//! The servers that the measuring commands start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use tickwire_server::{Server, ServerConfig};
use tickwire_shared::Simulation;

use crate::core;

/// Settings for measuring; all others are the server's defaults.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArguments {
    /// Directory of the certificates.
    #[arg(long)]
    certs_dir: PathBuf,
    /// Address of both sockets; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Log filters, as for `tracing`.
    #[arg(long, default_value = "warn")]
    log: String,
    /// Run the simulation in the real-time class where the system permits it.
    #[arg(long)]
    realtime: bool,
    /// Run on this processor only.
    #[arg(long)]
    core: Option<usize>,
    /// Bytes a second of a client's snapshots; 0 for no limit but the datagram's.
    #[arg(long, default_value_t = 0)]
    snapshot_bytes_per_s_max: u32,
    /// Bytes a second of keyframes to one client; 0 sends everything in snapshots. Without it, the
    /// server's default.
    #[arg(long)]
    keyframe_bytes_per_s_max: Option<u32>,
}

pub(crate) fn run<S: Simulation>(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    run_with::<S>(arguments, |_| {})
}

/// Runs a server with more settings than the arguments have.
pub(crate) fn run_with<S: Simulation>(
    arguments: &ServeArguments,
    change: impl FnOnce(&mut ServerConfig),
) -> anyhow::Result<ExitCode> {
    if let Some(core) = arguments.core {
        core::pin(core)?;
    }
    let mut config = ServerConfig {
        listen: arguments.listen,
        certs_dir: arguments.certs_dir.clone(),
        realtime: arguments.realtime,
        log: arguments.log.clone(),
        ..ServerConfig::default()
    };
    // Players are counted.
    config.room.bots_max = 0;
    config.room.snapshot_bytes_per_s_max = arguments.snapshot_bytes_per_s_max;
    if let Some(bytes) = arguments.keyframe_bytes_per_s_max {
        config.room.keyframe_bytes_per_s_max = bytes;
    }
    change(&mut config);
    tickwire_server::start_log(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.network_threads_resolved())
        .enable_all()
        .build()
        .context("the network threads do not start")?;
    runtime.block_on(async {
        let server = Server::<S>::bind(config).await?;
        let http = server.http_addr().context("the HTTP side is off")?;
        println!("listening udp={} http=http://{http}", server.local_addr());
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        server
            .run(async move {
                terminate.recv().await;
            })
            .await?;
        Ok(ExitCode::SUCCESS)
    })
}
