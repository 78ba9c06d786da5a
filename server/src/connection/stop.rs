//! A stop of the server, for each session.
//!
//! Without journals a stop ends every session. With them a room goes on in the next process, so to the members whose sessions
//! can resume a stop is a lost connection: their seats stay, and their clients come back by themselves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tickwire_shared::Simulation;
use tickwire_shared::control::CloseCode;

use super::{ClientLink, ServerState, SessionEnd};

/// Said to a client whose seat waits for it.
const RESTARTS: &str = "the server is restarting; the session goes on once it is back";

impl<S: Simulation> ServerState<S> {
    /// Ends every session, including those about to begin.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.webhooks.stop();
        self.topics.end_readers();
        self.links.end_all(|link| self.end_of_stop(link));
    }

    /// The same, for a process that takes over: no session waits for its client to have all frames.
    pub(crate) fn stop_at_once(&self) {
        self.at_once.store(true, Ordering::SeqCst);
        self.stop();
    }

    /// Time for a session's last frames.
    pub(super) fn goodbye_time(&self) -> Duration {
        match self.at_once.load(Ordering::SeqCst) {
            true => Duration::ZERO,
            false => self.config.goodbye_time(),
        }
    }

    /// True once the server has been asked to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// The end that a stop is for this session.
    pub(super) fn end_of_stop(&self, link: &ClientLink<S::Input>) -> SessionEnd {
        // A connection that has said nothing yet may be that of a client that resumes.
        let may_return = !link.is_greeted() || link.has_restorable_seat();
        match self.rooms.journals.is_some() && may_return {
            true => restart(),
            false => CloseCode::ServerStopping.into(),
        }
    }

    /// The answer to a client whose session cannot be resumed here and now.
    pub(super) fn resume_refusal(&self) -> SessionEnd {
        match self.is_stopping() && self.rooms.journals.is_some() {
            true => restart(),
            false => CloseCode::ResumeRefused.into(),
        }
    }
}

/// A lost connection in the client's eyes.
fn restart() -> SessionEnd {
    SessionEnd::new(CloseCode::ConnectionLost, RESTARTS)
}

impl SessionEnd {
    /// True if the session goes on in the next process.
    pub(super) fn is_restart(&self) -> bool {
        *self == restart()
    }
}
