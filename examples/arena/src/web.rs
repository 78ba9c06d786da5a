//! The page's module: the client's core with these rules for prediction.

use tickwire_client::web::Core;
use wasm_bindgen::prelude::*;

use crate::rules::Arena;
use crate::script;

// ANCHOR: core
/// A core that predicts the own ship and its shots. `client` is the name in the server's log.
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
