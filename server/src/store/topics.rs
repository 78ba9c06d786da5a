//! Messages of topics, which the store keeps as long as the topics do.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::PoisonError;

use tickwire_shared::PlayerId;
use tickwire_shared::control::RequestId;
use tokio::sync::oneshot;

use super::database::Database;
use super::{QueueShare, ServerStore, StoreError, StoreRequest, wall_ms};
use crate::topics::{RestoredTopics, TopicChange};

/// Topics have this part of the requests of a part of the queue, and half of its bytes: what the others leave is for chat too.
const TOPICS_PART: usize = 8;

/// A change of a topic to be written. There is a place for it.
#[derive(Debug)]
pub(crate) struct TopicWrite {
    pub(crate) change: TopicChange,
    pub(crate) answer: Option<TopicAnswer>,
    /// Those for which it has a place.
    pub(crate) bytes: usize,
}

/// Who is told that a message of a topic is on disk, or will never be.
#[derive(Debug)]
pub(crate) enum TopicAnswer {
    /// A session, for its request: by a [`StoreEvent::Topic`].
    Session { player: PlayerId, request: RequestId },
    /// Whoever waits for its number.
    Waiting(oneshot::Sender<Option<u64>>),
}

/// All topics of a store, whose runs are counted by this.
pub(super) fn read_topics(database: &Database) -> Result<RestoredTopics, StoreError> {
    let mut topics = Vec::new();
    let newest = database.read_topics(|topic| topics.push(topic))?;
    let list = RandomState::new().hash_one(wall_ms());
    Ok(RestoredTopics { runs: database.begin_topics(newest, list)?, topics })
}

impl ServerStore {
    /// The topics that it had when the server began, once; `None` if topics are off.
    pub(crate) fn take_topics(&self) -> Option<RestoredTopics> {
        self.restored.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes a place for a change of a topic. `false` as for [`ServerStore::look_up`].
    pub(crate) fn reserve_topic(&self, bytes: usize) -> bool {
        let bytes = size_of::<StoreRequest>() + bytes;
        let requests = (self.part_max.requests / TOPICS_PART).max(1);
        let share = QueueShare { requests, ..self.part_max.part(2) };
        if !self.state.topic_writes.take(bytes, share) {
            return false;
        }
        let has_place = self.state.queued.take(bytes, self.queued_max);
        if !has_place {
            self.state.topic_writes.give_back(bytes);
        }
        has_place
    }

    /// Gives the place for a change of a topic back.
    pub(crate) fn give_topic_back(&self, bytes: usize) {
        let bytes = size_of::<StoreRequest>() + bytes;
        self.state.topic_writes.give_back(bytes);
        self.state.queued.give_back(bytes);
    }

    /// Writes a change of a topic, which has a place, and answers it.
    pub(crate) fn write_topic(&self, write: TopicWrite) {
        // There is always room, but for after the end of the thread: then nobody waits for an answer.
        let bytes = write.bytes;
        if self.queue.try_send(StoreRequest::Topic(Box::new(write))).is_err() {
            self.give_topic_back(bytes);
        }
    }
}
