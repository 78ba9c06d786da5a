//! The game's page: files of a directory, or what the game's binary brings along.

use std::borrow::Cow;
use std::path::Path;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

/// One file of a page.
#[derive(Clone, Debug)]
pub struct Asset {
    /// As in the HTTP header: `text/html; charset=utf-8`, ...
    pub content_type: &'static str,
    /// What it holds.
    pub bytes: Cow<'static, [u8]>,
}

/// The files of a page by their path without a leading slash: `index.html`, `assets/game.js`, ...
pub type Page = fn(path: &str) -> Option<Asset>;

/// Serves `dir` if there is one, else `page`.
pub(crate) fn router(dir: Option<&Path>, page: Option<Page>) -> Router {
    let router = match (dir, page) {
        (Some(dir), _) => Router::new().fallback_service(ServeDir::new(dir)),
        (None, Some(page)) => {
            Router::new().fallback(move |request: Request| async move { embedded(page, &request) })
        }
        (None, None) => Router::new().fallback(|| async {
            (StatusCode::NOT_FOUND, "this server has no page; give one with --page-dir\n")
        }),
    };
    // A page names files by their content, or is asked for again: it must fit the running server.
    let no_cache = HeaderValue::from_static("no-cache");
    let no_sniff = HeaderValue::from_static("nosniff");
    router
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, no_cache))
        .layer(SetResponseHeaderLayer::if_not_present(X_CONTENT_TYPE_OPTIONS, no_sniff))
}

fn embedded(page: Page, request: &Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    match page(path) {
        Some(Asset { content_type, bytes }) => {
            let bytes = match bytes {
                Cow::Borrowed(bytes) => bytes::Bytes::from_static(bytes),
                Cow::Owned(bytes) => bytes.into(),
            };
            ([(CONTENT_TYPE, content_type)], bytes).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such page\n").into_response(),
    }
}
