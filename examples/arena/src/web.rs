//! The module of the page: the client's core with these rules to predict by.

use tickwire_client::web::Core;
use wasm_bindgen::prelude::*;

use crate::rules::Arena;
use crate::script;

// ANCHOR: core
/// A core that predicts the own ship and its shots. `client` is for the server's log.
#[wasm_bindgen(js_name = arenaCore)]
pub fn arena_core(client: &str) -> Core {
    Core::predicting::<Arena>(client)
}
// ANCHOR_END: core

/// The hash of [`script::play`], in hexadecimal.
#[wasm_bindgen(js_name = scriptHash)]
pub fn script_hash(ticks: u32) -> String {
    format!("{:016x}", script::play(ticks))
}
