//! What sessions ask of the topics, and why it is refused.

use tickwire_shared::PlayerId;
use tickwire_shared::control::{
    RefuseCode, SubscriptionId, TopicCursor, TopicDelivery, TopicLifetime, TopicStart,
};

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewTopicMessage {
    pub(crate) from: PlayerId,
    pub(crate) topic: String,
    pub(crate) key: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) lifetime: TopicLifetime,
}

/// A subscription to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewSubscription {
    pub(crate) id: SubscriptionId,
    pub(crate) pattern: String,
    pub(crate) delivery: TopicDelivery,
    pub(crate) start: TopicStart,
    pub(crate) cursors: Vec<TopicCursor>,
}

/// A subscription that more topics match than a session may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndedSubscription {
    pub(crate) player: PlayerId,
    pub(crate) id: SubscriptionId,
}

/// What is left to read after a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    /// More, which the next delivery takes.
    More,
    /// Nothing: the session is woken for what comes.
    Drained,
    /// Another connection reads now.
    Elsewhere,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicRefusal {
    pub(crate) code: RefuseCode,
    pub(crate) text: String,
}

impl TopicRefusal {
    pub(crate) fn new(code: RefuseCode, text: impl Into<String>) -> Self {
        TopicRefusal { code, text: text.into() }
    }

    /// More topics match than a session may follow.
    pub(super) fn followed_too_many(followed_max: usize) -> Self {
        let text = format!(
            "a session follows at most {followed_max} topics; subscribe by a pattern that fewer match"
        );
        TopicRefusal::new(RefuseCode::TopicsFull, text)
    }
}
