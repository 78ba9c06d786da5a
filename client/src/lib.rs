//! The tickwire client.
//!
//! Natively, `Client` joins the protocol to plain QUIC, WebTransport or a WebSocket and speaks the
//! game's own types. For browsers, `web` is the same core inside the npm package `tickwire`
//! (`client/web`).
//!
//! Both drive [`session`], the whole protocol without I/O: bytes and times go in, bytes come out.
//! An engine with its own sockets does the same:
//!
//! ```
//! use std::time::Duration;
//!
//! use tickwire_client::session::Session;
//!
//! let mut session = Session::new("my-engine 1.0", None);
//! // Each stream begins with its own byte, STREAM_CONTROL or STREAM_CHAT; then come these bytes.
//! let hello = session.take_control();
//! assert!(!hello.is_empty());
//!
//! // What arrives goes to `handle_control`, `handle_chat` and `handle_datagram`. Then, once a frame:
//! session.update(Duration::from_millis(16));
//! while let Some(datagram) = session.poll_datagram() {
//!     println!("send {} bytes", datagram.len());
//! }
//! while let Some(event) = session.poll_event() {
//!     println!("{event:?}");
//! }
//! ```

pub mod session;

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
pub mod web;

#[cfg(not(target_arch = "wasm32"))]
pub use native::{
    Client, ClientEvent, ConnectError, ConnectOptions, DirCache, Seen, StaticCache, Transport,
    Trust,
};
pub use session::{ConnectionEvent, SubscribeOptions, TopicEvent};
