//! Reserved seats, asked for by the game's backend on the same machine.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tickwire_shared::Simulation;
use tickwire_shared::control::{Redacted, RefuseCode};

use crate::config::ServerConfig;
use crate::connection::{ServerState, now};
use crate::identity::{ReservedSeat, SignedSeat};
use crate::rooms::RoomRefusal;
use crate::transport::host_of;

/// Most bytes of a request.
const BODY_BYTES_MAX: usize = 32 * 1024;
/// For how long a seat waits if the request does not say.
const SECONDS: u64 = 30;

/// The body of `POST /reservations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReservationOrder {
    room: String,
    account: String,
    /// The game's own number for the place in the room.
    seat: Option<u32>,
    /// The display name; the player chooses if it is not given.
    name: Option<String>,
    seconds: Option<u64>,
    /// The options of a room that is made; the game's default if they are not given.
    options: Option<Value>,
    /// Makes the room if there is none.
    #[serde(default = "yes")]
    create: bool,
}

/// The answer to it.
#[derive(Debug, Serialize)]
struct ReservationAnswer {
    id: String,
    token: String,
    room: String,
    /// When it ends, in seconds since 1970.
    expires: u64,
    /// The room was made for it.
    created: bool,
    /// Where the client connects to.
    url: String,
}

/// A line of `/reservations.json`. Nobody gets a token from it.
#[derive(Debug, Serialize)]
struct ShownReservation {
    id: String,
    room: String,
    account: String,
    seat: Option<u32>,
    /// Seconds until it ends.
    seconds: u64,
}

fn yes() -> bool {
    true
}

/// The limit of the body of [`make`].
pub(super) fn body_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(BODY_BYTES_MAX)
}

/// `GET /reservations.json`: all reservations in force.
pub(super) async fn list<S: Simulation>(State(host): State<Arc<ServerState<S>>>) -> Response {
    let now = now();
    let left_s = |ends: Instant| ends.saturating_duration_since(now).as_secs();
    let all = host.rooms.reservations().into_iter();
    let shown = all.map(|(room, one)| ShownReservation {
        room,
        seconds: left_s(one.ends),
        id: one.id,
        account: one.account,
        seat: one.seat,
    });
    Json(shown.collect::<Vec<_>>()).into_response()
}

/// `POST /reservations`: reserves a seat, and answers with its token.
pub(super) async fn make<S: Simulation>(
    State(host): State<Arc<ServerState<S>>>,
    headers: HeaderMap,
    Json(order): Json<ReservationOrder>,
) -> Response {
    let ReservationOrder { room, account, seat, name, seconds, options, create } = order;
    let most_s = u64::from(host.config.reservation_max_s);
    let seconds = seconds.unwrap_or(SECONDS.min(most_s));
    if !(1..=most_s).contains(&seconds) {
        let text = format!("a seat waits for 1 s to {most_s} s (reservation_max_s)\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let options = options.map_or_else(String::new, |options| options.to_string());
    let options = create.then(|| Redacted::from(options.as_str()));
    let seat = ReservedSeat { room: room.clone(), account, seat, name, seconds };
    match host.reserve_seat(seat, options.as_ref()) {
        Err(refusal) => told(refusal),
        Ok((SignedSeat { id, token, expires_s }, created)) => {
            let url = url_of(&host.config, &headers);
            let answer = ReservationAnswer { id, token, room, expires: expires_s, created, url };
            (StatusCode::CREATED, Json(answer)).into_response()
        }
    }
}

/// `DELETE /reservations/ID`: ends a reservation; its token is of no use any more.
pub(super) async fn cancel<S: Simulation>(
    State(host): State<Arc<ServerState<S>>>,
    Path(id): Path<String>,
) -> Response {
    match host.rooms.cancel_reservation(&id) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => {
            let text = "no seat is reserved by this id; its player may have taken it\n";
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

/// Where clients reach the server: by the settings, or as the request did.
fn url_of(config: &ServerConfig, headers: &HeaderMap) -> String {
    if !config.public_url.is_empty() {
        return config.public_url.clone();
    }
    let authority = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if config.cert_file.is_some() { "https" } else { "http" };
    match config.http_listen {
        None => format!("{scheme}://{authority}/"),
        // The request came to another port than players do.
        Some(_) => {
            let host = host_of(authority);
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            format!("{scheme}://{host}:{}/", config.listen.port())
        }
    }
}

fn told(RoomRefusal { code, text }: RoomRefusal) -> Response {
    let status = match code {
        RefuseCode::RoomFull => StatusCode::CONFLICT,
        RefuseCode::NoSuchRoom => StatusCode::NOT_FOUND,
        RefuseCode::Busy | RefuseCode::TooManyRooms => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::BAD_REQUEST,
    };
    (status, format!("{text}\n")).into_response()
}
