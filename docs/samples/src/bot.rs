//! A bot: a native client that no person steers.

use std::time::Duration;

use tickwire::client::{Client, ConnectOptions};
use tickwire::control::RoomChoice;
use tickwire::glam::Vec2;

use crate::tag::{Keys, REACH, Tag};

// ANCHOR: bot
/// Chases the nearest runner for as long as the session lasts.
///
/// # Errors
/// If no server answers at `server`.
pub async fn chase(server: &str, name: &str) -> anyhow::Result<()> {
    let mut client = Client::<Tag>::connect(server, ConnectOptions::default()).await?;
    client.join(RoomChoice::Quick, name);
    while !client.is_over() {
        client.update();
        while client.poll_event().is_some() {}
        client.set_input(decide(&client));
        tokio::time::sleep(Duration::from_millis(16)).await;
    }
    Ok(())
}

/// Runs towards the nearest other runner, and tags it once it is in reach.
fn decide(client: &Client<Tag>) -> Keys {
    let (own, others): (Vec<_>, Vec<_>) = client.entities().partition(|seen| seen.mine);
    let Some(own) = own.first() else { return Keys::default() };
    let gaps = others.iter().map(|seen| seen.entity.pos - own.entity.pos);
    let Some(gap) = gaps.min_by(|a, b| a.length().total_cmp(&b.length())) else {
        return Keys::default();
    };
    let Vec2 { x, y } = gap;
    let axis = |gap: f32| if gap.abs() < 1.0 { 0 } else { gap.signum() as i8 };
    Keys { right: axis(x), up: axis(y), tag: gap.length() < REACH }
}
// ANCHOR_END: bot
