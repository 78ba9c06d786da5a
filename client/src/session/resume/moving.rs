//! A session that moves to another connection while its own still carries it.
//!
//! ```text
//! connected --begin_move--> moving --Resumed over the new connection--> connected over that
//!     ^-----cancel_move-------'---own connection lost, no Resumed in time--> waiting
//! ```
//!
//! The new connection begins with `Resume`, as after a loss. Until the server answers, the old one carries everything, both
//! ways. The server repeats over the new one the frames that the client did not have when it asked: those that came over the old
//! one meanwhile are skipped, and requests that it has not taken are sent again.

use std::time::Duration;

use tickwire_shared::control::{
    FrameReader, Received, STREAM_CHAT, STREAM_CONTROL, ServerFrame, write_frame,
};

use super::{
    CHAT_BYTES_MAX, ConnectionEvent, Resume, Session, SessionError, SessionEvent, StallWatch,
};

/// Time after the loss of the old connection for the server's answer over the new one. The server closes the old one just before
/// it answers.
const LOST_TIME: Duration = Duration::from_secs(2);
/// Time for which no frames are reported as received, so that the server keeps all that `Resume` lacks.
const REPORT_PAUSE: Duration = Duration::from_secs(5);

/// A move under way.
#[derive(Debug)]
pub(super) struct Moving {
    control_in: FrameReader,
    /// Chat may overtake the server's answer, and is read after it.
    chat_in: FrameReader,
    /// The time and the text of the old connection's loss.
    pub(super) lost: Option<(Duration, String)>,
}

/// The request to move.
#[derive(Clone, Copy, Debug)]
pub(super) struct MoveRequest {
    /// The frames that the client had: the server writes those after them again.
    received: Received,
    at: Duration,
}

/// The first bytes of each stream of a new connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveStart {
    /// For the control stream.
    pub control: Vec<u8>,
    /// For the chat stream.
    pub chat: Vec<u8>,
}

/// The state of a move after bytes over the new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveOutcome {
    /// The old connection still carries the session.
    Pending,
    /// The new connection carries the session: its bytes go to [`Session::handle_control`] and [`Session::handle_chat`] from now
    /// on, and the old one is to be closed.
    Moved,
    /// The old connection goes on. The server may have moved the session all the same: close the new one by
    /// [`CloseCode::ConnectionLost`](tickwire_shared::control::CloseCode::ConnectionLost), or once the session goes on.
    Failed,
}

impl MoveRequest {
    /// True while the server must keep the frames that `Resume` lacks.
    pub(super) fn pauses_reports(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) < REPORT_PAUSE
    }
}

impl Resume {
    /// Counts on from `received`: the server writes all frames after those again.
    fn count_from(&mut self, received: Received) {
        let known = |came: u32, again: u32, from: u32| came.wrapping_add(again).wrapping_sub(from);
        let (came, again) = (self.received, self.repeated);
        self.repeated = Received {
            control: known(came.control, again.control, received.control),
            chat: known(came.chat, again.chat, received.chat),
        };
        self.received = received;
    }

    /// Counts from the request of a move that did not come about, if there is one. The server may have taken it, and written
    /// less again than came over the old connection; it keeps the frames, unless later ones were reported.
    pub(super) fn count_from_move(&mut self) {
        let Some(MoveRequest { received, .. }) = self.move_request.take() else { return };
        let is_reported = |told: u32, received: u32| (told.wrapping_sub(received) as i32) > 0;
        if !is_reported(self.told.control, received.control)
            && !is_reported(self.told.chat, received.chat)
        {
            self.count_from(received);
        }
    }
}

impl Moving {
    fn is_overdue(&self, now: Duration) -> bool {
        self.lost.as_ref().is_some_and(|(at, _)| now.saturating_sub(*at) >= LOST_TIME)
    }
}

impl Session {
    /// Asks the server to go on over a new connection that is open, while the old one carries the session. Returns the first
    /// bytes of its streams; nothing else may be sent over it before [`MoveOutcome::Moved`]. `None` if the session cannot move
    /// now: it may not resume, has lost its connection, moves already, or loads static data, which would begin again.
    ///
    /// Until the outcome is known the old connection must stay open, and so must the new one: closing either may end the
    /// session.
    pub fn begin_move(&mut self, now: Duration) -> Option<MoveStart> {
        let is_settled = self.resume.is_connected() && self.resume.moving.is_none();
        if !is_settled || !self.can_resume() || self.static_data.is_loading() {
            return None;
        }
        let resume = self.resume_frame()?;
        let (mut control, chat) = (vec![STREAM_CONTROL], vec![STREAM_CHAT]);
        write_frame(&resume, &mut control);
        self.stats.bytes_out += (control.len() + chat.len()) as u64;
        self.resume.moving = Some(Moving {
            control_in: FrameReader::default(),
            chat_in: FrameReader::default(),
            lost: None,
        });
        self.resume.move_request = Some(MoveRequest { received: self.resume.received, at: now });
        Some(MoveStart { control, chat })
    }

    /// Takes bytes of the new connection's control stream, until it carries the session. Its datagrams go to
    /// [`Session::handle_datagram`] from the beginning.
    ///
    /// # Errors
    /// As [`Session::handle_control`], for what follows the server's answer.
    pub fn handle_move_control(
        &mut self,
        now: Duration,
        bytes: &[u8],
    ) -> Result<MoveOutcome, SessionError> {
        let Some(moving) = &mut self.resume.moving else { return Ok(MoveOutcome::Failed) };
        self.stats.bytes_in += bytes.len() as u64;
        moving.control_in.push(bytes);
        match moving.control_in.poll::<ServerFrame>() {
            Ok(None) => Ok(MoveOutcome::Pending),
            Ok(Some(answer @ (ServerFrame::Resumed { .. } | ServerFrame::Restarted { .. }))) => {
                self.go_on_over_new(now, &answer)?;
                Ok(MoveOutcome::Moved)
            }
            Ok(Some(_)) | Err(_) => {
                self.cancel_move();
                Ok(MoveOutcome::Failed)
            }
        }
    }

    /// Takes bytes of the new connection's chat stream, until it carries the session.
    pub fn handle_move_chat(&mut self, bytes: &[u8]) -> MoveOutcome {
        let Some(moving) = &mut self.resume.moving else { return MoveOutcome::Failed };
        self.stats.bytes_in += bytes.len() as u64;
        moving.chat_in.push(bytes);
        if moving.chat_in.waiting_bytes() > CHAT_BYTES_MAX {
            self.cancel_move();
            return MoveOutcome::Failed;
        }
        MoveOutcome::Pending
    }

    /// Ends a move: the new connection has failed. The old one goes on; if it is lost as well, so is the session's connection.
    pub fn cancel_move(&mut self) {
        if let Some((at, text)) = self.resume.moving.take().and_then(|moving| moving.lost) {
            self.handle_lost(at, &text);
        }
    }

    /// True from [`Session::begin_move`] on until the outcome is known.
    pub fn is_moving(&self) -> bool {
        self.resume.moving.is_some()
    }

    /// Notes the loss of the old connection during a move. Returns false if there is no move.
    pub(super) fn lose_old(&mut self, now: Duration, text: &str) -> bool {
        let Some(moving) = &mut self.resume.moving else { return false };
        moving.lost.get_or_insert_with(|| (now, text.to_owned()));
        true
    }

    /// Ends a move whose old connection is lost and whose new one brought no answer.
    pub(super) fn advance_move(&mut self, now: Duration) {
        if self.resume.moving.as_ref().is_some_and(|moving| moving.is_overdue(now)) {
            self.cancel_move();
        }
    }

    fn go_on_over_new(&mut self, now: Duration, answer: &ServerFrame) -> Result<(), SessionError> {
        let Some(Moving { control_in, chat_in, .. }) = self.resume.moving.take() else {
            return Ok(());
        };
        let request = self.resume.move_request.take();
        (self.control_in, self.chat_in) = (control_in, chat_in);
        self.control_out.clear();
        self.chat_out.clear();
        self.resume.heard_control(answer);
        match answer {
            ServerFrame::Resumed { next } => {
                if let Some(MoveRequest { received, .. }) = request {
                    self.resume.count_from(received);
                }
                self.send_again(*next);
            }
            _ => {
                self.send_again(self.resume.first_unanswered());
                self.follow_again()?;
            }
        }
        self.tell(SessionEvent::Connection(ConnectionEvent::Moved));
        self.read_control(now)?;
        let read = self.read_chat();
        self.watch_anew(StallWatch::unproven());
        read
    }
}

#[cfg(test)]
mod tests;
