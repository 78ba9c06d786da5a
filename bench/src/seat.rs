//! A native client's way into its room, and how far its world is.

use std::time::Duration;

use anyhow::bail;
use tickwire_client::{Client, ClientEvent};
use tickwire_shared::Simulation;
use tickwire_shared::control::ServerFrame;

/// Interval at which a client looks for news.
const LOOK: Duration = Duration::from_millis(5);

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
