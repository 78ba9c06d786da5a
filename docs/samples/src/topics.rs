//! A server of topics alone, and its clients.

use std::time::Duration;

use tickwire::client::{Client, ClientEvent, SubscribeOptions, TopicEvent};
use tickwire::control::{SubscriptionId, TopicDelivery, TopicLifetime, TopicStart};
use tickwire::server::{ReadTopicsOptions, ServerHandle, TopicItem};
use tickwire::{NoGame, Simulation};

// ANCHOR: server
/// Reads its settings as any server does.
pub fn main() -> std::process::ExitCode {
    tickwire::run::<NoGame>()
}
// ANCHOR_END: server

// ANCHOR: task
/// A server of topics whose own program publishes: a main of one line, `tickwire::run_with_task(tell_time)`.
pub async fn tell_time(server: ServerHandle<NoGame>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for second in 0.. {
        ticks.tick().await;
        if let Err(error) = server.topics().publish("time/running", "", format!("{second} s")) {
            eprintln!("{error}");
        }
    }
}
// ANCHOR_END: task

// ANCHOR: read
/// Counts what is said, for all to see.
pub async fn count_chat(server: ServerHandle<NoGame>) {
    let topics = server.topics();
    let chats = topics.subscribe("chat/**", ReadTopicsOptions::default());
    let mut chats = chats.expect("topics are on");
    let mut count = 0;
    while let Ok(item) = chats.next().await {
        if let TopicItem::Message { .. } = item {
            count += 1;
            let _ = topics.publish("count", "", format!("{count} messages"));
        }
    }
}
// ANCHOR_END: read

// ANCHOR: client
/// Follows all chats, and says hello in one.
pub fn begin<S: Simulation>(client: &mut Client<S>) -> SubscriptionId {
    let (chats, _) = client.subscribe("chat/**", SubscribeOptions::default());
    client.publish("chat/berlin", "", b"hello");
    chats
}

/// What came since the last call.
pub fn lines<S: Simulation>(client: &mut Client<S>) -> Vec<String> {
    client.update();
    let mut lines = Vec::new();
    while let Some(event) = client.poll_event() {
        match event {
            ClientEvent::Topic(TopicEvent::Message { topic, message, .. }) => {
                lines.push(format!("{topic}: {}", String::from_utf8_lossy(&message.payload)));
            }
            ClientEvent::Topic(TopicEvent::Missed { topic, from, to, .. }) => {
                lines.push(format!("{topic}: messages {from} to {to} are gone"));
            }
            _ => {}
        }
    }
    lines
}
// ANCHOR_END: client

// ANCHOR: presence
/// Says that its user is here, and follows who else is.
pub fn appear<S: Simulation>(client: &mut Client<S>, account: &str) -> SubscriptionId {
    let (delivery, start) = (TopicDelivery::Latest, TopicStart::Last(u32::MAX));
    let options = SubscribeOptions { delivery, start, ..SubscribeOptions::default() };
    let (who, _) = client.subscribe("lobby/who", options);
    client.publish_for(TopicLifetime::Session, ("lobby/who", account), b"here");
    who
}

/// Says for three seconds that its user is typing.
pub fn type_on<S: Simulation>(client: &mut Client<S>, account: &str) {
    client.publish_for(TopicLifetime::Milliseconds(3000), ("lobby/typing", account), b"");
}
// ANCHOR_END: presence
