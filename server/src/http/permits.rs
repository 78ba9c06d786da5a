//! Permits for HTTP connections: a bound on all, and a share of it for each network.
//!
//! A connection beyond the bound is accepted, but waits for a permit before it is answered. Health
//! checks need none, so that the operator always gets them.

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

/// Paths that are answered without a permit, from any address.
const HEALTH_PATHS: [&str; 2] = ["/healthz", "/readyz"];
/// Interval at which a waiting connection looks for a permit.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The permits of HTTP connections.
#[derive(Clone, Debug)]
pub(super) struct ConnectionPermits(Arc<Shares>);

impl ConnectionPermits {
    /// A /56 of IPv6 may have twice `prefix_max`, a /48 four times: one customer may own as many
    /// addresses.
    pub(super) fn new(connections_max: usize, prefix_max: usize) -> Self {
        ConnectionPermits(Arc::new(Shares::with_prefix_max(connections_max, prefix_max, [1, 2, 4])))
    }

    /// A permit for a connection from `address`, if one is free.
    fn take(&self, address: IpAddr) -> Option<Share> {
        self.0.take(address).ok()
    }
}

/// A connection that may have no permit yet.
#[derive(Clone, Debug)]
pub(crate) struct PendingConnection {
    permits: ConnectionPermits,
    address: IpAddr,
    place: Arc<OnceLock<Share>>,
    wait: Duration,
}

impl PendingConnection {
    /// Takes a permit if one is free; otherwise a request that needs one waits for at most `wait`.
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

    /// The slot of its permit, which goes with the connection.
    pub(super) fn place(&self) -> Weak<OnceLock<Share>> {
        Arc::downgrade(&self.place)
    }

    /// Waits for a permit; false if none came in time. A connection's requests come one after
    /// another.
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

/// Answers health checks at once, other requests once there is a permit.
pub(crate) async fn seat(
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

/// The connections without a permit. Beyond the bound the oldest is ended.
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
