//! The tickwire protocol: what a server and its clients must agree on, and nothing else.
//!
//! This crate is pure: it never awaits, reads a clock, draws randomness or touches a socket, and it
//! builds for `wasm32-unknown-unknown`. Read it in this order:
//!
//! 1. [`simulation`]: the game, as its author writes it;
//! 2. [`schema`] and [`quantize`]: a value as a table of integer lanes; [`compatibility`]: whether two sides' tables fit;
//! 3. [`bits`] and [`delta`]: lanes as bits, against a baseline; [`model`]: by codes trained for a game;
//! 4. [`snapshot`] and [`input`]: the two datagrams;
//! 5. [`control`]: the frames of the reliable streams, and every way a session can end.
//! 6. [`websocket`]: all of it over one TCP connection.
//!
//! The bytes are drawn in `shared/README.md`.

// The derives name this crate by its full path; inside the crate itself that path is this alias.
extern crate self as tickwire_shared;

mod class_code;
mod lane_layout;
mod lane_stream;
mod marks;
mod rotation;
mod tick;

pub mod bits;
pub mod compatibility;
pub mod control;
pub mod delta;
pub mod history;
pub mod input;
pub mod model;
pub mod predict;
pub mod quantize;
pub mod replica;
pub mod rewind;
pub mod schema;
pub mod simulation;
pub mod slots;
pub mod snapshot;
pub mod websocket;

pub use glam;
pub use serde;
pub use simulation::{
    Audience, Capture, EntityId, Inputs, LeaveReason, NewPlayer, NewRoom, NoCommand, NoEvent,
    Options, Outbox, OutboxEvent, PlayerId, Simulation, UnreliableOutbox, View, Viewer,
};
pub use tick::{GAP_TICKS_MAX, Tick};
pub use tickwire_derive::{Input, Replicate, game, state};

/// The version of everything on the wire. A peer with another version is told so and closed.
pub const PROTOCOL_VERSION: u8 = 2;
