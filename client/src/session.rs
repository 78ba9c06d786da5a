//! The client's half of the protocol, without I/O: bytes and the time go in, bytes and events come
//! out.
//!
//! The server's schema drives it, so one core serves a native game, which knows its types, and a
//! browser, which knows none. Times are durations since any fixed moment of the caller's choice.

pub mod component;

mod clock;
mod command;
mod event;
mod extrapolated;
mod fading_out;
mod input;
mod interpolation;
mod lateness;
mod lossy;
mod net_stats;
mod predicting;
pub mod prediction;
mod presentation;
mod requests;
mod resume;
mod room;
mod room_list;
mod roster;
mod stall;
mod static_data;
mod static_stream;
mod timeline;
mod topics;
mod trajectory;
mod visible_error;
mod welcome;

pub use clock::ServerClock;
pub use event::{ConnectionEvent, SessionError, SessionEvent, TopicEvent};
pub use extrapolated::{MODE_TICKS_MAX, Mode};
pub use interpolation::Shown;
pub use net_stats::{NetStats, WireStats};
use prediction::Corrections;
pub use prediction::RulesFor;
use resume::Resume;
pub use resume::{MoveOutcome, MoveStart};
use room::JoinedRoom;
pub use room::RoomSession;
use room_list::RoomList;
use stall::StallWatch;
use static_data::StaticCopies;
pub use topics::SubscribeOptions;
use topics::TopicsState;
pub use welcome::Welcome;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tickwire_shared::command::CommandCodec;
use tickwire_shared::control::{
    ClientFrame, CloseCode, FrameReader, Redacted, RoomInfo, STREAM_CHAT, STREAM_CONTROL,
    ServerFrame, write_frame,
};
use tickwire_shared::replica::SnapshotError;
use tickwire_shared::schema::Schema;

/// Events kept for a caller that does not poll; beyond that the oldest are dropped.
pub const EVENTS_MAX: usize = 4096;

/// Characters of the client's name that are sent; the rest is cut.
const CLIENT_CHARACTERS_MAX: usize = 256;

/// One session with a server.
///
/// The caller owns the sockets and the clock, and drives the session in this order, once a frame:
///
/// 1. arrivals: [`handle_control`](Session::handle_control), [`handle_chat`](Session::handle_chat),
///    [`handle_datagram`](Session::handle_datagram);
/// 2. time: [`update`](Session::update), which samples the held input and steps the prediction;
/// 3. output: [`take_control`](Session::take_control), [`take_chat`](Session::take_chat), and
///    [`poll_datagram`](Session::poll_datagram) until there is none;
/// 4. events: [`poll_event`](Session::poll_event) until there is none;
/// 5. view: [`room`](Session::room) and its [`for_each_shown`](RoomSession::for_each_shown).
///
/// Requests such as [`join`](Session::join) may be made at any time; they go out with the next
/// bytes.
///
/// ```
/// use std::time::Duration;
/// use tickwire_client::session::{Session, SessionError};
///
/// /// Both ways between a client and its server.
/// #[derive(Default)]
/// struct Wire {
///     control: Vec<u8>,
///     chat: Vec<u8>,
///     datagrams: Vec<Vec<u8>>,
/// }
///
/// fn frame(
///     session: &mut Session,
///     now: Duration,
///     came: &Wire,
///     out: &mut Wire,
/// ) -> Result<(), SessionError> {
///     session.handle_control(now, &came.control)?;
///     session.handle_chat(&came.chat)?;
///     for datagram in &came.datagrams {
///         session.handle_datagram(now, datagram);
///     }
///     session.update(now);
///     out.control.extend(session.take_control());
///     out.chat.extend(session.take_chat());
///     out.datagrams.extend(std::iter::from_fn(|| session.poll_datagram()));
///     while let Some(event) = session.poll_event() {
///         println!("{event:?}");
///     }
///     if let Some(room) = session.room() {
///         room.for_each_shown(|entity| println!("{:?} at {:?}", entity.id, entity.lanes));
///     }
///     Ok(())
/// }
///
/// let mut session = Session::new("a guide", None);
/// let (came, mut out) = (Wire::default(), Wire::default());
/// frame(&mut session, Duration::ZERO, &came, &mut out)?;
/// assert!(!out.control.is_empty(), "it says hello first");
/// # Ok::<(), SessionError>(())
/// ```
pub struct Session {
    own_schema: Option<Schema>,
    control_in: FrameReader,
    chat_in: FrameReader,
    /// Written before all other bytes.
    hello: Option<ClientFrame>,
    control_out: Vec<u8>,
    chat_out: Vec<u8>,
    /// The number of the last request.
    requests: u32,
    events: VecDeque<SessionEvent>,
    welcome: Option<Welcome>,
    /// Follows the server's schema; there since its welcome.
    commands: Option<CommandCodec>,
    room: Option<RoomSession>,
    /// The list of rooms that the client follows.
    rooms: RoomList,
    static_data: StaticCopies,
    topics: TopicsState,
    /// Makes the prediction rules for a server's schema; `None` predicts nothing.
    rules: Option<RulesFor>,
    /// What was predicted wrong, if the caller asked for it.
    corrections: Corrections,
    /// Modes of kinds by name; others are interpolated.
    modes: BTreeMap<String, Mode>,
    /// The player's input, in lanes of the server's schema.
    held: Vec<i32>,
    stats: NetStats,
    is_lossless: bool,
    resume: Resume,
    stall: StallWatch,
    over: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("welcome", &self.welcome)
            .field("room", &self.room)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session that says hello as `client`. If `schema` is given, the server's must fit it;
    /// without one, any game is accepted.
    pub fn new(client: &str, schema: Option<Schema>) -> Self {
        Session::begin(client, schema, false)
    }

    /// The same for a caller that opens another connection when this one is lost: it gives
    /// [`handle_lost`](Session::handle_lost) in place of [`handle_closed`](Session::handle_closed) then, and the session goes on.
    pub fn resumable(client: &str, schema: Option<Schema>) -> Self {
        Session::begin(client, schema, true)
    }

    fn begin(client: &str, schema: Option<Schema>, resumable: bool) -> Self {
        // The model is the server's choice. A schema too large for a frame is compared on this side
        // alone.
        let told = schema.clone().map(|schema| Schema { model: Vec::new(), ..schema });
        let told = told.filter(|schema| schema.validate().is_ok());
        let client = client.chars().take(CLIENT_CHARACTERS_MAX).collect();
        let token = Redacted::default();
        let hello = ClientFrame::Hello { client, schema: told, resumable, token };
        Session {
            own_schema: schema,
            control_in: FrameReader::default(),
            chat_in: FrameReader::default(),
            hello: Some(hello),
            control_out: Vec::new(),
            chat_out: vec![STREAM_CHAT],
            requests: 0,
            events: VecDeque::new(),
            welcome: None,
            commands: None,
            room: None,
            rooms: RoomList::default(),
            static_data: StaticCopies::default(),
            topics: TopicsState::default(),
            rules: None,
            corrections: Corrections::default(),
            modes: BTreeMap::new(),
            held: Vec::new(),
            stats: NetStats::default(),
            is_lossless: false,
            resume: Resume::default(),
            stall: StallWatch::default(),
            over: false,
        }
    }

    /// Sets the [`Mode`] of entities of the kind of this name, in this room and those joined later.
    /// An unknown kind is ignored.
    pub fn show_by(&mut self, kind: &str, mode: Mode) {
        self.modes.insert(kind.to_owned(), mode);
        if let (Some(room), Some(welcome)) = (&mut self.room, &self.welcome) {
            room.show_by(modes_of(&welcome.schema, &self.modes));
        }
    }

    /// Says that datagrams now go over a lossless path, such as a WebSocket. A snapshot that does
    /// not come was then left out by the server, and does not count as a loss in the statistics.
    pub fn set_lossless(&mut self, is_lossless: bool) {
        self.is_lossless = is_lossless;
        if let Some(room) = &mut self.room {
            room.set_lossless(is_lossless);
        }
    }

    /// Takes received bytes of the control stream.
    ///
    /// # Errors
    /// [`SessionError`]; close the connection with its code.
    pub fn handle_control(&mut self, now: Duration, bytes: &[u8]) -> Result<(), SessionError> {
        self.stats.bytes_in += bytes.len() as u64;
        self.control_in.push(bytes);
        self.read_control(now)?;
        // Chat may have come before the answer to a request to resume.
        if self.over { Ok(()) } else { self.read_chat() }
    }

    /// Takes received bytes of the chat stream.
    ///
    /// # Errors
    /// As [`Session::handle_control`].
    pub fn handle_chat(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.stats.bytes_in += bytes.len() as u64;
        self.stall.heard_stream();
        self.chat_in.push(bytes);
        self.read_chat()
    }

    /// Takes a datagram received at `now`. An unusable one is only counted in the statistics.
    pub fn handle_datagram(&mut self, now: Duration, bytes: &[u8]) {
        self.stats.bytes_in += bytes.len() as u64;
        self.stall.heard_datagram();
        // A server that was started again may give the same seat number: until it tells of the room, its snapshots are not for
        // the one that is here. Whether it was started again is in its answer.
        let is_other = self.resume.awaits_room() || self.resume.awaits_answer();
        let room = self.room.as_mut().filter(|_| !is_other);
        let Some(room) = room else {
            self.stats.datagrams_unused += 1;
            return;
        };
        match room.handle_snapshot(now, bytes, &mut self.stats) {
            Ok(events) => {
                for event in events {
                    self.tell(SessionEvent::Game(event));
                }
                self.tell_predicted();
            }
            Err(SnapshotError::Late | SnapshotError::OtherSeat) => self.stats.snapshots_late += 1,
            Err(SnapshotError::UnknownBaseline) => self.stats.snapshots_undecodable += 1,
            Err(SnapshotError::Malformed) => self.stats.snapshots_malformed += 1,
        }
    }

    /// Reports that the connection ended.
    pub fn handle_closed(&mut self, code: CloseCode, text: &str) {
        if !self.over {
            self.over = true;
            self.room = None;
            self.resume.give_up();
            let text = if text.is_empty() { code.text() } else { text }.to_owned();
            self.tell(SessionEvent::Over { code, text });
        }
    }

    /// Bytes to write to the control stream; empty when there are none.
    pub fn take_control(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(hello) = self.hello.take() {
            out.push(STREAM_CONTROL);
            write_frame(&hello, &mut out);
        }
        out.append(&mut self.control_out);
        self.stats.bytes_out += out.len() as u64;
        out
    }

    /// Bytes to write to the chat stream; empty when there are none.
    pub fn take_chat(&mut self) -> Vec<u8> {
        self.stats.bytes_out += self.chat_out.len() as u64;
        std::mem::take(&mut self.chat_out)
    }

    /// Advances to `now`: samples the held input for each due tick.
    pub fn update(&mut self, now: Duration) {
        if let Some(room) = &mut self.room {
            room.update(now, &self.held);
        }
        self.advance_resume(now);
        self.advance_stall(now);
        self.tell_predicted();
    }

    /// The next datagram to send. There is none without a connection, nor from the room of a server that was started again.
    pub fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        let datagram = self.poll_input().or_else(|| self.topics.lossy.poll())?;
        self.stats.bytes_out += datagram.len() as u64;
        Some(datagram)
    }

    fn poll_input(&mut self) -> Option<Vec<u8>> {
        let room = self.room.as_mut()?;
        if !self.resume.is_connected() || self.resume.awaits_room() {
            while room.poll_datagram().is_some() {}
            return None;
        }
        room.poll_datagram()
    }

    /// The next event; `None` if there is none now.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front().or_else(|| self.topics.poll_event().map(SessionEvent::Topic))
    }

    /// Sets the player's input, in lanes of the server's schema. Ignored before the welcome.
    pub fn hold(&mut self, lanes: &[i32]) {
        if let Some(welcome) = &self.welcome {
            self.held = welcome.schema.input.zero_lanes();
            for (held, lane) in self.held.iter_mut().zip(lanes) {
                *held = *lane;
            }
        }
    }

    /// The followed list of rooms, in its order; empty if none is followed.
    pub fn rooms(&self) -> &[RoomInfo] {
        self.rooms.rooms()
    }

    /// The server's welcome; `None` before it came.
    pub fn welcome(&self) -> Option<&Welcome> {
        self.welcome.as_ref()
    }

    /// The room the client is in.
    pub fn room(&self) -> Option<&RoomSession> {
        self.room.as_ref()
    }

    /// True once the session has ended.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Statistics of the network as of `now`.
    pub fn stats(&self, now: Duration) -> NetStats {
        let mut stats = self.stats;
        if let Some(room) = &self.room {
            room.fill_stats(now, &mut stats);
        }
        stats
    }

    fn handle_frame(&mut self, now: Duration, frame: &ServerFrame) -> Result<(), SessionError> {
        self.topics.handle_answer(frame);
        match frame {
            ServerFrame::Welcome { server, player, schema, resume, resume_grace_ms, run } => {
                let (player, server, schema) = (*player, server.clone(), schema.clone());
                self.handle_welcome(Welcome { player, server, schema })?;
                let grace = Duration::from_millis(u64::from(*resume_grace_ms));
                self.resume.allow(*resume, grace, *run);
            }
            ServerFrame::Joined { room, tick, seat, spectator, host, members, .. }
            | ServerFrame::Rejoined { room, tick, seat, spectator, host, members } => {
                let welcome = self.welcome.as_ref();
                let welcome = welcome.ok_or(SessionError::Unexpected { what: "a room" })?;
                let stay = JoinedRoom {
                    name: &room.name,
                    spectator: *spectator,
                    seat: *seat,
                    tick: *tick,
                };
                let mut joined = RoomSession::new(&welcome.schema, stay, now);
                joined.set_members(*host, members);
                joined.set_lossless(self.is_lossless);
                let rules = self.rules.as_mut().and_then(|rules| rules(&welcome.schema));
                joined.predict(rules, self.corrections.count_max());
                joined.show_by(modes_of(&welcome.schema, &self.modes));
                self.room = Some(joined);
                self.static_data.clear();
            }
            ServerFrame::Keyframe(part) => {
                let room = self.room.as_mut();
                let room = room.ok_or(SessionError::Unexpected { what: "a keyframe" })?;
                room.handle_keyframe(now, part).map_err(|_| SessionError::Keyframe)?;
            }
            ServerFrame::Resync { tick, seat } => {
                let (Some(room), Some(welcome)) = (&mut self.room, &self.welcome) else {
                    return Err(SessionError::Unexpected { what: "a world" });
                };
                room.begin_anew(&welcome.schema, *seat, now, *tick);
                let rules = self.rules.as_mut().and_then(|rules| rules(&welcome.schema));
                room.predict(rules, self.corrections.count_max());
                room.show_by(modes_of(&welcome.schema, &self.modes));
            }
            ServerFrame::Left { .. } | ServerFrame::Removed { .. } => {
                self.room = None;
                self.static_data.clear();
            }
            ServerFrame::StaticData { .. } | ServerFrame::StaticChanged { .. } => {
                let told = self.static_data.handle(frame)?;
                told.into_iter().for_each(|event| self.tell(event));
            }
            ServerFrame::Resumed { next } => self.handle_resumed(now, *next)?,
            ServerFrame::Restarted { .. } => self.handle_restarted(now)?,
            ServerFrame::Goodbye { code, text } => self.handle_closed(*code, text),
            ServerFrame::MemberJoined(_)
            | ServerFrame::MemberLeft { .. }
            | ServerFrame::MemberAway { .. }
            | ServerFrame::MemberBack { .. }
            | ServerFrame::Host(_) => {
                if let Some(room) = &mut self.room {
                    room.handle_presence(frame);
                }
            }
            ServerFrame::Rooms { .. }
            | ServerFrame::RoomsChanged { .. }
            | ServerFrame::Refused { .. } => self.rooms.handle(frame),
            ServerFrame::Done { .. } | ServerFrame::Notice(_) => {}
            ServerFrame::Published { .. } | ServerFrame::TopicsEnded { .. } => {}
        }
        Ok(())
    }

    fn tell(&mut self, event: SessionEvent) {
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

/// What the session takes for itself, and tells in its own words if at all.
fn is_of_the_session(frame: &ServerFrame) -> bool {
    matches!(
        frame,
        ServerFrame::Keyframe(_)
            | ServerFrame::Resync { .. }
            | ServerFrame::Resumed { .. }
            | ServerFrame::Restarted { .. }
            | ServerFrame::StaticData { .. }
            | ServerFrame::StaticChanged { .. }
    )
}

/// The mode of each kind, by the kind's number.
fn modes_of(schema: &Schema, modes: &BTreeMap<String, Mode>) -> Vec<Mode> {
    schema.entities.iter().map(|kind| modes.get(&kind.name).copied().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests;
