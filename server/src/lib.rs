//! The tickwire server: an authoritative fixed-tick game state server over QUIC and WebTransport, one UDP port for
//! both, and over WebSockets where UDP is blocked.
//!
//! A game implements [`tickwire_shared::Simulation`]; its server's `main` is one call of [`run`]. A program that
//! has more to do binds a [`Server`] itself:
//!
//! ```
//! use std::collections::BTreeSet;
//! use std::time::Duration;
//!
//! use tickwire_server::{Server, ServerConfig};
//! use tickwire_shared::{
//!     Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Replicate,
//!     Simulation, game, state,
//! };
//!
//! #[derive(Clone, Copy, Default, PartialEq, Input)]
//! struct Nothing {}
//!
//! #[derive(Clone, Replicate)]
//! struct Guest {}
//!
//! #[state]
//! #[derive(Default)]
//! struct Party(BTreeSet<PlayerId>);
//!
//! #[game]
//! impl Simulation for Party {
//!     const NAME: &'static str = "party";
//!     type Input = Nothing;
//!     type Entity = Guest;
//!
//!     fn new(_room: &NewRoom<Self>) -> Self {
//!         Party::default()
//!     }
//!
//!     fn join(&mut self, player: &NewPlayer<Self>) {
//!         self.0.insert(player.id);
//!     }
//!
//!     fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
//!         self.0.remove(&player);
//!     }
//!
//!     fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {}
//!
//!     fn capture(&self, world: &mut Capture<Guest>) {
//!         for player in &self.0 {
//!             world.show(EntityId::of_player(*player), Guest {}).owned_by(*player);
//!         }
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let certs = tempfile::tempdir()?;
//! let mut config = ServerConfig { listen: "[::1]:0".parse()?, http: false, ..ServerConfig::default() };
//! config.room.players_max = 16;
//! # config.certs_dir = certs.path().to_owned();
//! let server = Server::<Party>::bind(config).await?;
//! println!("players connect to {}", server.local_addr());
//! server.run(tokio::time::sleep(Duration::from_millis(50))).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Every setting is a field of [`ServerConfig`]. Operating a server is described in the book, `docs/src/operating.md`.
//!
//! Read this crate in the walk of an input:
//!
//! 1. `server`: sockets bound, connection attempts judged by `admission` (networks have `shares`, told
//!    apart by `prefix`);
//! 2. `transport`: a connection becomes a session, whichever way it came;
//! 3. `connection`: the session's streams and datagrams, where transport and rooms meet;
//! 4. `rooms`: rooms by name;
//! 5. `scheduler`: rooms ticked at absolute deadlines on threads of their own;
//! 6. [`room`]: what a tick does, with no socket and no clock;
//! 7. [`journal`]: what is kept of it on disk, and how it is run again;
//! 8. [`store`]: chat that outlives rooms and server;
//! 9. `admin`: what an operator sees and changes of all that.
//!
//! [`simulated`] runs all of it from the session up without sockets, threads and clocks.

mod admin;
mod admission;
mod certificates;
pub mod config;
mod connection;
mod counters;
mod guard;
mod handle;
mod handover;
mod http;
mod http_client;
pub mod identity;
pub mod journal;
mod log;
#[cfg(test)]
mod logged;
mod notices;
mod playback;
mod prefix;
mod prefix_rates;
mod process;
pub mod room;
mod rooms;
mod sanctions;
mod scheduler;
mod server;
mod shares;
pub mod simulated;
pub mod store;
mod token_bucket;
mod topics;
mod transport;
mod webhooks;

pub use admin::AdminTokenError;
pub use config::ServerConfig;
pub use handle::{
    PublishError, ReadTopicsOptions, ReaderEnd, ServerHandle, TopicItem, TopicReader, TopicsHandle,
};
pub use http::{Asset, Page, PageError};
pub use notices::Notices;
pub use process::{run, run_with_page, run_with_task, start_log};
pub use server::{Server, ServerError};
pub use topics::{MergedCursor, NoCursor};
pub use transport::{BindError, WebSocketPace};
pub use webhooks::WebhookError;
