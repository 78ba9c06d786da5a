//! Rooms and chat from a native client.

use tickwire::client::{Client, ClientEvent};
use tickwire::control::{RoomChoice, RoomQuery, ServerChat, ServerFrame};

use crate::tag::{Tag, TagOptions, Tagged};

// ANCHOR: ask
/// Requests take effect in the order they are made: no need to wait in between.
pub fn enter(client: &mut Client<Tag>) {
    client.list_rooms(RoomQuery::default());
    client.join(RoomChoice::Named("friends".to_owned()), "Ann");
    client.say("hello");
}
// ANCHOR_END: ask

// ANCHOR: private
/// Makes a room that only those who know its password come into. Whoever makes it needs none.
pub fn make_private(client: &mut Client<Tag>, room: &str, password: &str) {
    client.create(room, &TagOptions { password: password.to_owned() }, "Ann", &());
}

/// Comes into it.
pub fn enter_private(client: &mut Client<Tag>, room: &str, password: &str) {
    client.join_with(RoomChoice::Named(room.to_owned()), "Bob", &(), password);
}
// ANCHOR_END: private

// ANCHOR: answers
/// A line for the player, for each thing that happened.
pub fn describe(event: &ClientEvent<Tagged>) -> String {
    match event {
        ClientEvent::Control(ServerFrame::Rooms { rooms, .. }) => {
            format!("{} rooms are open", rooms.len())
        }
        ClientEvent::Control(ServerFrame::Joined { room, members, .. }) => {
            format!("in {} with {} members", room.name, members.len())
        }
        ClientEvent::Control(ServerFrame::Refused { text, .. })
        | ClientEvent::Chat(ServerChat::Refused { text, .. }) => format!("refused: {text}"),
        ClientEvent::Chat(ServerChat::Message(message)) => {
            format!("{}: {}", message.name, message.text)
        }
        ClientEvent::Game { tick, event } => {
            format!("tick {}: {} tagged {}", tick.0, event.by.0, event.runner.0)
        }
        ClientEvent::Over { text, .. } => format!("over: {text}"),
        other => format!("{other:?}"),
    }
}
// ANCHOR_END: answers
