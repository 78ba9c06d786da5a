//! A server's topics, for its own program.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tickwire_shared::control::{
    RefuseCode, TopicDelivery, TopicLifetime, TopicMessage, TopicStart,
};
use tickwire_shared::{PlayerId, Simulation};

use crate::connection::ServerState;
use crate::identity::TopicRights;
use crate::store::wall_ms;
use crate::topics::{
    MergedCursor, MergedItem, MergedReader, NewReader, NewTopicMessage, ReadState, TopicRefusal,
};

/// A server's topics, for its own program: [`ServerHandle::topics`](crate::ServerHandle::topics). It needs no rights and has no
/// rate, but the limits of `[topics]` otherwise. Clones are of the same server.
pub struct TopicsHandle<S: Simulation> {
    host: Arc<ServerState<S>>,
}

impl<S: Simulation> TopicsHandle<S> {
    pub(super) fn new(host: &Arc<ServerState<S>>) -> Self {
        TopicsHandle { host: Arc::clone(host) }
    }

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

    /// Publishes a message, as [`TopicsHandle::publish`] does, after which the key has this value for so long: then it is removed.
    ///
    /// # Errors
    /// As [`TopicsHandle::publish`].
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

    /// Begins to read all topics of a pattern, such as `chat/*`, also those that are made later. Nothing waits for the reader
    /// but its place among the messages that the server keeps: one that is slow delays nobody, and is told what it missed.
    ///
    /// # Errors
    /// [`PublishError`]: topics are off, the pattern is none, or more topics match than one may follow
    /// (`topics.followed_max`).
    pub fn subscribe(
        &self,
        pattern: &str,
        options: ReadTopicsOptions,
    ) -> Result<TopicReader, PublishError> {
        let ReadTopicsOptions { delivery, start, after } = options;
        let new = NewReader { pattern: pattern.to_owned(), delivery, start, after };
        let rights = TopicRights { publish: Vec::new(), subscribe: vec!["**".to_owned()] };
        let number = || self.host.links.number();
        let begun = self.host.topics.read(number, Some(&rights), new, wall_ms());
        let (reader, missed) = begun.map_err(PublishError::from)?;
        Ok(TopicReader { reader, items: missed.into(), cursor: after, all: None })
    }

    /// Begins to read all topics of several patterns, after a place if there is one, and otherwise from the oldest message on. A
    /// message that matches two patterns comes twice, one after the other.
    ///
    /// # Errors
    /// As [`TopicsHandle::subscribe`].
    pub(crate) fn read_all(
        &self,
        patterns: &[String],
        after: Option<MergedCursor>,
    ) -> Result<TopicReader, PublishError> {
        let player = self.host.links.number();
        let begun = self.host.topics.read_own(player, patterns, after, wall_ms());
        let (reader, missed) = begun.map_err(PublishError::from)?;
        Ok(TopicReader { reader, items: missed.into(), cursor: after, all: None })
    }
}

/// What [`TopicsHandle::subscribe`] reads.
#[derive(Clone, Copy, Debug)]
pub struct ReadTopicsOptions {
    /// Every message in order, or the newest of each key.
    pub delivery: TopicDelivery,
    /// Where it begins.
    pub start: TopicStart,
    /// The place of an earlier reader after which it goes on, also of one before a restart; then `start` does not count.
    pub after: Option<MergedCursor>,
}

impl Default for ReadTopicsOptions {
    /// Every message from now on.
    fn default() -> Self {
        let (delivery, start) = (TopicDelivery::Ordered, TopicStart::New);
        ReadTopicsOptions { delivery, start, after: None }
    }
}

/// Reads topics in the server's own program, until dropped: [`TopicsHandle::subscribe`].
#[derive(Debug)]
pub struct TopicReader {
    reader: MergedReader,
    items: VecDeque<MergedItem>,
    cursor: Option<MergedCursor>,
    /// The cursor once `items` are read.
    all: Option<MergedCursor>,
}

/// The next of what a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicItem {
    /// A message.
    Message {
        /// Its topic.
        topic: String,
        /// What the server keeps of it.
        message: TopicMessage,
    },
    /// Messages that are no longer kept.
    Missed {
        /// `None` if it is not known of which topics.
        topic: Option<String>,
        /// The number of the first, if it is known.
        from: Option<u64>,
        /// The number of the last, if it is known.
        to: Option<u64>,
    },
}

/// Why a reader reads nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReaderEnd {
    /// The server stops.
    #[error("the server stops")]
    Stopped,
    /// A new topic matches the pattern as well, and there are more than a reader may follow.
    #[error("more topics match than a reader may follow; read by a pattern that fewer match")]
    TooManyTopics,
}

impl TopicReader {
    /// Waits for the next message. Those of several topics come in the order in which the server got them. Loses nothing if
    /// dropped while waiting.
    ///
    /// # Errors
    /// Why nothing more comes.
    pub async fn next(&mut self) -> Result<TopicItem, ReaderEnd> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(self.take(item));
            }
            self.cursor = self.all.take().or(self.cursor);
            let mut items = Vec::new();
            let state = self.reader.poll(wall_ms(), &mut items);
            self.items = items.into();
            match state {
                ReadState::Closed => return Err(ReaderEnd::Stopped),
                ReadState::Ended => return Err(ReaderEnd::TooManyTopics),
                ReadState::More => {}
                ReadState::All(cursor) => self.all = Some(cursor),
            }
            if self.items.is_empty() && state != ReadState::More {
                self.cursor = self.all.take().or(self.cursor);
                self.reader.signal.notified().await;
            }
        }
    }

    /// The place after what was read, for [`ReadTopicsOptions::after`] of another reader of the same pattern: it reads what
    /// comes next, with no gap and nothing twice, also in the server's next run where the store keeps the topics. `None` before
    /// the first message, until the reader waits for one. As text, by `Display` and `FromStr`, it has 37 bytes at most.
    pub fn cursor(&self) -> Option<MergedCursor> {
        self.cursor
    }

    fn take(&mut self, item: MergedItem) -> TopicItem {
        match item {
            MergedItem::Missed { topic, from, to } => TopicItem::Missed { topic, from, to },
            MergedItem::Message { topic, cursor, coded } => {
                self.cursor = Some(cursor);
                let message = postcard::from_bytes(&coded).expect("the log's own messages");
                TopicItem::Message { topic, message }
            }
        }
    }
}

impl<S: Simulation> Clone for TopicsHandle<S> {
    fn clone(&self) -> Self {
        TopicsHandle { host: Arc::clone(&self.host) }
    }
}

impl<S: Simulation> std::fmt::Debug for TopicsHandle<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TopicsHandle(..)")
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
