//! What goes into a room and what comes out of it, as values.

use std::sync::Arc;
use std::time::Instant;

use tickwire_shared::control::{
    ClientChat, CloseCode, Redacted, RequestId, ServerChat, ServerFrame,
};
use tickwire_shared::input::InputDatagram;
use tickwire_shared::{PlayerId, Tick};

use super::static_blob::StaticBlob;

/// Into a room.
#[derive(Debug)]
pub enum ToRoom<I> {
    /// A session asks for a seat, or to watch. Answered by `Joined` or `Refused`.
    Join {
        /// What the answer names.
        request: RequestId,
        /// Who.
        player: PlayerId,
        /// Its display name, not yet checked.
        name: String,
        /// Watching only.
        spectator: bool,
        /// The game's join options, not yet read; a spectator's are not.
        options: Redacted,
        /// Most bytes of a datagram on its path now.
        datagram_bytes_max: usize,
    },
    /// A session gives its seat back, answered by `Left` or `Refused`; or it ended.
    Leave {
        /// What the answer names; `None` if the session ended.
        request: Option<RequestId>,
        /// Who.
        player: PlayerId,
        /// How.
        code: CloseCode,
    },
    /// A member's connection was lost; it keeps its place.
    Away {
        /// Who.
        player: PlayerId,
    },
    /// A member goes on over another connection.
    Back {
        /// Who.
        player: PlayerId,
        /// Most bytes of a datagram on its path now.
        datagram_bytes_max: usize,
    },
    /// A decoded input datagram.
    Input {
        /// Whose.
        player: PlayerId,
        /// When it came.
        at: Instant,
        /// What it said.
        datagram: InputDatagram<I>,
    },
    /// The path's datagram size changed.
    Path {
        /// Whose.
        player: PlayerId,
        /// Most bytes of a datagram now.
        datagram_bytes_max: usize,
    },
    /// A chat message.
    Chat {
        /// From whom.
        player: PlayerId,
        /// What.
        chat: ClientChat,
    },
    /// The host removes a member. Answered by `Done` or `Refused`.
    Kick {
        /// What the answer names.
        request: RequestId,
        /// Who asks.
        by: PlayerId,
        /// Whom.
        player: PlayerId,
        /// Shown to the one removed.
        reason: String,
    },
    /// A player asks something of the game. Answered by `Done` after the step that had it, or by `Refused`.
    Command {
        /// What the answer names.
        request: RequestId,
        /// Who.
        player: PlayerId,
        /// Its place in the schema; not yet checked.
        kind: u8,
        /// Its lanes as they came, at most `COMMAND_BYTES_MAX`; not yet checked.
        fields: Vec<u8>,
    },
    /// The server tells everyone in the room.
    Notice {
        /// What.
        text: String,
    },
}

/// Out of a room.
#[derive(Debug)]
pub enum FromRoom {
    /// A frame for one member's control stream.
    Control {
        /// To whom.
        player: PlayerId,
        /// What.
        frame: ServerFrame,
    },
    /// A frame for the control streams of several members.
    ControlAll {
        /// To whom.
        players: Arc<[PlayerId]>,
        /// What.
        frame: ServerFrame,
    },
    /// A frame for the chat streams of several members.
    ChatAll {
        /// To whom.
        players: Arc<[PlayerId]>,
        /// What.
        chat: ServerChat,
    },
    /// A frame for one member's chat stream.
    Chat {
        /// To whom.
        player: PlayerId,
        /// What.
        chat: ServerChat,
    },
    /// The static data under a key is another, for some members.
    StaticData {
        /// To whom.
        players: Arc<[PlayerId]>,
        /// Which.
        key: u8,
        /// The step after which it is so.
        tick: Tick,
        /// The bytes; `None` if there are none any more.
        blob: Option<StaticBlob>,
    },
    /// A command was refused.
    CommandRefused {
        /// Whose.
        player: PlayerId,
        /// For its control stream.
        frame: ServerFrame,
    },
    /// The member is out of the room (left, was removed, or was never let in) and may join another. Comes before
    /// the frame that tells it so.
    Released {
        /// Who.
        player: PlayerId,
    },
}
