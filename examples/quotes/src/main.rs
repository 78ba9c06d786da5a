//! Quotes: a server without a game, whose own task publishes the prices of 5000 shares to topics.
//!
//! | topic | key | message |
//! | --- | --- | --- |
//! | `names/EXCHANGE` | symbol | the share's name, UTF-8 |
//! | `board/EXCHANGE` | symbol | price, price at the opening, traded shares: [`Quote`](market::Quote) |
//! | `chart/SYMBOL` | | one point or more: [`Point`](market::Point) |
//!
//! A board subscribes to `board/*` for the latest value of each key, and skips prices if it is slow; a chart to the one topic of
//! its share for every point in order, from the history that the server keeps.

mod market;
mod random;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use market::{Market, TICK_HZ};
use tickwire::NoGame;
use tickwire::server::{PublishError, ServerHandle};
use tokio::time::MissedTickBehavior;

const SEED: u64 = 1;

fn main() -> ExitCode {
    tickwire::run_with_task(publish)
}

async fn publish(server: ServerHandle<NoGame>) {
    if let Err(error) = run_market(&server).await {
        eprintln!("error: {error}");
    }
}

async fn run_market(server: &ServerHandle<NoGame>) -> Result<(), PublishError> {
    let topics = server.topics();
    let mut market = Market::new(SEED);
    for message in market.open(now_s()) {
        topics.publish(&message.topic, &message.key, message.payload)?;
        // There are 15,000 of them: the server has more to do.
        tokio::task::yield_now().await;
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / TICK_HZ);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for message in market.step(now_s()) {
            topics.publish(&message.topic, &message.key, message.payload)?;
        }
    }
}

/// Seconds since 1970.
fn now_s() -> u32 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
