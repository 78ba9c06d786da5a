//! What happened once, told to one client until it acknowledges it, or in one snapshot only.

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

/// An event, coded once for everyone who is told.
#[derive(Debug)]
pub(in crate::room) struct EventBits {
    pub(in crate::room) tick: Tick,
    pub(in crate::room) kind: u8,
    /// It is held back from those who see this entity and do not have it.
    pub(in crate::room) after: Option<EntityId>,
    pub(in crate::room) words: Vec<u64>,
    pub(in crate::room) bits: usize,
}

/// The events that one client has not acknowledged.
#[derive(Debug)]
pub(in crate::room) struct Events {
    waiting: VecDeque<Arc<EventBits>>,
    /// Those that are told in the next snapshot and in no other.
    once: Vec<Arc<EventBits>>,
    /// Number of the first one waiting. Those before [`Events::told_end`] keep their numbers; one that was told in
    /// no snapshot has none yet, so that numbers never run ahead of what a client has.
    first: u64,
    /// The number after the last one that any snapshot told.
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

    /// Queues an event until it is acknowledged. Beyond the bound the oldest that no snapshot told is dropped, and
    /// returned.
    pub(in crate::room) fn tell(&mut self, event: Arc<EventBits>) -> Option<Arc<EventBits>> {
        self.waiting.push_back(event);
        if self.waiting.len() <= self.queued_max {
            return None;
        }
        let untold = self.told_end.saturating_sub(self.first) as usize;
        self.waiting.remove(untold.min(self.queued_max))
    }

    /// The next snapshot tells an event, if there is place for it, and no other does.
    pub(in crate::room) fn tell_once(&mut self, event: Arc<EventBits>) {
        if self.once.len() < EVENTS_MAX {
            self.once.push(event);
        }
    }

    /// No snapshot so far will be acknowledged any more.
    pub(super) fn forget_told(&mut self) {
        self.told.clear();
    }

    /// Number of the first one waiting.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The snapshot of `tick` tells the first `count`.
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

    /// The client has what the snapshot of `tick` told.
    pub(super) fn acknowledge(&mut self, tick: Tick) {
        if self.waiting.is_empty() {
            return;
        }
        let Some(&(_, end)) = self.told.iter().find(|(told, _)| *told == tick) else { return };
        while self.first < end && self.waiting.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// How many fit their share of a datagram, and how many of those that are told once beside them. None do where the
    /// last snapshot had no place for any record: it must not wait for events for ever.
    pub(super) fn that_fit(&self, bits_max: usize, lacks_place: bool) -> (usize, usize) {
        if lacks_place {
            return (0, 0);
        }
        let mut left = bits_max / EVENT_SHARE;
        let mut first = true;
        let fits = |event: &&Arc<EventBits>| {
            let bits = 13 + event.bits;
            // A large one must not stand in the way of all others for ever.
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

    /// How many of the first `count` come before one that is held back at `now`, as the client has not what it names.
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

    /// The first of both as a snapshot of `now` tells them.
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
