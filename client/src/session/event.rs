//! Events that a session reports to its caller.

use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::compatibility::SchemaError;
use tickwire_shared::control::{
    CloseCode, FrameError, ServerChat, ServerFrame, SubscriptionId, TopicMessage,
};
use tickwire_shared::replica::Event;

/// What becomes of a lost connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// The connection was lost, or an attempt to resume the session over another one failed; another follows.
    Reconnecting {
        /// Which attempt follows, from 1.
        attempt: u32,
        /// After which time.
        wait: Duration,
    },
    /// The session goes on over another connection, in the same room and seat.
    Resumed {
        /// How many attempts it took.
        attempts: u32,
        /// For how long there was no connection.
        lost_for: Duration,
    },
    /// Another transport carries the session: after `Resumed`, or alone where its connection was opened while the one before
    /// still worked.
    Moved,
}

/// What a subscription to topics brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicEvent {
    /// The session follows a topic from now on, as it matches the subscription's pattern.
    Following {
        /// Which subscription.
        subscription: SubscriptionId,
        /// The topic's name.
        topic: Arc<str>,
        /// Its log: a topic that was made anew has another one.
        epoch: u64,
        /// The messages after this number come.
        after: u64,
        /// It goes on after a cursor, or the last message before a restart of the server. False where there was none, or the
        /// topic was made anew since: then it is not known what was missed.
        is_continued: bool,
    },
    /// A message: once, and after all earlier ones of its topic.
    Message {
        /// By which subscription.
        subscription: SubscriptionId,
        /// The topic's name.
        topic: Arc<str>,
        /// The message.
        message: TopicMessage,
    },
    /// Messages that the server does not keep any more, as the client was too slow or away for too long. By
    /// [`TopicDelivery::Latest`](tickwire_shared::control::TopicDelivery::Latest) they are removals, or the server was started
    /// again: forget the values of all keys, those that there are come again.
    Missed {
        /// By which subscription.
        subscription: SubscriptionId,
        /// The topic's name.
        topic: Arc<str>,
        /// The sequence number of the first.
        from: u64,
        /// That of the last.
        to: u64,
    },
}

/// An event for the caller.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// A frame of the control stream, already handled. Keyframes, restarts of the world and static data are not reported
    /// so.
    Control(ServerFrame),
    /// A frame of the chat stream.
    Chat(ServerChat),
    /// A game event, confirmed by the server and not predicted.
    Game(Event),
    /// A predicted game event. When the server confirms it, no second event follows.
    Predicted(Event),
    /// A predicted event that did not happen.
    Cancelled(Event),
    /// Of a subscription to topics. They come after the other events that wait.
    Topic(TopicEvent),
    /// The connection was lost, and what becomes of it.
    Connection(ConnectionEvent),
    /// The room's static data under a key: how much of it is here. It begins with 0, also where all of it is another; with
    /// as many as there are in all it can be read; 0 in all is none any more.
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
    /// The session is over; nothing more will come.
    Over {
        /// The reason.
        code: CloseCode,
        /// The reason and the remedy, for a person.
        text: String,
    },
}

/// A server's message that cannot be understood. The session is over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SessionError {
    /// An unreadable frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The server's schema is invalid or does not fit.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// An unreadable part of a keyframe.
    #[error("the server sent a keyframe that cannot be read; update the client")]
    Keyframe,
    /// A frame that is not allowed now.
    #[error("the server sent {what} at the wrong moment; update the client")]
    Unexpected {
        /// The kind of frame.
        what: &'static str,
    },
    /// The caller polls no events while messages of topics come.
    #[error("more messages of topics wait than are kept; poll events until there are none")]
    TopicsUnread,
}

impl SessionError {
    /// The close code for the connection.
    pub fn close_code(&self) -> CloseCode {
        match self {
            SessionError::Frame(error) => error.close_code(),
            SessionError::Schema(_) => CloseCode::SchemaMismatch,
            SessionError::TopicsUnread => CloseCode::TooSlow,
            SessionError::Keyframe | SessionError::Unexpected { .. } => CloseCode::ServerMisbehaved,
        }
    }
}
