//! Settings of webhooks.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::settings::settings;
use super::{List, PayloadForm, WebhookUrl};

settings! {
    /// Limits and settings of webhooks: messages of topics that a backend gets over HTTP.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct WebhooksConfig {
        /// URL that messages are posted to: https, or http on this machine or a network of its own. Needs `store` and
        /// `topics.enabled`.
        url: Option<WebhookUrl> = None;
        /// PEM file of the certificate authorities by which that URL's server is trusted, in place of this machine's.
        ca_file: Option<PathBuf> = None;
        /// File of the keys that sign: one a line, `whsec_` and 24 to 64 bytes in base64. With several each signs.
        secret_file: Option<PathBuf> = None;
        /// Topics whose messages are posted: names or patterns, separated by commas. The store must keep them.
        patterns: List = List::default();
        /// Post a message only while the account that the last level of its topic names has no session.
        absent_only: bool = false;
        /// The form of messages' bytes: `text`, `json` or `base64`, as over HTTP.
        payload: PayloadForm = PayloadForm::Text;
        /// Milliseconds for a whole request.
        timeout_ms: u32 = 10_000, in 100..=300_000;
        /// Milliseconds from the first failure to the next attempt. The pause doubles with each further one.
        retry_first_ms: u32 = 500, in 10..=3_600_000;
        /// Milliseconds of the longest pause, also where the receiver asks for a longer one.
        retry_max_ms: u32 = 60_000, in 10..=86_400_000;
        /// Attempts at one message that the receiver refuses or does not answer, after which it becomes a dead letter and the next
        /// one goes on. Attempts that reach no receiver are not counted.
        attempts_max: u32 = 30, in 1..=1_000_000;
        /// Dead letters that the store keeps, the newest ones.
        dead_letters_max: usize = 1000, in 0..=1_000_000;
    }
}
