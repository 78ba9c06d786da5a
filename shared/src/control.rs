//! The frames of the reliable streams, and every way a session can end.
//!
//! A stream begins with one byte that says which it is ([`STREAM_CONTROL`], [`STREAM_CHAT`], [`STREAM_STATIC`],
//! [`STREAM_TOPICS`]), then carries frames both ways:
//!
//! ```text
//! +----------------+---------+------------------------+
//! | length: u32 LE | version | postcard of the enum   |
//! +----------------+---------+------------------------+
//!   length counts the version byte and the body, 2 ..= 65536
//! ```

mod chat;
mod close_code;
mod frames;
mod resume;
mod rooms;
mod static_data;
mod topics;

use serde::{Deserialize, Serialize};

use crate::schema::Schema;
use crate::{PlayerId, Tick};

pub use chat::{ChatMessage, ClientChat, ServerChat};
pub use close_code::CloseCode;
pub use frames::{FrameError, FrameReader, write_frame};
pub use resume::{Received, ResumeSecret, ServerRun};
pub use rooms::{Redacted, RoomChoice, RoomInfo, RoomOrder, RoomQuery};
pub use static_data::{
    ClientStatic, ContentHash, STATIC_BYTES_MAX, STATIC_CHUNK_BYTES_MAX, ServerStatic, StaticChange,
};
pub use topics::{
    ClientTopics, ServerTopics, SubscriptionId, TOPIC_KEY_BYTES_MAX, TOPIC_LEVELS_MAX,
    TOPIC_MESSAGE_HEAD_BYTES_MAX, TOPIC_NAME_BYTES_MAX, TopicCursor, TopicDelivery, TopicLifetime,
    TopicMessage, TopicMessageKind, TopicPosition, TopicStart, write_topic_messages,
};

/// First byte of the control stream, opened by the client before the chat stream.
pub const STREAM_CONTROL: u8 = 0x01;
/// First byte of the chat stream.
pub const STREAM_CHAT: u8 = 0x02;
/// First byte of the static stream, opened by a client once it is told of static data.
pub const STREAM_STATIC: u8 = 0x03;
/// First byte of the topics stream, opened by a client for its first request there.
pub const STREAM_TOPICS: u8 = 0x04;
/// Most bytes of a frame after its length.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a frame's length.
pub const FRAME_LENGTH_BYTES: usize = 4;

/// A client's number for something it asks for. It counts what it writes on all streams from 1, without
/// gaps, so that the server keeps to the order in which it was written; the answer names it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct RequestId(pub u32);

/// What a client says on the control stream. All but hello and goodbye is answered exactly once, after its
/// effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ClientFrame {
    /// The first frame, once.
    Hello {
        /// What the client is, for the log: a name and a version.
        client: String,
        /// The client's schema, or `None` for a client that takes the server's.
        schema: Option<Schema>,
        /// The client resumes its session when the connection is lost: it sends [`ClientFrame::Received`], and the
        /// server keeps what the client does not have yet.
        resumable: bool,
        /// Identifies the player; empty for none.
        token: Redacted,
    },
    /// Asks for a seat. Answered by [`ServerFrame::Joined`] or [`ServerFrame::Refused`].
    Join {
        /// Its number.
        request: RequestId,
        /// Which room.
        room: RoomChoice,
        /// The display name, unique in the room.
        name: String,
        /// The game's join options as JSON; empty for the default.
        options: Redacted,
        /// The room's password; empty for none. Not looked at where the room is made by this request.
        password: Redacted,
    },
    /// Asks to watch a room without a seat. Answered as [`ClientFrame::Join`].
    Spectate {
        /// Its number.
        request: RequestId,
        /// Which room.
        room: String,
        /// The display name, unique in the room.
        name: String,
        /// The room's password; empty for none.
        password: Redacted,
    },
    /// Gives the seat back. Answered by [`ServerFrame::Left`] or [`ServerFrame::Refused`].
    Leave {
        /// Its number.
        request: RequestId,
    },
    /// Asks for [`ServerFrame::Rooms`].
    ListRooms {
        /// Its number.
        request: RequestId,
        /// Which, and in which order.
        query: RoomQuery,
    },
    /// Removes a member from the room, by its host. Answered by [`ServerFrame::Done`] or
    /// [`ServerFrame::Refused`].
    Kick {
        /// Its number.
        request: RequestId,
        /// Whom.
        player: PlayerId,
        /// Shown to the player.
        reason: String,
    },
    /// The client is leaving for good, once all before it was done. Answered by [`ServerFrame::Goodbye`].
    Goodbye {
        /// Its number.
        request: RequestId,
    },
    /// Follows the list of rooms: [`ServerFrame::RoomsChanged`] comes from now on. Answered by [`ServerFrame::Rooms`] or
    /// [`ServerFrame::Refused`]. One list at a time is followed: another takes its place.
    SubscribeRooms {
        /// Its number.
        request: RequestId,
        /// Which, and in which order.
        query: RoomQuery,
    },
    /// Follows the list of rooms no more. Answered by [`ServerFrame::Done`].
    UnsubscribeRooms {
        /// Its number.
        request: RequestId,
    },
    /// Asks something of the game, as a player in a room. Answered by [`ServerFrame::Done`] once a step had it, or by
    /// [`ServerFrame::Refused`]: then no step has it.
    Command {
        /// Its number.
        request: RequestId,
        /// Its place in [`Schema::commands`].
        kind: u8,
        /// Its lanes, whole: see [`crate::command`].
        fields: Vec<u8>,
    },
    /// The first frame of a connection by which a session goes on, in place of hello. Answered by
    /// [`ServerFrame::Resumed`], by [`ServerFrame::Restarted`], or by a goodbye with [`CloseCode::ResumeRefused`].
    Resume {
        /// The session's number, from [`ServerFrame::Welcome`].
        player: PlayerId,
        /// The session's secret, from [`ServerFrame::Welcome`].
        secret: ResumeSecret,
        /// The run of the server whose frames it counts, from [`ServerFrame::Welcome`] or the last [`ServerFrame::Restarted`]
        /// that it read.
        run: ServerRun,
        /// The frames of that run that the client has.
        received: Received,
        /// The requests that are not answered, in order: all that the client will send again below `next`.
        unanswered: Vec<RequestId>,
        /// Its next request.
        next: RequestId,
    },
    /// The frames that the client has; the server keeps them no longer. Not answered.
    Received(Received),
}

impl ClientFrame {
    /// Its number; the frames that have no answer of their own have none.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            ClientFrame::Hello { .. } | ClientFrame::Resume { .. } | ClientFrame::Received(_) => {
                None
            }
            ClientFrame::Join { request, .. }
            | ClientFrame::Spectate { request, .. }
            | ClientFrame::Leave { request }
            | ClientFrame::ListRooms { request, .. }
            | ClientFrame::SubscribeRooms { request, .. }
            | ClientFrame::UnsubscribeRooms { request }
            | ClientFrame::Kick { request, .. }
            | ClientFrame::Command { request, .. }
            | ClientFrame::Goodbye { request } => Some(*request),
        }
    }
}

/// What the server says on the control stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ServerFrame {
    /// Answer to [`ClientFrame::Hello`].
    Welcome {
        /// What the server is: a name and a version.
        server: String,
        /// The client's number on this server.
        player: PlayerId,
        /// The server's schema: it drives the codec on both sides.
        schema: Schema,
        /// Resumes this session over another connection; `None` where the client or the server does not.
        resume: Option<ResumeSecret>,
        /// For how long the server keeps a session whose connection was lost.
        resume_grace_ms: u32,
        /// The run of the server that counts the session's frames.
        run: ServerRun,
    },
    /// The client has a seat, or watches.
    Joined {
        /// What this answers.
        request: RequestId,
        /// The room.
        room: RoomInfo,
        /// The room's tick when this was sent.
        tick: Tick,
        /// What every datagram of this stay carries, both ways.
        seat: u8,
        /// Watching only: inputs are not taken.
        spectator: bool,
        /// Who may kick, if anyone may.
        host: Option<PlayerId>,
        /// Everyone in the room, the client included.
        members: Vec<Member>,
    },
    /// Answer to [`ClientFrame::Leave`]: the seat is free, and the client may join again.
    Left {
        /// What this answers.
        request: RequestId,
    },
    /// Answer to [`ClientFrame::ListRooms`] and [`ClientFrame::SubscribeRooms`].
    Rooms {
        /// What this answers.
        request: RequestId,
        /// The rooms, in the order asked for.
        rooms: Vec<RoomInfo>,
        /// How many rooms the query matches; the list may hold fewer.
        found: u32,
    },
    /// A request was not granted; the session goes on.
    Refused {
        /// What this answers.
        request: RequestId,
        /// Why.
        code: RefuseCode,
        /// Why and what to do, for a person.
        text: String,
    },
    /// Someone came into the room.
    MemberJoined(Member),
    /// Someone left the room.
    MemberLeft {
        /// Who.
        player: PlayerId,
        /// How.
        code: CloseCode,
    },
    /// Who may kick changed, because the host left or the first player came.
    Host(Option<PlayerId>),
    /// The server's program has something to say, to everyone or to those in a room.
    Notice(String),
    /// The session is over; the connection is closed with the same code.
    Goodbye {
        /// Why.
        code: CloseCode,
        /// Why and what to do, for a person.
        text: String,
    },
    /// A part of a keyframe: entities that are new to the client and found no place in the snapshot of
    /// the same tick. The bytes are those of a snapshot with whole records and nothing else; see
    /// [`Replica::apply_keyframe`](crate::replica::Replica::apply_keyframe).
    Keyframe(Vec<u8>),
    /// Answer to [`ClientFrame::Kick`]: the member is out of the room; to [`ClientFrame::UnsubscribeRooms`]; to
    /// [`ClientFrame::Command`]: a step of the game had it; to [`ClientTopics::Subscribe`] and
    /// [`ClientTopics::Unsubscribe`].
    Done {
        /// What this answers.
        request: RequestId,
    },
    /// The client was removed from the room it was in. The session goes on, and it may join another room.
    Removed {
        /// Why, for a person.
        text: String,
    },
    /// The member's copy of the world begins anew and empty, as after [`ServerFrame::Joined`]: what was said before
    /// can no longer be told from what is said now, as after a silence of many ticks.
    Resync {
        /// The room's tick when this was sent.
        tick: Tick,
        /// What every datagram carries from now on, both ways.
        seat: u8,
    },
    /// The list of rooms that is followed changed; see [`ClientFrame::SubscribeRooms`].
    RoomsChanged {
        /// The list begins anew and empty.
        anew: bool,
        /// Rooms that are in the list now, by their name, in no order: new ones, and those of which anything is another.
        changed: Vec<RoomInfo>,
        /// The names of those that are not in it any more.
        removed: Vec<String>,
    },
    /// Answer to [`ClientFrame::Resume`], the first frame of the connection and in no count of frames. Those that the
    /// client does not have yet follow on both streams.
    Resumed {
        /// The first request that the server has not done: the client sends it and those after it again.
        next: RequestId,
    },
    /// A member's connection was lost: it keeps its seat for a while.
    MemberAway {
        /// Who.
        player: PlayerId,
    },
    /// A member that was away is back.
    MemberBack {
        /// Who.
        player: PlayerId,
    },
    /// The static data under a key, as of `tick`: its [`StaticChanged`](ServerFrame::StaticChanged) follow. After
    /// [`ServerFrame::Joined`] for each key there is, and whenever all of it is another. The client asks for the bytes, or
    /// says that it has them, by [`ClientStatic`].
    StaticData {
        /// The game's own number for it.
        key: u8,
        /// Of the bytes.
        hash: ContentHash,
        /// How many there are; 0 if there are none any more, of which none is asked for.
        bytes: u32,
        /// The step after which they are so.
        tick: Tick,
    },
    /// Parts of the static data under a key are others, as of `tick`.
    StaticChanged {
        /// Which.
        key: u8,
        /// The step after which they are so.
        tick: Tick,
        /// The parts, in order.
        changes: Vec<StaticChange>,
    },
    /// Answer to [`ClientFrame::Resume`] by a server that was started again since and restored the session's room, also
    /// where the client lost an earlier one: its `run` is not this server's. The first frame of the connection and in no
    /// count of frames: both counts begin at 0. The client sends every request that is not answered again;
    /// [`ServerFrame::Rejoined`] follows.
    Restarted {
        /// The run that counts the session's frames from now on.
        run: ServerRun,
    },
    /// The client's place in a restored room, told once, after [`ServerFrame::Restarted`]. Members are another list and
    /// the world begins anew and empty, as after [`ServerFrame::Joined`].
    Rejoined {
        /// The room.
        room: RoomInfo,
        /// The room's tick when this was sent; it may be before ticks that the client has seen.
        tick: Tick,
        /// What every datagram carries from now on, both ways.
        seat: u8,
        /// Watching only: inputs are not taken.
        spectator: bool,
        /// Who may kick, if anyone may.
        host: Option<PlayerId>,
        /// Everyone in the room, the client included. [`ServerFrame::MemberAway`] follows for those who are away.
        members: Vec<Member>,
    },
    /// Answer to [`ClientTopics::Publish`]: the message is in its topic.
    Published {
        /// What this answers.
        request: RequestId,
        /// The message's number in the topic.
        sequence: u64,
    },
    /// A subscription to topics has ended; nothing more comes by it.
    TopicsEnded {
        /// Which.
        subscription: SubscriptionId,
        /// Why.
        code: RefuseCode,
        /// Why and what to do, for a person.
        text: String,
    },
}

impl ServerFrame {
    /// The request that this is the answer to.
    pub fn answers(&self) -> Option<RequestId> {
        match self {
            ServerFrame::Joined { request, .. }
            | ServerFrame::Left { request }
            | ServerFrame::Rooms { request, .. }
            | ServerFrame::Refused { request, .. }
            | ServerFrame::Published { request, .. }
            | ServerFrame::Done { request } => Some(*request),
            ServerFrame::Welcome { .. }
            | ServerFrame::MemberJoined(_)
            | ServerFrame::MemberLeft { .. }
            | ServerFrame::Host(_)
            | ServerFrame::Notice(_)
            | ServerFrame::Goodbye { .. }
            | ServerFrame::Keyframe(_)
            | ServerFrame::Removed { .. }
            | ServerFrame::Resync { .. }
            | ServerFrame::RoomsChanged { .. }
            | ServerFrame::Resumed { .. }
            | ServerFrame::MemberAway { .. }
            | ServerFrame::MemberBack { .. }
            | ServerFrame::StaticData { .. }
            | ServerFrame::StaticChanged { .. }
            | ServerFrame::Restarted { .. }
            | ServerFrame::Rejoined { .. }
            | ServerFrame::TopicsEnded { .. } => None,
        }
    }
}

/// Someone in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Number on this server.
    pub player: PlayerId,
    /// Display name, unique in the room.
    pub name: String,
    /// Watching only.
    pub spectator: bool,
    /// A player of the server's own, that no person steers.
    pub bot: bool,
}

/// Why a request was refused while the session goes on. Public API: numbers never change meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RefuseCode {
    /// Display name empty, too long, of characters that cannot be shown, or reserved.
    NameInvalid,
    /// Another member of the room has this display name, or one that looks like it.
    NameTaken,
    /// Every seat is taken.
    RoomFull,
    /// No room of this name.
    NoSuchRoom,
    /// Not a room name.
    RoomNameInvalid,
    /// The server has as many rooms as it may, or the client's address made as many as it may.
    TooManyRooms,
    /// In a room already.
    AlreadyInRoom,
    /// Not in a room.
    NotInRoom,
    /// No such member in the room.
    NoSuchPlayer,
    /// Only the host may.
    NotHost,
    /// Chat faster than allowed.
    ChatTooFast,
    /// Chat longer than allowed.
    ChatTooLong,
    /// Nothing left to say after cleaning.
    ChatEmpty,
    /// The server is too busy to take the request now.
    Busy,
    /// Removed from this room not long ago.
    RemovedFromRoom,
    /// The game does not let the host remove this member.
    KickNotAllowed,
    /// The host removed another member a moment ago.
    KickTooFast,
    /// There is a room of this name already.
    RoomTaken,
    /// Options that are too long, no JSON, or none of this game.
    OptionsInvalid,
    /// The room has another password.
    WrongPassword,
    /// The game said no: its own code, as in [`Refusal`](crate::Refusal).
    ByGame(u16),
    /// Only watching: it takes a seat to play.
    NotPlaying,
    /// Not a command of this game.
    CommandInvalid,
    /// Commands faster than allowed.
    CommandTooFast,
    /// The player's token is for another room.
    TokenForOtherRoom,
    /// The server offers no topics.
    TopicsOff,
    /// Not a name of a topic, a pattern or a key, or a subscription of this number is there already.
    TopicInvalid,
    /// The player may not publish or subscribe to this topic.
    TopicForbidden,
    /// Messages published faster than allowed.
    TopicTooFast,
    /// A message longer than allowed.
    TopicTooLong,
    /// As many topics, keys or subscriptions as there may be.
    TopicsFull,
}
