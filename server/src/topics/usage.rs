//! What the logs of all topics take together.

use std::collections::BTreeMap;

use super::TopicId;
use super::log::TopicLog;

/// The bytes of all logs, and whose message is the oldest.
#[derive(Debug, Default)]
pub(super) struct Usage {
    bytes: usize,
    /// Of those, the newest messages of all keys.
    values_bytes: usize,
    /// Each topic's oldest message of its history, by its place among the messages of all topics.
    oldest: BTreeMap<u64, TopicId>,
}

impl Usage {
    /// Changes a topic's log, and keeps count.
    pub(super) fn change<R>(
        &mut self,
        id: TopicId,
        log: &mut TopicLog,
        change: impl FnOnce(&mut TopicLog) -> R,
    ) -> R {
        let (bytes, values_bytes, oldest) = (log.bytes(), log.values_bytes(), log.oldest_order());
        let result = change(log);
        self.bytes = self.bytes - bytes + log.bytes();
        self.values_bytes = self.values_bytes - values_bytes + log.values_bytes();
        if log.oldest_order() != oldest {
            if let Some(order) = oldest {
                self.oldest.remove(&order);
            }
            if let Some(order) = log.oldest_order() {
                self.oldest.insert(order, id);
            }
        }
        result
    }

    /// True if a value of that many bytes, in place of one of `replaced`, leaves half of the place to the histories: values are
    /// dropped with their topics alone.
    pub(super) fn has_place_for_value(
        &self,
        bytes: usize,
        replaced: usize,
        bytes_max: usize,
    ) -> bool {
        self.values_bytes - replaced + bytes <= bytes_max / 2
    }

    /// The topic with the oldest message of all histories, while all logs take more than they may.
    pub(super) fn excess(&self, bytes_max: usize) -> Option<TopicId> {
        if self.bytes <= bytes_max {
            return None;
        }
        self.oldest.values().next().copied()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
