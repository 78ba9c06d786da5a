//! Commands of the game.

use tickwire_shared::command::COMMAND_UNKNOWN;
use tickwire_shared::control::{ClientFrame, RequestId};

use super::Session;

impl Session {
    /// Sends a command to the game: its kind's number in the server's schema and its lanes; missing
    /// lanes are as near to zero as their ranges allow.
    /// [`Done`](tickwire_shared::control::ServerFrame::Done) says that a step had it, exactly once,
    /// after earlier commands; [`Refused`](tickwire_shared::control::ServerFrame::Refused) says
    /// that no step will. If the session ends before either answer, it is unknown whether a step
    /// had it.
    ///
    /// The server refuses a kind that its game does not have; `None` always is one.
    pub fn command(&mut self, kind: Option<u8>, lanes: &[i32]) -> RequestId {
        let known =
            kind.and_then(|kind| Some((kind, self.commands.as_ref()?.encode(kind, lanes)?)));
        let (kind, fields) = known.unwrap_or((COMMAND_UNKNOWN, Vec::new()));
        self.request(|request| ClientFrame::Command { request, kind, fields })
    }
}
