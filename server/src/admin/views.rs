//! What the routes of the admin side take and give, as JSON.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Why a request was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminRefusal {
    /// A word for programs.
    pub(super) code: &'static str,
    /// What is wrong, and what helps.
    text: String,
    #[serde(skip)]
    status: StatusCode,
}

impl AdminRefusal {
    pub(super) fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        AdminRefusal { code, text: text.into(), status }
    }

    pub(super) fn no_player(player: u32) -> Self {
        let text = format!("no session has the number {player}; list the players again");
        AdminRefusal::new(StatusCode::NOT_FOUND, "NoSuchPlayer", text)
    }

    pub(super) fn no_room(room: &str) -> Self {
        let text = format!("there is no room {room:?}; list the rooms again");
        AdminRefusal::new(StatusCode::NOT_FOUND, "NoSuchRoom", text)
    }

    pub(super) fn invalid(text: impl Into<String>) -> Self {
        AdminRefusal::new(StatusCode::BAD_REQUEST, "RequestInvalid", text)
    }
}

impl IntoResponse for AdminRefusal {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

/// Whether the server takes sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ServerPhase {
    /// Not yet.
    Starting,
    /// It does.
    Ready,
    /// Not any more.
    Stopping,
}

/// The server as a whole.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ServerView {
    /// The game's name.
    pub(super) game: String,
    /// The server's version.
    pub(super) version: String,
    pub(super) phase: ServerPhase,
    /// Seconds since this process began to serve.
    pub(super) uptime_s: u64,
    /// Ticks a second of every room.
    pub(super) tick_hz: u32,
    /// Sessions that have said hello and have not ended.
    pub(super) sessions: usize,
    pub(super) rooms: usize,
    /// People who play.
    pub(super) players: u64,
    pub(super) bots: u64,
    pub(super) spectators: u64,
    /// Rooms whose tick does not end.
    pub(super) stalled_rooms: Vec<String>,
    /// Rooms are kept in journals.
    pub(super) has_journals: bool,
    /// Chat, profiles and scores are kept in a store.
    pub(super) has_store: bool,
}

/// One room.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct RoomView {
    pub(super) name: String,
    /// People who play in it.
    pub(super) players: u32,
    /// Seats.
    pub(super) players_max: u32,
    /// Free seats that wait for an account.
    pub(super) reserved: u32,
    pub(super) bots: u32,
    pub(super) spectators: u32,
    pub(super) needs_password: bool,
    /// It is missing from the lists that players see.
    pub(super) is_unlisted: bool,
    /// Quick matches may join it.
    pub(super) is_quick: bool,
    pub(super) tags: Vec<String>,
    /// What the game shows of it in lists: `null` if nothing.
    #[schema(value_type = Object)]
    pub(super) metadata: serde_json::Value,
}

/// The order of rooms in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RoomSorting {
    /// By name.
    #[default]
    Name,
    /// Most players first, those of as many by name.
    Players,
}

/// Which rooms a list has.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RoomsQuery {
    /// Only rooms whose name contains this.
    pub(super) name: String,
    /// Only rooms with this tag.
    pub(super) tag: Option<String>,
    /// `name`, the default, or `players`.
    #[param(inline)]
    pub(super) order: RoomSorting,
    /// Left out at the beginning.
    pub(super) offset: usize,
    /// At most this many: 100 by default, 1000 at most.
    pub(super) limit: Option<usize>,
}

/// A list of rooms.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomPage {
    /// All that match, also those that this page leaves out.
    pub(super) found: usize,
    pub(super) rooms: Vec<RoomView>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct PlayerView {
    /// Its number, by which it is kicked.
    pub(super) player: u32,
    /// The name of its last join, `null` before it.
    pub(super) name: Option<String>,
    /// Its account; `null` for a guest.
    pub(super) account: Option<String>,
    /// The room that it is in, or has asked to enter.
    pub(super) room: Option<String>,
    pub(super) is_spectator: bool,
    /// Address and port of its connection now, or of the last one.
    pub(super) address: String,
    /// `quic`, `webtransport` or `websocket`.
    pub(super) transport: String,
    /// Bytes of frames that wait for it.
    pub(super) waiting_bytes: usize,
}

/// Which sessions a list has.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PlayersQuery {
    /// Only those in this room.
    pub(super) room: Option<String>,
    /// Only those of this account.
    pub(super) account: Option<String>,
    /// Only those whose name contains this, in any case.
    pub(super) name: Option<String>,
    /// Left out at the beginning.
    pub(super) offset: usize,
    /// At most this many: 100 by default, 1000 at most.
    pub(super) limit: Option<usize>,
}

/// A list of sessions, by number.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlayerPage {
    /// All that match, also those that this page leaves out.
    pub(super) found: usize,
    pub(super) players: Vec<PlayerView>,
}

/// Ends a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KickOrder {
    /// What the player reads: 200 characters at most.
    pub(super) reason: String,
}

/// Says something to one session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageOrder {
    /// 1 to 1000 characters.
    pub(super) text: String,
}

/// Says something to everyone, or to a room.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticeOrder {
    /// 1 to 1000 characters.
    pub(super) text: String,
    /// To this room alone.
    pub(super) room: Option<String>,
}

/// A setting as it is in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SettingView {
    /// Its key in the file.
    pub(super) key: String,
    /// As it would be given.
    pub(super) value: String,
    /// The default, as it would be given.
    pub(super) default: String,
    pub(super) is_default: bool,
}
