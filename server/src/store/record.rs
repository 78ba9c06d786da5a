//! The records of the store, in postcard. A change of their shape is a new version of the store.

use serde::{Deserialize, Serialize};
use tickwire_shared::PlayerId;
use tickwire_shared::control::{ChatMessage, RequestId};

/// The version of the format.
pub(super) const VERSION: u64 = 1;

/// A message; its room and number are its key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredMessage {
    /// Milliseconds since 1970.
    time_ms: u64,
    /// The sender's number on the server of that time.
    from: u32,
    name: String,
    text: String,
}

/// A room's line; its name is its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RoomHead {
    /// The number of its newest message.
    pub(super) last_id: u64,
    /// Its messages in the store.
    pub(super) messages: u64,
    /// The time of its newest message, in milliseconds since 1970.
    pub(super) used_ms: u64,
}

impl StoredMessage {
    pub(super) fn new(message: &ChatMessage) -> Self {
        StoredMessage {
            time_ms: message.time_ms,
            from: message.from.0,
            name: message.name.clone(),
            text: message.text.clone(),
        }
    }

    /// The message as clients get it, with its number.
    pub(super) fn message(self, id: u64) -> ChatMessage {
        let StoredMessage { time_ms, from, name, text } = self;
        let (request, from) = (RequestId(0), PlayerId(from));
        ChatMessage { request, id, time_ms, from, name, to: None, text }
    }
}
