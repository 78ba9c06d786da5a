//! The admin side: metrics, and what an operator may look at and change, over HTTP with a listener of its own.
//!
//! - `token` and `gate` let in nobody but those who bear the token, under a name of this machine;
//! - `server` is a running server, of whichever game, as this side sees it;
//! - `api` has the routes of `/v1` and their OpenAPI description, `views` what they take and give;
//! - `command` asks such a server from a shell;
//! - `metrics` writes what is counted in the form that Prometheus reads, `process` reads what the system counts.

mod api;
mod command;
mod gate;
mod metrics;
mod process;
mod server;
mod token;
mod views;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use tickwire_shared::Simulation;
use tokio::net::TcpListener;

use crate::config::ServerConfig;
use crate::connection::ServerState;
use crate::http::{self, LiveInfo};
use crate::transport::BindError;
pub(crate) use command::admin_command;
use server::{AdministeredServer, RunningServer};
pub(crate) use token::AdminToken;
pub use token::AdminTokenError;

/// Most bytes of a request's body.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The admin side before the server runs: its listener and its token.
#[derive(Debug)]
pub(crate) struct AdminSide {
    listener: TcpListener,
    token: AdminToken,
}

impl AdminSide {
    /// Binds its listener, if the settings name an address. A process that takes over binds the same one while its
    /// predecessor still has it; any other needs it for itself.
    pub(crate) fn bind(
        config: &ServerConfig,
        token: Option<AdminToken>,
        has_predecessor: bool,
    ) -> Result<Option<Self>, BindError> {
        let (Some(address), Some(token)) = (config.admin.listen, token) else { return Ok(None) };
        let failed = |error: io::Error| {
            let (protocol, flag) = ("TCP", "admin-listen");
            BindError::Socket { address, protocol, flag, error }
        };
        if !has_predecessor {
            // A shared listener would not say that another server has the address.
            http::listen(address).map_err(failed)?;
        }
        let listener = http::listen_shared(address).map_err(failed)?;
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "the admin side is open to the network, without TLS: put a proxy with TLS before it");
        }
        Ok(Some(AdminSide { listener, token }))
    }

    /// The address it listens on.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Answers requests until it is dropped.
    pub(crate) async fn serve<S: Simulation>(
        self,
        host: Arc<ServerState<S>>,
        shown: Arc<LiveInfo>,
    ) {
        let config = Arc::clone(&host.config);
        let running = RunningServer { host, shown, began: SystemTime::now() };
        let router = router(Arc::new(running), gate::Gate::new(self.token, &config.admin));
        http::serve(self.listener, Arc::default(), router, config).await;
    }
}

fn router(host: Arc<dyn AdministeredServer>, gate: gate::Gate) -> Router {
    api::router()
        .with_state(host)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::new(gate), gate::pass))
        .layer(middleware::from_fn(http::seat))
}
