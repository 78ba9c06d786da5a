//! The records of the store, in postcard. A change of their shape is a new version of the store.

use serde::{Deserialize, Serialize};
use tickwire_shared::PlayerId;
use tickwire_shared::control::{ChatMessage, RequestId};

use crate::room::{NewProfile, SavedProfile};

/// The version of the format.
pub(super) const VERSION: u64 = 2;
/// The version before: without profiles. A server that opens such a store makes it one of this version.
pub(super) const VERSION_BEFORE: u64 = 1;

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

/// A profile; its game and account are its key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredProfile {
    /// The number of the stay that saved it.
    pub(super) fence: u64,
    /// The step that saved it.
    pub(super) tick: u32,
    /// The game's version of it.
    pub(super) version: u32,
    /// The time of the save, in milliseconds since 1970.
    pub(super) saved_ms: u64,
    /// The game's type as JSON.
    pub(super) json: String,
}

impl StoredProfile {
    pub(super) fn new(new: &NewProfile, saved_ms: u64) -> Self {
        let SavedProfile { version, json } = &new.profile;
        StoredProfile {
            fence: new.fence,
            tick: new.tick.0,
            version: *version,
            saved_ms,
            json: json.0.clone(),
        }
    }

    /// The profile as rooms get it.
    pub(super) fn profile(self) -> SavedProfile {
        SavedProfile { version: self.version, json: self.json.into() }
    }
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
