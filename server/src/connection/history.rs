//! Chat history: messages go into the store as they are delivered, and come back after a join or on request.

use std::time::Duration;

use tickwire_shared::control::{RefuseCode, RequestId, RoomInfo, ServerChat, ServerFrame};
use tickwire_shared::{PlayerId, Simulation};

use super::control::FRAME_PAUSE;
use super::reliable::frame_bytes;
use super::{ClientLink, ServerState};
use crate::room::SecretDigest;
use crate::store::{
    ChatPage, NewMessage, PAGE_BYTES_MAX, PAGE_MESSAGES_MAX, PageRequest, SessionTag, StoreEvent,
};

/// Said while history cannot be read.
const UNREADABLE: &str = "earlier messages cannot be read now; ask again later";
/// Said to a client whose last page is not looked up, or not received, for too long.
pub(super) const ONE_AT_A_TIME: &str =
    "your last request for earlier messages is under way; ask again once its answer is there";
/// Time for which a request for history waits for the one before.
const LOOK_UP_WAIT: Duration = Duration::from_secs(1);
/// Said to everyone when the store fails.
const NOT_SAVED: &str =
    "chat is not saved any more: the server's store fails, or its disk is full; play goes on";
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
        let session = self.links.get(sender).and_then(|link| link.session_tag());
        let new = || NewMessage { room: room.name.clone(), message, session };
        let store = self.rooms.store.as_ref().filter(|_| !room.needs_password);
        if !store.is_some_and(|store| store.keep(new())) {
            self.tell_sent(sender, (request, id), false);
        }
    }

    /// Answers a message that the client said before, to a server that was killed, if that is saved: nobody gets it twice.
    pub(super) fn answer_said(&self, link: &ClientLink<S::Input>, request: RequestId) -> bool {
        let (Some(store), Some(session)) = (&self.rooms.store, link.session_tag()) else {
            return false;
        };
        let Some(message) = store.said_before(session, request) else { return false };
        link.send_chat(&ServerChat::Message(message.clone()));
        link.send_chat(&ServerChat::Sent { request, id: message.id, is_saved: true });
        true
    }

    /// Looks up the newest messages for a client that has joined, or is back after a restart.
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

    /// Looks up messages that a client asks for: one page at a time, and the next once the client has most of the one before.
    pub(super) async fn recall(&self, link: &ClientLink<S::Input>, wanted: PageRequest) {
        let Some(store) = &self.rooms.store else {
            let nothing = ChatPage { messages: Vec::new(), has_older: false };
            return link.send_page(wanted, Some(nothing));
        };
        if !link.may_look_up().await {
            return wanted.request.iter().for_each(|it| link.refuse_page(*it, ONE_AT_A_TIME));
        }
        if !store.look_up(wanted.clone()) {
            link.looked_up();
            link.send_page(wanted, None);
        }
    }

    /// Delivers a result of the store.
    pub(crate) fn deliver_stored(&self, event: StoreEvent) {
        match event {
            StoreEvent::Kept { sender, request, id, is_saved } => {
                self.tell_sent(sender, (request, id), is_saved);
            }
            StoreEvent::Page(wanted, page) => {
                if let Some(link) = self.links.get(wanted.player) {
                    if wanted.request.is_some() {
                        link.looked_up();
                    }
                    link.send_page(wanted, page);
                }
            }
            StoreEvent::Profile { room, save, outcome } => {
                self.deliver_saved(&room, save, outcome);
            }
            StoreEvent::Score { room, score, outcome } => {
                self.deliver_scored(&room, score, outcome);
            }
            StoreEvent::Topic { player, request, saved } => {
                self.tell_published(player, request, saved);
            }
            StoreEvent::Failing => self.tell_all(&ServerFrame::Notice(NOT_SAVED.to_owned())),
            StoreEvent::Recovered => self.tell_all(&ServerFrame::Notice(SAVED_AGAIN.to_owned())),
        }
    }

    fn tell_sent(&self, sender: PlayerId, (request, id): (RequestId, u64), is_saved: bool) {
        if let Some(link) = self.links.get(sender) {
            link.send_chat(&ServerChat::Sent { request, id, is_saved });
        }
    }
}

impl<I> ClientLink<I> {
    /// Its session in the store, if it can be resumed.
    fn session_tag(&self) -> Option<SessionTag> {
        self.secret().map(|secret| SessionTag(SecretDigest::of(&secret.0).short()))
    }

    /// A page of a room's messages that the client asks for.
    pub(super) fn wanted_page(
        &self,
        room: &str,
        (request, before, count): (RequestId, Option<u64>, u16),
    ) -> PageRequest {
        let (player, room) = (self.player, room.to_owned());
        let count = count.min(PAGE_MESSAGES_MAX);
        PageRequest { player, request: Some(request), room, before, count }
    }

    /// Waits, for a moment, until the client has no look-up under way and place for a page. Returns false if that does not come.
    async fn may_look_up(&self) -> bool {
        let pauses = LOOK_UP_WAIT.as_millis() / FRAME_PAUSE.as_millis();
        for _ in 0..pauses {
            if self.reliable.has_place_for_page(PAGE_BYTES_MAX) && self.begin_look_up() {
                return true;
            }
            tokio::time::sleep(FRAME_PAUSE).await;
        }
        false
    }

    /// Sends a page, or a refusal without one. A page never fills the place for what else waits for the client.
    fn send_page(&self, wanted: PageRequest, page: Option<ChatPage>) {
        let PageRequest { request, room, .. } = wanted;
        let history = page.map(|ChatPage { messages, has_older }| ServerChat::History {
            request,
            room,
            messages,
            has_older,
        });
        match (history, request) {
            (Some(ServerChat::History { messages, .. }), None) if messages.is_empty() => {}
            (Some(history), _) if self.reliable.has_place_for_page(frame_bytes(&history)) => {
                self.send_chat(&history);
            }
            (_, Some(request)) => self.refuse_page(request, UNREADABLE),
            // The client can still ask.
            (_, None) => {}
        }
    }

    pub(super) fn refuse_page(&self, request: RequestId, text: &str) {
        let (code, text) = (RefuseCode::Busy, text.to_owned());
        self.send_chat(&ServerChat::Refused { request, code, text });
    }
}
