//! Bans and mutes, set and shown by programs on the same machine.

use std::sync::Arc;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tickwire_shared::Simulation;

use crate::connection::SanctionRefusal;
use crate::connection::ServerState;
use crate::sanctions::{Sanction, SanctionKind, SanctionTarget};
use crate::store::{ServerStore, wall_ms};

/// Most bytes of a request.
const BODY_BYTES_MAX: usize = 4096;

/// The body of `POST /sanctions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SanctionOrder {
    kind: SanctionKind,
    /// `account`, `name` or `address`.
    target: String,
    /// The account's id, the name, or the address or range.
    who: String,
    /// For how long; without it there is no end.
    seconds: Option<u64>,
    #[serde(default)]
    reason: String,
    /// Lifts it instead.
    #[serde(default)]
    lift: bool,
}

/// A line of `/sanctions.json`.
#[derive(Debug, Serialize)]
struct ShownSanction {
    kind: SanctionKind,
    target: String,
    #[serde(flatten)]
    sanction: Sanction,
}

/// The limit of the body of [`set`].
pub(super) fn body_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(BODY_BYTES_MAX)
}

/// `GET /sanctions.json`: all bans and mutes, also those that have ended.
pub(super) async fn list<S: Simulation>(State(host): State<Arc<ServerState<S>>>) -> Response {
    let Some(sanctions) = host.rooms.store.as_ref().map(ServerStore::sanctions) else {
        return told(SanctionRefusal::NoStore);
    };
    let shown = sanctions.iter().map(|((kind, target), sanction)| ShownSanction {
        kind: *kind,
        target: target.to_string(),
        sanction: sanction.clone(),
    });
    Json(shown.collect::<Vec<_>>()).into_response()
}

/// `POST /sanctions`: sets a ban or a mute, or lifts it. It is on disk when this answers with 204.
pub(super) async fn set<S: Simulation>(
    State(host): State<Arc<ServerState<S>>>,
    Json(order): Json<SanctionOrder>,
) -> Response {
    let SanctionOrder { kind, target, who, seconds, reason, lift } = order;
    let target = SanctionTarget::parse(&target, &who);
    let sanction = Sanction::new(seconds, &reason, wall_ms());
    match target.and_then(|target| Ok((target, sanction?))) {
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
        Ok((target, sanction)) => {
            let sanction = Some(sanction).filter(|_| !lift);
            match host.set_sanction((kind, target), sanction).await {
                Ok(()) => StatusCode::NO_CONTENT.into_response(),
                Err(refusal) => told(refusal),
            }
        }
    }
}

fn told(refusal: SanctionRefusal) -> Response {
    let (status, text) = match refusal {
        SanctionRefusal::NoStore => {
            (StatusCode::NOT_FOUND, "there is no store; start the server with --store DIR\n")
        }
        SanctionRefusal::Full => {
            (StatusCode::INSUFFICIENT_STORAGE, "there are as many as sanctions_max; lift some\n")
        }
        SanctionRefusal::Failing => {
            (StatusCode::SERVICE_UNAVAILABLE, "the store fails; the log has the reason\n")
        }
    };
    (status, text).into_response()
}
