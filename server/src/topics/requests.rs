//! The topics for HTTP: requests that belong to no session, and readers that take several topics as one list.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use tickwire_shared::PlayerId;
use tickwire_shared::control::{RefuseCode, SubscriptionId, TopicDelivery, TopicStart};
use tokio::sync::Notify;

use super::hub::{HubReader, TopicHub, forbidden, wake};
use super::log::PageRange;
use super::pattern::name_mistake;
use super::{
    MergedCursor, MergedItem, NewSubscription, PublisherKey, TopicRefusal, Topics, covers,
};
use crate::identity::TopicRights;
use crate::store::wall_ms;

/// The number of a reader's one subscription.
const ONLY: SubscriptionId = SubscriptionId(1);

/// The messages of a topic that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HistoryQuery {
    pub(crate) topic: String,
    pub(crate) delivery: TopicDelivery,
    /// Messages with lower numbers alone.
    pub(crate) before: u64,
    /// Messages of the last milliseconds alone.
    pub(crate) since_ms: Option<u64>,
    pub(crate) messages_max: usize,
    pub(crate) bytes_max: usize,
}

/// Messages of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopicPage {
    /// The topic's log; `None` without a topic.
    pub(crate) epoch: Option<u64>,
    /// The number of the topic's newest message; 0 for none.
    pub(crate) last: u64,
    /// Each a `TopicMessage` by postcard, oldest first.
    pub(crate) messages: Vec<Bytes>,
    /// There are older ones that are asked for.
    pub(crate) has_older: bool,
}

/// A reader to begin.
#[derive(Clone, Debug)]
pub(crate) struct NewReader {
    pub(crate) pattern: String,
    pub(crate) delivery: TopicDelivery,
    pub(crate) start: TopicStart,
    /// What it has read already; then `start` does not count.
    pub(crate) after: Option<MergedCursor>,
}

/// A reader of topics, until dropped.
#[derive(Debug)]
pub(crate) struct MergedReader {
    hub: Arc<TopicHub>,
    pub(crate) player: PlayerId,
    /// Notified when there is something to read.
    pub(crate) signal: Arc<Notify>,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadState {
    /// There is more to read.
    More,
    /// It has read all, and this is its cursor.
    All(MergedCursor),
    /// More topics match its pattern than it may follow.
    Ended,
    /// The server stops.
    Closed,
}

impl TopicHub {
    /// The number of a publisher without a session that may publish another message now; `number` is that of a new one.
    ///
    /// # Errors
    /// It is too fast, or there are too many.
    pub(crate) fn publisher(
        &self,
        key: PublisherKey,
        now: Instant,
        number: impl FnOnce() -> PlayerId,
    ) -> Result<PlayerId, TopicRefusal> {
        self.state().publishers.take(key, now, number, &self.limits)
    }

    /// Messages of a topic that are kept.
    ///
    /// # Errors
    /// Why they are not shown.
    pub(crate) fn history(
        &self,
        rights: Option<&TopicRights>,
        query: &HistoryQuery,
        time_ms: u64,
    ) -> Result<TopicPage, TopicRefusal> {
        self.check_on()?;
        if let Some(mistake) = name_mistake(&query.topic) {
            return Err(TopicRefusal::new(RefuseCode::TopicInvalid, mistake));
        }
        let rights = rights.unwrap_or(&self.rights);
        if !rights.subscribe.iter().any(|pattern| covers(pattern, &query.topic)) {
            return Err(forbidden("read this topic"));
        }
        let mut state = self.state();
        let now_ms = state.advance(time_ms);
        Ok(state.topics.page(now_ms, query))
    }

    /// Begins to read all topics of a pattern. Returns with the reader what it has missed since its cursor.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) fn read(
        self: &Arc<Self>,
        number: impl FnOnce() -> PlayerId,
        rights: Option<&TopicRights>,
        new: NewReader,
        time_ms: u64,
    ) -> Result<(MergedReader, Vec<MergedItem>), TopicRefusal> {
        self.check_on()?;
        let NewReader { pattern, delivery, start, after } = new;
        let new = NewSubscription { id: ONLY, pattern, delivery, start, cursors: Vec::new() };
        self.check_subscribe(rights, &new.pattern)?;
        let player = number();
        let signal = Arc::default();
        let mut state = self.state();
        let now_ms = state.advance(time_ms);
        state.readers.insert(player, HubReader { signal: Arc::clone(&signal), is_ended: false });
        let begun = state.topics.handle_read(now_ms, player, new, after);
        wake(state);
        // What was begun of one that is refused goes with it.
        let reader = MergedReader { hub: Arc::clone(self), player, signal };
        Ok((reader, begun?))
    }

    /// Begins to read all topics of several patterns, in one order, after what was read already: for the server itself, without
    /// the limits of a session. Returns with the reader what it has missed since. A message that matches two patterns comes twice,
    /// one after the other.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) fn read_own(
        self: &Arc<Self>,
        player: PlayerId,
        patterns: &[String],
        after: Option<MergedCursor>,
        time_ms: u64,
    ) -> Result<(MergedReader, Vec<MergedItem>), TopicRefusal> {
        self.check_on()?;
        let signal = Arc::default();
        let mut state = self.state();
        let now_ms = state.advance(time_ms);
        state.readers.insert(player, HubReader { signal: Arc::clone(&signal), is_ended: false });
        let (delivery, start) = (TopicDelivery::Ordered, TopicStart::Last(u32::MAX));
        let begun: Result<Vec<_>, _> = (1..)
            .zip(patterns)
            .map(|(number, pattern)| {
                let (id, pattern) = (SubscriptionId(number), pattern.clone());
                let new = NewSubscription { id, pattern, delivery, start, cursors: Vec::new() };
                state.topics.handle_read_own(now_ms, player, new, after)
            })
            .collect();
        wake(state);
        let reader = MergedReader { hub: Arc::clone(self), player, signal };
        Ok((reader, begun?.concat()))
    }

    /// Ends all readers, and those that begin later.
    pub(crate) fn end_readers(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        let state = self.state();
        state.readers.values().for_each(|reader| reader.signal.notify_one());
    }

    /// Waits until no reader is left.
    pub(crate) async fn readers_left(&self) {
        loop {
            let left = self.readers_left.notified();
            if self.readers() == 0 {
                return;
            }
            left.await;
        }
    }

    /// The number of readers.
    pub(crate) fn readers(&self) -> usize {
        self.state().readers.len()
    }
}

impl MergedReader {
    /// Appends what comes next to `items`, 16 KiB and the rest of a message at most.
    pub(crate) fn poll(&self, time_ms: u64, items: &mut Vec<MergedItem>) -> ReadState {
        if self.hub.is_closed.load(Ordering::SeqCst) {
            return ReadState::Closed;
        }
        let mut state = self.hub.state();
        if state.readers.get(&self.player).is_none_or(|reader| reader.is_ended) {
            return ReadState::Ended;
        }
        let now_ms = state.advance(time_ms);
        match state.topics.poll_merged(now_ms, self.player, items) {
            Some(cursor) => ReadState::All(cursor),
            None => ReadState::More,
        }
    }
}

impl Drop for MergedReader {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        let now_ms = state.advance(wall_ms());
        state.topics.handle_leave(now_ms, self.player);
        state.readers.remove(&self.player);
        if state.readers.is_empty() {
            self.hub.readers_left.notify_waiters();
        }
    }
}

impl Topics {
    /// The last messages of a topic that a request asks for.
    pub(super) fn page(&mut self, now_ms: u64, query: &HistoryQuery) -> TopicPage {
        let Some(id) = self.names.get(&query.topic).copied() else { return TopicPage::default() };
        let Some(topic) = self.topics.get_mut(&id) else { return TopicPage::default() };
        self.usage.change(id, &mut topic.log, |log| log.expire(now_ms, &self.limits));
        let range = PageRange {
            before: query.before,
            since_ms: query.since_ms.map_or(0, |ms| now_ms.saturating_sub(ms)),
            messages_max: query.messages_max,
            bytes_max: query.bytes_max,
        };
        let (messages, has_older) = topic.log.page(query.delivery, &range);
        TopicPage { epoch: Some(topic.log.epoch), last: topic.log.last(), messages, has_older }
    }
}
