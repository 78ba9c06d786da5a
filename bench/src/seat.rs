//! A native client's way into its room, how far its world is, and what is saved of the room's chat.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::bail;
use tickwire_client::{Client, ClientEvent};
use tickwire_shared::Simulation;
use tickwire_shared::control::{ServerChat, ServerFrame};

/// Interval at which a client looks for news.
const LOOK: Duration = Duration::from_millis(5);
/// Messages of a page of history.
const PAGE: u16 = 200;

/// Waits for the answer to a client's join.
///
/// # Errors
/// If it is refused, or the session ends.
pub(crate) async fn seated<G: Simulation>(client: &mut Client<G>) -> anyhow::Result<()> {
    loop {
        client.update();
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Control(ServerFrame::Joined { .. }) => return Ok(()),
                ClientEvent::Control(ServerFrame::Refused { code, text, .. }) => {
                    bail!("no seat: {code:?}: {text}")
                }
                ClientEvent::Over { code, text } => bail!("the session ended: {code:?}: {text}"),
                _ => {}
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The newest tick that a client has a snapshot of; 0 for none.
pub(crate) fn newest_tick<G: Simulation>(client: &Client<G>) -> u32 {
    let room = client.session().room();
    room.and_then(|room| room.replica().newest()).map_or(0, |tick| tick.0)
}

/// All messages that the store has of the client's room.
///
/// # Errors
/// If the session ends.
pub(crate) async fn history<G: Simulation>(
    client: &mut Client<G>,
) -> anyhow::Result<HashSet<String>> {
    let (mut texts, mut before) = (HashSet::new(), None);
    loop {
        let asked = client.chat_history(before, PAGE);
        let has_older = loop {
            client.update();
            match client.poll_event() {
                Some(ClientEvent::Chat(ServerChat::History {
                    request,
                    messages,
                    has_older,
                    ..
                })) if request == Some(asked) => {
                    before = messages.first().map(|message| message.id);
                    texts.extend(messages.into_iter().map(|message| message.text));
                    break has_older;
                }
                Some(ClientEvent::Over { text, .. }) => bail!("no history: {text}"),
                Some(_) => {}
                None => tokio::time::sleep(LOOK).await,
            }
        };
        if !has_older {
            return Ok(texts);
        }
    }
}
