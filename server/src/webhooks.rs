//! Webhooks: messages of topics that a backend gets over HTTP, each at least once and in order.
//!
//! A webhook is a reader of topics that the store keeps. It has no queue: what is to be posted next is read from the topics once
//! the receiver has taken what came before, and the store keeps the place up to which that is done. So a receiver that is slow or
//! away costs a place in the topics, and what they no longer keep is told to it.
//!
//! - `keys` sign, `event` makes bodies and ids of messages;
//! - `receiver` posts one, `schedule` knows when it is posted again;
//! - `courier` reads, posts and records, one message after another.

mod courier;
mod error;
mod event;
mod keys;
mod receiver;
mod schedule;
mod state;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::Simulation;

use crate::config::{List, ServerConfig, WebhooksConfig};
use crate::connection::ServerState;
use crate::http_client::HttpClient;
use crate::identity::TrustSettings;
use crate::topics::covers;
use courier::Courier;
use keys::WebhookKeys;
use receiver::WebhookReceiver;
use schedule::RetryRules;

pub use error::WebhookError;
pub(crate) use state::WebhookState;

/// Bytes of a dead letter beside the message's, and of a byte of a message as JSON, at most.
const LETTER_BYTES: usize = 4096;
const JSON_BYTES: usize = 6;

/// A webhook that can be posted.
#[derive(Debug)]
pub(crate) struct Webhook {
    config: WebhooksConfig,
    receiver: WebhookReceiver,
}

impl Webhook {
    /// The webhook of the settings, if they name one.
    ///
    /// # Errors
    /// [`WebhookError`], saying what to change.
    pub(crate) fn open(config: &ServerConfig) -> Result<Option<Self>, WebhookError> {
        let webhooks = &config.webhooks;
        let Some(url) = &webhooks.url else {
            let given = [
                ("patterns", !webhooks.patterns.0.is_empty()),
                ("secret_file", webhooks.secret_file.is_some()),
                ("ca_file", webhooks.ca_file.is_some()),
                ("absent_only", webhooks.absent_only),
            ];
            let unused = given.into_iter().find(|(_, is_given)| *is_given);
            return unused.map_or(Ok(None), |(setting, _)| Err(WebhookError::NoUrl { setting }));
        };
        if webhooks.ca_file.is_some() && !url.address().is_https() {
            return Err(WebhookError::NoTls);
        }
        let bytes_min = LETTER_BYTES + JSON_BYTES * config.topics.payload_bytes_max;
        if config.store_queued_bytes < bytes_min {
            return Err(WebhookError::QueueTooSmall { bytes_min });
        }
        if !config.topics.enabled {
            return Err(WebhookError::NoTopics);
        }
        if config.store.is_none() {
            return Err(WebhookError::NoStore);
        }
        let (List(patterns), List(stored)) = (&webhooks.patterns, &config.topics.stored);
        if patterns.is_empty() {
            return Err(WebhookError::NoPatterns);
        }
        let is_kept = |pattern: &&String| stored.iter().any(|kept| covers(kept, pattern));
        if let Some(pattern) = patterns.iter().find(|pattern| !is_kept(pattern)) {
            return Err(WebhookError::NotKept { pattern: pattern.clone() });
        }
        let secret_file = webhooks.secret_file.as_deref().ok_or(WebhookError::NoKeys)?;
        let keys = WebhookKeys::load(secret_file)?;
        let settings = TrustSettings { url: "webhooks.url", ca_file: "webhooks.ca_file" };
        let trusted = (webhooks.ca_file.as_deref(), settings);
        let client = HttpClient::new(url.address(), trusted, false)?;
        let time = Duration::from_millis(u64::from(webhooks.timeout_ms));
        let longest_ms = RetryRules::of(webhooks).longest_ms();
        if u64::from(config.topics.history_s) * 1000 < longest_ms {
            tracing::warn!(
                history_s = config.topics.history_s,
                retries_s = longest_ms / 1000,
                "topics forget messages while one before them is still posted again; set topics.history_s higher, or \
                 webhooks.attempts_max lower"
            );
        }
        let receiver = WebhookReceiver::new(client, keys, time);
        Ok(Some(Webhook { config: webhooks.clone(), receiver }))
    }

    /// Posts all messages of its topics, until the server stops.
    pub(crate) async fn post_all<S: Simulation>(self, host: Arc<ServerState<S>>) {
        host.webhooks.begin();
        let List(patterns) = &self.config.patterns;
        // A query may have a secret of the receiver's.
        let receiver = self.config.url.as_ref().map(|url| url.address().authority().to_owned());
        tracing::info!(receiver, ?patterns, "messages of these topics are posted");
        Courier::new(&host, self.config).run(self.receiver).await;
        host.webhooks.end();
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::List;

    #[test]
    fn settings_by_which_nothing_can_be_posted_are_refused_with_what_to_change() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("webhook.key");
        std::fs::write(&key, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
        let mut config = ServerConfig::default();
        let open = |config: &ServerConfig| Webhook::open(config);
        assert!(open(&config).unwrap().is_none());
        config.webhooks.patterns = List::of(&["a/*"]);
        assert_eq!(open(&config).unwrap_err(), WebhookError::NoUrl { setting: "patterns" });
        config.webhooks.patterns = List::default();
        config.webhooks.url = Some("http://localhost/hooks".to_owned().try_into().unwrap());
        let refused = |config: &ServerConfig| open(config).unwrap_err();
        let told = |config: &ServerConfig, part: &str| {
            let text = refused(config).to_string();
            assert!(text.contains(part), "{text}");
        };
        assert_eq!(refused(&config), WebhookError::NoTopics);
        config.topics.enabled = true;
        assert_eq!(refused(&config), WebhookError::NoStore);
        config.store = Some(dir.path().join("store"));
        assert_eq!(refused(&config), WebhookError::NoPatterns);
        config.webhooks.patterns = List::of(&["a/*", "b/**"]);
        config.topics.stored = List::of(&["a/**", "b/*"]);
        assert_eq!(refused(&config), WebhookError::NotKept { pattern: "b/**".to_owned() });
        config.topics.stored = List::of(&["**"]);
        assert_eq!(refused(&config), WebhookError::NoKeys);
        config.webhooks.secret_file = Some(dir.path().join("none.key"));
        told(&config, "webhooks.secret_file");
        config.webhooks.secret_file = Some(key);
        assert!(open(&config).unwrap().is_some());
        config.webhooks.ca_file = Some(dir.path().join("none.pem"));
        assert_eq!(refused(&config), WebhookError::NoTls);
        config.store_queued_bytes = 65_536;
        config.webhooks.url = Some("https://localhost/hooks".to_owned().try_into().unwrap());
        told(&config, "store_queued_bytes");
        config.store_queued_bytes = 8_388_608;
        told(&config, "webhooks.ca_file");
    }
}
