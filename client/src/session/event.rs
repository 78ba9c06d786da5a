//! What a session tells its caller.

use tickwire_shared::compatibility::SchemaError;
use tickwire_shared::control::{CloseCode, FrameError, ServerChat, ServerFrame};
use tickwire_shared::replica::Event;

/// Something the caller should know.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// A frame of the control stream, already taken into account. Keyframes, and that the world begins anew, are
    /// not told.
    Control(ServerFrame),
    /// A frame of the chat stream.
    Chat(ServerChat),
    /// Something that happened once in the game, by the server's word, and was not predicted.
    Game(Event),
    /// Something that happened once in the game as far as this client can tell: the server's own word of it
    /// is not told.
    Predicted(Event),
    /// Something that was predicted and did not happen.
    Cancelled(Event),
    /// The session is over; nothing more will come.
    Over {
        /// Why.
        code: CloseCode,
        /// Why and what to do, for a person.
        text: String,
    },
}

/// Why a server cannot be understood. The session is over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SessionError {
    /// A frame that cannot be read.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The server's schema does not fit, or cannot be used.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A part of a keyframe that cannot be read.
    #[error("the server sent a keyframe that cannot be read; update the client")]
    Keyframe,
    /// A frame that may not come now.
    #[error("the server sent {what} at the wrong moment; update the client")]
    Unexpected {
        /// What came.
        what: &'static str,
    },
}

impl SessionError {
    /// The code the connection is closed with.
    pub fn close_code(&self) -> CloseCode {
        match self {
            SessionError::Frame(error) => error.close_code(),
            SessionError::Schema(_) => CloseCode::SchemaMismatch,
            SessionError::Keyframe | SessionError::Unexpected { .. } => CloseCode::ServerMisbehaved,
        }
    }
}
