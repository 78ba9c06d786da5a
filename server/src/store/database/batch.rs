//! What is written in one transaction, within which bounds, and what became of it.

use tickwire_shared::SaveOutcome;

use super::sanctions::SanctionChange;
use super::scores::ScoreRetention;
use crate::store::scores::SaveScore;
use crate::store::webhooks::WebhookRecord;
use crate::store::{NewMessage, SaveProfile};
use crate::topics::TopicChange;

/// The bounds of what is kept.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Retention {
    /// Newest messages of each room.
    pub(in crate::store) messages: usize,
    /// Rooms, the last used ones.
    pub(in crate::store) rooms: usize,
    /// Accounts with a profile, the first ones.
    pub(in crate::store) profiles: usize,
    /// Bans and mutes, the first ones.
    pub(in crate::store) sanctions: usize,
    pub(in crate::store) scores: ScoreRetention,
    /// Dead letters of webhooks, the newest ones.
    pub(in crate::store) dead_letters: usize,
}

/// What is written in one transaction.
#[derive(Debug, Default)]
pub(in crate::store) struct Batch {
    pub(in crate::store) messages: Vec<NewMessage>,
    pub(in crate::store) saves: Vec<SaveProfile>,
    pub(in crate::store) scores: Vec<SaveScore>,
    pub(in crate::store) sanctions: Vec<SanctionChange>,
    pub(in crate::store) topics: Vec<TopicChange>,
    pub(in crate::store) webhooks: Vec<WebhookRecord>,
    /// The time, in milliseconds since 1970.
    pub(in crate::store) time_ms: u64,
}

impl Batch {
    pub(in crate::store) fn is_empty(&self) -> bool {
        let Batch { messages, saves, scores, sanctions, topics, webhooks, .. } = self;
        let has_none = messages.is_empty() && topics.is_empty() && webhooks.is_empty();
        has_none && saves.is_empty() && scores.is_empty() && sanctions.is_empty()
    }
}

/// What became of a batch that is on disk.
#[derive(Debug, Default)]
pub(in crate::store) struct Written {
    /// Of each profile.
    pub(in crate::store) saves: Vec<SaveOutcome>,
    /// Of each score.
    pub(in crate::store) scores: Vec<SaveOutcome>,
    /// For each ban or mute, whether there was a place for it.
    pub(in crate::store) sanctions: Vec<bool>,
}
