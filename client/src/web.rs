//! The session core for a browser, inside the npm package: bytes in, bytes out; the TypeScript around
//! it owns the transport.

mod js;
mod objects;
mod step;

use std::time::Duration;

use tickwire_shared::PlayerId;
use tickwire_shared::control::{CloseCode, RoomChoice, ServerFrame};
use tickwire_shared::predict::Predict;
use tickwire_shared::replica::Event;
use tickwire_shared::schema::{LANES_MAX, Schema};
use tickwire_shared::simulation::schema_of;
use wasm_bindgen::prelude::*;

use crate::session::component::{components, lanes_of, push_components};
use crate::session::prediction::NumberRules;
use crate::session::{Mode, Session, SessionError, SessionEvent};
use js::{Array, Error, Float64Array, Function, Object, Uint8Array, set_field};
use objects::{
    chat_object, member_object, object, player_or_none, query_of, refused_object, room_object,
    schema_object, set, typed,
};
