//! Topics: what a session publishes, and what it follows.
//!
//! Messages come on the topics stream, answers on the control stream. The session notes the last message that it has of each
//! topic: over a new connection it goes on from there, and where a server was started again it subscribes again after them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tickwire_shared::control::{
    ClientTopics, FrameReader, RequestId, STREAM_TOPICS, ServerFrame, ServerTopics, SubscriptionId,
    TOPIC_KEY_BYTES_MAX, TOPIC_NAME_BYTES_MAX, TopicCursor, TopicDelivery, TopicLifetime,
    TopicMessage, TopicPosition, TopicStart, write_frame,
};

use super::event::TopicEvent;
use super::lossy::LossyOut;
use super::resume::RequestStream;
use super::{Session, SessionError};

/// Bytes of a message that are sent at most: one more than any server accepts, so that it can explain the refusal.
const PAYLOAD_BYTES_MAX: usize = 61_441;
/// Bytes of cursors that a request names.
const CURSORS_BYTES_MAX: usize = 48 * 1024;
/// Topics that a session follows at most at any server: their positions fit a frame.
const FOLLOWED_MAX: usize = 4096;
/// Bytes of messages that are kept for a caller that does not poll events.
const EVENTS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes that an event counts beside its message's, for a topic's name and the rest.
const EVENT_BYTES: usize = 256;

/// How a subscription delivers, and where it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// Every message in order, or the newest of each key.
    pub delivery: TopicDelivery,
    /// Where it begins in topics that have messages.
    pub start: TopicStart,
    /// Where it goes on in these topics: [`Session::topic_cursors`] of an earlier session.
    pub cursors: Vec<TopicCursor>,
}

/// A topic's name and a key in it.
type TopicKey = (String, String);
/// What the session holds of a key after a request: a value, or none.
type HeldChange = (TopicKey, Option<Vec<u8>>);

/// The topics of a session.
#[derive(Debug, Default)]
pub(super) struct TopicsState {
    input: FrameReader,
    out: Vec<u8>,
    /// The stream has begun on this connection.
    is_open: bool,
    last_subscription: u32,
    subscriptions: BTreeMap<SubscriptionId, OwnSubscription>,
    /// By their numbers in this session.
    followed: BTreeMap<u32, FollowedTopic>,
    /// Values that the session holds, by topic and key.
    held: BTreeMap<TopicKey, Vec<u8>>,
    /// Requests that change what it holds: to which value, or none.
    changing: BTreeMap<RequestId, HeldChange>,
    /// Messages that may be lost.
    pub(super) lossy: LossyOut,
    events: VecDeque<TopicEvent>,
    events_bytes: usize,
}

#[derive(Debug)]
struct OwnSubscription {
    request: RequestId,
    /// The server has it.
    is_granted: bool,
    pattern: String,
    options: SubscribeOptions,
}

#[derive(Debug)]
struct FollowedTopic {
    subscription: SubscriptionId,
    name: Arc<str>,
    epoch: u64,
    /// The last message that is here.
    sequence: u64,
}

impl TopicsState {
    /// The connection is lost, and what was not sent with it.
    pub(super) fn lose(&mut self) {
        (self.is_open, self.out) = (false, Vec::new());
        self.lossy.lose();
    }

    /// Begins the stream of a new connection, if the session has subscriptions.
    pub(super) fn resume(&mut self) {
        self.lose();
        self.input = FrameReader::default();
        if !self.subscriptions.is_empty() {
            self.begin();
        }
    }

    /// Writes a request, as a whole frame.
    pub(super) fn write(&mut self, frame: &[u8]) {
        self.begin();
        self.out.extend_from_slice(frame);
    }

    fn begin(&mut self) {
        if std::mem::replace(&mut self.is_open, true) {
            return;
        }
        self.out.push(STREAM_TOPICS);
        let position = |(topic, followed): (&u32, &FollowedTopic)| TopicPosition {
            topic: *topic,
            sequence: followed.sequence,
        };
        let positions = self.followed.iter().map(position).collect();
        write_frame(&ClientTopics::Begin { positions }, &mut self.out);
    }

    /// Notes what the server says to a subscription.
    pub(super) fn handle_answer(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Published { request, .. } => self.hold(*request),
            ServerFrame::Done { request } => {
                self.hold(*request);
                let mut all = self.subscriptions.values_mut();
                if let Some(own) = all.find(|own| own.request == *request) {
                    own.is_granted = true;
                }
            }
            ServerFrame::Refused { request, .. } => {
                self.changing.remove(request);
                self.subscriptions.retain(|_, own| own.request != *request);
            }
            ServerFrame::TopicsEnded { subscription, .. } => self.forget(*subscription),
            _ => {}
        }
    }

    /// The server has done what changes the values that the session holds.
    fn hold(&mut self, request: RequestId) {
        match self.changing.remove(&request) {
            Some((value, Some(payload))) => {
                self.held.insert(value, payload);
            }
            Some((value, None)) => {
                self.held.remove(&value);
            }
            None => {}
        }
    }

    /// True while a request that changes the value has no answer.
    fn is_changing(&self, value: &TopicKey) -> bool {
        self.changing.values().any(|(changing, _)| changing == value)
    }

    fn forget(&mut self, subscription: SubscriptionId) {
        self.subscriptions.remove(&subscription);
        self.followed.retain(|_, followed| followed.subscription != subscription);
    }

    fn cursors(&self, subscription: SubscriptionId) -> Vec<TopicCursor> {
        let own = self.followed.values().filter(|it| it.subscription == subscription);
        own.map(|it| TopicCursor {
            topic: it.name.to_string(),
            epoch: it.epoch,
            sequence: it.sequence,
        })
        .collect()
    }

    fn handle_frame(&mut self, frame: ServerTopics) -> Result<(), SessionError> {
        match frame {
            ServerTopics::Following { subscription, topic, name, epoch, after, is_continued } => {
                if !self.subscriptions.contains_key(&subscription) {
                    return Ok(());
                }
                let is_too_many =
                    self.followed.len() >= FOLLOWED_MAX && !self.followed.contains_key(&topic);
                if is_too_many || name.len() > TOPIC_NAME_BYTES_MAX {
                    return Err(SessionError::Unexpected { what: "a topic beyond the limits" });
                }
                let name: Arc<str> = name.into();
                let followed =
                    FollowedTopic { subscription, name: Arc::clone(&name), epoch, sequence: after };
                self.followed.insert(topic, followed);
                let topic = name;
                self.tell(TopicEvent::Following { subscription, topic, epoch, after, is_continued })
            }
            ServerTopics::Messages { topic, messages } => {
                for message in messages {
                    self.take(topic, message)?;
                }
                Ok(())
            }
            ServerTopics::Missed { topic, from, to } => {
                let Some(followed) = self.followed.get_mut(&topic) else { return Ok(()) };
                if to <= followed.sequence {
                    return Ok(());
                }
                let own = self.subscriptions.get(&followed.subscription);
                let delivery = own.map_or(TopicDelivery::Ordered, |own| own.options.delivery);
                followed.sequence = match delivery {
                    TopicDelivery::Ordered => to,
                    // The values of all keys come again.
                    TopicDelivery::Latest => 0,
                };
                let (subscription, topic) = (followed.subscription, Arc::clone(&followed.name));
                self.tell(TopicEvent::Missed { subscription, topic, from, to })
            }
        }
    }

    /// Takes a message of a topic that is followed still.
    fn take(&mut self, topic: u32, message: TopicMessage) -> Result<(), SessionError> {
        let Some(followed) = self.followed.get_mut(&topic) else { return Ok(()) };
        if message.sequence <= followed.sequence {
            return Ok(());
        }
        followed.sequence = message.sequence;
        let (subscription, topic) = (followed.subscription, Arc::clone(&followed.name));
        self.tell(TopicEvent::Message { subscription, topic, message })
    }

    fn tell(&mut self, event: TopicEvent) -> Result<(), SessionError> {
        self.events_bytes += event.bytes();
        self.events.push_back(event);
        match self.events_bytes > EVENTS_BYTES_MAX {
            true => Err(SessionError::TopicsUnread),
            false => Ok(()),
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<TopicEvent> {
        let event = self.events.pop_front()?;
        self.events_bytes -= event.bytes();
        Some(event)
    }
}

impl Session {
    /// Publishes a message to a topic, which is made if there is none. [`ServerFrame::Published`] or
    /// [`ServerFrame::Refused`] names the returned number; a message is published once, whatever connections are lost
    /// meanwhile. `key` says what the message is the newest value of, within the topic; empty for the topic as a whole.
    pub fn publish(&mut self, topic: &str, key: &str, payload: &[u8]) -> RequestId {
        self.publish_for(TopicLifetime::Kept, (topic, key), payload)
    }

    /// Publishes a message, as [`Session::publish`] does, and says how long the key has this value. One of
    /// [`TopicLifetime::Session`] is published again where the server was started again.
    pub fn publish_for(
        &mut self,
        lifetime: TopicLifetime,
        (topic, key): (&str, &str),
        payload: &[u8],
    ) -> RequestId {
        let (topic, key) = (clip(topic, TOPIC_NAME_BYTES_MAX), clip(key, TOPIC_KEY_BYTES_MAX));
        let payload = payload[..payload.len().min(PAYLOAD_BYTES_MAX)].to_vec();
        let is_held = lifetime == TopicLifetime::Session;
        let change = ((topic.clone(), key.clone()), is_held.then(|| payload.clone()));
        let publish = |request| ClientTopics::Publish { request, topic, key, payload, lifetime };
        self.ask_to_change(change, publish)
    }

    /// Removes the value of a key, whoever published it. [`ServerFrame::Done`] or [`ServerFrame::Refused`] answers.
    pub fn remove_value(&mut self, topic: &str, key: &str) -> RequestId {
        let (topic, key) = (clip(topic, TOPIC_NAME_BYTES_MAX), clip(key, TOPIC_KEY_BYTES_MAX));
        let change = ((topic.clone(), key.clone()), None);
        self.ask_to_change(change, |request| ClientTopics::Remove { request, topic, key })
    }

    fn ask_to_change(
        &mut self,
        change: HeldChange,
        frame: impl FnOnce(RequestId) -> ClientTopics,
    ) -> RequestId {
        let request = self.ask_topics(frame);
        let is_known =
            self.topics.held.contains_key(&change.0) || self.topics.is_changing(&change.0);
        if change.1.is_some() || is_known {
            self.topics.changing.insert(request, change);
        }
        request
    }

    /// Holds its values again at a server that was started again; requests without an answer are sent again anyway.
    pub(super) fn hold_again(&mut self) {
        for (value, payload) in std::mem::take(&mut self.topics.held) {
            if !self.topics.is_changing(&value) {
                let (topic, key) = (&*value.0, &*value.1);
                self.publish_for(TopicLifetime::Session, (topic, key), &payload);
            }
        }
    }

    /// Follows all topics whose names match a pattern, also those that are made later: `*` is any one level of a name, `**` at
    /// the end one level or more. Returns the subscription's number, which its [`TopicEvent`]s have, and the request's, which
    /// [`ServerFrame::Done`] or [`ServerFrame::Refused`] names.
    pub fn subscribe(
        &mut self,
        pattern: &str,
        options: SubscribeOptions,
    ) -> (SubscriptionId, RequestId) {
        self.topics.last_subscription = self.topics.last_subscription.wrapping_add(1);
        let id = SubscriptionId(self.topics.last_subscription);
        let pattern = clip(pattern, TOPIC_NAME_BYTES_MAX);
        let request = self.ask_to_subscribe(id, &pattern, &options);
        let own = OwnSubscription { request, is_granted: false, pattern, options };
        self.topics.subscriptions.insert(id, own);
        (id, request)
    }

    /// Ends a subscription: no event of it follows. [`ServerFrame::Done`] answers.
    pub fn unsubscribe(&mut self, subscription: SubscriptionId) -> RequestId {
        self.topics.forget(subscription);
        self.topics.events.retain(|event| event.subscription() != subscription);
        self.topics.events_bytes = self.topics.events.iter().map(TopicEvent::bytes).sum();
        self.ask_topics(|request| ClientTopics::Unsubscribe { request, subscription })
    }

    /// The last message that is here of each topic of a subscription, for [`SubscribeOptions::cursors`] of another session.
    pub fn topic_cursors(&self, subscription: SubscriptionId) -> Vec<TopicCursor> {
        self.topics.cursors(subscription)
    }

    /// Whether the server has a subscription, or is asked for it.
    pub fn is_subscribed(&self, subscription: SubscriptionId) -> bool {
        self.topics.subscriptions.contains_key(&subscription)
    }

    /// Takes received bytes of the topics stream.
    ///
    /// # Errors
    /// As [`Session::handle_control`], and [`SessionError::TopicsUnread`] for a caller that polls no events.
    pub fn handle_topics(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.stats.bytes_in += bytes.len() as u64;
        self.stall.heard_stream();
        self.topics.input.push(bytes);
        while let Some(frame) = self.topics.input.poll::<ServerTopics>()? {
            self.topics.handle_frame(frame)?;
        }
        Ok(())
    }

    /// Bytes to write to the topics stream, which the first of them opens; may be empty.
    pub fn take_topics(&mut self) -> Vec<u8> {
        // Nothing may come before the answer to the hello.
        if self.welcome.is_none() {
            return Vec::new();
        }
        self.stats.bytes_out += self.topics.out.len() as u64;
        std::mem::take(&mut self.topics.out)
    }

    /// Subscribes again at a server that was started again, after the messages that are here. What is here of newest values may
    /// have ended with the server, also where the topic is not made again.
    pub(super) fn subscribe_again(&mut self) -> Result<(), SessionError> {
        let granted = self.topics.subscriptions.iter().filter(|(_, own)| own.is_granted);
        let ids: Vec<SubscriptionId> = granted.map(|(id, _)| *id).collect();
        for id in ids {
            let mut cursors = self.topics.cursors(id);
            self.topics.followed.retain(|_, followed| followed.subscription != id);
            let Some(mut own) = self.topics.subscriptions.remove(&id) else { continue };
            if own.options.delivery == TopicDelivery::Latest {
                for cursor in cursors.iter().filter(|cursor| cursor.sequence > 0) {
                    let (topic, to) = (Arc::from(&*cursor.topic), cursor.sequence);
                    self.topics.tell(TopicEvent::Missed {
                        subscription: id,
                        topic,
                        from: 1,
                        to,
                    })?;
                }
            }
            let is_newer = |it: &TopicCursor| cursors.iter().any(|own| own.topic == it.topic);
            own.options.cursors.retain(|it| !is_newer(it));
            own.options.cursors.append(&mut cursors);
            own.request = self.ask_to_subscribe(id, &own.pattern, &own.options);
            own.is_granted = false;
            self.topics.subscriptions.insert(id, own);
        }
        Ok(())
    }

    fn ask_to_subscribe(
        &mut self,
        subscription: SubscriptionId,
        pattern: &str,
        SubscribeOptions { delivery, start, cursors }: &SubscribeOptions,
    ) -> RequestId {
        let (pattern, delivery, start) = (pattern.to_owned(), *delivery, *start);
        let mut bytes_left = CURSORS_BYTES_MAX;
        let fits = |cursor: &&TopicCursor| {
            let bytes = cursor.topic.len() + 24;
            let fits = bytes <= bytes_left;
            bytes_left = bytes_left.saturating_sub(bytes);
            fits
        };
        let cursors = cursors.iter().take_while(fits).cloned().collect();
        self.ask_topics(|request| ClientTopics::Subscribe {
            request,
            subscription,
            pattern,
            delivery,
            start,
            cursors,
        })
    }

    fn ask_topics(&mut self, frame: impl FnOnce(RequestId) -> ClientTopics) -> RequestId {
        let request = self.next_request();
        let mut bytes = Vec::new();
        write_frame(&frame(request), &mut bytes);
        self.ask(request, RequestStream::Topics, bytes);
        request
    }
}

impl TopicEvent {
    /// The subscription by which it came.
    pub fn subscription(&self) -> SubscriptionId {
        match self {
            TopicEvent::Following { subscription, .. }
            | TopicEvent::Message { subscription, .. }
            | TopicEvent::Missed { subscription, .. } => *subscription,
        }
    }

    /// Bytes that it counts while it waits.
    fn bytes(&self) -> usize {
        match self {
            TopicEvent::Message { message, .. } => {
                message.key.len() + message.payload.len() + EVENT_BYTES
            }
            TopicEvent::Following { .. } | TopicEvent::Missed { .. } => EVENT_BYTES,
        }
    }
}

/// Text a little longer than any server accepts, so that it can explain the refusal.
fn clip(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max + 4)].to_owned()
}

#[cfg(test)]
mod tests;
