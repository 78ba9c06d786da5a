//! Tracking: a server without a game, whose own task publishes where a thousand couriers are.
//!
//! | topic | key | message |
//! | --- | --- | --- |
//! | `map` | part, from `0`; `bytes` | a part of the streets, the river and the parks: `City::to_bytes`; the length of all of it as text |
//! | `couriers/X/Y` | courier | where it is, in the tile that is X km east and Y km south: [`Told`](fleet::Told) |
//!
//! A page subscribes to the tiles that it shows, for the latest value of each key. A courier that leaves a tile is removed there,
//! and one that says nothing for five seconds is removed by itself.

mod city;
mod dice;
mod fleet;

use std::process::ExitCode;
use std::time::Duration;

use city::City;
use fleet::{Fleet, STEP_HZ};
use tickwire::NoGame;
use tickwire::server::{PublishError, ServerHandle};
use tokio::time::MissedTickBehavior;

const SEED: u64 = 20_261_130;
/// How long the last place of a courier is shown that says nothing more.
const SILENCE: Duration = Duration::from_secs(5);
/// Bytes of a part of the map: a server takes messages of 16 KiB by default.
const MAP_PART_BYTES: usize = 16_000;

fn main() -> ExitCode {
    tickwire::run_with_task(publish)
}

async fn publish(server: ServerHandle<NoGame>) {
    if let Err(error) = run_fleet(&server).await {
        eprintln!("error: {error}");
    }
}

async fn run_fleet(server: &ServerHandle<NoGame>) -> Result<(), PublishError> {
    let topics = server.topics();
    let mut fleet = Fleet::new(City::new(), SEED);
    let map = fleet.city().to_bytes();
    for (part, bytes) in map.chunks(MAP_PART_BYTES).enumerate() {
        topics.publish("map", &part.to_string(), bytes)?;
    }
    topics.publish("map", "bytes", map.len().to_string())?;
    let mut steps = tokio::time::interval(Duration::from_secs(1) / STEP_HZ);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        steps.tick().await;
        for told in fleet.step() {
            if let Some(left) = &told.left {
                topics.remove_value(left, &told.key)?;
            }
            topics.publish_for(SILENCE, (&told.topic, &told.key), told.payload)?;
        }
    }
}
