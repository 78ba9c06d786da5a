//! The HTTP side: the game's page, its schema, its score boards, topics, the certificate's hashes,
//! health checks and statistics.

mod asset;
mod files;
mod headers;
mod listener;
mod origin;
mod page;
mod permits;
mod replay;
mod reservations;
mod sanctions;
mod schema;
mod scores;
mod stats;
mod topics;
mod websocket;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router, middleware};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tickwire_shared::{Simulation, websocket as protocol};

use crate::connection::ServerState;
use crate::playback::PlaybackControl;
use crate::scheduler::Stall;
pub use asset::{Asset, Page};
use listener::ConnectionEnd;
pub(crate) use listener::{HttpPeer, HttpTls, listen, listen_shared, serve};
pub use page::PageError;
pub(crate) use page::check_dir;
pub(crate) use permits::seat;
pub(crate) use websocket::WebSocketEntry;

/// Facts that the HTTP side shows and that change while the server runs.
#[derive(Debug, Default)]
pub(crate) struct LiveInfo {
    /// SHA-256 of the current and the next certificate.
    pub(crate) hashes: ArcSwap<Vec<[u8; 32]>>,
    /// The server accepts sessions.
    pub(crate) ready: AtomicBool,
    /// Ticks that do not end.
    pub(crate) stalls: ArcSwap<Vec<Stall>>,
    /// There is a store, and it fails.
    pub(crate) is_chat_unsaved: AtomicBool,
}

/// Every route.
pub(crate) fn router<S: Simulation>(
    host: &Arc<ServerState<S>>,
    shown: &Arc<LiveInfo>,
    door: WebSocketEntry<S>,
    (page, page_policy): (Option<Page>, HeaderValue),
    playback: Option<Arc<PlaybackControl>>,
) -> Router {
    let stats = Router::new()
        .route("/stats.json", get(stats::show::<S>))
        .route("/stats/reset", post(stats::reset::<S>))
        .route("/sanctions.json", get(sanctions::list::<S>))
        .route("/sanctions", post(sanctions::set::<S>).layer(sanctions::body_limit()))
        .route("/reservations.json", get(reservations::list::<S>))
        .route("/reservations", post(reservations::make::<S>).layer(reservations::body_limit()))
        .route("/reservations/{id}", delete(reservations::cancel::<S>))
        .layer(middleware::from_fn(stats::only_this_machine))
        .with_state(Arc::clone(host));
    let game =
        Router::new().route("/schema.json", get(schema::show::<S>)).with_state(Arc::clone(host));
    let boards = Router::new()
        .route("/scores.json", get(scores::show::<S>))
        .with_state(scores::ScoreSource::new(host));
    let facts = Router::new()
        .route("/certificate.json", get(certificate))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(Arc::clone(shown));
    let page_dir = host.config.page_dir.as_deref();
    page::warn_if_missing(page_dir, page);
    let mut router = page::router(page_dir, page).merge(game).merge(boards).merge(facts);
    if host.config.stats {
        router = router.merge(stats);
    }
    if let Some(control) = playback {
        router = router.merge(replay::router(control));
    }
    if host.config.topics.enabled && host.config.topics.http {
        router = router.merge(topics::router(host, door.origins()));
    }
    if host.config.websocket {
        let sessions = Router::new().route(protocol::PATH, get(websocket::knock::<S>));
        router = router.merge(sessions.with_state(door));
    }
    headers::around(router.layer(middleware::from_fn(seat)), page_policy)
}

/// The certificate hashes, in the form of a browser's `serverCertificateHashes`. They are public:
/// any page may read them. Their timing is public too: a client derives from it how long to wait
/// for datagrams.
async fn certificate(State(shown): State<Arc<LiveInfo>>) -> impl IntoResponse {
    let hash = |hash: &[u8; 32]| json!({ "algorithm": "sha-256", "value": STANDARD.encode(hash) });
    let hashes: Vec<_> = shown.hashes.load().iter().map(hash).collect();
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (HeaderName::from_static("timing-allow-origin"), "*"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, Json(json!({ "hashes": hashes })))
}

async fn ready(State(shown): State<Arc<LiveInfo>>) -> impl IntoResponse {
    if !shown.ready.load(Ordering::Acquire) {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting or stopping\n".to_owned());
    }
    match shown.stalls.load().as_slice() {
        // Play goes on: no reason to send players elsewhere.
        [] if shown.is_chat_unsaved.load(Ordering::Relaxed) => {
            (StatusCode::OK, "ready; chat is not saved, the log has the reason\n".to_owned())
        }
        [] => (StatusCode::OK, "ready\n".to_owned()),
        stalls => {
            let lines = stalls.iter().map(|stall| format!("{stall}\n"));
            (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
        }
    }
}
