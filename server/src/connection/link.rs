//! One client as the rest of the server sees it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tickwire_shared::control::{
    CloseCode, ContentHash, RequestId, ResumeSecret, ServerChat, ServerFrame,
};
use tickwire_shared::{PlayerId, Tick};
use tokio::sync::{Notify, watch};

use super::order::{RequestOrder, SentAgain};
use super::reliable::{Reliable, ReliableError, StreamKind, frame_bytes};
use super::static_offers::StaticOffers;
use crate::config::ServerConfig;
use crate::identity::Identity;
use crate::room::{CommandFate, StaticBlob, SteppedCommands};
use crate::rooms::{Membership, RestoredSeat};
use crate::scheduler::Mailbox;
use crate::topics::LossySequence;
use crate::transport::TransportSession;

/// One client: its connection, what waits for it, and the room it is in.
#[derive(Debug)]
pub(crate) struct ClientLink<I> {
    pub(crate) player: PlayerId,
    /// Of its connection now, or of the last one.
    transport: ArcSwap<TransportSession>,
    /// By which it resumes the session, if it does.
    secret: OnceLock<ResumeSecret>,
    pub(crate) reliable: Reliable,
    /// Its requests on both streams, in the order of writing.
    pub(crate) order: RequestOrder,
    /// A page of history is looked up for it, as it asked.
    is_looking_up: AtomicBool,
    /// Messages to rooms from the control stream that are not answered yet.
    unanswered: watch::Sender<usize>,
    /// The room that the client is in, or has asked to enter.
    membership: ArcSwapOption<Membership<I>>,
    /// The number of its last seat in any room.
    last_seat: AtomicU8,
    /// The hello was answered.
    greeted: AtomicBool,
    /// It may be told anything.
    welcomed: AtomicBool,
    /// The datagram size that its room last got.
    told_bytes: AtomicUsize,
    /// A datagram did not fit the path.
    pub(crate) path_shrank: Notify,
    /// The static data that it was told of.
    pub(super) static_offers: StaticOffers,
    /// The name of its last join, or of its restored seat.
    display_name: ArcSwapOption<String>,
    /// Its identity, set by the answer to hello.
    identity: OnceLock<Identity>,
    /// The last commands that a step had before the server was started again.
    stepped: SteppedCommands,
    /// The numbers of its publish datagrams.
    lossy: Mutex<LossySequence>,
    end: OnceLock<SessionEnd>,
    ended: Notify,
}

/// The reason for a session's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionEnd {
    pub(crate) code: CloseCode,
    pub(crate) text: String,
}

impl SessionEnd {
    pub(crate) fn new(code: CloseCode, text: impl Into<String>) -> Self {
        let mut text = text.into();
        truncate(&mut text, END_TEXT_BYTES_MAX);
        SessionEnd { code, text }
    }

    /// The client gave up a stream of the session, in either direction: it has left, as with a
    /// goodbye.
    pub(super) fn given_up() -> Self {
        SessionEnd::new(CloseCode::Normal, "a stream of the session was given up; keep both open")
    }
}

/// An end with its code's own text.
impl From<CloseCode> for SessionEnd {
    fn from(code: CloseCode) -> Self {
        SessionEnd::new(code, code.text())
    }
}

impl<I> ClientLink<I> {
    pub(super) fn new(
        player: PlayerId,
        transport: Arc<TransportSession>,
        config: &ServerConfig,
    ) -> Self {
        ClientLink {
            player,
            transport: ArcSwap::new(transport),
            secret: OnceLock::new(),
            reliable: Reliable::new(config),
            order: RequestOrder::new(config),
            is_looking_up: AtomicBool::new(false),
            unanswered: watch::Sender::new(0),
            membership: ArcSwapOption::empty(),
            last_seat: AtomicU8::new(0),
            greeted: AtomicBool::new(false),
            welcomed: AtomicBool::new(false),
            told_bytes: AtomicUsize::new(0),
            path_shrank: Notify::new(),
            static_offers: StaticOffers::default(),
            display_name: ArcSwapOption::empty(),
            identity: OnceLock::new(),
            stepped: SteppedCommands::default(),
            lossy: Mutex::new(LossySequence::new()),
            end: OnceLock::new(),
            ended: Notify::new(),
        }
    }

    /// The session of a restored seat, which its client resumes by `secret`.
    pub(super) fn restored(
        seat: RestoredSeat<I>,
        (secret, sent_again): (ResumeSecret, SentAgain),
        transport: Arc<TransportSession>,
        config: &ServerConfig,
    ) -> Self {
        let identity = seat.identity();
        let RestoredSeat { player, name, membership, stepped, .. } = seat;
        let order = RequestOrder::again(sent_again, config);
        let lossy = Mutex::new(LossySequence::restored());
        let link =
            ClientLink { order, stepped, lossy, ..ClientLink::new(player, transport, config) };
        let _ = link.secret.set(secret);
        link.reliable.keep();
        link.set_identity(identity);
        link.set_display_name(name);
        link.enter(membership);
        link.greet();
        link.welcome();
        link
    }

    /// Ends the session, unless it is ending already.
    pub(crate) fn end(&self, end: impl Into<SessionEnd>) {
        let _ = self.end.set(end.into());
        self.ended.notify_waiters();
    }

    /// True if someone has ended the session.
    pub(crate) fn is_ending(&self) -> bool {
        self.end.get().is_some()
    }

    /// Waits until someone ends the session.
    pub(crate) async fn ended(&self) -> SessionEnd {
        loop {
            let ended = self.ended.notified();
            if let Some(end) = self.end.get() {
                return end.clone();
            }
            ended.await;
        }
    }

    /// Its connection now, or the last one.
    pub(crate) fn transport(&self) -> arc_swap::Guard<Arc<TransportSession>> {
        self.transport.load()
    }

    /// It goes on over another connection.
    pub(super) fn set_transport(&self, transport: Arc<TransportSession>) {
        self.transport.store(transport);
        self.forget_told();
    }

    /// Lets it resume the session by a new secret, unless it has one.
    pub(super) fn allow_resume(&self, new_secret: impl FnOnce() -> ResumeSecret) -> ResumeSecret {
        self.reliable.keep();
        *self.secret.get_or_init(new_secret)
    }

    /// Whether a request was done before: a client that resumes its session may send it again.
    pub(super) fn was_done(&self, request: RequestId) -> bool {
        self.secret().is_some() && self.order.is_done(request)
    }

    /// The outcome of a command that the server took before it was started again; `None` of any other.
    pub(super) fn fate_before_restart(&self, command: RequestId) -> Option<CommandFate> {
        self.stepped.fate(command)
    }

    /// By which it resumes the session, if it may.
    pub(super) fn secret(&self) -> Option<ResumeSecret> {
        self.secret.get().copied()
    }

    /// True if its room's journal has its seat, for the next process to restore.
    pub(super) fn has_restorable_seat(&self) -> bool {
        self.secret().is_some() && self.membership().is_some()
    }

    /// Sets the identity. Until then it is a guest.
    pub(super) fn set_identity(&self, identity: Identity) {
        let _ = self.identity.set(identity);
    }

    pub(crate) fn identity(&self) -> &Identity {
        static GUEST: Identity = Identity { account: None, name: None, room: None, topics: None };
        self.identity.get().unwrap_or(&GUEST)
    }

    /// Notes the name under which it joins.
    pub(super) fn set_display_name(&self, name: String) {
        self.display_name.store(Some(Arc::new(name)));
    }

    /// The name under which it joined last, as it was given; `None` before the first join.
    pub(crate) fn display_name(&self) -> Option<Arc<String>> {
        self.display_name.load_full()
    }

    pub(crate) fn greet(&self) {
        self.greeted.store(true, Ordering::Release);
    }

    pub(crate) fn is_greeted(&self) -> bool {
        self.greeted.load(Ordering::Acquire)
    }

    /// The welcome is on its way: whatever is said from now on follows it.
    pub(crate) fn welcome(&self) {
        self.welcomed.store(true, Ordering::Release);
    }

    pub(crate) fn is_welcomed(&self) -> bool {
        self.welcomed.load(Ordering::Acquire)
    }

    /// The room that the client is in, or has asked to enter.
    pub(crate) fn membership(&self) -> arc_swap::Guard<Option<Arc<Membership<I>>>> {
        self.membership.load()
    }

    pub(crate) fn enter(&self, membership: Membership<I>) {
        self.membership.store(Some(Arc::new(membership)));
    }

    /// The number of its last seat in any room; 0 if it had none.
    pub(crate) fn last_seat(&self) -> u8 {
        self.last_seat.load(Ordering::Relaxed)
    }

    /// Gives the place back, if it is one in `room`.
    pub(crate) fn release(&self, room: &Arc<Mailbox<I>>) {
        if self.is_in(room) {
            self.static_offers.clear();
            self.membership.store(None);
        }
    }

    /// Gives back the client's place, if any, and returns it.
    pub(crate) fn take_membership(&self) -> Option<Arc<Membership<I>>> {
        self.membership.swap(None)
    }

    pub(crate) fn is_in(&self, room: &Arc<Mailbox<I>>) -> bool {
        self.membership().as_ref().is_some_and(|membership| Arc::ptr_eq(membership.room(), room))
    }

    /// The path's datagram size, if it differs from the one last reported.
    pub(crate) fn new_datagram_bytes_max(&self) -> Option<usize> {
        let bytes = self.transport().datagram_bytes_max();
        (self.told_bytes.swap(bytes, Ordering::Relaxed) != bytes).then_some(bytes)
    }

    /// The path's datagram size, to be reported to a room.
    pub(crate) fn tell_datagram_bytes_max(&self) -> usize {
        let bytes = self.transport().datagram_bytes_max();
        self.told_bytes.store(bytes, Ordering::Relaxed);
        bytes
    }

    /// Forgets the reported datagram size: the report did not arrive.
    pub(crate) fn forget_told(&self) {
        self.told_bytes.store(usize::MAX, Ordering::Relaxed);
    }

    /// The numbers of its publish datagrams; held while one is published, for two connections may bring them at once.
    pub(super) fn lossy(&self) -> MutexGuard<'_, LossySequence> {
        self.lossy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a look-up of history. Returns false while another one is under way.
    pub(super) fn begin_look_up(&self) -> bool {
        !self.is_looking_up.swap(true, Ordering::AcqRel)
    }

    /// Ends it.
    pub(super) fn looked_up(&self) {
        self.is_looking_up.store(false, Ordering::Release);
    }

    /// Counts a message to a room that will get one answer.
    pub(super) fn ask_room(&self) {
        self.unanswered.send_modify(|count| *count += 1);
    }

    /// Waits until rooms have answered every message.
    pub(super) async fn all_answered(&self) {
        // Fails only if the link is gone, and this task with it.
        let _ = self.unanswered.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Bytes of frames that the transport has not accepted yet.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.reliable.waiting_bytes()
    }

    /// Queues a room's frame on the control stream.
    pub(crate) fn send_from_room(&self, frame: ServerFrame) {
        let is_answer = frame.answers().is_some();
        if let ServerFrame::Joined { seat, .. }
        | ServerFrame::Rejoined { seat, .. }
        | ServerFrame::Resync { seat, .. } = &frame
        {
            self.last_seat.store(*seat, Ordering::Relaxed);
        }
        self.send_control(frame);
        if is_answer {
            self.unanswered.send_modify(|count| *count = count.saturating_sub(1));
        }
    }

    /// Queues a control frame; a client that does not read its frames is ended.
    pub(crate) fn send_control(&self, frame: ServerFrame) {
        for frame in split_joined(frame) {
            let pushed = self.reliable.push(StreamKind::Control, &frame);
            self.end_if_failed(pushed);
        }
    }

    /// Tells of static data.
    pub(super) fn offer_static(&self, (key, tick): (u8, Tick), blob: Option<StaticBlob>) {
        let hash = blob.as_ref().map_or(ContentHash([0; 32]), |blob| blob.hash);
        let bytes = blob.as_ref().map_or(0, |blob| blob.bytes.len() as u32);
        self.static_offers.offer(key, blob);
        self.send_control(ServerFrame::StaticData { key, hash, bytes, tick });
    }

    /// Queues a chat frame; a client that does not read its frames is ended.
    pub(crate) fn send_chat(&self, chat: &ServerChat) {
        let pushed = self.reliable.push(StreamKind::Chat, chat);
        self.end_if_failed(pushed);
    }

    /// Queues a coded frame; a client that does not read its frames is ended.
    pub(super) fn send_coded(&self, lane: StreamKind, frame: &[u8]) {
        let pushed = self.reliable.push_coded(lane, frame);
        self.end_if_failed(pushed);
    }

    /// Ends the session if its frames could not be queued or written.
    pub(crate) fn end_if_failed(&self, result: Result<(), ReliableError>) {
        let Err(error) = result else { return };
        match error {
            ReliableError::FrameTooLarge { .. } => {
                tracing::error!(player = self.player.0, %error, "a frame was not sent");
            }
            ReliableError::GivenUp => self.end(SessionEnd::given_up()),
            _ => self.end(SessionEnd::new(CloseCode::TooSlow, error.to_string())),
        }
    }
}

/// Splits the first frame of a join to a crowded room: members that do not fit follow as newcomers.
fn split_joined(mut frame: ServerFrame) -> Vec<ServerFrame> {
    let (ServerFrame::Joined { members, .. } | ServerFrame::Rejoined { members, .. }) = &mut frame
    else {
        return vec![frame];
    };
    let mut left_bytes = JOINED_MEMBERS_BYTES_MAX;
    let fitting = members.iter().take_while(|member| {
        let bytes = frame_bytes(*member);
        let fits = bytes <= left_bytes;
        left_bytes = left_bytes.saturating_sub(bytes);
        fits
    });
    let rest = members.split_off(fitting.count());
    std::iter::once(frame).chain(rest.into_iter().map(ServerFrame::MemberJoined)).collect()
}

/// Shortens `text` to at most `bytes_max`, at a character's end.
pub(super) fn truncate(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
    }
}

/// Bytes of members in the first frame of a join, which leaves space for its other fields.
const JOINED_MEMBERS_BYTES_MAX: usize = 56 * 1024;
/// Bytes of the text that ends a session: a QUIC close must fit one packet.
const END_TEXT_BYTES_MAX: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_shared::control::{FRAME_BYTES_MAX, Member, RequestId, RoomInfo};

    #[test]
    fn a_crowd_is_told_in_several_frames() {
        let member = |number| {
            // The longest name that settings allow, and a size that can fill a frame exactly.
            let name = format!("{number:03}{}", "🙂".repeat(61));
            Member { player: PlayerId(u32::MAX - number), name, spectator: false, bot: true }
        };
        let members: Vec<_> = (0..1000).map(member).collect();
        let name = "x".repeat(32);
        let room = RoomInfo {
            players: 1000,
            players_max: 1000,
            bots: 1000,
            spectators: 100,
            needs_password: true,
            tags: vec!["x".repeat(32); 8],
            // The longest that settings allow.
            metadata: "1".repeat(4096),
            name,
        };
        let (tick, host) = (Tick(u32::MAX), Some(PlayerId(u32::MAX)));
        let joined = ServerFrame::Joined {
            request: RequestId(1),
            room,
            tick,
            seat: 255,
            spectator: true,
            host,
            members: members.clone(),
        };
        let frames = split_joined(joined);
        assert!(frames.len() > 1);
        assert!(frames.iter().all(|frame| frame_bytes(frame) <= FRAME_BYTES_MAX));
        let told = frames.into_iter().flat_map(|frame| match frame {
            ServerFrame::Joined { members, .. } => members,
            ServerFrame::MemberJoined(member) => vec![member],
            other => panic!("{other:?}"),
        });
        assert_eq!(told.collect::<Vec<_>>(), members);
    }

    #[test]
    fn an_end_never_outgrows_a_packet() {
        let end = SessionEnd::new(CloseCode::Kicked, "語".repeat(1000));
        assert!(end.text.len() <= END_TEXT_BYTES_MAX);
        assert!(end.text.starts_with('語'));
    }
}
