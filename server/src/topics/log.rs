//! The messages of one topic: the last ones in order, and the newest one of each key.
//!
//! Both are read by a cursor, the sequence number of the last message that was read. A message of a key takes the place of the
//! key's older one at the end of the newest ones, so a reader that goes on after its cursor gets each key's newest message,
//! whichever it has missed.
//!
//! A removed key leaves its removal as its newest message, until there are too many or it is too old. A reader that may have
//! missed removals that are gone begins anew, without any value.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tickwire_shared::PlayerId;
use tickwire_shared::control::{TopicDelivery, TopicMessage, TopicMessageKind, TopicStart};

use crate::config::TopicsConfig;

/// Bytes of a kept message beside its key and payload: an estimate of what its numbers and the tables take.
const KEPT_MESSAGE_BYTES: usize = 160;

/// The messages of a topic.
#[derive(Debug)]
pub(super) struct TopicLog {
    /// The log's number, which no other has.
    pub(super) epoch: u64,
    /// The newest message's sequence number; 0 for none.
    last: u64,
    /// The newest message's time.
    newest_ms: u64,
    /// The last messages, without gaps.
    history: VecDeque<KeptMessage>,
    /// The newest message of each key, by its sequence number.
    values: BTreeMap<u64, KeptMessage>,
    keys: HashMap<Arc<str>, u64>,
    /// Of those, the removals.
    removals: BTreeSet<u64>,
    /// The newest removal that is gone; 0 for none.
    forgotten: u64,
    /// Its place among the messages of all topics.
    forgotten_order: u64,
    /// Bytes of both; a message in both counts twice.
    history_bytes: usize,
    values_bytes: usize,
    /// The place of the newest message that left the history; 0 for none.
    dropped_order: u64,
    /// The log's number in the store, if that keeps it.
    pub(super) stored: Option<u64>,
    /// The numbers of messages that are gone here, and not yet in the store.
    dropped: Vec<u64>,
}

/// A message as the store had it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredTopicMessage {
    pub(crate) order: u64,
    pub(crate) message: TopicMessage,
}

/// A message, coded once for all.
#[derive(Clone, Debug)]
pub(super) struct KeptMessage {
    pub(super) sequence: u64,
    time_ms: u64,
    /// Its place among the messages of all topics.
    pub(super) order: u64,
    /// The store has a value of its key.
    pub(super) is_stored: bool,
    /// The store has the message, or is told of it.
    is_written: bool,
    key: Arc<str>,
    /// Those that it counts.
    bytes: usize,
    pub(super) coded: Bytes,
}

/// Bytes that a message counts while it is kept, and twice as the newest of its key.
pub(super) fn kept_bytes(key: &str, payload: &[u8]) -> usize {
    key.len() + payload.len() + KEPT_MESSAGE_BYTES
}

impl TopicLog {
    pub(super) fn new(epoch: u64) -> Self {
        TopicLog {
            epoch,
            last: 0,
            newest_ms: 0,
            history: VecDeque::new(),
            values: BTreeMap::new(),
            keys: HashMap::new(),
            removals: BTreeSet::new(),
            forgotten: 0,
            forgotten_order: 0,
            history_bytes: 0,
            values_bytes: 0,
            dropped_order: 0,
            stored: None,
            dropped: Vec::new(),
        }
    }

    /// A log that the store keeps under this number, with the messages that it has of it.
    pub(super) fn restore(
        (epoch, stored): (u64, u64),
        messages: Vec<StoredTopicMessage>,
        limits: &TopicsConfig,
    ) -> Self {
        let mut log = TopicLog { stored: Some(stored), ..TopicLog::new(epoch) };
        for StoredTopicMessage { order, message } in messages {
            // Where messages were not written the history has a gap: it begins anew.
            if message.sequence != log.last + 1 {
                while !log.history.is_empty() {
                    log.drop_oldest();
                }
                // What was between is gone as well.
                log.dropped_order = order.saturating_sub(1);
            }
            let is_stored = message.kind != TopicMessageKind::Removed;
            log.keep(message, order, (is_stored, true), limits);
        }
        log
    }

    /// The newest message's sequence number; 0 for none.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The newest message's time; 0 for none.
    pub(super) fn newest_ms(&self) -> u64 {
        self.newest_ms
    }

    /// Bytes of what is kept.
    pub(super) fn bytes(&self) -> usize {
        self.history_bytes + self.values_bytes
    }

    /// Of those, the newest messages of all keys.
    pub(super) fn values_bytes(&self) -> usize {
        self.values_bytes
    }

    /// The place of the oldest message of the history among the messages of all topics.
    pub(super) fn oldest_order(&self) -> Option<u64> {
        self.history.front().map(|message| message.order)
    }

    /// True if the key has a value, or may have one.
    pub(super) fn has_place_for(&self, key: &str, limits: &TopicsConfig) -> bool {
        self.values_count() < limits.keys_max || self.has_value(key)
    }

    /// The number of keys that have a value.
    fn values_count(&self) -> usize {
        self.keys.len() - self.removals.len()
    }

    /// True if the key has a value.
    pub(super) fn has_value(&self, key: &str) -> bool {
        self.keys.get(key).is_some_and(|sequence| !self.removals.contains(sequence))
    }

    /// The newest message of a key, be it a removal.
    pub(super) fn newest(&self, key: &str) -> Option<TopicMessage> {
        let newest = self.keys.get(key).and_then(|sequence| self.values.get(sequence))?;
        Some(postcard::from_bytes(&newest.coded).expect("messages are coded here"))
    }

    /// Bytes of the key's newest message; 0 for none.
    pub(super) fn value_bytes(&self, key: &str) -> usize {
        let newest = self.keys.get(key).and_then(|sequence| self.values.get(sequence));
        newest.map_or(0, |message| message.bytes)
    }

    /// Appends a message and returns its sequence number, and whether the store is to write it: a value `until_next` of its key,
    /// or what takes the place of a value that the store has. `order` is its place among the messages of all topics.
    pub(super) fn push(
        &mut self,
        (from, key, payload): (PlayerId, &str, Vec<u8>),
        (kind, until_next): (TopicMessageKind, bool),
        (now_ms, order): (u64, u64),
        limits: &TopicsConfig,
    ) -> (u64, bool) {
        let sequence = self.last + 1;
        let before = self.keys.get(key).and_then(|sequence| self.values.get(sequence));
        let has_stored = before.is_some_and(|before| before.is_stored);
        let is_written = self.stored.is_some()
            && match kind {
                // One that ends by itself, in place of one that the store has: to the store that is removed.
                TopicMessageKind::Value => until_next || has_stored,
                TopicMessageKind::Away => false,
                TopicMessageKind::Removed => has_stored,
            };
        let is_stored = is_written && kind == TopicMessageKind::Value && until_next;
        let message =
            TopicMessage { sequence, time_ms: now_ms, from, key: key.to_owned(), kind, payload };
        self.keep(message, order, (is_stored, is_written), limits);
        self.expire(now_ms, limits);
        (sequence, is_written)
    }

    /// Keeps a message that is newer than all.
    fn keep(
        &mut self,
        message: TopicMessage,
        order: u64,
        (is_stored, is_written): (bool, bool),
        limits: &TopicsConfig,
    ) {
        let TopicMessage { sequence, time_ms, kind, .. } = message;
        let bytes = kept_bytes(&message.key, &message.payload);
        let coded = postcard::to_allocvec(&message).expect("messages are plain data").into();
        let known = self.keys.get_key_value(&*message.key).map(|(key, _)| Arc::clone(key));
        let key = known.unwrap_or_else(|| message.key.into());
        let kept =
            KeptMessage { sequence, time_ms, order, is_stored, is_written, key, bytes, coded };
        let oldest = self.oldest(TopicDelivery::Ordered);
        if let Some(sequence) = self.keys.insert(Arc::clone(&kept.key), sequence)
            && let Some(before) = self.values.remove(&sequence)
        {
            self.removals.remove(&sequence);
            self.values_bytes -= before.bytes;
            if before.is_written && sequence <= oldest {
                self.note_dropped(sequence);
            }
        }
        if kind == TopicMessageKind::Removed {
            self.removals.insert(sequence);
        }
        self.values_bytes += bytes;
        self.history_bytes += bytes;
        self.values.insert(sequence, kept.clone());
        self.history.push_back(kept);
        (self.last, self.newest_ms) = (sequence, time_ms);
        while self.history.len() > limits.history_messages
            || self.history_bytes > limits.history_bytes_max
        {
            self.drop_oldest();
        }
        while self.removals.len() > limits.keys_max {
            self.drop_removal();
        }
    }

    /// The newest message, and the numbers of those that are gone since this was asked last.
    pub(super) fn take_stored(&mut self) -> Option<(&KeptMessage, Vec<u64>)> {
        let dropped = std::mem::take(&mut self.dropped);
        self.values.last_key_value().map(|(_, message)| (message, dropped))
    }

    fn note_dropped(&mut self, sequence: u64) {
        if self.stored.is_some() {
            self.dropped.push(sequence);
        }
    }

    /// Drops the oldest removal.
    fn drop_removal(&mut self) {
        let Some(sequence) = self.removals.pop_first() else { return };
        let Some(removal) = self.values.remove(&sequence) else { return };
        (self.forgotten, self.forgotten_order) = (sequence, removal.order);
        self.keys.remove(&removal.key);
        self.values_bytes -= removal.bytes;
        if removal.is_written && sequence <= self.oldest(TopicDelivery::Ordered) {
            self.note_dropped(sequence);
        }
    }

    /// Drops the messages of the history, and the removals, that are too old.
    pub(super) fn expire(&mut self, now_ms: u64, limits: &TopicsConfig) {
        let oldest_ms = now_ms.saturating_sub(u64::from(limits.history_s) * 1000);
        while self.history.front().is_some_and(|message| message.time_ms < oldest_ms) {
            self.drop_oldest();
        }
        while let Some(oldest) = self.removals.first()
            && self.values.get(oldest).is_none_or(|message| message.time_ms < oldest_ms)
        {
            self.drop_removal();
        }
    }

    /// Drops the oldest message of the history; its key's newest one stays.
    pub(super) fn drop_oldest(&mut self) {
        if let Some(message) = self.history.pop_front() {
            self.history_bytes -= message.bytes;
            self.dropped_order = message.order;
            let is_newest = self.keys.get(&message.key) == Some(&message.sequence);
            if message.is_written && !is_newest {
                self.note_dropped(message.sequence);
            }
        }
    }

    /// The place of the newest message among those of all topics; 0 for none.
    pub(super) fn newest_order(&self) -> u64 {
        let [newest, last] =
            [self.values.last_key_value().map(|(_, message)| message), self.history.back()];
        let order = |message: Option<&KeptMessage>| message.map_or(0, |message| message.order);
        order(newest).max(order(last)).max(self.forgotten_order)
    }

    /// The cursor of a reader that has the messages of all topics up to the place `order`, and whether some after it are gone: of
    /// the history, or removals.
    pub(super) fn cursor_at(&self, delivery: TopicDelivery, order: u64) -> (u64, bool) {
        let first = match delivery {
            TopicDelivery::Ordered => {
                let at = self.history.partition_point(|message| message.order <= order);
                self.history.get(at)
            }
            TopicDelivery::Latest => {
                let newer = self.values.values().rev().take_while(|message| message.order > order);
                newer.last()
            }
        };
        let is_dropped = match delivery {
            TopicDelivery::Ordered => self.dropped_order > order,
            TopicDelivery::Latest => self.forgotten_order > order,
        };
        (first.map_or(self.last, |message| message.sequence - 1), is_dropped)
    }

    /// The message after the cursor. Those of the history must not be missed.
    pub(super) fn next(&self, delivery: TopicDelivery, cursor: u64) -> Option<&KeptMessage> {
        match delivery {
            TopicDelivery::Ordered => {
                self.history.get(cursor.saturating_sub(self.oldest(delivery)) as usize)
            }
            TopicDelivery::Latest => {
                self.values.range(cursor + 1..).next().map(|(_, message)| message)
            }
        }
    }

    /// The last coded messages within `range`, oldest first, and whether there are older ones within it.
    pub(super) fn page(&self, delivery: TopicDelivery, range: &PageRange) -> (Vec<Bytes>, bool) {
        match delivery {
            TopicDelivery::Ordered => page_of(self.history.iter().rev(), range),
            TopicDelivery::Latest => page_of(self.values.values().rev(), range),
        }
    }

    /// The cursor of a reader that begins at `start`.
    pub(super) fn begin(&self, delivery: TopicDelivery, start: TopicStart, now_ms: u64) -> u64 {
        let since = |ms: u32| now_ms.saturating_sub(u64::from(ms));
        match (start, delivery) {
            (TopicStart::New | TopicStart::Last(0), _) => self.last,
            (TopicStart::Last(count), TopicDelivery::Ordered) => {
                self.last - (count as usize).min(self.history.len()) as u64
            }
            (TopicStart::Last(count), TopicDelivery::Latest) => {
                let mut values =
                    self.values.keys().rev().filter(|sequence| !self.removals.contains(sequence));
                values.nth(count as usize - 1).map_or(0, |sequence| sequence - 1)
            }
            (TopicStart::Since(ms), TopicDelivery::Ordered) => {
                let at = self.history.partition_point(|message| message.time_ms < since(ms));
                self.history.get(at).map_or(self.last, |message| message.sequence - 1)
            }
            (TopicStart::Since(ms), TopicDelivery::Latest) => {
                let first = self.values.values().find(|message| message.time_ms >= since(ms));
                first.map_or(self.last, |message| message.sequence - 1)
            }
        }
    }

    /// The cursor of a reader that gets all that is kept.
    pub(super) fn oldest(&self, delivery: TopicDelivery) -> u64 {
        match delivery {
            TopicDelivery::Ordered => self.last - self.history.len() as u64,
            TopicDelivery::Latest => 0,
        }
    }

    /// The newest removal that is gone; 0 for none.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The messages after the cursor that the history no longer has: the first and the last.
    pub(super) fn missed(&self, cursor: u64) -> Option<(u64, u64)> {
        let oldest = self.oldest(TopicDelivery::Ordered);
        (cursor < oldest).then(|| (cursor + 1, oldest))
    }

    /// Coded messages after the cursor, as many as `bytes_max` holds but one at least, and the cursor behind them. Those of the
    /// history must not be missed.
    pub(super) fn read(
        &self,
        delivery: TopicDelivery,
        cursor: u64,
        bytes_max: usize,
    ) -> (Vec<&[u8]>, u64) {
        match delivery {
            TopicDelivery::Ordered => {
                let at = cursor.saturating_sub(self.oldest(delivery)) as usize;
                take(self.history.iter().skip(at), cursor, bytes_max)
            }
            TopicDelivery::Latest => {
                let (taken, cursor) =
                    take(self.values.range(cursor + 1..).map(|(_, it)| it), cursor, bytes_max);
                // The newest message may be a removal that is gone.
                let is_all = self.values.range(cursor + 1..).next().is_none();
                (taken, if is_all { self.last } else { cursor })
            }
        }
    }
}

/// The bounds of a page of messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageRange {
    /// Messages with lower numbers alone.
    pub(super) before: u64,
    /// Messages of this time and later ones.
    pub(super) since_ms: u64,
    pub(super) messages_max: usize,
    /// Coded bytes, beyond which it takes no further messages.
    pub(super) bytes_max: usize,
}

#[cfg(test)]
impl PageRange {
    /// No bounds.
    pub(super) const ALL: PageRange = PageRange {
        before: u64::MAX,
        since_ms: 0,
        messages_max: usize::MAX,
        bytes_max: usize::MAX,
    };
}

/// A page of messages that come newest first.
fn page_of<'a>(
    newest_first: impl Iterator<Item = &'a KeptMessage>,
    range: &PageRange,
) -> (Vec<Bytes>, bool) {
    let within = newest_first
        .skip_while(|message| message.sequence >= range.before)
        .take_while(|message| message.time_ms >= range.since_ms);
    let (mut page, mut bytes, mut has_older) = (Vec::new(), 0, false);
    for message in within {
        bytes += message.coded.len();
        if page.len() == range.messages_max || !page.is_empty() && bytes > range.bytes_max {
            has_older = true;
            break;
        }
        page.push(message.coded.clone());
    }
    page.reverse();
    (page, has_older)
}

fn take<'a>(
    messages: impl Iterator<Item = &'a KeptMessage>,
    mut cursor: u64,
    bytes_max: usize,
) -> (Vec<&'a [u8]>, u64) {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for message in messages {
        bytes += message.coded.len();
        if !taken.is_empty() && bytes > bytes_max {
            break;
        }
        taken.push(&message.coded[..]);
        cursor = message.sequence;
    }
    (taken, cursor)
}
