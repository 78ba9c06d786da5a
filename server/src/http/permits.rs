//! Who may hold an HTTP connection: a bound on all, and a share of it for each network.
//!
//! A connection beyond them is taken all the same, but waits for a place before it is answered. Health
//! checks need none: whatever others hold, who runs the server hears how it is.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use axum::Extension;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::task::AbortHandle;

use crate::shares::{Share, Shares};

/// What is answered to whoever asks, wherever they ask from.
const HEALTH_PATHS: [&str; 2] = ["/healthz", "/readyz"];
/// How often a connection that waits looks for a place.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The places of HTTP connections.
#[derive(Clone, Debug)]
pub(super) struct ConnectionPermits(Arc<Shares>);

impl ConnectionPermits {
    /// A /56 of IPv6 may have twice `prefix_max`, a /48 four times: one customer may have as many addresses.
    pub(super) fn new(connections_max: usize, prefix_max: usize) -> Self {
        ConnectionPermits(Arc::new(Shares::with_prefix_max(connections_max, prefix_max, [1, 2, 4])))
    }

    /// A place for a connection from `address`, if there is one.
    fn take(&self, address: IpAddr) -> Option<Share> {
        self.0.take(address).ok()
    }
}

/// A connection that may have no place yet.
#[derive(Clone, Debug)]
pub(super) struct PendingConnection {
    permits: ConnectionPermits,
    address: IpAddr,
    place: Arc<OnceLock<Share>>,
    wait: Duration,
}

impl PendingConnection {
    /// Takes a place if there is one; a request that needs one will wait `wait` for it.
    pub(super) fn new(permits: &ConnectionPermits, address: IpAddr, wait: Duration) -> Self {
        let place = OnceLock::new();
        if let Some(free) = permits.take(address) {
            let _ = place.set(free);
        }
        PendingConnection { permits: permits.clone(), address, place: Arc::new(place), wait }
    }

    pub(super) fn has_place(&self) -> bool {
        self.place.get().is_some()
    }

    /// Where its place will be. Gone with the connection.
    pub(super) fn place(&self) -> Weak<OnceLock<Share>> {
        Arc::downgrade(&self.place)
    }

    /// Waits for a place. Requests of a connection come one after another.
    async fn wait_for_place(&self) -> bool {
        let looks = async {
            while !self.has_place() {
                match self.permits.take(self.address) {
                    Some(place) => drop(self.place.set(place)),
                    None => tokio::time::sleep(LOOK_AGAIN).await,
                }
            }
        };
        tokio::time::timeout(self.wait, looks).await.is_ok()
    }
}

/// Answers health checks at once, and what else is asked once there is a place.
pub(super) async fn seat(
    Extension(guest): Extension<PendingConnection>,
    request: Request,
    next: Next,
) -> Response {
    let is_check = HEALTH_PATHS.contains(&request.uri().path());
    if is_check || guest.has_place() || guest.wait_for_place().await {
        return next.run(request).await;
    }
    let headers = [(RETRY_AFTER, "5"), (CONNECTION, "close")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, "too many connections from your network\n")
        .into_response()
}

/// The connections without a place: of too many, the oldest is ended.
#[derive(Debug)]
pub(super) struct PendingConnections {
    connections: VecDeque<(AbortHandle, Weak<OnceLock<Share>>)>,
    connections_max: usize,
}

impl PendingConnections {
    pub(super) fn new(connections_max: usize) -> Self {
        PendingConnections { connections: VecDeque::new(), connections_max }
    }

    pub(super) fn push(&mut self, task: AbortHandle, place: Weak<OnceLock<Share>>) {
        self.connections.push_back((task, place));
        if self.connections.len() > self.connections_max
            && let Some((task, place)) = self.connections.pop_front()
            && place.upgrade().is_some_and(|place| place.get().is_none())
        {
            task.abort();
        }
    }
}
