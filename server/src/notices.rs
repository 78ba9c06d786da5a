//! What a program says to those who play on its server.

use std::sync::Arc;

use tickwire_shared::Simulation;
use tickwire_shared::control::ServerFrame;

use crate::connection::{ServerState, send_message};
use crate::room::ToRoom;

/// Says something to everyone on a server, or in a room of it, while it runs: "the server restarts in five minutes". From
/// [`Server::notices`](crate::Server::notices); clones say it to the same server.
///
/// A client gets the text as a notice: `ClientEvent::Control(ServerFrame::Notice(text))` in Rust, the event `notice` in
/// TypeScript. A text has 1000 characters at most, and is cut there.
pub struct Notices<S: Simulation> {
    host: Arc<ServerState<S>>,
}

impl<S: Simulation> Notices<S> {
    pub(crate) fn new(host: &Arc<ServerState<S>>) -> Self {
        Notices { host: Arc::clone(host) }
    }

    /// Says `text` to every session, in whichever room or in none.
    pub fn send(&self, text: &str) {
        self.host.tell_all(&ServerFrame::Notice(cut(text)));
    }

    /// Says `text` to everyone in the room of this name, after all that the room told them so far. Waits while the room is
    /// behind. `false` if there is no such room.
    pub async fn send_to_room(&self, room: &str, text: &str) -> bool {
        let Some(mailbox) = self.host.rooms.mailbox(room) else { return false };
        send_message(&mailbox, ToRoom::Notice { text: cut(text) }).await;
        !mailbox.is_closed()
    }
}

impl<S: Simulation> Clone for Notices<S> {
    fn clone(&self) -> Self {
        Notices::new(&self.host)
    }
}

impl<S: Simulation> std::fmt::Debug for Notices<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notices(..)")
    }
}

fn cut(text: &str) -> String {
    text.chars().take(NOTICE_CHARACTERS_MAX).collect()
}

/// Characters of a notice: it fits a frame, whatever they are.
const NOTICE_CHARACTERS_MAX: usize = 1000;
