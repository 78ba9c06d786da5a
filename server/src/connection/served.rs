//! The end of serving a connection.

use tickwire_shared::PlayerId;
use tickwire_shared::control::{Received, ResumeSecret};

use super::link::SessionEnd;
use super::order::SentAgain;

/// The reason why serving a connection's streams ended.
#[derive(Debug)]
pub(super) enum Served {
    /// The session is over.
    Over(SessionEnd),
    /// The connection is over, and all requests that came on it are done.
    Lost,
    /// The session of this number resumes over this connection.
    Resume {
        /// The number of the session.
        player: PlayerId,
        /// The frames that its client has.
        received: Received,
    },
    /// The session of this restored seat resumes over this connection.
    Restore {
        /// The number of the session.
        player: PlayerId,
        /// Its secret.
        secret: ResumeSecret,
        /// The requests that its client sends again.
        sent_again: SentAgain,
    },
}
