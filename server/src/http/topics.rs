//! Topics for those without a client: publish by POST, history by GET, and streams of events.
//!
//! ```text
//! POST /topics/chat/de              publishes the body
//! GET  /topics/chat/de?last=20      messages that are kept
//! GET  /topics?pattern=chat/**      a stream of events, of all topics of a pattern
//! ```
//!
//! `query` reads what is asked for, `stream` makes events of messages, `refusal` says why not.

mod query;
mod refusal;
mod stream;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ALLOW, AUTHORIZATION, CACHE_CONTROL,
    CONTENT_TYPE, HeaderName, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Json, Router};
use bytes::Bytes;
use governor::clock::DefaultClock;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::json;
use tickwire_shared::Simulation;
use tickwire_shared::control::{CloseCode, Redacted, TopicLifetime};
use tokio::time::Instant;

use super::origin::is_allowed;
use super::{ConnectionEnd, HttpPeer};
use crate::connection::{ServerState, now};
use crate::identity::Identity;
use crate::prefix::Prefix;
use crate::prefix_rates::PrefixRates;
use crate::shares::Shares;
use crate::store::wall_ms;
use crate::topics::{HistoryQuery, MergedReader, NewTopicMessage, PublisherKey, write_page};
use crate::transport::Origins;
use refusal::RequestRefusal;
use stream::{EventStream, StreamOptions};

/// Coded bytes of messages in one answer, and the rest of a message.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Methods of a topic, and of all topics together.
const ONE: &str = "GET, HEAD, POST, OPTIONS";
const ALL: &str = "GET, HEAD, OPTIONS";
/// Seconds for which a browser knows what pages of other origins may send.
const PREFLIGHT_S: &str = "600";
/// Bits of an IPv6 address that are one guest.
const GUEST_BITS: u8 = 64;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What the routes of topics need.
pub(super) struct TopicsEntry<S: Simulation> {
    host: Arc<ServerState<S>>,
    origins: Arc<Origins>,
    rates: PrefixRates<DefaultClock>,
    readers: Arc<Shares>,
}

/// `/topics` and all below it.
pub(super) fn router<S: Simulation>(host: &Arc<ServerState<S>>, origins: Arc<Origins>) -> Router {
    let (config, topics) = (&host.config, &host.config.topics);
    let rate = (topics.http_requests_hz, topics.http_requests_burst);
    let (readers_max, prefix_max) = (topics.http_readers_max, topics.http_readers_prefix_max);
    let entry = TopicsEntry {
        host: Arc::clone(host),
        origins,
        rates: PrefixRates::new(rate, config.handshakes_prefixes_max, &DefaultClock::default()),
        readers: Arc::new(Shares::with_prefix_max(readers_max, prefix_max, [1, 2, 4])),
    };
    Router::new()
        .route("/topics", any(answer::<S>))
        .route("/topics/{*name}", any(answer::<S>))
        .with_state(Arc::new(entry))
}

async fn answer<S: Simulation>(
    State(entry): State<Arc<TopicsEntry<S>>>,
    Extension(HttpPeer(peer)): Extension<HttpPeer>,
    Extension(ConnectionEnd(ends)): Extension<ConnectionEnd>,
    request: Request,
) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    if !is_allowed(&entry.host.counters, &entry.origins, request.headers()) {
        let text = CloseCode::OriginRefused.text();
        return RequestRefusal::new(StatusCode::FORBIDDEN, "OriginRefused", text).into_response();
    }
    let is_head = request.method() == Method::HEAD;
    let answered = entry.serve((peer, ends), request).await.unwrap_or_else(|refusal| {
        entry.host.counters.topics_refused.increment();
        refusal.into_response()
    });
    let mut response = if is_head { answered.map(|_| Body::empty()) } else { answered };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

impl<S: Simulation> TopicsEntry<S> {
    async fn serve(
        &self,
        (peer, ends): (SocketAddr, Instant),
        request: Request,
    ) -> Result<Response, RequestRefusal> {
        let name = match request.uri().path().strip_prefix("/topics/") {
            Some(name) => Some(query::name_of(name)?),
            None => None,
        };
        let allowed = if name.is_some() { ONE } else { ALL };
        let method = request.method().clone();
        if method == Method::OPTIONS {
            return Ok(preflight(allowed));
        }
        if !allowed.split(", ").any(|allowed| method == allowed) {
            return Err(RequestRefusal::method(allowed));
        }
        if !self.rates.take(peer.ip()) {
            return Err(RequestRefusal::too_fast());
        }
        let token = bearer_token(request.headers())?;
        let identity = self.host.identify_request(token.as_ref(), peer.ip()).await?;
        match name {
            Some(name) if method == Method::POST => {
                self.publish(&identity, peer.ip(), name, request).await
            }
            Some(name) => self.history(&identity, name, &request),
            None => self.follow(&identity, (peer.ip(), ends), &request),
        }
    }

    /// `POST /topics/NAME?key=KEY`
    async fn publish(
        &self,
        identity: &Identity,
        address: IpAddr,
        topic: String,
        request: Request,
    ) -> Result<Response, RequestRefusal> {
        let key = query::key_of(request.uri().query())?;
        if self.host.is_stopping() {
            return Err(RequestRefusal::stopping());
        }
        let publisher = match &identity.account {
            Some(account) => PublisherKey::Account(account.id.clone()),
            None => PublisherKey::Guests(Prefix::new(address, GUEST_BITS)),
        };
        let topics = &self.host.topics;
        let from = topics.publisher(publisher, now(), || self.host.links.number())?;
        let config = &self.host.config;
        let time = Duration::from_millis(u64::from(config.http_stall_ms));
        let payload = read(request.into_body(), config.topics.payload_bytes_max, time).await?;
        let message = NewTopicMessage {
            from,
            topic: topic.clone(),
            key,
            payload: payload.to_vec(),
            lifetime: TopicLifetime::Kept,
        };
        let sequence = self.host.publish_saved(identity.topics.as_ref(), message).await?;
        Ok(Json(json!({ "topic": topic, "sequence": sequence })).into_response())
    }

    /// `GET /topics/NAME?last=N`
    fn history(
        &self,
        identity: &Identity,
        topic: String,
        request: &Request,
    ) -> Result<Response, RequestRefusal> {
        let asked = query::history_of(request.uri().query())?;
        let query = HistoryQuery {
            topic,
            delivery: asked.delivery,
            before: asked.before,
            since_ms: asked.since_ms,
            messages_max: asked.last,
            bytes_max: PAGE_BYTES_MAX,
        };
        let page = self.host.topics.history(identity.topics.as_ref(), &query, wall_ms())?;
        let text = write_page(&query.topic, &page, asked.payload);
        self.host.counters.topic_event_bytes_out.add(text.len() as u64);
        Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
    }

    /// `GET /topics?pattern=PATTERN`
    fn follow(
        &self,
        identity: &Identity,
        (address, ends): (IpAddr, Instant),
        request: &Request,
    ) -> Result<Response, RequestRefusal> {
        if !takes_events(request.headers()) {
            return Err(RequestRefusal::no_events());
        }
        let last_id = request.headers().get(LAST_EVENT_ID).map(HeaderValue::as_bytes);
        let asked = query::stream_of(request.uri().query(), last_id)?;
        let share = self.readers.take(address).map_err(RequestRefusal::too_many_readers)?;
        let (host, config) = (&self.host, &self.host.config.topics);
        let rights = identity.topics.as_ref();
        let begun = host.topics.read(|| host.links.number(), rights, asked.reader, wall_ms());
        let (reader, missed): (MergedReader, _) = begun?;
        let options = StreamOptions {
            payload: asked.payload,
            heartbeat: Duration::from_secs(u64::from(config.http_heartbeat_s)),
            ends,
        };
        let counter_of = Arc::clone(host);
        let count = move |bytes| counter_of.counters.topic_event_bytes_out.add(bytes);
        let stream = EventStream::new((reader, missed), share, options);
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
            // A proxy that gathered events before it passed them on would delay them.
            (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
        ];
        Ok((headers, Body::from_stream(stream.into_chunks(count))).into_response())
    }
}

/// Reads a body of `bytes_max` at most, within `time`.
async fn read(body: Body, bytes_max: usize, time: Duration) -> Result<Bytes, RequestRefusal> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(RequestRefusal::too_long(bytes_max));
    }
    match tokio::time::timeout(time, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(RequestRefusal::too_long(bytes_max))
        }
        Ok(Err(_)) => Err(RequestRefusal::invalid("the body is not whole; send it again")),
        Err(_) => Err(RequestRefusal::too_slow(time)),
    }
}

/// The answer to a browser that asks what a page of another origin may send.
fn preflight(allowed: &'static str) -> Response {
    let headers = [
        (ALLOW, allowed),
        (ACCESS_CONTROL_ALLOW_METHODS, allowed),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, last-event-id"),
        (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_S),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// The token of a request, if it has one.
fn bearer_token(headers: &HeaderMap) -> Result<Option<Redacted>, RequestRefusal> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    let text = line.to_str().ok().filter(|_| lines.next().is_none());
    let token = text.and_then(|text| text.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(Redacted::from(token.trim())))
        }
        _ => Err(RequestRefusal::no_bearer()),
    }
}

/// True if a request takes a stream of events.
fn takes_events(headers: &HeaderMap) -> bool {
    let mut kinds = headers
        .get_all(ACCEPT)
        .iter()
        .flat_map(|line| line.to_str().unwrap_or_default().split(','))
        .map(|kind| kind.split(';').next().unwrap_or_default().trim());
    !headers.contains_key(ACCEPT)
        || kinds.any(|kind| {
            ["text/event-stream", "text/*", "*/*"].iter().any(|it| it.eq_ignore_ascii_case(kind))
        })
}
