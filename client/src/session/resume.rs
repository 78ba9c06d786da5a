//! A session that outlives its connection.
//!
//! ```text
//! connected --handle_lost--> waiting --poll_reconnect--> connecting --resume--> resuming --Resumed--> connected
//!                               ^------handle_connect_failed----'                  |
//!                               '-------------------handle_lost--------------------'
//! ```
//!
//! `Restarted` in place of `Resumed` is of a server that was started again: it knows the seat and nothing of the frames.
//!
//! A session whose connection still works changes to another one by [`moving`].
//!
//! The client keeps its requests until they are answered and counts the frames that it has; see
//! [`Received`] for the server's side. Meanwhile the world goes on: prediction continues, and the
//! first snapshot after the loss is coded against states that the client still has.

mod moving;

pub use moving::{MoveOutcome, MoveStart};

use std::collections::VecDeque;
use std::time::Duration;

use tickwire_shared::control::{
    ClientChat, ClientFrame, CloseCode, FrameReader, Received, RequestId, ResumeSecret,
    STREAM_CHAT, STREAM_CONTROL, ServerChat, ServerFrame, ServerRun, write_frame,
};

use super::event::ConnectionEvent;
use super::stall::StallWatch;
use super::{Session, SessionError, SessionEvent, is_of_the_session};
use moving::{MoveRequest, Moving};

/// Longest wait before the second attempt; it doubles with each attempt.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// Longest wait before any attempt.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Frames after which their receipt is reported to the server.
const RECEIVED_FRAMES: u32 = 32;
/// Time after which the receipt of the last frames is reported.
const RECEIVED_TIME: Duration = Duration::from_millis(500);
/// Most bytes of chat that wait for the server's answer: twice those that it keeps of a stream.
const CHAT_BYTES_MAX: usize = 512 * 1024;
/// Most unanswered requests that the request to resume names.
const UNANSWERED_MAX: usize = 4096;

/// A session's means to resume.
#[derive(Debug, Default)]
pub(super) struct Resume {
    secret: Option<ResumeSecret>,
    grace: Duration,
    /// The server's welcome has come, with a secret or without.
    is_welcomed: bool,
    /// Unanswered requests, as written. Those before the welcome are kept in case that it allows to resume.
    asked: VecDeque<Asked>,
    /// The run of the server whose frames are counted.
    run: ServerRun,
    /// The frames that have come, as the server counts what it has written: those that it writes again after a move count once
    /// they have come again.
    received: Received,
    /// The next frames of each stream, which came before over another connection.
    repeated: Received,
    /// The last report of `received` to the server, and its time.
    told: Received,
    told_at: Duration,
    lost: Option<LostConnection>,
    moving: Option<Moving>,
    /// The request of the last move, which the server may have taken also where its answer did not come.
    move_request: Option<MoveRequest>,
    /// The server was started again, and has not told of the room yet.
    awaits_room: bool,
}

/// An unanswered request.
#[derive(Debug)]
struct Asked {
    request: RequestId,
    stream: RequestStream,
    frame: Vec<u8>,
}

/// The stream on which a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestStream {
    Control,
    Chat,
    Topics,
}

/// A lost connection.
#[derive(Debug)]
struct LostConnection {
    at: Duration,
    text: String,
    attempts: u32,
    phase: Phase,
}

/// True if the next frame is one of the repeated ones, which are then one fewer.
fn is_repeated(left: &mut u32) -> bool {
    let is_repeated = *left > 0;
    *left = left.saturating_sub(1);
    is_repeated
}

/// The phase of an attempt to resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting { until: Duration },
    Connecting,
    Resuming,
}

impl Resume {
    /// Lets the session resume if the server gave a secret; `grace` is the time for that, and `run` counts the frames.
    pub(super) fn allow(&mut self, secret: Option<ResumeSecret>, grace: Duration, run: ServerRun) {
        (self.secret, self.grace, self.run) = (secret, grace, run);
        self.is_welcomed = true;
        if secret.is_none() {
            self.asked.clear();
        }
    }

    /// True if requests are sent as they are made.
    pub(super) fn is_connected(&self) -> bool {
        self.lost.is_none()
    }

    /// True if a request has no answer yet.
    pub(super) fn is_unanswered(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Ends all attempts: the session is over.
    pub(super) fn give_up(&mut self) {
        self.lost = None;
        self.moving = None;
        self.asked.clear();
    }

    fn ask(&mut self, request: RequestId, stream: RequestStream, frame: Vec<u8>) {
        if self.secret.is_some() || !self.is_welcomed {
            self.asked.push_back(Asked { request, stream, frame });
        }
    }

    fn answered(&mut self, request: RequestId) {
        // Answers come nearly in the order of the requests.
        if let Some(at) = self.asked.iter().position(|asked| asked.request == request) {
            self.asked.remove(at);
        }
    }

    /// True between the request to resume after a loss and its answer, which says whose frames come.
    pub(super) fn awaits_answer(&self) -> bool {
        self.lost.as_ref().is_some_and(|lost| lost.phase == Phase::Resuming)
    }

    /// True between `Restarted` and the room as it is now.
    pub(super) fn awaits_room(&self) -> bool {
        self.awaits_room
    }

    /// The requests that are not answered, and the one after those: `next`, or the first that the frame has no place for.
    fn unanswered(&self, next: RequestId) -> (Vec<RequestId>, RequestId) {
        let mut requests = self.asked.iter().map(|asked| asked.request);
        let told = requests.by_ref().take(UNANSWERED_MAX).collect();
        (told, requests.next().unwrap_or(next))
    }

    /// The first request that is not answered; any number if all are.
    fn first_unanswered(&self) -> RequestId {
        self.asked.front().map(|asked| asked.request).unwrap_or_default()
    }

    /// Counts a frame of the control stream, and removes the request that it answers. Returns false for a frame that came before.
    fn heard_control(&mut self, frame: &ServerFrame) -> bool {
        let is_counted =
            !matches!(frame, ServerFrame::Resumed { .. } | ServerFrame::Restarted { .. });
        if is_counted {
            self.received.control = self.received.control.wrapping_add(1);
            if is_repeated(&mut self.repeated.control) {
                return false;
            }
        }
        match frame {
            ServerFrame::Restarted { run } => {
                self.run = *run;
                (self.received, self.repeated) = (Received::default(), Received::default());
                self.awaits_room = true;
            }
            ServerFrame::Rejoined { .. } | ServerFrame::Joined { .. } => self.awaits_room = false,
            _ => {}
        }
        if let Some(request) = frame.answers() {
            self.answered(request);
        }
        true
    }

    /// The same of the chat stream.
    fn heard_chat(&mut self, chat: &ServerChat, is_own: bool) -> bool {
        self.received.chat = self.received.chat.wrapping_add(1);
        if is_repeated(&mut self.repeated.chat) {
            return false;
        }
        match chat {
            ServerChat::Message(message) if is_own => self.answered(message.request),
            ServerChat::Refused { request, .. }
            | ServerChat::History { request: Some(request), .. } => self.answered(*request),
            _ => {}
        }
        true
    }

    /// The report of received frames, if one is due.
    fn poll_received(&mut self, now: Duration) -> Option<Received> {
        self.secret?;
        if self.move_request.is_some_and(|request| request.pauses_reports(now)) {
            return None;
        }
        let frames = |received: Received| received.control.wrapping_add(received.chat);
        let untold = frames(self.received).wrapping_sub(frames(self.told));
        let is_time = untold > 0 && now.saturating_sub(self.told_at) >= RECEIVED_TIME;
        if untold == 0 {
            self.told_at = now;
        }
        (is_time || untold >= RECEIVED_FRAMES).then(|| {
            (self.told, self.told_at) = (self.received, now);
            self.received
        })
    }

    /// The wait after an attempt that failed, the last of that many: random, up to a bound that doubles, so that clients that
    /// lost their connections together do not return together, also where their attempts end without an answer.
    fn backoff(&self, attempts: u32) -> Duration {
        let most = BACKOFF_FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(10));
        let most = most.min(BACKOFF_MAX);
        most.mul_f64(self.random(attempts))
    }

    /// A number from 0 to 1, another one for each attempt and session.
    fn random(&self, attempt: u32) -> f64 {
        let secret = self.secret.unwrap_or(ResumeSecret([0; 16])).0;
        let (half, _) = secret.split_first_chunk::<8>().expect("a secret has 16 bytes");
        let mut x = u64::from_le_bytes(*half)
            .wrapping_add(u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Session {
    /// Takes the frames of the control stream that are whole.
    pub(super) fn read_control(&mut self, now: Duration) -> Result<(), SessionError> {
        self.stall.heard_stream();
        while let Some(frame) = self.control_in.poll::<ServerFrame>()? {
            if !self.resume.heard_control(&frame) {
                continue;
            }
            self.handle_frame(now, &frame)?;
            if !is_of_the_session(&frame) {
                self.tell(SessionEvent::Control(frame));
            }
        }
        Ok(())
    }

    /// Takes the frames of the chat stream that are whole. Those that overtake the answer to a request to resume wait for it:
    /// after `Restarted` they are counted from 0.
    pub(super) fn read_chat(&mut self) -> Result<(), SessionError> {
        if self.resume.awaits_answer() {
            return match self.chat_in.waiting_bytes() > CHAT_BYTES_MAX {
                true => Err(SessionError::Unexpected { what: "more chat than it keeps" }),
                false => Ok(()),
            };
        }
        let player = self.welcome.as_ref().map(|welcome| welcome.player);
        while let Some(chat) = self.chat_in.poll::<ServerChat>()? {
            let is_own = matches!(&chat, ServerChat::Message(said) if Some(said.from) == player);
            if self.resume.heard_chat(&chat, is_own) {
                self.tell(SessionEvent::Chat(chat));
            }
        }
        Ok(())
    }

    /// Handles the loss of the connection at `now`, or of the one of an attempt to resume. Returns
    /// true if the session can resume over another one; [`Session::poll_reconnect`] tells when to
    /// open it. Otherwise the session is over. During a move nothing is reported yet: the new connection may carry the session.
    pub fn handle_lost(&mut self, now: Duration, text: &str) -> bool {
        if !self.can_resume() {
            self.handle_closed(CloseCode::ConnectionLost, text);
            return false;
        }
        self.control_out.clear();
        self.chat_out.clear();
        self.topics.lose();
        if self.lose_old(now, text) {
            return true;
        }
        match &mut self.resume.lost {
            Some(_) => self.wait_for_attempt(now),
            None => {
                self.resume.count_from_move();
                let phase = Phase::Waiting { until: now };
                let (text, attempts) = (text.to_owned(), 0);
                self.resume.lost = Some(LostConnection { at: now, text, attempts, phase });
                let reconnecting =
                    ConnectionEvent::Reconnecting { attempt: 1, wait: Duration::ZERO };
                self.tell(SessionEvent::Connection(reconnecting));
            }
        }
        true
    }

    /// True if a new connection is to be opened now. Then call [`Session::resume`] or
    /// [`Session::handle_connect_failed`].
    pub fn poll_reconnect(&mut self, now: Duration) -> bool {
        let Some(lost) = &mut self.resume.lost else { return false };
        let is_due = matches!(lost.phase, Phase::Waiting { until } if until <= now);
        if is_due {
            lost.attempts += 1;
            lost.phase = Phase::Connecting;
        }
        is_due
    }

    /// Ends the wait for the next attempt: the network is back, or the page is visible again.
    pub fn reconnect_now(&mut self, now: Duration) {
        if let Some(LostConnection { phase: phase @ Phase::Waiting { .. }, .. }) =
            &mut self.resume.lost
        {
            *phase = Phase::Waiting { until: now };
        }
    }

    /// Handles a failed attempt to connect.
    pub fn handle_connect_failed(&mut self, now: Duration) {
        if self.resume.lost.is_some() {
            self.wait_for_attempt(now);
        }
    }

    /// Begins the streams of a new connection with the request to resume. Datagrams go out once the
    /// server has resumed the session.
    pub fn resume(&mut self) {
        let Some(resume) = self.resume_frame() else { return };
        let Some(lost) = &mut self.resume.lost else { return };
        lost.phase = Phase::Resuming;
        self.stall = StallWatch::asking();
        self.control_in = FrameReader::default();
        self.chat_in = FrameReader::default();
        self.control_out = vec![STREAM_CONTROL];
        self.chat_out = vec![STREAM_CHAT];
        write_frame(&resume, &mut self.control_out);
    }

    /// The request to resume; `None` if the session cannot.
    fn resume_frame(&self) -> Option<ClientFrame> {
        let (player, secret) = (self.welcome.as_ref()?.player, self.resume.secret?);
        let (run, received) = (self.resume.run, self.resume.received);
        let (unanswered, next) = self.resume.unanswered(RequestId(self.requests.wrapping_add(1)));
        Some(ClientFrame::Resume { player, secret, run, received, unanswered, next })
    }

    /// True if the server lets the session resume over another connection.
    pub fn can_resume(&self) -> bool {
        !self.over && self.resume.secret.is_some() && !self.resume.grace.is_zero()
    }

    /// True while the session waits or tries to resume over another connection.
    pub fn is_reconnecting(&self) -> bool {
        !self.over && self.resume.lost.is_some()
    }

    /// Handles the server's `Resumed`: requests from `next` on are sent again.
    pub(super) fn handle_resumed(
        &mut self,
        now: Duration,
        next: RequestId,
    ) -> Result<(), SessionError> {
        let Some(lost) = self.resume.lost.take_if(|lost| lost.phase == Phase::Resuming) else {
            return Err(SessionError::Unexpected { what: "a resumed session" });
        };
        self.send_again(next);
        self.watch_anew(StallWatch::default());
        let resumed = ConnectionEvent::Resumed {
            attempts: lost.attempts,
            lost_for: now.saturating_sub(lost.at),
        };
        self.tell(SessionEvent::Connection(resumed));
        Ok(())
    }

    /// Sends the requests from `next` on again, and begins the static and the topics stream again.
    fn send_again(&mut self, next: RequestId) {
        self.resume.told = self.resume.received;
        self.static_data.resume();
        self.topics.resume();
        for Asked { request, stream, frame } in &self.resume.asked {
            if request.0.wrapping_sub(next.0) as i32 >= 0 {
                match stream {
                    RequestStream::Control => self.control_out.extend_from_slice(frame),
                    RequestStream::Chat => self.chat_out.extend_from_slice(frame),
                    RequestStream::Topics => self.topics.write(frame),
                }
            }
        }
    }

    /// Handles the server's `Restarted`: all unanswered requests are sent again.
    pub(super) fn handle_restarted(&mut self, now: Duration) -> Result<(), SessionError> {
        self.handle_resumed(now, self.resume.first_unanswered())?;
        self.follow_again()
    }

    /// Subscribes to the followed list of rooms and to topics, which a server that was started again does not know.
    fn follow_again(&mut self) -> Result<(), SessionError> {
        if let Some(query) = self.rooms.followed().cloned() {
            self.subscribe_rooms(query);
        }
        self.subscribe_again()?;
        self.hold_again();
        Ok(())
    }

    /// Reports received frames to the server, and ends a session whose grace is over.
    pub(super) fn advance_resume(&mut self, now: Duration) {
        self.advance_move(now);
        if let Some(lost) = &self.resume.lost {
            if now.saturating_sub(lost.at) > self.resume.grace {
                let text = lost.text.clone();
                self.handle_closed(CloseCode::ConnectionLost, &text);
            }
        } else if let Some(received) = self.resume.poll_received(now) {
            write_frame(&ClientFrame::Received(received), &mut self.control_out);
        }
    }

    pub(super) fn ask_chat(&mut self, request: RequestId, chat: &ClientChat) {
        let mut frame = Vec::new();
        write_frame(chat, &mut frame);
        self.ask(request, RequestStream::Chat, frame);
    }

    pub(super) fn ask(&mut self, request: RequestId, stream: RequestStream, frame: Vec<u8>) {
        if self.resume.is_connected() {
            match stream {
                RequestStream::Control => self.control_out.extend_from_slice(&frame),
                RequestStream::Chat => self.chat_out.extend_from_slice(&frame),
                RequestStream::Topics => self.topics.write(&frame),
            }
        }
        self.resume.ask(request, stream, frame);
        self.stall.asked();
    }

    fn wait_for_attempt(&mut self, now: Duration) {
        let Some(attempts) = self.resume.lost.as_ref().map(|lost| lost.attempts) else { return };
        let wait = self.resume.backoff(attempts);
        if let Some(lost) = &mut self.resume.lost {
            lost.phase = Phase::Waiting { until: now + wait };
        }
        let reconnecting = ConnectionEvent::Reconnecting { attempt: attempts + 1, wait };
        self.tell(SessionEvent::Connection(reconnecting));
    }
}
