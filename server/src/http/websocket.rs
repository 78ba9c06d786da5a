//! The entry for players whose network blocks UDP: turns a request into a session.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Once};

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{
    CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use tickwire_shared::Simulation;
use tickwire_shared::control::CloseCode;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::listener::wire_of;
use super::origin::is_allowed;
use super::{HttpPeer, LiveInfo};
use crate::admission::{Admission, AdmissionDecision};
use crate::config::ServerConfig;
use crate::connection::{self, Handshake, ServerState};
use crate::transport::{Origins, TransportSession, WebSocket, host_of};

/// Length of 16 bytes in base64.
const KEY_BYTES: usize = 24;

/// Checks and admits WebSocket requests.
pub(crate) struct WebSocketEntry<S: Simulation> {
    host: Arc<ServerState<S>>,
    shown: Arc<LiveInfo>,
    admission: Arc<Admission>,
    origins: Arc<Origins>,
}

impl<S: Simulation> WebSocketEntry<S> {
    pub(crate) fn new(
        host: &Arc<ServerState<S>>,
        shown: &Arc<LiveInfo>,
        admission: Arc<Admission>,
        origins: Arc<Origins>,
    ) -> Self {
        WebSocketEntry { host: Arc::clone(host), shown: Arc::clone(shown), admission, origins }
    }

    /// The origins of pages that may connect.
    pub(super) fn origins(&self) -> Arc<Origins> {
        Arc::clone(&self.origins)
    }

    /// Warns once that a browser plays over a WebSocket because it looked for `localhost` at an
    /// address where no QUIC is listened on.
    fn tell_of_localhost(&self, host: &str) {
        static TOLD: Once = Once::new();
        let here = match self.host.config.listen.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            here => here,
        };
        if here.is_loopback() && host_of(host).eq_ignore_ascii_case("localhost") {
            TOLD.call_once(|| {
                tracing::warn!(
                    "a session over a WebSocket came to localhost, which may mean another address than {here}, \
                     where QUIC is: open the page by {here}, or listen on [::], to play over QUIC"
                );
            });
        }
    }
}

impl<S: Simulation> Clone for WebSocketEntry<S> {
    fn clone(&self) -> Self {
        let WebSocketEntry { host, shown, admission, origins } = self;
        WebSocketEntry::new(host, shown, Arc::clone(admission), Arc::clone(origins))
    }
}

/// `GET /ws`: upgrades and serves the session, or answers with the reason against it.
pub(super) async fn knock<S: Simulation>(
    State(door): State<WebSocketEntry<S>>,
    Extension(peer): Extension<HttpPeer>,
    mut request: Request,
) -> Response {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (Some(accept), Some(upgrade)) = (accept_key(request.headers()), upgrade) else {
        let headers = [(UPGRADE, "websocket"), (SEC_WEBSOCKET_VERSION, "13")];
        return (StatusCode::UPGRADE_REQUIRED, headers, "this is for WebSockets\n").into_response();
    };
    if !door.shown.ready.load(Ordering::Acquire) {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting or stopping\n").into_response();
    }
    let counters = &door.host.counters;
    // TCP has proven the address.
    let AdmissionDecision::Admit(permit) = door.admission.judge(peer.0.ip(), true) else {
        counters.handshakes_ignored.increment();
        let words = "too many connect at once; try again in a moment\n";
        return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    };
    door.tell_of_localhost(text(request.headers(), &HOST));
    let deadline = Instant::now() + door.host.config.handshake_time();
    let hello = Handshake { deadline, _permit: permit };
    let is_allowed = is_allowed(&door.host.counters, &door.origins, request.headers());
    tokio::spawn(serve(door.host, upgrade, peer, hello, is_allowed));
    let headers = [(UPGRADE, "websocket"), (CONNECTION, "upgrade")];
    let accept = [(SEC_WEBSOCKET_ACCEPT, accept)];
    (StatusCode::SWITCHING_PROTOCOLS, headers, accept).into_response()
}

async fn serve<S: Simulation>(
    host: Arc<ServerState<S>>,
    upgrade: OnUpgrade,
    HttpPeer(peer): HttpPeer,
    hello: Handshake,
    is_allowed: bool,
) {
    let upgraded = tokio::time::timeout_at(hello.deadline, upgrade).await;
    let upgraded = upgraded.ok().and_then(Result::ok);
    let wire = upgraded.and_then(|it| wire_of(it, host.config.websocket_send_bytes));
    let Some(wire) = wire else {
        host.counters.handshakes_failed.increment();
        return tracing::info!(%peer, "no session: the connection was not upgraded");
    };
    let messages_hz = messages_hz::<S>(&host.config);
    let socket = WebSocket::start(wire, peer, messages_hz, &host.config).await;
    if !is_allowed {
        // A browser hides a refused request from its page, but not a close code.
        host.counters.handshakes_failed.increment();
        let session = TransportSession::WebSocket(socket);
        session.close(CloseCode::OriginRefused, CloseCode::OriginRefused.text());
        let _ = tokio::time::timeout_at(hello.deadline, session.gone()).await;
        return;
    }
    connection::serve(host, TransportSession::WebSocket(socket), hello).await;
}

/// Messages a second of a client: its inputs, frames on both streams, and as many answers to pings.
fn messages_hz<S: Simulation>(config: &ServerConfig) -> u32 {
    let inputs_hz = S::TICK_HZ.saturating_mul(config.inputs_per_tick_max);
    inputs_hz.saturating_add(config.control_frames_hz.saturating_mul(3))
}

/// The proof that a request to upgrade was understood (RFC 6455, section 4.2.2); `None` if it is
/// not one.
fn accept_key(headers: &HeaderMap) -> Option<String> {
    let says = |name: HeaderName, word: &str| {
        let mut words = text(headers, &name).split(',').map(str::trim);
        words.any(|found| found.eq_ignore_ascii_case(word))
    };
    let asked = says(UPGRADE, "websocket")
        && says(CONNECTION, "upgrade")
        && says(SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == KEY_BYTES)?;
    asked.then(|| derive_accept_key(key.as_bytes()))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
