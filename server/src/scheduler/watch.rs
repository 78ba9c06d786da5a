//! The current tick of each simulation thread, for the watchdog.
//!
//! A tick runs the game's own code, which cannot be ended from outside. But it can be named.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::clock::monotonic_ns;
use super::mailbox::Mailbox;

const NS_IN_MS: u64 = 1_000_000;

/// Written by a simulation thread around all calls that may run the game's code.
#[derive(Debug)]
pub(super) struct TickWatch<I> {
    /// The rooms of the thread by slot. Locked briefly, when rooms come and go and when a tick is
    /// long.
    rooms: Mutex<Vec<Option<Arc<Mailbox<I>>>>>,
    slot: AtomicUsize,
    tick: AtomicU32,
    /// The start of the current tick; 0 between ticks.
    since_ns: AtomicU64,
}

/// A tick that takes too long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Stall {
    /// The simulation thread, from 0. None of its rooms goes on.
    pub(crate) thread: usize,
    /// The room of the tick.
    pub(crate) room: String,
    /// The room's last completed tick.
    pub(crate) after_tick: u32,
    /// The tick's duration so far, in milliseconds.
    pub(crate) for_ms: u64,
}

/// Identifies a tick, to recognise it in the next look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TickMark(u64);

impl<I> Default for TickWatch<I> {
    fn default() -> Self {
        TickWatch {
            rooms: Mutex::default(),
            slot: AtomicUsize::new(0),
            tick: AtomicU32::new(0),
            since_ns: AtomicU64::new(0),
        }
    }
}

impl<I> TickWatch<I> {
    /// Sets or removes the room in a slot.
    pub(super) fn set_room(&self, slot: usize, room: Option<Arc<Mailbox<I>>>) {
        let mut rooms = self.rooms();
        if rooms.len() <= slot {
            rooms.resize_with(slot + 1, || None);
        }
        rooms[slot] = room;
    }

    /// Marks the begin of the tick after `tick` of the room in `slot`.
    pub(super) fn begin(&self, slot: usize, tick: u32, now_ns: u64) {
        self.slot.store(slot, Ordering::Relaxed);
        self.tick.store(tick, Ordering::Relaxed);
        self.since_ns.store(now_ns, Ordering::Release);
    }

    /// Marks the end of the tick.
    pub(super) fn end(&self) {
        self.since_ns.store(0, Ordering::Release);
    }

    /// The current tick of the thread with this number, if it has taken `long_ms` already.
    pub(super) fn stall(&self, thread: usize, long_ms: u64) -> Option<(TickMark, Stall)> {
        let since_ns = self.since_ns.load(Ordering::Acquire);
        let for_ms = monotonic_ns().saturating_sub(since_ns) / NS_IN_MS;
        if since_ns == 0 || for_ms < long_ms {
            return None;
        }
        let slot = self.slot.load(Ordering::Acquire);
        let after_tick = self.tick.load(Ordering::Acquire);
        let room = self.rooms().get(slot).and_then(|room| room.as_ref().map(Arc::clone));
        if self.since_ns.load(Ordering::Acquire) != since_ns {
            return None;
        }
        let room = room.map(|room| room.name().to_owned()).unwrap_or_default();
        Some((TickMark(since_ns), Stall { thread, room, after_tick, for_ms }))
    }

    fn rooms(&self) -> MutexGuard<'_, Vec<Option<Arc<Mailbox<I>>>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for Stall {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Stall { thread, room, after_tick, for_ms } = self;
        write!(
            formatter,
            "the tick after {after_tick} of room {room:?} on simulation thread {thread} takes {for_ms} ms so far"
        )
    }
}

#[cfg(test)]
mod tests {
    use tickwire_shared::control::RoomInfo;

    use super::*;
    use crate::config::ServerConfig;

    #[test]
    fn only_a_tick_that_is_long_is_a_stall_and_it_is_named() {
        let watch = TickWatch::<()>::default();
        let slow = RoomInfo { name: "slow".to_owned(), ..RoomInfo::default() };
        let mailbox = Mailbox::new(slow, &ServerConfig::default());
        watch.set_room(2, Some(Arc::new(mailbox)));
        assert_eq!(watch.stall(7, 0), None);
        watch.begin(2, 41, monotonic_ns() - 1500 * NS_IN_MS);
        let (_, stall) = watch.stall(7, 1000).unwrap();
        assert_eq!((stall.thread, stall.room.as_str(), stall.after_tick), (7, "slow", 41));
        assert!(stall.for_ms >= 1500);
        assert_eq!(watch.stall(7, 1_000_000), None);
        watch.end();
        assert_eq!(watch.stall(7, 0), None);
    }
}
