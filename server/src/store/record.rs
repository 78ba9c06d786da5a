//! The records of the store, in postcard. A change of their shape is a new version of the store.

use serde::{Deserialize, Serialize};
use tickwire_shared::control::{ChatMessage, RequestId};
use tickwire_shared::{PlayerId, Tick};

use crate::room::{NewProfile, NewScore, SavedProfile};

/// The version of the format.
pub(super) const VERSION: u64 = 4;
/// The first version: it has no profiles, version 2 no score boards, and version 3 no topics. A server that opens a store of a version before makes
/// it one of this version.
pub(super) const VERSION_FIRST: u64 = 1;

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

/// The score of an account on a board in a period; game, board, period and account are its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredScore {
    pub(super) score: i64,
    /// Its place in the board's order.
    pub(super) place: u64,
    /// Of entries at one place, the one with the lower number is ahead.
    pub(super) number: u64,
    /// The account's display name.
    pub(super) name: String,
    /// The time since which it has this score, in milliseconds since 1970.
    pub(super) since_ms: u64,
    /// The room that scored last, by its seed, and its step and player.
    room_seed: u64,
    tick: u32,
    player: u32,
}

impl StoredScore {
    pub(super) fn new(
        new: &NewScore,
        score: i64,
        (place, number): (u64, u64),
        since_ms: u64,
    ) -> Self {
        let NewScore { player, name, room_seed, tick, .. } = new;
        StoredScore {
            score,
            place,
            number,
            name: name.clone(),
            since_ms,
            room_seed: *room_seed,
            tick: tick.0,
            player: player.0,
        }
    }

    /// The same after another step that came to the same score.
    pub(super) fn renewed(self, new: &NewScore) -> Self {
        let StoredScore { score, place, number, since_ms, .. } = self;
        StoredScore::new(new, score, (place, number), since_ms)
    }

    /// True if this step of the room, or a later one, is in the score: the room was set back by a kill since.
    pub(super) fn has_counted(&self, new: &NewScore) -> bool {
        let ticks = new.tick.since(Tick(self.tick));
        self.room_seed == new.room_seed && (ticks < 0 || ticks == 0 && new.player.0 <= self.player)
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
