//! The core's answers as plain JavaScript objects, and queries read from them.

use std::time::Duration;

use tickwire_shared::control::{
    ChatMessage, Member, RefuseCode, RequestId, RoomInfo, RoomOrder, RoomQuery, ServerChat,
};
use tickwire_shared::schema::{ChoiceSchema, FieldSchema, KindSchema, Schema};
use tickwire_shared::{PlayerId, Tick};
use wasm_bindgen::prelude::*;

use super::js::{Array, Object, get_field, parse_json, set_field};
use crate::session::ConnectionEvent;
use crate::session::component::components;

pub(super) fn chat_object(chat: &ServerChat) -> JsValue {
    match chat {
        ServerChat::Message(message) => typed("chat", &message_fields(message)),
        ServerChat::Notice { id, time_ms, text } => {
            let fields = [
                ("id", (*id as f64).into()),
                ("timeMs", (*time_ms as f64).into()),
                ("text", text.into()),
            ];
            typed("chatNotice", &fields)
        }
        ServerChat::Refused { request, code, text } => {
            refused_object("chatRefused", *request, *code, text)
        }
        ServerChat::Sent { request, id, is_saved } => {
            let id = (*id as f64).into();
            let fields =
                [("request", request.0.into()), ("id", id), ("isSaved", (*is_saved).into())];
            typed("chatSent", &fields)
        }
        ServerChat::History { request, room, messages, has_older } => {
            let messages: Array =
                messages.iter().map(|message| object(&message_fields(message))).collect();
            let fields = [
                ("request", request.map_or(JsValue::UNDEFINED, |request| request.0.into())),
                ("room", room.into()),
                ("messages", messages.into()),
                ("hasOlder", (*has_older).into()),
            ];
            typed("chatHistory", &fields)
        }
    }
}

fn message_fields(message: &ChatMessage) -> [(&'static str, JsValue); 7] {
    [
        ("request", message.request.0.into()),
        ("id", (message.id as f64).into()),
        ("timeMs", (message.time_ms as f64).into()),
        ("from", message.from.0.into()),
        ("name", (&message.name).into()),
        ("to", player_or_none(message.to)),
        ("text", (&message.text).into()),
    ]
}

pub(super) fn connection_object(state: ConnectionEvent) -> JsValue {
    let ms = |time: Duration| JsValue::from(time.as_secs_f64() * 1000.0);
    match state {
        ConnectionEvent::Reconnecting { attempt, wait } => {
            typed("reconnecting", &[("attempt", attempt.into()), ("inMs", ms(wait))])
        }
        ConnectionEvent::Resumed { attempts, lost_for } => {
            typed("resumed", &[("attempts", attempts.into()), ("lostForMs", ms(lost_for))])
        }
        ConnectionEvent::Moved => typed("moved", &[]),
    }
}

pub(super) fn joined_object(
    room: &RoomInfo,
    tick: Tick,
    spectator: bool,
    host: Option<PlayerId>,
    members: &[Member],
) -> JsValue {
    let fields = [
        ("room", room_object(room)),
        ("tick", tick.0.into()),
        ("spectator", spectator.into()),
        ("host", player_or_none(host)),
        ("members", members.iter().map(member_object).collect::<Array>().into()),
    ];
    typed("joined", &fields)
}

pub(super) fn refused_object(
    name: &str,
    request: RequestId,
    code: RefuseCode,
    text: &str,
) -> JsValue {
    let (code, game_code) = match code {
        RefuseCode::ByGame(code) => ("ByGame".into(), code.into()),
        code => (format!("{code:?}").into(), JsValue::UNDEFINED),
    };
    let fields = [
        ("request", request.0.into()),
        ("code", code),
        ("gameCode", game_code),
        ("text", text.into()),
    ];
    typed(name, &fields)
}

pub(super) fn player_or_none(player: Option<PlayerId>) -> JsValue {
    player.map_or(JsValue::UNDEFINED, |player| player.0.into())
}

pub(super) fn room_object(room: &RoomInfo) -> JsValue {
    object(&[
        ("name", (&room.name).into()),
        ("players", room.players.into()),
        ("playersMax", room.players_max.into()),
        ("bots", room.bots.into()),
        ("spectators", room.spectators.into()),
        ("full", room.is_full().into()),
        ("needsPassword", room.needs_password.into()),
        ("tags", room.tags.iter().map(JsValue::from).collect::<Array>().into()),
        ("metadata", metadata_value(&room.metadata)),
    ])
}

/// The value of the JSON; undefined if it is empty or a page could not read it.
fn metadata_value(metadata: &str) -> JsValue {
    parse_json(metadata).unwrap_or(JsValue::UNDEFINED)
}

/// A query from a plain object; missing fields have their defaults.
pub(super) fn query_of(query: &JsValue) -> RoomQuery {
    let field = |name: &str| get_field(query, name).unwrap_or_default();
    let text = |name: &str| field(name).as_string().unwrap_or_default();
    let order = match text("order").as_str() {
        "emptiest" => RoomOrder::Emptiest,
        "name" => RoomOrder::Name,
        _ => RoomOrder::Fullest,
    };
    RoomQuery {
        tag: text("tag"),
        name_prefix: text("namePrefix"),
        has_seat: field("hasSeat").is_truthy(),
        no_password: field("noPassword").is_truthy(),
        order,
    }
}

pub(super) fn member_object(member: &Member) -> JsValue {
    object(&[
        ("player", member.player.0.into()),
        ("name", (&member.name).into()),
        ("spectator", member.spectator.into()),
        ("bot", member.bot.into()),
    ])
}

pub(super) fn schema_object(schema: &Schema) -> JsValue {
    let kinds = |kinds: &[KindSchema]| -> JsValue {
        kinds.iter().map(kind_object).collect::<Array>().into()
    };
    object(&[
        ("game", (&schema.game).into()),
        ("tickHz", schema.tick_hz.into()),
        ("input", kind_object(&schema.input)),
        ("entities", kinds(&schema.entities)),
        ("events", kinds(&schema.events)),
        ("commands", kinds(&schema.commands)),
    ])
}

fn kind_object(kind: &KindSchema) -> JsValue {
    let fields: Array = kind.fields.iter().map(field_object).collect();
    object(&[("name", (&kind.name).into()), ("fields", fields.into())])
}

fn field_object(field: &FieldSchema) -> JsValue {
    let (min, max) = field.ty.range();
    object(&[
        ("name", (&field.name).into()),
        ("type", field.ty.name().into()),
        ("components", (components(field) as u32).into()),
        ("optional", field.values.is_optional().into()),
        (
            "length",
            field.values.length().map_or(JsValue::UNDEFINED, |length| u32::from(length).into()),
        ),
        ("min", min.into()),
        ("max", max.into()),
        ("step", field.ty.step().into()),
        ("ownerOnly", field.owner_only.into()),
        ("choice", field.choice.as_ref().map_or(JsValue::UNDEFINED, choice_object)),
    ])
}

fn choice_object(choice: &ChoiceSchema) -> JsValue {
    let variants: Array = choice.variants.iter().map(JsValue::from).collect();
    object(&[("name", (&choice.name).into()), ("variants", variants.into())])
}

pub(super) fn typed(name: &str, fields: &[(&str, JsValue)]) -> JsValue {
    let value = object(fields);
    set(&value, "type", &name.into());
    value
}

pub(super) fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let value: JsValue = Object::new().into();
    for (name, field) in fields {
        set(&value, name, field);
    }
    value
}

pub(super) fn set(value: &JsValue, name: &str, field: &JsValue) {
    set_field(value, name, field).expect("a plain object takes any field");
}
