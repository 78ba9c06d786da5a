//! Several topics read as one list: their messages in the order in which the server got them.
//!
//! A place in the list is one number for all topics, also for those that are made later. So a reader that has lost its
//! connection goes on after it with no gap and nothing twice, whatever pattern it reads by, and the server keeps nothing for it
//! meanwhile.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use tickwire_shared::PlayerId;
use tickwire_shared::control::TopicDelivery;

use super::{DELIVERY_BYTES, NewSubscription, TopicRefusal, Topics};

/// A place among all messages of a server's topics. As text: 16 hexadecimal digits, a hyphen and a number, 37 bytes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergedCursor {
    /// The number of the list, which that of another run of the server does not have.
    pub(super) run: u64,
    /// The messages up to this one were read.
    pub(super) order: u64,
}

/// The next of what a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MergedItem {
    /// A message.
    Message {
        topic: String,
        /// What the reader has read with it.
        cursor: MergedCursor,
        /// A `TopicMessage` by postcard.
        coded: Bytes,
    },
    /// Messages that are no longer kept.
    Missed {
        /// `None` if it is not known of which topics.
        topic: Option<String>,
        /// The first and the last of them, as far as they are known.
        from: Option<u64>,
        to: Option<u64>,
    },
}

impl Topics {
    /// Begins a subscription that is read by [`Topics::poll_merged`], after a cursor if there is one. Returns what is missed
    /// since then.
    ///
    /// # Errors
    /// Why there is none; then nothing has changed.
    pub(super) fn handle_read(
        &mut self,
        now_ms: u64,
        player: PlayerId,
        new: NewSubscription,
        after: Option<MergedCursor>,
    ) -> Result<Vec<MergedItem>, TopicRefusal> {
        let (id, delivery, is_kept) = (new.id, new.delivery, self.is_kept(&new.pattern));
        self.handle_subscribe(now_ms, player, new)?;
        let (Some(after), Some(subscriber)) = (after, self.subscribers.get_mut(&player)) else {
            return Ok(Vec::new());
        };
        let in_this_run = after.run == self.run && after.order <= self.published;
        // Values of an earlier run may have ended with it.
        let stored = self.stored.as_ref().filter(|_| delivery == TopicDelivery::Ordered);
        let end_of_run = stored.and_then(|stored| stored.end_of_list(after.run));
        let known = match (in_this_run, end_of_run) {
            (true, _) => Some(after.order),
            // What was not written has gone with the run, and so have topics that are not kept.
            (false, end) => end.map(|end| after.order.min(end)),
        };
        let has_all = in_this_run || known.is_some() && is_kept;
        let mut missed = Vec::new();
        if !has_all || known.is_some_and(|order| order < self.gone_order) {
            missed.push(MergedItem::Missed { topic: None, from: None, to: None });
        }
        for number in subscriber.numbers_of(id) {
            let Some(follower) = subscriber.followers.get_mut(&number) else { continue };
            let Some(topic) = self.topics.get(&follower.topic) else { continue };
            let log = &topic.log;
            let oldest = log.oldest(delivery);
            let (cursor, is_dropped) = match known {
                Some(order) => log.cursor_at(delivery, order),
                None => (oldest, false),
            };
            (follower.start, follower.cursor) = (cursor, cursor);
            (follower.is_continued, follower.removals) = (known.is_some(), log.forgotten());
            if is_dropped {
                let name = Some(topic.name.clone());
                let to = Some(oldest).filter(|_| delivery == TopicDelivery::Ordered);
                missed.push(MergedItem::Missed { topic: name, from: None, to });
                // After removals that are gone all values come again.
                if delivery == TopicDelivery::Latest {
                    follower.cursor = oldest;
                }
            }
        }
        Ok(missed)
    }

    /// Begins to read a pattern for the server itself, as [`Topics::handle_read`] does: as many topics as match, none of which
    /// stays longer for it.
    pub(super) fn handle_read_own(
        &mut self,
        now_ms: u64,
        player: PlayerId,
        new: NewSubscription,
        after: Option<MergedCursor>,
    ) -> Result<Vec<MergedItem>, TopicRefusal> {
        self.subscribers.entry(player).or_default().is_own = true;
        self.handle_read(now_ms, player, new, after)
    }

    /// Appends what comes next for a reader to `items`: 16 KiB and the rest of a message at most. Returns what it has read once
    /// that is everything.
    pub(super) fn poll_merged(
        &mut self,
        now_ms: u64,
        player: PlayerId,
        items: &mut Vec<MergedItem>,
    ) -> Option<MergedCursor> {
        let subscriber = self.subscribers.get_mut(&player)?;
        if std::mem::take(&mut subscriber.has_lost) {
            items.push(MergedItem::Missed { topic: None, from: None, to: None });
        }
        // The next message of each topic that has one. Messages that come later have later places than all of these.
        let mut next = BinaryHeap::new();
        for number in std::mem::take(&mut subscriber.ready) {
            let Some(follower) = subscriber.followers.get_mut(&number) else { continue };
            let Some(topic) = self.topics.get_mut(&follower.topic) else { continue };
            self.usage
                .change(follower.topic, &mut topic.log, |log| log.expire(now_ms, &self.limits));
            if follower.delivery == TopicDelivery::Ordered
                && let Some((from, to)) = topic.log.missed(follower.cursor)
            {
                let topic = Some(topic.name.clone());
                items.push(MergedItem::Missed { topic, from: Some(from), to: Some(to) });
                follower.cursor = to;
            }
            if let Some((from, to)) = follower.take_forgotten(&topic.log) {
                let topic = Some(topic.name.clone());
                items.push(MergedItem::Missed { topic, from: Some(from), to: Some(to) });
            }
            match topic.log.next(follower.delivery, follower.cursor) {
                Some(message) => next.push(Reverse((message.order, number))),
                None => drop(topic.waiting.insert((player, number))),
            }
        }
        let mut bytes = 0;
        while bytes < DELIVERY_BYTES
            && let Some(Reverse((order, number))) = next.pop()
        {
            let Some(follower) = subscriber.followers.get_mut(&number) else { continue };
            let Some(topic) = self.topics.get_mut(&follower.topic) else { continue };
            let Some(message) = topic.log.next(follower.delivery, follower.cursor) else {
                continue;
            };
            bytes += message.coded.len() + topic.name.len();
            follower.cursor = message.sequence;
            items.push(MergedItem::Message {
                topic: topic.name.clone(),
                cursor: MergedCursor { run: self.run, order },
                coded: message.coded.clone(),
            });
            match topic.log.next(follower.delivery, follower.cursor) {
                Some(message) => next.push(Reverse((message.order, number))),
                None => drop(topic.waiting.insert((player, number))),
            }
        }
        let is_everything = next.is_empty();
        subscriber.ready.extend(next.into_iter().map(|Reverse((_, number))| number));
        is_everything.then_some(MergedCursor { run: self.run, order: self.published })
    }
}

impl fmt::Display for MergedCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}-{}", self.run, self.order)
    }
}

/// The text is no [`MergedCursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no place among the messages of topics; leave it out to begin anew")]
pub struct NoCursor;

impl FromStr for MergedCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (run, order) = text.split_once('-').ok_or(NoCursor)?;
        let is_hex = run.len() == 16 && run.bytes().all(|digit| digit.is_ascii_hexdigit());
        let is_number = !order.is_empty() && order.bytes().all(|digit| digit.is_ascii_digit());
        if !is_hex || !is_number {
            return Err(NoCursor);
        }
        let run = u64::from_str_radix(run, 16).map_err(|_| NoCursor)?;
        Ok(MergedCursor { run, order: order.parse().map_err(|_| NoCursor)? })
    }
}
