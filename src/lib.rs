//! tickwire: an authoritative fixed-tick game state server, and its clients, in one crate.
//!
//! A game is one Rust type that implements [`Simulation`]. The server runs it, every client predicts with it:
//!
//! ```
//! use tickwire::prelude::*;
//!
//! #[derive(Clone, Copy, Default, PartialEq, Input)]
//! struct Keys {
//!     #[replicate(range = -1..=1)]
//!     right: i8,
//! }
//!
//! #[derive(Clone, Replicate)]
//! struct Dot {
//!     #[replicate(range = -100.0..=100.0, step = 0.01)]
//!     pos: Vec2,
//! }
//!
//! #[state]
//! #[derive(Default)]
//! struct Line {
//!     dots: std::collections::BTreeMap<PlayerId, f32>,
//! }
//!
//! #[game]
//! impl Simulation for Line {
//!     const NAME: &'static str = "line";
//!     type Input = Keys;
//!     type Entity = Dot;
//!
//!     fn new(_room: &NewRoom<Self>) -> Self {
//!         Line::default()
//!     }
//!
//!     fn join(&mut self, player: &NewPlayer<Self>) {
//!         self.dots.insert(player.id, 0.0);
//!     }
//!
//!     fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
//!         self.dots.remove(&player);
//!     }
//!
//!     fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
//!         for (player, keys) in inputs.iter() {
//!             *self.dots.entry(player).or_default() += f32::from(keys.right) * 20.0 / Self::TICK_HZ as f32;
//!         }
//!     }
//!
//!     fn capture(&self, world: &mut Capture<Dot>) {
//!         for (player, x) in &self.dots {
//!             let pos = Vec2::new(*x, 0.0);
//!             world.show(EntityId::of_player(*player), Dot { pos }).owned_by(*player).at(pos);
//!         }
//!     }
//! }
//!
//! // The whole `main` of a server.
//! fn serve() -> std::process::ExitCode {
//!     tickwire::run::<Line>()
//! }
//!
//! // A step needs no server: a test of the rules is a plain function.
//! let mut line = Line::new(&NewRoom::with_seed(1));
//! line.join(&NewPlayer::named(PlayerId(1), "Ann"));
//! let inputs = [(PlayerId(1), Keys { right: 1 })];
//! line.step(&Inputs::new(Tick(1), &inputs), &mut Outbox::default());
//! assert!(line.dots[&PlayerId(1)] > 0.0);
//! ```
//!
//! # What is where
//!
//! | for | see |
//! | --- | --- |
//! | the rules | [`prelude`], which has all that most games name; [`Simulation`], whose methods say when each is called |
//! | fields of inputs, entities, events and commands | [`Replicate`](macro@Replicate), [`Input`](macro@Input), [`text`], vectors of [`glam`] |
//! | the state, and options of rooms and joins | [`macro@state`]; attributes of [`serde`] |
//! | rooms and players | [`NewRoom`], [`NewPlayer`], [`RoomPolicy`], [`Refusal`] |
//! | who sees what | [`View`], [`Groups`], [`Captured`] |
//! | prediction by clients | [`predict`]; [`web_rules!`] has a page predict by the rules |
//! | lag compensation | [`rewind`] |
//! | a program that serves | [`run`], [`run_with_page`], [`run_with_task`]; [`server`] for one within a program of your own, and for its settings |
//! | native clients, bots, tests | `client`, and `control` for what it is answered; both need the feature `client` |
//!
//! The book, `docs/` in the repository, has a tutorial and a page for each task.
//!
//! # Features
//!
//! `server` (default) is the server; `client` is the Rust client, for bots and native clients.
//! Neither is needed for the rules alone, which build for `wasm32-unknown-unknown`.

#[doc(inline)]
pub use tickwire_shared::{
    Account, Area, Audience, Capture, Captured, EntityId, EntityIds, Groups, Input, Inputs,
    LeaveReason, MigrateError, NewPlayer, NewRoom, NoCommand, NoEvent, NoGame, Outbox, OutboxEvent,
    PlayerId, Position, Refusal, Replicate, RoomPolicy, SaveOutcome, ScoreBoard, ScoreRule,
    Simulation, StaticData, Text, Tick, View, Viewer, game, glam, read_state, serde, state,
};
#[doc(inline)]
pub use tickwire_shared::{predict, rewind, text};

#[doc(hidden)]
pub use tickwire_shared::GAP_TICKS_MAX;

// The derives name it; a game has no need to.
#[doc(hidden)]
pub use tickwire_shared as shared;

#[doc(hidden)]
#[cfg(target_arch = "wasm32")]
pub use wasm_bindgen;

/// What a client and a server say to each other beside the world: rooms, members, chat, and why a session ends.
#[cfg(feature = "client")]
#[doc(inline)]
pub use tickwire_shared::control;

/// The client: a session with a server, natively over QUIC, WebTransport or a WebSocket, or as the core of a page's wasm.
#[cfg(any(feature = "client", target_arch = "wasm32"))]
pub use tickwire_client as client;

/// The server, its configuration, and the room as a core without sockets or clocks.
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub use tickwire_server as server;

#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub use tickwire_server::{run, run_with_page, run_with_task};

/// Has browsers predict by the rules of a game that implements [`Predict`](predict::Predict): one line at the end of its library.
///
/// It exports what a page's `connect` takes as `core`. `npx tickwire wasm`, or the plugin for Vite, builds the library for
/// browsers. For any other machine the line is nothing.
///
/// ```
/// # use tickwire::prelude::*;
/// # #[derive(Clone, Copy, Default, PartialEq, Input)]
/// # struct Keys { right: bool }
/// # #[derive(Clone, Default, Replicate)]
/// # struct Dot { #[replicate(range = 0.0..=9.0, step = 0.1)] x: f32 }
/// # #[state]
/// # #[derive(Default)]
/// # struct Line;
/// # #[game]
/// # impl Simulation for Line {
/// #     const NAME: &'static str = "line";
/// #     type Input = Keys;
/// #     type Entity = Dot;
/// #     fn new(_: &NewRoom<Self>) -> Self { Line }
/// #     fn join(&mut self, _: &NewPlayer<Self>) {}
/// #     fn leave(&mut self, _: PlayerId, _: LeaveReason) {}
/// #     fn step(&mut self, _: &Inputs<Self>, _: &mut Outbox<Self>) {}
/// #     fn capture(&self, _: &mut Capture<Dot>) {}
/// # }
/// impl PredictEntity for Line {
///     fn predict_step(dot: &mut Dot, keys: Keys, _tick: &mut PredictedStep<'_, Self>) {
///         dot.x = (dot.x + f32::from(u8::from(keys.right))).min(9.0);
///     }
/// }
///
/// tickwire::web_rules!(Line);
/// ```
#[macro_export]
// It indents the attribute further each time.
#[rustfmt::skip]
macro_rules! web_rules {
    ($game:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[$crate::wasm_bindgen::prelude::wasm_bindgen(js_name = tickwireCore, wasm_bindgen = $crate::wasm_bindgen)]
            pub fn tickwire_core(client: &str) -> $crate::client::web::Core {
                $crate::client::web::Core::predicting::<$game>(client)
            }
        };
    };
}

/// What the rules of a game are written with.
pub mod prelude {
    pub use tickwire_shared::glam::{Quat, Vec2, Vec3};
    pub use tickwire_shared::predict::{Predict, PredictEntity, PredictedStep};
    pub use tickwire_shared::{
        Account, Area, Audience, Capture, EntityId, EntityIds, Groups, Input, Inputs, LeaveReason,
        MigrateError, NewPlayer, NewRoom, NoCommand, NoEvent, Outbox, PlayerId, Refusal, Replicate,
        RoomPolicy, SaveOutcome, ScoreBoard, Simulation, StaticData, Text, Tick, View, Viewer,
        game, read_state, state,
    };
}
