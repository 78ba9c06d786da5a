//! An authoritative fixed-tick game state server over QUIC and WebTransport, one UDP port for both, and
//! over WebSockets where UDP is blocked.
//!
//! A game implements [`tickwire_shared::Simulation`]; its server's `main` is one call of [`run`].
//! Read this crate in the way of an input:
//!
//! 1. `server`: sockets bound, connection attempts judged by `admission` (networks have `shares`, told
//!    apart by `prefix`);
//! 2. `transport`: a connection becomes a session, whichever way it came;
//! 3. `connection`: the session's streams and datagrams, where transport and rooms meet;
//! 4. `rooms`: rooms by name;
//! 5. `scheduler`: rooms ticked at absolute deadlines on threads of their own;
//! 6. [`room`]: what a tick does, with no socket and no clock.

mod admission;
mod certificates;
pub mod config;
mod connection;
mod counters;
mod http;
mod log;
mod prefix;
mod process;
pub mod room;
mod rooms;
mod scheduler;
mod server;
mod shares;
mod token_bucket;
mod transport;

pub use config::ServerConfig;
pub use http::{Asset, Page, PageError};
pub use process::{run, run_with_page, start_log};
pub use server::{Server, ServerError};
pub use transport::{BindError, WebSocketPace};
