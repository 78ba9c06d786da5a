//! Rooms and chat from a native client.

use tickwire::client::{Client, ClientEvent};
use tickwire::control::{RoomChoice, RoomQuery, ServerChat, ServerFrame};

use crate::tag::{Tag, Tagged};

// ANCHOR: ask
/// Requests take effect in the order they are made: no need to wait in between.
pub fn enter(client: &mut Client<Tag>) {
    client.list_rooms(RoomQuery::default());
    client.join(RoomChoice::Named("friends".to_owned()), "Ann");
    client.say("hello");
}
// ANCHOR_END: ask

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
