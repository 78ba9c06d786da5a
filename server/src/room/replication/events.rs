//! The events for one client: reliable ones until it acknowledges them, unreliable ones in one
//! snapshot only.

use std::collections::VecDeque;
use std::sync::Arc;

use tickwire_shared::snapshot::{EVENTS_MAX, EventHead, Fragment};
use tickwire_shared::{EntityId, Tick};

/// Share of a snapshot's bytes that events may take, as a divisor.
const EVENT_SHARE: usize = 3;
/// A snapshot's header, with room to spare.
const HEADER_BITS_MAX: usize = 128;
/// Most ticks that an event is held back; the tick of an older one could not be sent.
const HELD_TICKS_MAX: i32 = 127;
/// Snapshots with events that are remembered: more cannot be acknowledged.
const TOLD_MAX: usize = 64;

/// An event, coded once for all receivers.
#[derive(Debug)]
pub(in crate::room) struct EventBits {
    pub(in crate::room) tick: Tick,
    pub(in crate::room) kind: u8,
    /// The entity without which it is held back, from clients that see the entity.
    pub(in crate::room) after: Option<EntityId>,
    pub(in crate::room) words: Vec<u64>,
    pub(in crate::room) bits: usize,
}

/// The events that one client has not acknowledged.
#[derive(Debug)]
pub(in crate::room) struct Events {
    waiting: VecDeque<Arc<EventBits>>,
    /// Unreliable events of the next snapshot.
    once: Vec<Arc<EventBits>>,
    /// Number of the first waiting event. Those before [`Events::told_end`] keep their numbers.
    /// Events that no snapshot has held yet have no numbers, so that numbers never run ahead of the
    /// client.
    first: u64,
    /// The number after the last event in any snapshot.
    told_end: u64,
    /// The ticks of snapshots with events, each with the number after its last event.
    told: VecDeque<(Tick, u64)>,
    queued_max: usize,
}

impl Events {
    pub(super) fn new(queued_max: usize) -> Self {
        Events {
            waiting: VecDeque::new(),
            once: Vec::new(),
            first: 0,
            told_end: 0,
            told: VecDeque::new(),
            queued_max,
        }
    }

    /// Queues a reliable event. Beyond the bound, drops and returns the oldest event that no
    /// snapshot has held.
    pub(in crate::room) fn tell(&mut self, event: Arc<EventBits>) -> Option<Arc<EventBits>> {
        self.waiting.push_back(event);
        if self.waiting.len() <= self.queued_max {
            return None;
        }
        let untold = self.told_end.saturating_sub(self.first) as usize;
        self.waiting.remove(untold.min(self.queued_max))
    }

    /// Adds an unreliable event to the next snapshot; a surplus is dropped.
    pub(in crate::room) fn tell_once(&mut self, event: Arc<EventBits>) {
        if self.once.len() < EVENTS_MAX {
            self.once.push(event);
        }
    }

    /// Forgets the sent snapshots: none of them will be acknowledged.
    pub(super) fn forget_told(&mut self) {
        self.told.clear();
    }

    /// Number of the first waiting event.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Records that the snapshot of `tick` holds the first `count` events.
    pub(super) fn send(&mut self, tick: Tick, count: usize) {
        self.once.clear();
        if count == 0 {
            return;
        }
        if self.told.len() == TOLD_MAX {
            self.told.pop_front();
        }
        let end = self.first + count as u64;
        self.told_end = self.told_end.max(end);
        self.told.push_back((tick, end));
    }

    /// Removes the events of the acknowledged snapshot of `tick`.
    pub(super) fn acknowledge(&mut self, tick: Tick) {
        if self.waiting.is_empty() {
            return;
        }
        let Some(&(_, end)) = self.told.iter().find(|(told, _)| *told == tick) else { return };
        while self.first < end && self.waiting.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// The numbers of reliable events that fit their share of a datagram, and of unreliable ones
    /// that fit beside them. 0 after a snapshot without place for a record, which must not wait for
    /// events forever.
    pub(super) fn that_fit(&self, bits_max: usize, lacks_place: bool) -> (usize, usize) {
        if lacks_place {
            return (0, 0);
        }
        let mut left = bits_max / EVENT_SHARE;
        let mut first = true;
        let fits = |event: &&Arc<EventBits>| {
            let bits = 13 + event.bits;
            // A large event must not block all others forever.
            let fits =
                bits <= left || (std::mem::take(&mut first) && bits + HEADER_BITS_MAX <= bits_max);
            first = false;
            left = left.saturating_sub(bits);
            fits
        };
        let count = self.waiting.iter().take(EVENTS_MAX).take_while(fits).count();
        let fits_too = |event: &&Arc<EventBits>| {
            let rest = left.checked_sub(6 + event.bits);
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        (count, self.once.iter().take_while(fits_too).count())
    }

    /// The number of the first `count` events before the first one held back at `now`, whose entity
    /// the client lacks.
    pub(super) fn that_may_come(
        &self,
        now: Tick,
        count: usize,
        has: impl Fn(EntityId) -> bool,
    ) -> usize {
        let is_held = |event: &Arc<EventBits>| {
            let named = event.after.filter(|_| now.since(event.tick) < HELD_TICKS_MAX);
            named.is_some_and(|entity| !has(entity))
        };
        self.waiting.iter().take(count).position(is_held).unwrap_or(count)
    }

    /// The first events of both kinds, coded for a snapshot of `now`.
    pub(super) fn coded(
        &self,
        now: Tick,
        (count, once): (usize, usize),
    ) -> impl Iterator<Item = (EventHead, Fragment<'_>)> {
        let events = self.waiting.iter().take(count).chain(self.once.iter().take(once));
        events.map(move |event| event.coded(now))
    }
}

impl EventBits {
    fn coded(&self, now: Tick) -> (EventHead, Fragment<'_>) {
        let age_ticks = now.since(self.tick).clamp(0, 127) as u32;
        let head = EventHead { age_ticks, kind: u32::from(self.kind) };
        (head, Fragment { words: &self.words, bits: self.bits })
    }
}
