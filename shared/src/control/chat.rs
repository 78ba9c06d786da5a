//! The frames of the chat stream.

use serde::{Deserialize, Serialize};

use super::{RefuseCode, RequestId};
use crate::PlayerId;

/// What a client says on the chat stream. Each is answered exactly once: a message by [`ServerChat::Message`], a request for
/// history by [`ServerChat::History`], either by [`ServerChat::Refused`].
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
    /// Asks for earlier messages to the client's room.
    History {
        /// Its number, counted with those of the control stream.
        request: RequestId,
        /// Only messages with lower numbers; `None` for the newest.
        before: Option<u64>,
        /// Most messages; the server sends 200 at most, and as many as fit a frame.
        count: u16,
    },
}

impl ClientChat {
    /// Its number.
    pub fn request(&self) -> RequestId {
        match self {
            ClientChat::Say { request, .. }
            | ClientChat::Tell { request, .. }
            | ClientChat::History { request, .. } => *request,
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
    /// The server is done with a message to the room: to its sender, at most once, after [`ServerChat::Message`]. A server that
    /// keeps no history says so at once; one that is killed first does not.
    Sent {
        /// The message's request.
        request: RequestId,
        /// The message's number.
        id: u64,
        /// It is on disk, and outlives the server.
        is_saved: bool,
    },
    /// Earlier messages to the room: the newest ones after a join, where there are any, or the answer to
    /// [`ClientChat::History`].
    History {
        /// The request that this answers; `None` after a join.
        request: Option<RequestId>,
        /// The room.
        room: String,
        /// From old to new. Messages that the client has heard may be among them: their numbers tell.
        messages: Vec<ChatMessage>,
        /// There are older ones.
        has_older: bool,
    },
}

/// A chat message as the server stamped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// The sender's number of it. To the sender this is the answer; to others it means nothing.
    pub request: RequestId,
    /// Grows in each room, with gaps. No two messages of a room have the same, not even after a restart where history is kept.
    pub id: u64,
    /// Milliseconds since 1970 by the server's clock.
    pub time_ms: u64,
    /// The sender, as the server knows it. In history, the number that it had then.
    pub from: PlayerId,
    /// The sender's display name.
    pub name: String,
    /// `None` for the room, else the one member it is for.
    pub to: Option<PlayerId>,
    /// The text, cleaned of what is not seen.
    pub text: String,
}
