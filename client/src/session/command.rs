//! Commands of the game.

use tickwire_shared::command::COMMAND_UNKNOWN;
use tickwire_shared::control::{ClientFrame, RequestId};

use super::Session;

impl Session {
    /// Asks something of the game, by the number of its kind in the server's schema and its lanes; those left out are
    /// as near to zero as their ranges allow. [`Done`](tickwire_shared::control::ServerFrame::Done) says that a step had it, exactly once, after those
    /// asked before; [`Refused`](tickwire_shared::control::ServerFrame::Refused), that none will. If the session ends
    /// before either, a step had it or not.
    ///
    /// A kind that the server's game does not have, `None` above all, is refused by the server.
    pub fn command(&mut self, kind: Option<u8>, lanes: &[i32]) -> RequestId {
        let known =
            kind.and_then(|kind| Some((kind, self.commands.as_ref()?.encode(kind, lanes)?)));
        let (kind, fields) = known.unwrap_or((COMMAND_UNKNOWN, Vec::new()));
        self.request(|request| ClientFrame::Command { request, kind, fields })
    }
}
