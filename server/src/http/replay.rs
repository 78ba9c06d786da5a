//! The page of a shown replay: the game's own page in a frame, and the controls below it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};

use super::{HttpPeer, stats};
use crate::playback::{PlaybackControl, PlaybackWish};

const PAGE: &str = include_str!("replay/index.html");
const SCRIPT: &str = include_str!("replay/replay.js");
const STYLE: &str = include_str!("replay/replay.css");

/// `/replay` and its files; `/replay/state` tells how far it is, and takes wishes from this machine.
pub(super) fn router(control: Arc<PlaybackControl>) -> Router {
    let wishes = Router::new()
        .route("/replay/state", post(wish))
        .layer(middleware::from_fn(only_this_machine_and_its_page));
    Router::new()
        .route("/replay", get(|| async { file("text/html; charset=utf-8", PAGE) }))
        .route(
            "/replay/replay.js",
            get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }),
        )
        .route("/replay/replay.css", get(|| async { file("text/css; charset=utf-8", STYLE) }))
        .route("/replay/state", get(state))
        .merge(wishes)
        .with_state(control)
}

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text)
}

/// Admits programs on this machine, and the page that this server gave a browser on it.
async fn only_this_machine_and_its_page(
    Extension(HttpPeer(peer)): Extension<HttpPeer>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(HOST).unwrap_or_default();
    let is_own = |origin: &str| origin.split_once("://").is_some_and(|(_, place)| place == host);
    if stats::is_near(peer, &headers, request.version()) && text(ORIGIN).is_none_or(is_own) {
        return next.run(request).await;
    }
    let text = "only the machine that shows a replay controls it\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

async fn state(State(control): State<Arc<PlaybackControl>>) -> impl IntoResponse {
    ([(CACHE_CONTROL, "no-store")], Json(control.view()))
}

async fn wish(
    State(control): State<Arc<PlaybackControl>>,
    Json(wish): Json<PlaybackWish>,
) -> Response {
    match control.wish(&wish) {
        Ok(()) => Json(control.view()).into_response(),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n")).into_response(),
    }
}
