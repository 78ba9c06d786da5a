//! Values that end by themselves: with the sessions that hold them, or at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tickwire_shared::PlayerId;
use tickwire_shared::control::TopicLifetime;

use super::TopicId;

/// Whose ends are watched.
#[derive(Debug, Default)]
pub(super) struct Lifetimes {
    sessions: HashMap<PlayerId, Holder>,
    holders: BTreeMap<ValueId, BTreeSet<PlayerId>>,
    ends_ms: BTreeMap<ValueId, u64>,
    /// The same by time.
    deadlines: BTreeSet<(u64, ValueId)>,
}

/// The value of a key in a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ValueId {
    pub(super) topic: TopicId,
    pub(super) key: Arc<str>,
}

/// A session that holds values.
#[derive(Debug, Default)]
struct Holder {
    /// Its connection is lost.
    is_away: bool,
    values: BTreeSet<ValueId>,
}

/// What becomes of a value when a session that holds it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterLeave {
    /// Nobody holds it.
    Removed,
    /// Those who do are away.
    Away,
}

impl Lifetimes {
    /// A session has published the value.
    pub(super) fn set(
        &mut self,
        value: ValueId,
        player: PlayerId,
        lifetime: TopicLifetime,
        now_ms: u64,
    ) {
        match lifetime {
            TopicLifetime::Kept => self.release(&value),
            TopicLifetime::Session => {
                self.end_deadline(&value);
                self.sessions.entry(player).or_default().values.insert(value.clone());
                self.holders.entry(value).or_default().insert(player);
            }
            TopicLifetime::Milliseconds(ms) => {
                self.release(&value);
                let end_ms = now_ms.saturating_add(u64::from(ms));
                self.deadlines.insert((end_ms, value.clone()));
                self.ends_ms.insert(value, end_ms);
            }
        }
    }

    /// Nobody holds the value any more, and it has no end.
    pub(super) fn release(&mut self, value: &ValueId) {
        self.end_deadline(value);
        for player in self.holders.remove(value).unwrap_or_default() {
            if let Some(holder) = self.sessions.get_mut(&player) {
                holder.values.remove(value);
                if holder.values.is_empty() {
                    self.sessions.remove(&player);
                }
            }
        }
    }

    fn end_deadline(&mut self, value: &ValueId) {
        if let Some(end_ms) = self.ends_ms.remove(value) {
            self.deadlines.remove(&(end_ms, value.clone()));
        }
    }

    /// True if a session that holds as many values as it may would hold another one.
    pub(super) fn is_full(&self, player: PlayerId, value: Option<&ValueId>, max: usize) -> bool {
        let Some(holder) = self.sessions.get(&player) else { return max == 0 };
        holder.values.len() >= max && value.is_none_or(|value| !holder.values.contains(value))
    }

    /// The connection of a session is lost. Returns the values of which it held the last connection.
    pub(super) fn away(&mut self, player: PlayerId) -> Vec<ValueId> {
        let Some(holder) = self.sessions.get_mut(&player).filter(|holder| !holder.is_away) else {
            return Vec::new();
        };
        holder.is_away = true;
        let values: Vec<ValueId> = holder.values.iter().cloned().collect();
        values.into_iter().filter(|value| self.is_away(value)).collect()
    }

    /// A session is back. Returns the values that were away.
    pub(super) fn back(&mut self, player: PlayerId) -> Vec<ValueId> {
        let Some(holder) = self.sessions.get(&player).filter(|holder| holder.is_away) else {
            return Vec::new();
        };
        let values = holder.values.iter().filter(|value| self.is_away(value)).cloned().collect();
        self.sessions.entry(player).or_default().is_away = false;
        values
    }

    /// A session has ended. Returns what becomes of its values.
    pub(super) fn leave(&mut self, player: PlayerId) -> Vec<(ValueId, AfterLeave)> {
        let Some(Holder { is_away: was_away, values }) = self.sessions.remove(&player) else {
            return Vec::new();
        };
        let mut changed = Vec::new();
        for value in values {
            let Some(holders) = self.holders.get_mut(&value) else { continue };
            holders.remove(&player);
            if holders.is_empty() {
                self.holders.remove(&value);
                changed.push((value, AfterLeave::Removed));
            } else if !was_away && self.is_away(&value) {
                changed.push((value, AfterLeave::Away));
            }
        }
        changed
    }

    /// True if all who hold the value are away.
    fn is_away(&self, value: &ValueId) -> bool {
        let is_away = |player| self.sessions.get(player).is_some_and(|holder| holder.is_away);
        self.holders.get(value).is_some_and(|holders| holders.iter().all(is_away))
    }

    /// The next value whose time is over.
    pub(super) fn poll_over(&mut self, now_ms: u64) -> Option<ValueId> {
        let (end_ms, _) = self.deadlines.first()?;
        if *end_ms > now_ms {
            return None;
        }
        let (_, value) = self.deadlines.pop_first()?;
        self.ends_ms.remove(&value);
        Some(value)
    }

    /// When the next value ends by time.
    pub(super) fn next_end_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(end_ms, _)| *end_ms)
    }

    /// A topic is gone.
    pub(super) fn forget(&mut self, topic: TopicId) {
        let first = ValueId { topic, key: "".into() };
        let own = |value: &&ValueId| value.topic == topic;
        let held = self.holders.range(first.clone()..).map(|(value, _)| value).take_while(own);
        let ending = self.ends_ms.range(first.clone()..).map(|(value, _)| value).take_while(own);
        let values: Vec<ValueId> = held.chain(ending).cloned().collect();
        values.iter().for_each(|value| self.release(value));
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.holders.is_empty()
            && self.ends_ms.is_empty()
            && self.deadlines.is_empty()
    }
}
