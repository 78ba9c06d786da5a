//! The routes of the admin side, and their OpenAPI description.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Json, Router};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::metrics;
use super::server::AdministeredServer;
use super::views::{
    AdminRefusal, KickOrder, MessageOrder, NoticeOrder, PlayerPage, PlayersQuery, RoomPage,
    RoomSorting, RoomView, RoomsQuery, ServerView, SettingView,
};
use crate::http::HttpPeer;

type Administered = State<Arc<dyn AdministeredServer>>;

/// Lines of a list, if a request does not say how many.
const LIMIT: usize = 100;
/// Lines of a list, at most.
const LIMIT_MAX: usize = 1000;
/// Characters of the reason of a kick.
const REASON_CHARACTERS_MAX: usize = 200;
/// Characters of a notice or a message.
const TEXT_CHARACTERS_MAX: usize = 1000;

/// The head of the description.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "tickwire's admin side",
        description = "Every request bears the admin token: `Authorization: Bearer TOKEN`. A refusal is \
            `{\"code\", \"text\"}` with a status of 4xx."
    ),
    tags(
        (name = "server", description = "The server as a whole"),
        (name = "rooms", description = "Rooms"),
        (name = "players", description = "Sessions, which are players, spectators and those in no room")
    )
)]
struct Description;

/// All routes, those of `/v1` with their description at `/v1/openapi.json`.
pub(super) fn router() -> Router<Arc<dyn AdministeredServer>> {
    let (routes, description) = described();
    let json = description.to_json().unwrap_or_default();
    let described = get(|| async { ([(CONTENT_TYPE, "application/json")], json) });
    routes
        .route("/v1/openapi.json", described)
        .route("/metrics", get(show_metrics))
        .fallback(no_route)
}

/// The routes of `/v1`, and their description.
pub(super) fn described() -> (Router<Arc<dyn AdministeredServer>>, OpenApi) {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(show_server))
        .routes(routes!(show_settings))
        .routes(routes!(send_notice))
        .routes(routes!(list_rooms))
        .routes(routes!(show_room))
        .routes(routes!(list_players))
        .routes(routes!(kick))
        .routes(routes!(send_message))
        .split_for_parts()
}

async fn no_route() -> AdminRefusal {
    let text = "there is nothing at this address; /v1/openapi.json has all that there is";
    AdminRefusal::new(StatusCode::NOT_FOUND, "NoSuchRoute", text)
}

/// Counts, in the text that Prometheus reads.
async fn show_metrics(State(server): Administered) -> impl IntoResponse {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::text(server.sample()))
}

/// The server as a whole.
#[utoipa::path(get, path = "/v1/server", tag = "server", responses((status = OK, body = ServerView)))]
async fn show_server(State(server): Administered) -> Json<ServerView> {
    Json(server.server())
}

/// Every setting as it is in force.
#[utoipa::path(get, path = "/v1/settings", tag = "server", responses((status = OK, body = Vec<SettingView>)))]
async fn show_settings(State(server): Administered) -> Json<Vec<SettingView>> {
    Json(server.settings())
}

/// Says something to everyone, or to a room.
#[utoipa::path(
    post, path = "/v1/notices", tag = "server", request_body = NoticeOrder,
    responses(
        (status = NO_CONTENT, description = "It is on its way"),
        (status = BAD_REQUEST, body = AdminRefusal),
        (status = NOT_FOUND, body = AdminRefusal, description = "There is no such room")
    )
)]
async fn send_notice(
    State(server): Administered,
    Extension(HttpPeer(peer)): Extension<HttpPeer>,
    order: Result<Json<NoticeOrder>, JsonRejection>,
) -> Result<StatusCode, AdminRefusal> {
    let NoticeOrder { text, room } = body(order)?;
    check_text(&text, 1, TEXT_CHARACTERS_MAX)?;
    match &room {
        None => server.tell_all(&text),
        Some(room) if !server.tell_room(room, &text).await => {
            return Err(AdminRefusal::no_room(room));
        }
        Some(_) => {}
    }
    audit(peer, "notice", room.as_deref().unwrap_or_default(), &text);
    Ok(StatusCode::NO_CONTENT)
}

/// The rooms, those of no list included.
#[utoipa::path(
    get, path = "/v1/rooms", tag = "rooms", params(RoomsQuery),
    responses((status = OK, body = RoomPage), (status = BAD_REQUEST, body = AdminRefusal))
)]
async fn list_rooms(
    State(server): Administered,
    query: Result<Query<RoomsQuery>, QueryRejection>,
) -> Result<Json<RoomPage>, AdminRefusal> {
    let RoomsQuery { name, tag, order, offset, limit } = asked(query)?;
    let mut rooms = server.rooms();
    rooms.retain(|room| room.name.contains(&name));
    if let Some(tag) = tag {
        rooms.retain(|room| room.tags.contains(&tag));
    }
    rooms.sort_unstable_by(|a, b| match order {
        RoomSorting::Name => a.name.cmp(&b.name),
        RoomSorting::Players => b.players.cmp(&a.players).then_with(|| a.name.cmp(&b.name)),
    });
    let (found, rooms) = page(rooms, offset, limit)?;
    Ok(Json(RoomPage { found, rooms }))
}

/// One room.
#[utoipa::path(
    get, path = "/v1/rooms/{name}", tag = "rooms", params(("name" = String, Path)),
    responses((status = OK, body = RoomView), (status = NOT_FOUND, body = AdminRefusal))
)]
async fn show_room(
    State(server): Administered,
    Path(name): Path<String>,
) -> Result<Json<RoomView>, AdminRefusal> {
    let found = server.rooms().into_iter().find(|room| room.name == name);
    found.map(Json).ok_or_else(|| AdminRefusal::no_room(&name))
}

/// The sessions.
#[utoipa::path(
    get, path = "/v1/players", tag = "players", params(PlayersQuery),
    responses((status = OK, body = PlayerPage), (status = BAD_REQUEST, body = AdminRefusal))
)]
async fn list_players(
    State(server): Administered,
    query: Result<Query<PlayersQuery>, QueryRejection>,
) -> Result<Json<PlayerPage>, AdminRefusal> {
    let PlayersQuery { room, account, name, offset, limit } = asked(query)?;
    let name = name.map(|name| name.to_lowercase());
    let mut players = server.players();
    players.retain(|player| {
        let is_named =
            |name: &String| player.name.as_ref().is_some_and(|it| it.to_lowercase().contains(name));
        room.as_ref().is_none_or(|room| player.room.as_ref() == Some(room))
            && account.as_ref().is_none_or(|account| player.account.as_ref() == Some(account))
            && name.as_ref().is_none_or(is_named)
    });
    let (found, players) = page(players, offset, limit)?;
    Ok(Json(PlayerPage { found, players }))
}

/// Ends a session, which is told the reason. It may come back; a ban keeps it out.
#[utoipa::path(
    post, path = "/v1/players/{player}/kick", tag = "players", params(("player" = u32, Path)),
    request_body = KickOrder,
    responses(
        (status = NO_CONTENT, description = "It ends"),
        (status = BAD_REQUEST, body = AdminRefusal),
        (status = NOT_FOUND, body = AdminRefusal)
    )
)]
async fn kick(
    State(server): Administered,
    Extension(HttpPeer(peer)): Extension<HttpPeer>,
    Path(player): Path<u32>,
    order: Result<Json<KickOrder>, JsonRejection>,
) -> Result<StatusCode, AdminRefusal> {
    let KickOrder { reason } = body(order)?;
    check_text(&reason, 0, REASON_CHARACTERS_MAX)?;
    if !server.kick(player, &reason) {
        return Err(AdminRefusal::no_player(player));
    }
    audit(peer, "kick", &player.to_string(), &reason);
    Ok(StatusCode::NO_CONTENT)
}

/// Says something to one session.
#[utoipa::path(
    post, path = "/v1/players/{player}/message", tag = "players", params(("player" = u32, Path)),
    request_body = MessageOrder,
    responses(
        (status = NO_CONTENT, description = "It is on its way"),
        (status = BAD_REQUEST, body = AdminRefusal),
        (status = NOT_FOUND, body = AdminRefusal)
    )
)]
async fn send_message(
    State(server): Administered,
    Extension(HttpPeer(peer)): Extension<HttpPeer>,
    Path(player): Path<u32>,
    order: Result<Json<MessageOrder>, JsonRejection>,
) -> Result<StatusCode, AdminRefusal> {
    let MessageOrder { text } = body(order)?;
    check_text(&text, 1, TEXT_CHARACTERS_MAX)?;
    if !server.tell(player, &text) {
        return Err(AdminRefusal::no_player(player));
    }
    audit(peer, "message", &player.to_string(), &text);
    Ok(StatusCode::NO_CONTENT)
}

/// A line in the log for each change.
fn audit(peer: SocketAddr, action: &str, target: &str, text: &str) {
    tracing::info!(target: "tickwire_server::audit", %peer, action, target, text, "admin");
}

fn body<T>(order: Result<Json<T>, JsonRejection>) -> Result<T, AdminRefusal> {
    order
        .map(|Json(order)| order)
        .map_err(|error| AdminRefusal::new(error.status(), "RequestInvalid", error.body_text()))
}

fn asked<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, AdminRefusal> {
    query.map(|Query(query)| query).map_err(|error| AdminRefusal::invalid(error.body_text()))
}

fn check_text(text: &str, least: usize, most: usize) -> Result<(), AdminRefusal> {
    match (least..=most).contains(&text.chars().count()) {
        true => Ok(()),
        false => Err(AdminRefusal::invalid(format!("give {least} to {most} characters"))),
    }
}

/// A part of a list, and the length of the whole.
fn page<T>(
    all: Vec<T>,
    offset: usize,
    limit: Option<usize>,
) -> Result<(usize, Vec<T>), AdminRefusal> {
    let limit = limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(AdminRefusal::invalid(format!("limit is 1 to {LIMIT_MAX}")));
    }
    Ok((all.len(), all.into_iter().skip(offset).take(limit).collect()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_reference_of_the_admin_side_is_of_these_routes() {
        let (_, description) = described();
        let text = description.to_pretty_json().unwrap() + "\n";
        let path = "../docs/src/reference/admin.openapi.json";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("TICKWIRE_WRITE_REFERENCE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let is = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(is == text, "run `cargo xtask reference`: {} is of other code", path.display());
    }
}
