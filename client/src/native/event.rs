//! What a client is told, and what it shows.

use tickwire_shared::control::{CloseCode, ServerChat, ServerFrame};
use tickwire_shared::{EntityId, Tick};

use crate::session::ConnectionEvent;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent<E> {
    /// Session control: joined, left, members, refusals, notices.
    Control(ServerFrame),
    /// Chat.
    Chat(ServerChat),
    /// Something that happened once in the game, by the server's word, and was not predicted.
    Game {
        /// When, by the room's ticks.
        tick: Tick,
        /// What.
        event: E,
    },
    /// Something that happened once in the game as far as this client can tell: the server's own word of it
    /// does not follow.
    Predicted {
        /// When, by the room's ticks.
        tick: Tick,
        /// What.
        event: E,
    },
    /// Something that was predicted and did not happen.
    Cancelled {
        /// When, by the room's ticks.
        tick: Tick,
        /// What.
        event: E,
    },
    /// Nothing is predicted in the room just joined, though [`Client::predict`] asked for it: the rules of this
    /// build are not the server's.
    NotPredicted {
        /// What differs and what to do, for the game's author.
        text: String,
    },
    /// The room's static data under a key: how much of it is here. [`Client::static_data`] has it once that is all of
    /// it. It begins with 0, also where all of it is another; 0 in all is none any more.
    StaticData {
        /// The game's own number for it.
        key: u8,
        /// Bytes that are here.
        received: usize,
        /// Bytes in all.
        total: usize,
    },
    /// A part of it is another.
    StaticChanged {
        /// The game's own number for it.
        key: u8,
        /// Where the part begins.
        offset: usize,
        /// Bytes of it.
        length: usize,
    },
    /// The connection was lost, and what becomes of it. What was asked is asked again once the session resumes; nothing is
    /// done twice.
    Connection(ConnectionEvent),
    /// The session is over.
    Over {
        /// Why.
        code: CloseCode,
        /// Why and what to do.
        text: String,
    },
}

/// An entity as it is to be shown now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen<E> {
    /// The game's id.
    pub id: EntityId,
    /// This client owns it.
    pub mine: bool,
    /// How much of it is there, 0 to 1: it fades in where it comes into view, and out where it leaves it.
    pub presence: f32,
    /// Its state as its [`Mode`] has it, by default between two received ones where a field is a number.
    pub entity: E,
}
