//! Moves to another transport while the old one carries the session.

use tickwire_shared::Simulation;
use tickwire_shared::control::CloseCode;
use tokio::sync::oneshot;

use super::link::{Incoming, Link};
use super::target::{Target, Transport};
use super::{Client, ConnectError};
use crate::session::{MoveOutcome, SessionError};

/// Text of the close of a connection that the session does not need.
pub(super) const ELSEWHERE: &str = "the session goes on over another connection";

/// A connection on its way to carry the session.
#[derive(Debug)]
pub(super) enum NextLink {
    Opening(oneshot::Receiver<Result<Link, ConnectError>>),
    /// The server is asked to go on over it.
    Asked(Link),
}

impl<S: Simulation> Client<S> {
    /// Opens a connection to `target` in the background, and moves the session to it once the server answers over it:
    /// from a WebSocket to QUIC, for instance. Until then the old connection carries everything, and if the new one does not
    /// come about it still does. [`ConnectionEvent::Moved`](crate::ConnectionEvent::Moved) follows a move, after which
    /// [`Client::transport`] is another; [`Client::is_moving`] is false after one that failed. A lost connection is still
    /// followed by one to the target of [`Client::connect`].
    ///
    /// An earlier move that is under way goes on in place of this one.
    ///
    /// # Errors
    /// [`ConnectError::Target`] for an address that cannot be used.
    pub fn move_to(&mut self, target: &str) -> Result<(), ConnectError> {
        let target = Target::parse(target)?;
        if self.next_link.is_none() {
            self.next_link = Some(NextLink::Opening(self.reconnect.open_to(target)));
        }
        Ok(())
    }

    /// True while a connection for [`Client::move_to`] opens, or the server is asked to go on over it.
    pub fn is_moving(&self) -> bool {
        self.next_link.is_some()
    }

    /// Takes the opened connection, and what arrived over it.
    pub(super) fn advance_move(&mut self) -> Result<(), SessionError> {
        match self.next_link.take() {
            Some(NextLink::Opening(mut opening)) => match opening.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => {
                    self.next_link = Some(NextLink::Opening(opening));
                }
                Ok(Ok(link)) => self.ask_to_move(link),
                Ok(Err(_)) | Err(oneshot::error::TryRecvError::Closed) => {}
            },
            Some(NextLink::Asked(link)) => self.read_next(link)?,
            None => {}
        }
        Ok(())
    }

    fn ask_to_move(&mut self, link: Link) {
        match self.session.begin_move(self.now()) {
            Some(start) => {
                link.send_control(start.control);
                link.send_chat(start.chat);
                self.next_link = Some(NextLink::Asked(link));
            }
            None => link.close(CloseCode::Normal, ELSEWHERE),
        }
    }

    fn read_next(&mut self, mut link: Link) -> Result<(), SessionError> {
        while self.session.is_moving() {
            let Some((at, incoming)) = link.poll() else {
                self.next_link = Some(NextLink::Asked(link));
                return Ok(());
            };
            let at = at.saturating_duration_since(self.epoch);
            match incoming {
                Incoming::Datagram(bytes) => self.session.handle_datagram(at, &bytes),
                Incoming::Control(bytes) => {
                    let outcome = self.session.handle_move_control(at, &bytes);
                    if !matches!(outcome, Ok(MoveOutcome::Pending | MoveOutcome::Failed)) {
                        // An error is of the session that goes over it by now.
                        self.go_over(link);
                        return outcome.map(|_| ());
                    }
                }
                Incoming::Chat(bytes) => {
                    self.session.handle_move_chat(&bytes);
                }
                Incoming::Static(_) | Incoming::Topics(_) => {}
                Incoming::Closed { .. } => self.session.cancel_move(),
            }
        }
        // The server may go on over it all the same: then it is told that this is no end.
        link.close(CloseCode::ConnectionLost, ELSEWHERE);
        Ok(())
    }

    /// Leaves the connection for another one.
    pub(super) fn go_over(&mut self, link: Link) {
        self.session.set_lossless(link.transport() == Transport::WebSocket);
        let old = std::mem::replace(&mut self.link, link);
        // The server may still listen to it: then it is told that this is no end.
        old.close(CloseCode::ConnectionLost, ELSEWHERE);
    }
}
