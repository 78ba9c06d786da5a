//! Messages to and from a room, as values.

use std::sync::Arc;
use std::time::Instant;

use tickwire_shared::control::{
    ClientChat, CloseCode, Redacted, RequestId, ServerChat, ServerFrame,
};
use tickwire_shared::input::InputDatagram;
use tickwire_shared::{Account, PlayerId, SaveOutcome, Tick};

use super::new_score::NewScore;
use super::profile::{JoinProfile, NewProfile};
use super::resume_right::ResumeRight;
use super::static_blob::StaticBlob;

/// Messages to a room.
#[derive(Debug)]
pub enum ToRoom<I> {
    /// A session asks for a seat, or to spectate. Answered by `Joined` or `Refused`.
    Join {
        /// Repeated in the answer.
        request: RequestId,
        /// The session's number.
        player: PlayerId,
        /// Its display name, not yet checked.
        name: String,
        /// Its account; `None` for a guest.
        account: Option<Account>,
        /// The profile of its account; `None` for a guest and a spectator, and where none is kept.
        profile: Option<Box<JoinProfile>>,
        /// True for a spectator.
        spectator: bool,
        /// The game's join options, not yet parsed; ignored for a spectator.
        options: Redacted,
        /// Most bytes of a datagram on its path now.
        datagram_bytes_max: usize,
        /// By which it resumes its session at a server that was started again; `None` if it cannot.
        resume: Option<Box<ResumeRight>>,
        /// The number of its last seat in any room; any number if it had none.
        last_seat: u8,
    },
    /// A session gives its seat back, answered by `Left` or `Refused`; or it ended.
    Leave {
        /// Repeated in the answer; `None` if the session ended.
        request: Option<RequestId>,
        /// The member.
        player: PlayerId,
        /// The reason.
        code: CloseCode,
    },
    /// A member's connection was lost; it keeps its place.
    Away {
        /// The member.
        player: PlayerId,
    },
    /// A member resumes over another connection.
    Back {
        /// The member.
        player: PlayerId,
        /// Most bytes of a datagram on its path now.
        datagram_bytes_max: usize,
    },
    /// A decoded input datagram.
    Input {
        /// The sender.
        player: PlayerId,
        /// The time of arrival.
        at: Instant,
        /// The decoded datagram.
        datagram: InputDatagram<I>,
    },
    /// The path's datagram size changed.
    Path {
        /// The member.
        player: PlayerId,
        /// Most bytes of a datagram now.
        datagram_bytes_max: usize,
    },
    /// A chat message.
    Chat {
        /// The sender.
        player: PlayerId,
        /// The message.
        chat: ClientChat,
    },
    /// The host removes a member. Answered by `Done` or `Refused`.
    Kick {
        /// Repeated in the answer.
        request: RequestId,
        /// The host.
        by: PlayerId,
        /// The member to remove.
        player: PlayerId,
        /// Shown to the removed member.
        reason: String,
    },
    /// A command. Answered by `Done` after its step, or by `Refused`.
    Command {
        /// Repeated in the answer.
        request: RequestId,
        /// The player.
        player: PlayerId,
        /// Its kind's place in the schema; not yet checked.
        kind: u8,
        /// Its lanes as received, at most `COMMAND_BYTES_MAX` bytes; not yet checked.
        fields: Vec<u8>,
    },
    /// What became of a profile that the room saved.
    Saved {
        /// The player.
        player: PlayerId,
        /// The number of its stay.
        fence: u64,
        /// The step that saved it.
        tick: Tick,
        /// What became of it.
        outcome: SaveOutcome,
    },
    /// What became of a score of the room.
    Scored {
        /// The player.
        player: PlayerId,
        /// The [seed](NewScore::room_seed) of its room.
        room_seed: u64,
        /// The board's place in `SCORE_BOARDS` of the game.
        board: u8,
        /// The step that scored.
        tick: Tick,
        /// What became of it.
        outcome: SaveOutcome,
    },
    /// A notice of the server to all members.
    Notice {
        /// Its text.
        text: String,
    },
}

/// Messages from a room.
#[derive(Debug)]
pub enum FromRoom {
    /// A frame for one member's control stream.
    Control {
        /// The receiver.
        player: PlayerId,
        /// The frame.
        frame: ServerFrame,
    },
    /// A frame for the control streams of several members.
    ControlAll {
        /// The receivers.
        players: Arc<[PlayerId]>,
        /// The frame.
        frame: ServerFrame,
    },
    /// A frame for the chat streams of several members.
    ChatAll {
        /// The receivers.
        players: Arc<[PlayerId]>,
        /// The message.
        chat: ServerChat,
    },
    /// A frame for one member's chat stream.
    Chat {
        /// The receiver.
        player: PlayerId,
        /// The message.
        chat: ServerChat,
    },
    /// New static data under a key, for some members.
    StaticData {
        /// The receivers.
        players: Arc<[PlayerId]>,
        /// The key.
        key: u8,
        /// The step after which it is valid.
        tick: Tick,
        /// The bytes; `None` if the key has no data any more.
        blob: Option<StaticBlob>,
    },
    /// A command was refused.
    CommandRefused {
        /// The player.
        player: PlayerId,
        /// The frame for its control stream.
        frame: ServerFrame,
    },
    /// A profile for the store.
    Save(Box<NewProfile>),
    /// A profile that cannot be saved.
    Unsaved {
        /// The player.
        player: PlayerId,
        /// The number of its stay.
        fence: u64,
        /// The step that saved it.
        tick: Tick,
        /// Why, for the log.
        what: String,
    },
    /// A score for the store.
    Score(Box<NewScore>),
    /// The member left, was removed, or was never let in, and may join another room. Comes before
    /// the frame that tells the member.
    Released {
        /// The member.
        player: PlayerId,
    },
}
