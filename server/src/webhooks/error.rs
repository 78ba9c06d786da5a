//! Errors of webhooks.

use std::path::PathBuf;

use crate::identity::AuthoritiesError;

/// Why webhooks cannot be posted by the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// Settings say how to post, and none says where.
    #[error(
        "webhooks.{setting} is of no use without webhooks.url; name the URL that messages are posted to"
    )]
    NoUrl {
        /// The setting.
        setting: &'static str,
    },
    /// The authorities are of no use.
    #[error("webhooks.ca_file is of no use for an http URL; write https in webhooks.url")]
    NoTls,
    /// A dead letter may be longer than what waits for the store.
    #[error(
        "store_queued_bytes is too small for a dead letter of webhooks; give at least {bytes_min}, or a smaller topics.payload_bytes_max"
    )]
    QueueTooSmall {
        /// The least bytes.
        bytes_min: usize,
    },
    /// There are no topics to read.
    #[error("webhooks.url is of no use without topics; set topics.enabled")]
    NoTopics,
    /// Nothing keeps what is not delivered yet.
    #[error("webhooks need a store, for what is not delivered yet; give a directory with store")]
    NoStore,
    /// No topics are named.
    #[error(
        "webhooks.patterns names no topics; name those that are posted, such as mentions/* or **"
    )]
    NoPatterns,
    /// The store does not keep a topic that is to be posted.
    #[error(
        "the store does not keep all topics of webhooks.patterns {pattern}; name them in topics.stored"
    )]
    NotKept {
        /// The pattern.
        pattern: String,
    },
    /// There are no keys to sign with.
    #[error(
        "webhooks need a key to sign with; make one by (umask 077; echo whsec_$(openssl rand -base64 32) > webhook.key), and name the file with \
         webhooks.secret_file"
    )]
    NoKeys,
    /// The file of keys cannot be used.
    #[error(
        "the keys of webhooks.secret_file {} cannot be used: {reason}", path.display()
    )]
    Keys {
        /// The file.
        path: PathBuf,
        /// The fault, and what to do.
        reason: String,
    },
    /// No TLS to post by.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
}
