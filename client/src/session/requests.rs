//! Requests of a client. Each is answered exactly once, after its effect and in the order asked,
//! unless the session ends.

use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    ClientChat, ClientFrame, Redacted, RequestId, RoomChoice, RoomQuery, write_frame,
};

use super::Session;
use super::resume::RequestStream;

impl Session {
    /// Identifies the player by a join token. Call it before the first bytes of the control stream are taken; later it has no
    /// effect.
    pub fn set_token(&mut self, join_token: Redacted) {
        if let Some(ClientFrame::Hello { token, .. }) = &mut self.hello {
            *token = join_token;
        }
    }

    /// Asks for a seat. Returns the number that the answer names, as do all requests below: each is
    /// answered exactly once, after its effect and in the order asked, unless the session ends.
    pub fn join(&mut self, room: RoomChoice, name: &str) -> RequestId {
        self.join_with(room, name, "", "")
    }

    /// Asks for a seat with the game's join options as JSON, empty for the default, and the room's
    /// password, empty for none; answered as [`Session::join`].
    pub fn join_with(
        &mut self,
        room: RoomChoice,
        name: &str,
        options: &str,
        password: &str,
    ) -> RequestId {
        let room = match room {
            RoomChoice::Quick => RoomChoice::Quick,
            RoomChoice::Named(name) => RoomChoice::Named(clip_name(&name)),
            RoomChoice::Create { name, options } => RoomChoice::Create {
                name: clip_name(&name),
                options: clip_options(options.as_str()),
            },
        };
        let (name, options) = (clip_name(name), clip_options(options));
        let password = clip_name(password).into();
        self.request(|request| ClientFrame::Join { request, room, name, options, password })
    }

    /// Asks to watch a room.
    pub fn spectate(&mut self, room: &str, name: &str) -> RequestId {
        self.spectate_with(room, name, "")
    }

    /// Asks to watch a room with its password; empty for none.
    pub fn spectate_with(&mut self, room: &str, name: &str, password: &str) -> RequestId {
        let (room, name) = (clip_name(room), clip_name(name));
        let password = Redacted(clip_name(password));
        self.request(|request| ClientFrame::Spectate { request, room, name, password })
    }

    /// Gives the seat back.
    pub fn leave(&mut self) -> RequestId {
        self.request(|request| ClientFrame::Leave { request })
    }

    /// Asks for the list of rooms.
    pub fn list_rooms(&mut self, query: RoomQuery) -> RequestId {
        let query = clip_query(query);
        self.request(|request| ClientFrame::ListRooms { request, query })
    }

    /// Asks for the list of rooms and for its later changes; [`Session::rooms`] holds it.
    pub fn subscribe_rooms(&mut self, query: RoomQuery) -> RequestId {
        let query = clip_query(query);
        let told = query.clone();
        let request = self.request(|request| ClientFrame::SubscribeRooms { request, query: told });
        self.rooms.subscribe(request, query);
        request
    }

    /// Stops following the list of rooms.
    pub fn unsubscribe_rooms(&mut self) -> RequestId {
        self.rooms.unsubscribe();
        self.request(|request| ClientFrame::UnsubscribeRooms { request })
    }

    /// Removes a member; only the room's host may.
    pub fn kick(&mut self, player: PlayerId, reason: &str) -> RequestId {
        let reason = clip(reason);
        self.request(|request| ClientFrame::Kick { request, player, reason })
    }

    /// Says goodbye; the server then closes.
    pub fn goodbye(&mut self) {
        self.request(|request| ClientFrame::Goodbye { request });
    }

    /// Sends a chat message to the room.
    pub fn say(&mut self, text: &str) -> RequestId {
        let request = self.next_request();
        self.ask_chat(request, &ClientChat::Say { request, text: clip(text) });
        request
    }

    /// Sends a chat message to one member.
    pub fn tell_player(&mut self, player: PlayerId, text: &str) -> RequestId {
        let request = self.next_request();
        self.ask_chat(request, &ClientChat::Tell { request, player, text: clip(text) });
        request
    }

    /// Asks for earlier messages to the room: at most `count` with numbers below `before`, or the newest.
    /// [`ServerChat::History`](tickwire_shared::control::ServerChat::History) or a refusal answers.
    pub fn chat_history(&mut self, before: Option<u64>, count: u16) -> RequestId {
        let request = self.next_request();
        self.ask_chat(request, &ClientChat::History { request, before, count });
        request
    }

    pub(super) fn request(&mut self, frame: impl FnOnce(RequestId) -> ClientFrame) -> RequestId {
        let request = self.next_request();
        let mut bytes = Vec::new();
        write_frame(&frame(request), &mut bytes);
        self.ask(request, RequestStream::Control, bytes);
        request
    }

    pub(super) fn next_request(&mut self) -> RequestId {
        self.requests = self.requests.wrapping_add(1);
        RequestId(self.requests)
    }
}

/// Text as long as any frame may hold. The server's own limit is far below and is answered with an
/// explanation.
fn clip(text: &str) -> String {
    text.chars().take(4096).collect()
}

/// A name or a password; no server accepts longer ones.
fn clip_name(text: &str) -> String {
    text.chars().take(256).collect()
}

/// Options a little longer than any server accepts, so that the server can explain the refusal.
fn clip_options(text: &str) -> Redacted {
    let end = (0..=OPTIONS_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].into()
}

fn clip_query(query: RoomQuery) -> RoomQuery {
    let (tag, name_prefix) = (clip_name(&query.tag), clip_name(&query.name_prefix));
    RoomQuery { tag, name_prefix, ..query }
}

/// Bytes of options that are sent at most: more than the 16 KiB that a server accepts.
const OPTIONS_BYTES_MAX: usize = 17 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_fits_a_frame() {
        let mut session = Session::new("test", None);
        let long = "語".repeat(100_000);
        let options = long.as_str().into();
        let room = RoomChoice::Create { name: long.clone(), options };
        session.join_with(room, &long, &long, &long);
        session.spectate_with(&long, &long, &long);
        let query =
            RoomQuery { tag: long.clone(), name_prefix: long.clone(), ..RoomQuery::default() };
        session.list_rooms(query.clone());
        session.subscribe_rooms(query);
        session.kick(PlayerId(1), &long);
    }
}
