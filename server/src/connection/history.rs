//! Chat history: messages go into the store as they are delivered, and come back after a join or on request.

use tickwire_shared::control::{RefuseCode, RequestId, RoomInfo, ServerChat, ServerFrame};
use tickwire_shared::{PlayerId, Simulation};

use super::{ClientLink, ServerState};
use crate::store::{ChatPage, NewMessage, PAGE_MESSAGES_MAX, PageRequest, StoreEvent};

/// Said while history cannot be read.
const UNREADABLE: &str = "earlier messages cannot be read now; ask again later";
/// Said to everyone when the store fails.
const NOT_SAVED: &str =
    "chat is not saved any more: the server's disk fails or is full; play goes on";
/// Said to everyone when it works again.
const SAVED_AGAIN: &str = "chat is saved again";

impl<S: Simulation> ServerState<S> {
    /// Keeps a message that was delivered to its room. Private ones are not kept, and none of a room with a password:
    /// another room may have its name later.
    pub(super) fn keep_chat(&self, room: &RoomInfo, chat: ServerChat) {
        let message = match chat {
            ServerChat::Message(message) => message,
            ServerChat::Notice { id, .. } => {
                return self.rooms.store.iter().for_each(|store| store.note_id(id));
            }
            _ => return,
        };
        if let Some(store) = &self.rooms.store {
            store.note_id(message.id);
        }
        if message.to.is_some() {
            return;
        }
        let (sender, request, id) = (message.from, message.request, message.id);
        let new = || NewMessage { room: room.name.clone(), message };
        let store = self.rooms.store.as_ref().filter(|_| !room.needs_password);
        if !store.is_some_and(|store| store.keep(new())) {
            self.tell_sent(sender, (request, id), false);
        }
    }

    /// Looks up the newest messages for a client that has joined.
    pub(super) fn recall_newest(&self, room: &str, player: PlayerId) {
        let (Some(store), count) = (&self.rooms.store, self.config.chat_joined_messages) else {
            return;
        };
        if count > 0 {
            let room = room.to_owned();
            // With the queue full the client can still ask.
            store.look_up(PageRequest { player, request: None, room, before: None, count });
        }
    }

    /// Looks up messages that a client asks for.
    pub(super) fn recall(
        &self,
        link: &ClientLink<S::Input>,
        room: &str,
        (request, before, count): (RequestId, Option<u64>, u16),
    ) {
        let (player, room) = (link.player, room.to_owned());
        let count = count.min(PAGE_MESSAGES_MAX);
        let request = Some(request);
        let wanted = PageRequest { player, request, room, before, count };
        match &self.rooms.store {
            Some(store) => {
                if !store.look_up(wanted.clone()) {
                    self.tell_page(wanted, None);
                }
            }
            None => {
                self.tell_page(wanted, Some(ChatPage { messages: Vec::new(), has_older: false }));
            }
        }
    }

    /// Delivers a result of the store.
    pub(crate) fn deliver_stored(&self, event: StoreEvent) {
        match event {
            StoreEvent::Kept { sender, request, id, is_saved } => {
                self.tell_sent(sender, (request, id), is_saved);
            }
            StoreEvent::Page(wanted, page) => self.tell_page(wanted, page),
            StoreEvent::Failing => self.tell_all(&ServerFrame::Notice(NOT_SAVED.to_owned())),
            StoreEvent::Recovered => self.tell_all(&ServerFrame::Notice(SAVED_AGAIN.to_owned())),
        }
    }

    fn tell_sent(&self, sender: PlayerId, (request, id): (RequestId, u64), is_saved: bool) {
        if let Some(link) = self.links.get(sender) {
            link.send_chat(&ServerChat::Sent { request, id, is_saved });
        }
    }

    fn tell_page(
        &self,
        PageRequest { player, request, room, .. }: PageRequest,
        page: Option<ChatPage>,
    ) {
        let Some(link) = self.links.get(player) else { return };
        match (page, request) {
            (Some(page), None) if page.messages.is_empty() => {}
            (Some(ChatPage { messages, has_older }), request) => {
                link.send_chat(&ServerChat::History { request, room, messages, has_older });
            }
            (None, Some(request)) => {
                let (code, text) = (RefuseCode::Busy, UNREADABLE.to_owned());
                link.send_chat(&ServerChat::Refused { request, code, text });
            }
            (None, None) => {}
        }
    }
}
