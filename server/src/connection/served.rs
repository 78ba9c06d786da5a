//! How serving a connection ends.

use tickwire_shared::PlayerId;
use tickwire_shared::control::Received;

use super::link::SessionEnd;

/// How the streams of a connection ended.
#[derive(Debug)]
pub(super) enum Served {
    /// The session is over.
    Over(SessionEnd),
    /// The connection is over, and everything that came on it is done.
    Lost,
    /// The session of this number goes on over this connection.
    Resume {
        /// Whose session.
        player: PlayerId,
        /// The frames that its client has.
        received: Received,
    },
}
