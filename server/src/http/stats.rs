//! Statistics of the server, for programs on the same machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hdrhistogram::Histogram;
use serde::Serialize;
use tickwire_shared::Simulation;

use super::HttpPeer;
use crate::connection::ServerState;
use crate::counters::Counts;
use crate::journal::{FollowerStats, Journals};
use crate::scheduler::Stall;
use crate::store::{ServerStore, StoreStats, wall_ms};
use crate::transport::{host_of, is_this_machine};

/// Headers by which proxies name the origin of a request.
const PROXIES: [&str; 9] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
    "cf-connecting-ip",
];
const RESET_LOOKS: usize = 200;
const RESET_PAUSE: Duration = Duration::from_millis(5);

/// The content of `/stats.json`.
#[derive(Debug, Serialize)]
struct Stats {
    /// Connections, including those before the hello.
    connections: usize,
    /// Connections of the network driver, including those in their handshake and those just closed.
    quic_connections: usize,
    /// Sessions that have said hello.
    sessions: usize,
    /// Event streams of topics.
    topic_readers: usize,
    rooms: usize,
    /// People who play.
    players: u64,
    bots: u64,
    spectators: u64,
    tick_hz: u32,
    /// Ticks counted below.
    ticks: u64,
    /// From a tick's deadline to its start.
    lateness_us: HistogramSummary,
    /// From a tick's start to its end.
    tick_duration_us: HistogramSummary,
    /// Ticks that began at least a whole tick late.
    overruns: u64,
    /// Ticks skipped because too many were due.
    ticks_skipped: u64,
    /// Snapshots dropped because the network did not keep up.
    snapshots_dropped: u64,
    /// Ticks that do not end, each with its room.
    stalls: Vec<Stall>,
    /// Events lost to a client because too many waited for it.
    events_dropped: u64,
    /// `null` if no journals are kept.
    journal_follower: Option<FollowerStats>,
    /// Milliseconds for which the message has waited that a webhook posts; 0 if none waits.
    webhooks_lag_ms: u64,
    /// `null` if no chat is kept.
    store: Option<StoreStats>,
    #[serde(flatten)]
    counts: Counts,
}

/// Percentiles of a histogram.
#[derive(Debug, Serialize)]
struct HistogramSummary {
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
    mean: f64,
}

impl From<&Histogram<u64>> for HistogramSummary {
    fn from(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        HistogramSummary {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max(),
            mean: histogram.mean(),
        }
    }
}

/// `GET /stats.json`
pub(super) async fn show<S: Simulation>(State(host): State<Arc<ServerState<S>>>) -> Response {
    let rooms: Vec<_> = host.rooms.mailboxes().iter().map(|room| room.info()).collect();
    let timing = host.rooms.scheduler().timing();
    Json(Stats {
        connections: host.links.count(),
        quic_connections: host.quic_connections.load(Ordering::Relaxed),
        sessions: host.sessions(),
        topic_readers: host.topics.readers(),
        rooms: rooms.len(),
        players: rooms.iter().map(|room| u64::from(room.players)).sum(),
        bots: rooms.iter().map(|room| u64::from(room.bots)).sum(),
        spectators: rooms.iter().map(|room| u64::from(room.spectators)).sum(),
        tick_hz: S::TICK_HZ,
        ticks: timing.duration_us.len(),
        lateness_us: HistogramSummary::from(&timing.lateness_us),
        tick_duration_us: HistogramSummary::from(&timing.duration_us),
        overruns: timing.overruns,
        ticks_skipped: timing.skipped,
        snapshots_dropped: timing.snapshots_dropped,
        stalls: host.rooms.scheduler().stalls(),
        events_dropped: timing.events_dropped,
        journal_follower: host.rooms.journals.as_ref().map(Journals::follower_stats),
        webhooks_lag_ms: host.webhooks.lag_ms(wall_ms()),
        store: host.rooms.store.as_ref().map(ServerStore::stats),
        counts: host.counters.counts(),
    })
    .into_response()
}

/// `POST /stats/reset`: sets all counts to zero before it answers.
pub(super) async fn reset<S: Simulation>(State(host): State<Arc<ServerState<S>>>) -> StatusCode {
    let scheduler = host.rooms.scheduler();
    scheduler.reset_timing();
    for _ in 0..RESET_LOOKS {
        if scheduler.is_reset() {
            host.counters.reset();
            return StatusCode::NO_CONTENT;
        }
        tokio::time::sleep(RESET_PAUSE).await;
    }
    StatusCode::SERVICE_UNAVAILABLE
}

/// Admits only programs on this machine: no others, no web page of another site, no request under
/// another host name, and none passed on by a proxy on this machine.
pub(super) async fn only_this_machine(
    Extension(HttpPeer(peer)): Extension<HttpPeer>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    if is_near(peer, &headers, request.version()) && !headers.contains_key(ORIGIN) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "only for programs on the server's own machine\n").into_response()
}

/// True if a request comes from this machine, under one of its own names, and by no proxy.
pub(super) fn is_near(peer: SocketAddr, headers: &HeaderMap, version: Version) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let host_is_here = host.is_some_and(|host| is_this_machine(host_of(host)));
    let is_passed_on = PROXIES.iter().any(|name| headers.contains_key(*name))
        // Proxies speak HTTP/1.0 unless configured otherwise.
        || version < Version::HTTP_11;
    peer.ip().to_canonical().is_loopback() && host_is_here && !is_passed_on
}
