//! What a client asks for. Each is answered exactly once, after its effect, and in the order asked, or the session is over.

use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    ClientChat, ClientFrame, Redacted, RequestId, RoomChoice, RoomQuery, write_frame,
};

use super::Session;

impl Session {
    /// Asks for a seat. The number is the one that the answer names, as for all that follows: each is answered exactly
    /// once, after its effect, and in the order asked, or the session is over.
    pub fn join(&mut self, room: RoomChoice, name: &str) -> RequestId {
        self.join_with(room, name, "", "")
    }

    /// Asks for a seat, with the game's join options as JSON, empty for the default, and the room's password, empty for
    /// none; answered as [`Session::join`].
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

    /// Asks to watch.
    pub fn spectate(&mut self, room: &str, name: &str) -> RequestId {
        self.spectate_with(room, name, "")
    }

    /// Asks to watch, with the room's password; empty for none.
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

    /// Asks for the list of rooms, and for what changes in it from then on: [`Session::rooms`] has it.
    pub fn subscribe_rooms(&mut self, query: RoomQuery) -> RequestId {
        let query = clip_query(query);
        let order = query.order;
        let request = self.request(|request| ClientFrame::SubscribeRooms { request, query });
        self.rooms.subscribe(request, order);
        request
    }

    /// Follows the list of rooms no more.
    pub fn unsubscribe_rooms(&mut self) -> RequestId {
        self.rooms.unsubscribe();
        self.request(|request| ClientFrame::UnsubscribeRooms { request })
    }

    /// Removes a member; only the host may.
    pub fn kick(&mut self, player: PlayerId, reason: &str) -> RequestId {
        let reason = clip(reason);
        self.request(|request| ClientFrame::Kick { request, player, reason })
    }

    /// Says goodbye: the server will close.
    pub fn goodbye(&mut self) {
        self.request(|request| ClientFrame::Goodbye { request });
    }

    /// Says something to the room.
    pub fn say(&mut self, text: &str) -> RequestId {
        let request = self.next_request();
        write_frame(&ClientChat::Say { request, text: clip(text) }, &mut self.chat_out);
        request
    }

    /// Says something to one member.
    pub fn tell_player(&mut self, player: PlayerId, text: &str) -> RequestId {
        let request = self.next_request();
        write_frame(&ClientChat::Tell { request, player, text: clip(text) }, &mut self.chat_out);
        request
    }

    pub(super) fn request(&mut self, frame: impl FnOnce(RequestId) -> ClientFrame) -> RequestId {
        let request = self.next_request();
        write_frame(&frame(request), &mut self.control_out);
        request
    }

    fn next_request(&mut self) -> RequestId {
        self.requests = self.requests.wrapping_add(1);
        RequestId(self.requests)
    }
}

/// Text as long as a frame may surely hold; the server's own limit is far below and answers in words.
fn clip(text: &str) -> String {
    text.chars().take(4096).collect()
}

/// A name, or a password; no server takes longer ones.
fn clip_name(text: &str) -> String {
    text.chars().take(256).collect()
}

/// Options that any server may take, and a little more of those that none does, for it to answer in words.
fn clip_options(text: &str) -> Redacted {
    let end = (0..=OPTIONS_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].into()
}

fn clip_query(query: RoomQuery) -> RoomQuery {
    let (tag, name_prefix) = (clip_name(&query.tag), clip_name(&query.name_prefix));
    RoomQuery { tag, name_prefix, ..query }
}

/// Bytes of options that are sent: more than the 16 KiB that a server takes at most.
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
