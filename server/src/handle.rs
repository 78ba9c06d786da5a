//! What a program may do with its own server while it runs.

use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::control::{RefuseCode, TopicLifetime};
use tickwire_shared::{PlayerId, Simulation};

use crate::connection::ServerState;
use crate::notices::Notices;
use crate::topics::{NewTopicMessage, TopicRefusal};

/// A running server, for tasks of its own program: [`Server::handle`](crate::Server::handle), or
/// [`run_with_task`](crate::run_with_task). Clones are of the same server.
pub struct ServerHandle<S: Simulation> {
    host: Arc<ServerState<S>>,
}

impl<S: Simulation> ServerHandle<S> {
    pub(crate) fn new(host: &Arc<ServerState<S>>) -> Self {
        ServerHandle { host: Arc::clone(host) }
    }

    /// Says something to those who play.
    pub fn notices(&self) -> Notices<S> {
        Notices::new(&self.host)
    }

    /// Publishes to the server's topics.
    pub fn topics(&self) -> TopicPublisher<S> {
        TopicPublisher { host: Arc::clone(&self.host) }
    }
}

impl<S: Simulation> Clone for ServerHandle<S> {
    fn clone(&self) -> Self {
        ServerHandle::new(&self.host)
    }
}

impl<S: Simulation> std::fmt::Debug for ServerHandle<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerHandle(..)")
    }
}

/// Publishes to a server's topics from its own program: [`ServerHandle::topics`]. Needs no rights and has no rate, but the
/// limits of `[topics]` otherwise. Clones publish to the same server.
pub struct TopicPublisher<S: Simulation> {
    host: Arc<ServerState<S>>,
}

impl<S: Simulation> TopicPublisher<S> {
    /// Puts a message into a topic, which is made by its first message, and returns its number there, counted from 1. Its
    /// sender is player 0.
    ///
    /// `key` says what the message is the newest value of, within the topic: those who subscribe to the latest values get the
    /// newest message of each key. It is empty for the topic as a whole.
    ///
    /// # Errors
    /// [`PublishError`]: topics are off, the topic's name or the key is none, the message is too long, or there are as many
    /// topics or keys as there may be, or messages come faster than the store's disk takes them (`Busy`).
    pub fn publish(
        &self,
        topic: &str,
        key: &str,
        payload: impl Into<Vec<u8>>,
    ) -> Result<u64, PublishError> {
        let (topic, key, payload) = (topic.to_owned(), key.to_owned(), payload.into());
        let (from, lifetime) = (PlayerId(0), TopicLifetime::Kept);
        let message = NewTopicMessage { from, topic, key, payload, lifetime };
        self.host.publish_own(message).map_err(PublishError::from)
    }

    /// Publishes a message, as [`TopicPublisher::publish`] does, after which the key has this value for so long: then it is removed.
    ///
    /// # Errors
    /// As [`TopicPublisher::publish`].
    pub fn publish_for(
        &self,
        time: Duration,
        (topic, key): (&str, &str),
        payload: impl Into<Vec<u8>>,
    ) -> Result<u64, PublishError> {
        let (topic, key, payload) = (topic.to_owned(), key.to_owned(), payload.into());
        let ms = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let (from, lifetime) = (PlayerId(0), TopicLifetime::Milliseconds(ms));
        let message = NewTopicMessage { from, topic, key, payload, lifetime };
        self.host.publish_own(message).map_err(PublishError::from)
    }

    /// Removes the value of a key, if it has one.
    ///
    /// # Errors
    /// [`PublishError`]: topics are off, or the topic's name is none.
    pub fn remove_value(&self, topic: &str, key: &str) -> Result<(), PublishError> {
        self.host.remove_own(topic, key).map_err(PublishError::from)
    }
}

impl<S: Simulation> Clone for TopicPublisher<S> {
    fn clone(&self) -> Self {
        TopicPublisher { host: Arc::clone(&self.host) }
    }
}

impl<S: Simulation> std::fmt::Debug for TopicPublisher<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TopicPublisher(..)")
    }
}

/// Why a message of the server's own program is not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not published: {text}")]
pub struct PublishError {
    /// For programs: a code that a client would be refused with.
    pub code: RefuseCode,
    /// For a person: why, and what to do.
    pub text: String,
}

impl From<TopicRefusal> for PublishError {
    fn from(TopicRefusal { code, text }: TopicRefusal) -> Self {
        PublishError { code, text }
    }
}
