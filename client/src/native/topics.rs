//! Topics: named channels beside rooms.

use tickwire_shared::Simulation;
use tickwire_shared::control::{RequestId, SubscriptionId, TopicCursor, TopicLifetime};
use tickwire_shared::lossy::LossyError;

use super::Client;
use crate::session::SubscribeOptions;

impl<S: Simulation> Client<S> {
    /// Publishes a message to a topic, which is made by its first message.
    /// [`ServerFrame::Published`](tickwire_shared::control::ServerFrame::Published) or
    /// [`ServerFrame::Refused`](tickwire_shared::control::ServerFrame::Refused) names the returned number. The message is
    /// published once, whatever connections are lost meanwhile.
    ///
    /// `key` says what the message is the newest value of, within the topic: those who subscribe by
    /// [`TopicDelivery::Latest`](tickwire_shared::control::TopicDelivery::Latest) get the newest message of each key. It is empty
    /// for the topic as a whole.
    pub fn publish(&mut self, topic: &str, key: &str, payload: &[u8]) -> RequestId {
        let request = self.session.publish(topic, key, payload);
        self.flush();
        request
    }

    /// Publishes a message, as [`Client::publish`] does, and says how long the key has this value: one of
    /// [`TopicLifetime::Session`] tells who is here, one of [`TopicLifetime::Milliseconds`] who is typing.
    pub fn publish_for(
        &mut self,
        lifetime: TopicLifetime,
        (topic, key): (&str, &str),
        payload: &[u8],
    ) -> RequestId {
        let request = self.session.publish_for(lifetime, (topic, key), payload);
        self.flush();
        request
    }

    /// Publishes a message that may be lost, such as a position or a value of a sensor: by one datagram, without an answer and
    /// without another try. A message that comes behind a newer one of this session is dropped, so no old value ever follows a
    /// newer one. Returns its number among those of the session, from 1. While there is no connection it is lost.
    ///
    /// # Errors
    /// [`LossyError`] for a message that does not fit a datagram. What the server refuses is not told.
    pub fn publish_lossy(
        &mut self,
        topic: &str,
        key: &str,
        payload: &[u8],
    ) -> Result<u32, LossyError> {
        let published = self.session.publish_lossy(topic, key, payload);
        self.flush();
        published
    }

    /// Removes the value of a key, whoever published it.
    /// [`ServerFrame::Done`](tickwire_shared::control::ServerFrame::Done) or
    /// [`ServerFrame::Refused`](tickwire_shared::control::ServerFrame::Refused) names the returned number.
    pub fn remove_value(&mut self, topic: &str, key: &str) -> RequestId {
        let request = self.session.remove_value(topic, key);
        self.flush();
        request
    }

    /// Follows all topics whose names match a pattern, also those that are made later: `*` is any one level of a name, `**` at
    /// the end one level or more. What comes by it are [`ClientEvent::Topic`](crate::ClientEvent::Topic)s with the returned
    /// subscription; [`ServerFrame::Done`](tickwire_shared::control::ServerFrame::Done) or
    /// [`ServerFrame::Refused`](tickwire_shared::control::ServerFrame::Refused) names the request.
    ///
    /// Poll all events after each update: who leaves more than 16 MiB of messages unread loses the session.
    pub fn subscribe(
        &mut self,
        pattern: &str,
        options: SubscribeOptions,
    ) -> (SubscriptionId, RequestId) {
        let subscribed = self.session.subscribe(pattern, options);
        self.flush();
        subscribed
    }

    /// Ends a subscription: no event of it follows. [`ServerFrame::Done`](tickwire_shared::control::ServerFrame::Done) answers.
    pub fn unsubscribe(&mut self, subscription: SubscriptionId) -> RequestId {
        let request = self.session.unsubscribe(subscription);
        self.flush();
        request
    }

    /// The last message that this client has of each topic of a subscription: with
    /// [`SubscribeOptions::cursors`] another session goes on after them.
    pub fn topic_cursors(&self, subscription: SubscriptionId) -> Vec<TopicCursor> {
        self.session.topic_cursors(subscription)
    }
}
