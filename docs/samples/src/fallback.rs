//! A client with two ways to its server.

use tickwire::client::{Client, ConnectError, ConnectOptions};

use crate::tag::Tag;

// ANCHOR: connect
/// Connects over QUIC, or over a WebSocket where the network blocks UDP; `server` is a host and a port.
///
/// # Errors
/// Why neither comes about.
pub async fn connect(server: &str) -> Result<Client<Tag>, ConnectError> {
    let fallback = Some(format!("ws://{server}/ws"));
    let options = ConnectOptions { fallback, ..ConnectOptions::default() };
    Client::connect(&format!("quic://{server}"), options).await
}
// ANCHOR_END: connect
