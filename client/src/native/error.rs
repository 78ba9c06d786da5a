//! Why a session was not opened.

use tickwire_shared::control::CloseCode;

use crate::session::SessionError;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address cannot be used.
    #[error("cannot connect to \"{target}\": {reason}")]
    Target {
        /// The address as given.
        target: String,
        /// What is wrong and what to write.
        reason: String,
    },
    /// This machine gave no socket, or its certificates cannot be read.
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
        /// The transport's own words.
        reason: String,
    },
    /// The server closed the session before its welcome.
    #[error("the server refused the session: {text}")]
    Refused {
        /// Why.
        code: CloseCode,
        /// Why and what to do.
        text: String,
    },
    /// The server cannot be understood.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// What must get through to a target.
fn protocol_of(target: &str) -> &'static str {
    if target.starts_with("ws") { "TCP" } else { "UDP" }
}
