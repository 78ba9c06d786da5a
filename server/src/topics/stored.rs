//! Topics that a store keeps: what it is to write, and the topics that it had.
//!
//! The store has the messages that the logs have: a message is written as it is published, and those that have left the log
//! since go with it. So a server that is started again has the same logs.
//!
//! A reader may have a message that was never written, as its server was killed. Numbers go on after the last one that was,
//! so the message's number comes again with another one. A log's epoch therefore has the number of the run, and a reader of an
//! earlier run goes on after the last message that was written then, or an earlier one that it has.
//!
//! Values that end by themselves are not written: they have ended with their run. A reader of the newest values of an earlier run
//! begins anew.

use std::collections::BTreeMap;

use bytes::Bytes;
use tickwire_shared::control::{TopicCursor, TopicDelivery, TopicMessage, TopicMessageKind};

use super::log::{StoredTopicMessage, TopicLog};
use super::merged::MergedCursor;
use super::pattern::covers;
use super::{Topic, TopicId, Topics};

/// Bits of an epoch, and of a list's number, that are the run's.
const RUN_BITS: u32 = 24;

/// A change of a topic, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TopicChange {
    /// A new message.
    Keep(NewStoredMessage),
    /// The topic is gone, with all of its messages.
    Drop {
        topic: String,
        /// The place of its newest message among those of all topics.
        order: u64,
    },
}

impl TopicChange {
    /// Bytes that it counts while it waits.
    pub(super) fn bytes(&self) -> usize {
        match self {
            TopicChange::Keep(NewStoredMessage { topic, coded, .. }) => topic.len() + coded.len(),
            TopicChange::Drop { topic, .. } => topic.len(),
        }
    }
}

/// A message to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewStoredMessage {
    pub(crate) topic: String,
    /// The topic's log: messages of another one go.
    pub(crate) log: u64,
    pub(crate) sequence: u64,
    /// Its place among the messages of all topics.
    pub(crate) order: u64,
    /// A [`TopicMessage`] by postcard.
    pub(crate) coded: Bytes,
    /// The numbers of messages that have left the log.
    pub(crate) dropped: Vec<u64>,
}

/// A topic as the store had it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredTopic {
    pub(crate) name: String,
    pub(crate) log: u64,
    /// By their numbers.
    pub(crate) messages: Vec<StoredTopicMessage>,
}

/// The runs of servers with one store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredRuns {
    /// The number of the list of all messages, which no other store has.
    pub(crate) list: u64,
    /// The number of this run.
    pub(crate) run: u64,
    /// The place of the newest message that was written when each run began; this one's is among them.
    pub(crate) begins: BTreeMap<u64, u64>,
    /// The place of the newest message of all topics that are gone.
    pub(crate) gone_order: u64,
}

impl StoredRuns {
    /// The place after all that was written before this run.
    pub(crate) fn end(&self) -> MergedCursor {
        let order = self.begins.get(&self.run).copied().unwrap_or(0);
        MergedCursor { run: with_run(self.list, self.run), order }
    }

    /// The same place, as one of this run; unchanged if its run is not known any more.
    pub(crate) fn renew(&self, place: MergedCursor) -> MergedCursor {
        let end = self.end_of(place.run, self.list);
        end.map_or(place, |end| MergedCursor { order: place.order.min(end), ..self.end() })
    }

    /// The place of the newest message that was written when the run of `number` ended, if that is of `log`.
    fn end_of(&self, number: u64, log: u64) -> Option<u64> {
        let run = number & ((1 << RUN_BITS) - 1);
        if with_run(log, run) != number || !self.begins.contains_key(&run) {
            return None;
        }
        self.begins.range(run + 1..).next().map(|(_, order)| *order)
    }
}

impl MergedCursor {
    /// An id of the message at this place, of this time in milliseconds since 1970: the same in every run that has the message,
    /// and that of no other message. A place alone may be that of a message that was never written, too.
    pub(crate) fn message_id(self, time_ms: u64) -> String {
        let MergedCursor { run, order } = self;
        format!("{:010x}-{order}-{time_ms}", run >> RUN_BITS)
    }
}

/// What a store has of topics when a server begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RestoredTopics {
    pub(crate) runs: StoredRuns,
    pub(crate) topics: Vec<StoredTopic>,
}

/// What a store of this server keeps of topics.
#[derive(Debug)]
pub(super) struct StoredTopics {
    runs: StoredRuns,
    /// Patterns of the topics that are kept.
    patterns: Vec<String>,
    /// What is to be written next.
    pub(super) changes: Vec<TopicChange>,
}

impl StoredTopics {
    pub(super) fn new(runs: StoredRuns, patterns: Vec<String>) -> Self {
        StoredTopics { runs, patterns, changes: Vec::new() }
    }

    /// True if all topics of a pattern, or the one of a name, are kept.
    pub(super) fn keeps(&self, pattern: &str) -> bool {
        self.patterns.iter().any(|kept| covers(kept, pattern))
    }

    /// The number of the list of all messages in this run.
    pub(super) fn list(&self) -> u64 {
        with_run(self.runs.list, self.runs.run)
    }

    /// The epoch of a log in this run.
    pub(super) fn epoch_of(&self, log: u64) -> u64 {
        with_run(log, self.runs.run)
    }

    /// The place of the newest message that was written in an earlier run of the list.
    pub(super) fn end_of_list(&self, list: u64) -> Option<u64> {
        self.runs.end_of(list, self.runs.list)
    }

    /// The message after which a reader goes on that has a cursor of an earlier run.
    pub(super) fn sequence_of(&self, cursor: &TopicCursor, log: &TopicLog) -> Option<u64> {
        let end = self.runs.end_of(cursor.epoch, log.stored?)?;
        let (last, _) = log.cursor_at(TopicDelivery::Ordered, end);
        Some(cursor.sequence.min(last))
    }
}

impl Topics {
    /// Goes on with what a store has, and has it keep the topics of these patterns from now on.
    pub(crate) fn restore(&mut self, restored: RestoredTopics, patterns: Vec<String>) {
        let RestoredTopics { runs, topics } = restored;
        self.published = runs.begins.get(&runs.run).copied().unwrap_or(0);
        self.gone_order = runs.gone_order;
        let stored = StoredTopics::new(runs, patterns);
        self.run = stored.list();
        for StoredTopic { name, log, messages } in topics {
            if !stored.keeps(&name) || messages.is_empty() {
                continue;
            }
            self.next_topic += 1;
            let id = TopicId(self.next_topic);
            let epoch = stored.epoch_of(log);
            let restored = TopicLog::restore((epoch, log), messages, &self.limits);
            let mut log = TopicLog::new(epoch);
            self.usage.change(id, &mut log, |log| *log = restored);
            self.idle.insert((log.newest_ms(), id));
            self.names.insert(&name, id);
            self.topics.insert(id, Topic::new(&name, log));
        }
        self.stored = Some(stored);
        self.drop_oldest();
    }

    /// True if a store keeps all topics of a pattern, or the one of a name.
    pub(super) fn is_kept(&self, pattern: &str) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.keeps(pattern))
    }

    /// The changes that are to be written next, in their order.
    pub(super) fn poll_changes(&mut self) -> Vec<TopicChange> {
        self.stored.as_mut().map(|stored| std::mem::take(&mut stored.changes)).unwrap_or_default()
    }

    /// The log of a new topic.
    pub(super) fn new_log(&mut self, name: &str) -> TopicLog {
        let number = self.epoch;
        self.epoch = self.epoch.wrapping_add(1);
        match self.stored.as_ref().filter(|stored| stored.keeps(name)) {
            None => TopicLog::new(number),
            Some(stored) => {
                let number = without_run(number);
                let mut log = TopicLog::new(stored.epoch_of(number));
                log.stored = Some(number);
                log
            }
        }
    }

    /// A topic has a new message.
    pub(super) fn note_kept(&mut self, id: TopicId) {
        let (Some(stored), Some(topic)) = (&mut self.stored, self.topics.get_mut(&id)) else {
            return;
        };
        let Some(log) = topic.log.stored else { return };
        let Some((message, dropped)) = topic.log.take_stored() else { return };
        stored.changes.push(TopicChange::Keep(NewStoredMessage {
            topic: topic.name.clone(),
            log,
            sequence: message.sequence,
            order: message.order,
            coded: if message.is_stored {
                message.coded.clone()
            } else {
                removal_of(&message.coded)
            },
            dropped,
        }));
    }

    /// A topic is gone.
    pub(super) fn note_gone(&mut self, topic: &Topic) {
        let order = topic.log.newest_order();
        self.gone_order = self.gone_order.max(order);
        if let Some(stored) = &mut self.stored
            && topic.log.stored.is_some()
        {
            stored.changes.push(TopicChange::Drop { topic: topic.name.clone(), order });
        }
    }
}

/// The removal of a message's key, with the message's number.
fn removal_of(coded: &[u8]) -> Bytes {
    let mut message: TopicMessage = postcard::from_bytes(coded).expect("messages are coded here");
    (message.kind, message.payload) = (TopicMessageKind::Removed, Vec::new());
    postcard::to_allocvec(&message).expect("messages are plain data").into()
}

/// The message after which a reader with this cursor goes on: `None` if it is of another log, or of an earlier run and may have
/// values that ended with that.
pub(super) fn known_sequence(
    cursor: &TopicCursor,
    (log, delivery): (&TopicLog, TopicDelivery),
    stored: Option<&StoredTopics>,
) -> Option<u64> {
    if cursor.epoch == log.epoch && cursor.sequence <= log.last() {
        return Some(cursor.sequence);
    }
    stored.filter(|_| delivery == TopicDelivery::Ordered)?.sequence_of(cursor, log)
}

/// A number of 40 bits.
fn without_run(number: u64) -> u64 {
    number & (u64::MAX >> RUN_BITS)
}

/// A number of 40 bits with that of a run.
fn with_run(number: u64, run: u64) -> u64 {
    number << RUN_BITS | run & ((1 << RUN_BITS) - 1)
}
