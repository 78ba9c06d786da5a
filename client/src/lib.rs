//! The tickwire client.
//!
//! [`session`] is the whole protocol with no I/O. `native` joins it to plain QUIC, WebTransport or a
//! WebSocket and gives a game its own types back; `web` is the same core for a browser, inside the npm package
//! `tickwire` (`client/web`).

pub mod session;

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
pub mod web;

#[cfg(not(target_arch = "wasm32"))]
pub use native::{Client, ClientEvent, ConnectError, ConnectOptions, Seen, Transport, Trust};
