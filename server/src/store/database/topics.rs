//! The messages of topics.

use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition,
    WriteTransaction,
};
use tickwire_shared::control::TopicMessage;

use super::{Database, META};
use crate::store::error::StoreError;
use crate::topics::{NewStoredMessage, StoredRuns, StoredTopic, StoredTopicMessage, TopicChange};

/// By name: the number of its log.
pub(super) const TOPICS: TableDefinition<&str, u64> = TableDefinition::new("topics");
/// By topic and number: place among the messages of all topics, and the message.
pub(super) const TOPIC_MESSAGES: TableDefinition<(&str, u64), &[u8]> =
    TableDefinition::new("topic_messages");
/// By the number of a run: the place of the newest message when it began.
pub(super) const TOPIC_RUNS: TableDefinition<u64, u64> = TableDefinition::new("topic_runs");
/// Runs whose readers can go on.
const RUNS_MAX: u64 = 64;
/// The number of the list of all messages, in the table `meta`.
const LIST: &str = "topic_list";
/// The place of the newest message of all topics that are gone, in the table `meta`.
const GONE: &str = "topic_gone";

impl Database {
    /// Writes messages, in their order, and removes those that have left their logs.
    pub(super) fn change_topics(
        &self,
        write: &WriteTransaction,
        changes: &[TopicChange],
    ) -> Result<(), StoreError> {
        let mut topics = self.table(write, TOPICS)?;
        let mut messages = self.table(write, TOPIC_MESSAGES)?;
        for change in changes {
            match change {
                TopicChange::Keep(new) => self.keep_in_topic(&mut topics, &mut messages, new)?,
                TopicChange::Drop { topic, order } => {
                    self.drop_topic(topic, &mut messages)?;
                    topics.remove(topic.as_str()).map_err(|error| self.failed(error))?;
                    let mut meta = self.table(write, META)?;
                    let gone = self.number(&meta, GONE)?.unwrap_or(0).max(*order);
                    meta.insert(GONE, gone).map_err(|error| self.failed(error))?;
                }
            }
        }
        Ok(())
    }

    fn keep_in_topic(
        &self,
        topics: &mut Table<&str, u64>,
        messages: &mut Table<(&str, u64), &[u8]>,
        new: &NewStoredMessage,
    ) -> Result<(), StoreError> {
        let NewStoredMessage { topic, log, sequence, order, coded, dropped } = new;
        let topic = topic.as_str();
        let before = topics.insert(topic, log).map_err(|error| self.failed(error))?;
        if before.is_some_and(|before| before.value() != *log) {
            self.drop_topic(topic, messages)?;
        }
        let mut bytes = super::encode(order);
        bytes.extend_from_slice(coded);
        let line = messages.insert((topic, *sequence), bytes.as_slice());
        line.map(drop).map_err(|error| self.failed(error))?;
        for sequence in dropped {
            messages.remove((topic, *sequence)).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn drop_topic(
        &self,
        topic: &str,
        messages: &mut Table<(&str, u64), &[u8]>,
    ) -> Result<(), StoreError> {
        let range = (topic, 0)..=(topic, u64::MAX);
        messages.retain_in(range, |_, _| false).map_err(|error| self.failed(error))
    }

    /// Gives all topics to `take`. Messages that do not decode are left out, and are in the log. Returns the place of the newest
    /// message.
    pub(in crate::store) fn read_topics(
        &self,
        mut take: impl FnMut(StoredTopic),
    ) -> Result<u64, StoreError> {
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        let topics = read.open_table(TOPICS).map_err(|error| self.failed(error))?;
        let all = read.open_table(TOPIC_MESSAGES).map_err(|error| self.failed(error))?;
        let mut newest = 0;
        for line in topics.iter().map_err(|error| self.failed(error))? {
            let (name, log) = line.map_err(|error| self.failed(error))?;
            let (name, log) = (name.value(), log.value());
            let mut messages = Vec::new();
            let range = all.range((name, 0)..=(name, u64::MAX));
            for line in range.map_err(|error| self.failed(error))? {
                let (key, value) = line.map_err(|error| self.failed(error))?;
                match self.decode_topic_message(value.value(), key.value()) {
                    Ok(stored) => {
                        newest = newest.max(stored.order);
                        messages.push(stored);
                    }
                    Err(error) => tracing::error!("{error}: its topic goes on without it"),
                }
            }
            take(StoredTopic { name: name.to_owned(), log, messages });
        }
        Ok(newest)
    }

    /// Counts a run of a server with topics. `newest` is the place of the newest message, `list` the number of their list where
    /// there is none yet.
    pub(in crate::store) fn begin_topics(
        &self,
        newest: u64,
        list: u64,
    ) -> Result<StoredRuns, StoreError> {
        let write = self.begin_write()?;
        let mut runs = StoredRuns::default();
        {
            let mut meta = self.table(&write, META)?;
            runs.list = self.number(&meta, LIST)?.unwrap_or(list);
            runs.gone_order = self.number(&meta, GONE)?.unwrap_or(0);
            meta.insert(LIST, runs.list).map_err(|error| self.failed(error))?;
            let mut table = self.table(&write, TOPIC_RUNS)?;
            for line in table.iter().map_err(|error| self.failed(error))? {
                let (run, order) = line.map_err(|error| self.failed(error))?;
                runs.begins.insert(run.value(), order.value());
            }
            let last = runs.begins.last_key_value();
            let (last_run, last_order) = last.map_or((0, 0), |(run, order)| (*run, *order));
            runs.run = last_run + 1;
            let order = newest.max(last_order).max(runs.gone_order);
            runs.begins.insert(runs.run, order);
            table.insert(runs.run, order).map_err(|error| self.failed(error))?;
            if let Some(oldest) = runs.run.checked_sub(RUNS_MAX) {
                table.remove(oldest).map_err(|error| self.failed(error))?;
                runs.begins.remove(&oldest);
            }
        }
        write.commit().map_err(|error| self.failed(error))?;
        Ok(runs)
    }

    /// Reads all messages of topics. Returns their number.
    pub(super) fn check_topics(&self, read: &ReadTransaction) -> Result<u64, StoreError> {
        let topics = read.open_table(TOPICS).map_err(|error| self.failed(error))?;
        let all = read.open_table(TOPIC_MESSAGES).map_err(|error| self.failed(error))?;
        let mut count = 0;
        for line in all.iter().map_err(|error| self.failed(error))? {
            let (key, value) = line.map_err(|error| self.failed(error))?;
            self.decode_topic_message(value.value(), key.value())?;
            let (name, _) = key.value();
            if topics.get(name).map_err(|error| self.failed(error))?.is_none() {
                let what = format!("there are messages of topic {name:?}, and no topic");
                return Err(self.damaged(what));
            }
            count += 1;
        }
        Ok(count)
    }

    fn decode_topic_message(
        &self,
        bytes: &[u8],
        (topic, sequence): (&str, u64),
    ) -> Result<StoredTopicMessage, StoreError> {
        let name = || format!("message {sequence} of topic {topic:?}");
        let (order, message): (u64, TopicMessage) = self.decode(bytes, name)?;
        if message.sequence != sequence {
            return Err(self.damaged(format!("{} has another number", name())));
        }
        Ok(StoredTopicMessage { order, message })
    }
}

#[cfg(test)]
mod tests;
