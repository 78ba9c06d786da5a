//! What a client reports, and what it shows.

use tickwire_shared::control::{CloseCode, ServerChat, ServerFrame};
use tickwire_shared::{EntityId, Tick};

use crate::session::{ConnectionEvent, TopicEvent};

/// An event of the session or of the game.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent<E> {
    /// Session control: joined, left, members, refusals, notices.
    Control(ServerFrame),
    /// Chat.
    Chat(ServerChat),
    /// A game event, confirmed by the server and not predicted.
    Game {
        /// The room's tick at which it happened.
        tick: Tick,
        /// The event.
        event: E,
    },
    /// A predicted game event. When the server confirms it, no second event follows.
    Predicted {
        /// The room's tick for which it was predicted.
        tick: Tick,
        /// The event.
        event: E,
    },
    /// A predicted event that did not happen.
    Cancelled {
        /// The room's tick for which it was predicted.
        tick: Tick,
        /// The event.
        event: E,
    },
    /// Nothing is predicted in the room just joined, although [`Client::predict`](crate::Client::predict) asked for it:
    /// this build's rules differ from the server's.
    NotPredicted {
        /// The difference and the remedy, for the game's author.
        text: String,
    },
    /// The room's static data under a key: how much of it is here. [`Client::static_data`](crate::Client::static_data) has it
    /// once that is all of it. It begins with 0, also when all of it was replaced; a total of 0 means that there is none
    /// any more.
    StaticData {
        /// The game's own number for it.
        key: u8,
        /// Bytes received.
        received: usize,
        /// Bytes in all.
        total: usize,
    },
    /// A part of the static data changed.
    StaticChanged {
        /// The game's own number for it.
        key: u8,
        /// The part's first byte.
        offset: usize,
        /// Bytes of the part.
        length: usize,
    },
    /// Of a subscription to topics: [`Client::subscribe`](crate::Client::subscribe).
    Topic(TopicEvent),
    /// The connection was lost, and what becomes of it. What was asked is asked again once the session resumes; nothing is
    /// done twice.
    Connection(ConnectionEvent),
    /// The session is over.
    Over {
        /// The reason.
        code: CloseCode,
        /// The reason and the remedy, as text.
        text: String,
    },
}

/// An entity as it is shown now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen<E> {
    /// The game's id.
    pub id: EntityId,
    /// This client owns it.
    pub mine: bool,
    /// How far it has faded in, 0 to 1. It fades in when it comes into view and out when it leaves.
    pub presence: f32,
    /// Its state, placed by its [`Mode`](crate::session::Mode). By default numbers are interpolated between two received
    /// states.
    pub entity: E,
}
