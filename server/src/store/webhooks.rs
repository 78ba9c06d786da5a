//! Webhooks in the store: how far they have come, and the messages that they have given up.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::database::Database;
use super::{ServerStore, StoreError, StoreRequest};
use crate::topics::{NoCursor, RestoredTopics};

/// A message that no receiver has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    /// The id by which receivers drop doubles.
    pub(crate) id: String,
    /// The time when it was given up, in milliseconds since 1970.
    pub(crate) dead_ms: u64,
    pub(crate) attempts: u32,
    /// Why the last attempt failed.
    pub(crate) reason: String,
    /// The body that was posted: JSON.
    pub(crate) body: String,
}

/// How far a webhook has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebhookRecord {
    /// The place after the messages that it is done with.
    pub(crate) place: String,
    /// The last of them, if it was given up.
    pub(crate) dead: Option<DeadLetter>,
}

/// A record to be written.
#[derive(Debug)]
pub(crate) struct RecordWebhook {
    pub(super) record: WebhookRecord,
    /// Told whether it is on disk.
    pub(super) answer: oneshot::Sender<bool>,
}

impl RecordWebhook {
    /// Bytes that it takes beside itself.
    pub(super) fn bytes(&self) -> usize {
        let WebhookRecord { place, dead } = &self.record;
        place.len() + dead.as_ref().map_or(0, |dead| dead.body.len() + dead.reason.len())
    }
}

/// The place after which webhooks go on that read these topics, of the store that has them: one of this run, as a store forgets
/// its oldest runs. Those that begin read what comes from now on.
pub(super) fn begin_webhook(
    database: &Database,
    topics: &RestoredTopics,
) -> Result<String, StoreError> {
    database.begin_webhook(|kept| match kept.map(str::parse) {
        None => Some(topics.runs.end().to_string()),
        Some(Ok(place)) => Some(topics.runs.renew(place).to_string()),
        Some(Err(NoCursor)) => None,
    })
}

impl ServerStore {
    /// The place after which webhooks go on in this run; `None` without webhooks.
    pub(crate) fn webhook_place(&self) -> Option<&str> {
        self.webhook_place.as_deref()
    }

    /// Writes how far a webhook has come. Returns true once it is on disk.
    pub(crate) async fn record_webhook(&self, record: WebhookRecord) -> bool {
        let (answer, answered) = oneshot::channel();
        let request = RecordWebhook { record, answer };
        self.push_part(StoreRequest::Webhook(Box::new(request))) && answered.await.unwrap_or(false)
    }
}
