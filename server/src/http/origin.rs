//! The origins of pages whose requests are answered.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

use crate::counters::Counters;
use crate::transport::Origins;

/// True if the page that sends a request may connect, or no page does. Refusals are counted.
pub(super) fn is_allowed(counters: &Counters, origins: &Origins, headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(ORIGIN).iter();
    let Some(origin) = lines.next() else { return true };
    let origin = String::from_utf8_lossy(origin.as_bytes());
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_allowed = lines.next().is_none() && origins.allow(&origin, host);
    if !is_allowed {
        counters.origins_refused.increment();
        origins.warn_of(&origin);
    }
    is_allowed
}
