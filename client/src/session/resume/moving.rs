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

use super::{CHAT_BYTES_MAX, ConnectionEvent, Session, SessionError, SessionEvent};

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
    /// The frames that the client had when it asked.
    asked_with: Received,
    since: Duration,
    /// The time and the text of the old connection's loss.
    pub(super) lost: Option<(Duration, String)>,
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
    /// The server did not accept the new connection, which is to be closed. The old one goes on.
    Failed,
}

impl Moving {
    /// True while the server must keep the frames that `Resume` lacks.
    pub(super) fn pauses_reports(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) < REPORT_PAUSE
    }

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
            asked_with: self.resume.received,
            since: now,
            lost: None,
        });
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
        let Some(moving) = self.resume.moving.take() else { return Ok(()) };
        let Moving { control_in, chat_in, asked_with, .. } = moving;
        (self.control_in, self.chat_in) = (control_in, chat_in);
        self.control_out.clear();
        self.chat_out.clear();
        self.resume.heard_control(answer);
        match answer {
            ServerFrame::Resumed { next } => {
                let received = self.resume.received;
                self.resume.repeated = Received {
                    control: received.control.wrapping_sub(asked_with.control),
                    chat: received.chat.wrapping_sub(asked_with.chat),
                };
                self.send_again(*next);
            }
            _ => {
                self.send_again(self.resume.first_unanswered());
                self.follow_rooms_again();
            }
        }
        self.tell(SessionEvent::Connection(ConnectionEvent::Moved));
        self.read_control(now)?;
        self.read_chat()
    }
}

#[cfg(test)]
mod tests;
