//! Reasons why no session was opened.

use tickwire_shared::control::CloseCode;

use crate::session::SessionError;

/// The reason why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address cannot be used.
    #[error("cannot connect to \"{target}\": {reason}")]
    Target {
        /// The address as given.
        target: String,
        /// The mistake and the correct form.
        reason: String,
    },
    /// This machine gave no socket, or its certificates are unreadable.
    #[error("cannot open a connection from this machine: {0}")]
    Local(String),
    /// Nobody answered, or the handshake failed.
    #[error(
        "no server answers at {target}: {reason}; check the address, and that {} is not blocked",
        protocol_of(.target)
    )]
    Unreachable {
        /// The address as given.
        target: String,
        /// The transport's own message.
        reason: String,
    },
    /// The server closed the session before its welcome.
    #[error("the server refused the session: {text}")]
    Refused {
        /// The reason.
        code: CloseCode,
        /// The reason and the remedy, as text.
        text: String,
    },
    /// The server's answer cannot be understood.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// The protocol that the network must let through to reach `target`.
fn protocol_of(target: &str) -> &'static str {
    if target.starts_with("ws") { "TCP" } else { "UDP" }
}
