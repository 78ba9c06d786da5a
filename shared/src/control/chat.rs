//! The frames of the chat stream.

use serde::{Deserialize, Serialize};

use super::{RefuseCode, RequestId};
use crate::PlayerId;

/// What a client says on the chat stream. Answered by [`ServerChat::Message`] or [`ServerChat::Refused`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientChat {
    /// To everyone in the room.
    Say {
        /// Its number, counted with those of the control stream.
        request: RequestId,
        /// What.
        text: String,
    },
    /// To one member of the room.
    Tell {
        /// Its number, counted with those of the control stream.
        request: RequestId,
        /// Whom.
        player: PlayerId,
        /// What.
        text: String,
    },
}

impl ClientChat {
    /// Its number.
    pub fn request(&self) -> RequestId {
        match self {
            ClientChat::Say { request, .. } | ClientChat::Tell { request, .. } => *request,
        }
    }
}

/// What the server says on the chat stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerChat {
    /// A message; the sender gets its own back.
    Message(ChatMessage),
    /// Someone joined or left, in order with the messages.
    Notice {
        /// Number, counted with the messages.
        id: u64,
        /// Milliseconds since 1970 by the server's clock.
        time_ms: u64,
        /// For a person.
        text: String,
    },
    /// A message was not delivered; the session goes on.
    Refused {
        /// What this answers.
        request: RequestId,
        /// Why.
        code: RefuseCode,
        /// Why and what to do, for a person.
        text: String,
    },
}

/// A chat message as the server stamped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// The sender's number of it. To the sender this is the answer; to others it means nothing.
    pub request: RequestId,
    /// Counted from 1 in each room.
    pub id: u64,
    /// Milliseconds since 1970 by the server's clock.
    pub time_ms: u64,
    /// The sender, as the server knows it.
    pub from: PlayerId,
    /// The sender's display name.
    pub name: String,
    /// `None` for the room, else the one member it is for.
    pub to: Option<PlayerId>,
    /// The text, cleaned of what is not seen.
    pub text: String,
}
