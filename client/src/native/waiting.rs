//! Waiting for what arrives, for programs without frames and ticks.

use std::future::pending;
use std::time::Duration;

use tickwire_shared::Simulation;

use super::Client;

impl<S: Simulation> Client<S> {
    /// Waits until something arrives for the next [`Client::update`], and for `time_max` at most. For programs that have no
    /// frames or ticks of their own: poll all events, wait, update, and again.
    ///
    /// `time_max` is a tenth of a second or less: `update` also notices that a connection is silent, and opens another one.
    /// Loses nothing if it is dropped while it waits.
    pub async fn wait(&mut self, time_max: Duration) {
        let arrival = async {
            match self.reconnect.hears() {
                true => self.link.arrived().await,
                false => pending().await,
            }
        };
        // The time is over: nothing has arrived.
        let _ = tokio::time::timeout(time_max, arrival).await;
    }
}
