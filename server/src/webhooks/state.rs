//! What the server knows of its webhooks.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// What the server knows of its webhooks.
#[derive(Debug)]
pub(crate) struct WebhookState {
    is_stopping: watch::Sender<bool>,
    is_over: watch::Sender<bool>,
    /// The time of the message that is posted, in milliseconds since 1970; 0 if none is.
    waits_since_ms: AtomicU64,
}

impl Default for WebhookState {
    fn default() -> Self {
        WebhookState {
            is_stopping: watch::Sender::new(false),
            is_over: watch::Sender::new(true),
            waits_since_ms: AtomicU64::new(0),
        }
    }
}

impl WebhookState {
    /// Ends webhooks: a request under way may still be answered for a moment.
    pub(crate) fn stop(&self) {
        self.is_stopping.send_replace(true);
    }

    /// Waits until nothing more is posted and recorded.
    pub(crate) async fn over(&self) {
        // Fails only if the sender is gone, which is here.
        let _ = self.is_over.subscribe().wait_for(|is_over| *is_over).await;
    }

    /// Waits for the stop.
    pub(super) async fn stopping(&self) {
        let _ = self.is_stopping.subscribe().wait_for(|is_stopping| *is_stopping).await;
    }

    /// The milliseconds for which the message has waited that is posted; 0 if none is.
    pub(crate) fn lag_ms(&self, now_ms: u64) -> u64 {
        match self.waits_since_ms.load(Ordering::Relaxed) {
            0 => 0,
            since_ms => now_ms.saturating_sub(since_ms),
        }
    }

    /// Something waits to be posted since this time, in milliseconds since 1970; 0 if nothing does.
    pub(super) fn waits_since(&self, time_ms: u64) {
        self.waits_since_ms.store(time_ms, Ordering::Relaxed);
    }

    pub(super) fn begin(&self) {
        self.is_over.send_replace(false);
    }

    pub(super) fn end(&self) {
        self.waits_since(0);
        self.is_over.send_replace(true);
    }
}
