//! What a tickwire server and its clients agree on: the game's trait and the protocol.
//!
//! A game implements [`Simulation`]; its inputs and entities derive [`Input`](macro@Input) and
//! [`Replicate`](macro@Replicate). A step needs no server, so a test of the rules is a plain function:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use tickwire_shared::{
//!     Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
//!     Simulation, Tick, game, state,
//! };
//!
//! #[derive(Clone, Copy, Default, PartialEq, Input)]
//! struct Keys {
//!     #[replicate(range = -1..=1)]
//!     right: i8,
//! }
//!
//! #[state]
//! #[derive(Clone, Default, Replicate)]
//! struct Runner {
//!     #[replicate(range = 0..=1000)]
//!     place: u16,
//! }
//!
//! #[state]
//! #[derive(Default)]
//! struct Race(BTreeMap<PlayerId, Runner>);
//!
//! #[game]
//! impl Simulation for Race {
//!     const NAME: &'static str = "race";
//!     type Input = Keys;
//!     type Entity = Runner;
//!
//!     fn new(_room: &NewRoom<Self>) -> Self {
//!         Race::default()
//!     }
//!
//!     fn join(&mut self, player: &NewPlayer<Self>) {
//!         self.0.insert(player.id, Runner { place: 500 });
//!     }
//!
//!     fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
//!         self.0.remove(&player);
//!     }
//!
//!     fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
//!         for (player, runner) in &mut self.0 {
//!             runner.place = runner.place.saturating_add_signed(inputs.get(*player).right.into());
//!         }
//!     }
//!
//!     fn capture(&self, world: &mut Capture<Runner>) {
//!         for (player, runner) in &self.0 {
//!             world.show(EntityId::of_player(*player), runner.clone()).owned_by(*player);
//!         }
//!     }
//! }
//!
//! let mut race = Race::new(&NewRoom::with_seed(1));
//! race.join(&NewPlayer::named(PlayerId(7), "Ann"));
//! let inputs = [(PlayerId(7), Keys { right: 1 })];
//! race.step(&Inputs::new(Tick(1), &inputs), &mut Outbox::default());
//! let mut world = Capture::default();
//! race.capture(&mut world);
//! assert_eq!(world.drain().next().unwrap().entity.place, 501);
//! ```
//!
//! This crate is pure: it never awaits, reads a clock, draws randomness or touches a socket, and it
//! builds for `wasm32-unknown-unknown`. Read it in this order:
//!
//! 1. [`simulation`]: the game, as its author writes it;
//! 2. [`schema`] and [`quantize`]: a value as a table of integer lanes; [`text`]: short texts among them;
//!    [`compatibility`]: whether two sides' tables fit;
//! 3. [`bits`] and [`delta`]: lanes as bits, against a baseline; [`model`]: by codes trained for a game;
//! 4. [`snapshot`], [`input`] and [`lossy`]: the datagrams;
//! 5. [`control`]: the frames of the reliable streams, and every way a session can end; [`command`]: what a player asks
//!    of its game on them.
//! 6. [`websocket`]: all of it over one TCP connection;
//! 7. [`correction`]: what a client writes down of its mispredictions.
//!
//! The book describes every byte: `docs/src/protocol`.

// The derives name this crate by its full path; inside the crate itself that path is this alias.
extern crate self as tickwire_shared;

mod class_code;
mod lane_layout;
mod lane_stream;
mod marks;
mod rotation;
mod tick;

pub mod bits;
pub mod command;
pub mod compatibility;
pub mod control;
pub mod correction;
pub mod delta;
pub mod history;
pub mod input;
pub mod lossy;
pub mod model;
pub mod predict;
pub mod quantize;
pub mod replica;
pub mod rewind;
pub mod schema;
pub mod simulation;
pub mod slots;
pub mod snapshot;
pub mod text;
pub mod websocket;

pub use glam;
pub use serde;
#[doc(hidden)]
pub use simulation::StatePart;
pub use simulation::{
    Account, Area, Audience, Capture, Captured, EntityId, EntityIds, Groups, Inputs, LeaveReason,
    MigrateError, NewPlayer, NewRoom, NoCommand, NoEvent, NoGame, Options, Outbox, OutboxEvent,
    PlayerId, Position, Refusal, RoomPolicy, SaveOutcome, ScoreBoard, ScoreRule, Simulation,
    StaticData, StaticEdit, UnreliableOutbox, View, Viewer, read_state,
};
pub use text::Text;
pub use tick::{GAP_TICKS_MAX, Tick};
pub use tickwire_derive::{Input, Replicate, game, state};

/// The version of everything on the wire. A peer with another version is told so and closed.
pub const PROTOCOL_VERSION: u8 = 9;
