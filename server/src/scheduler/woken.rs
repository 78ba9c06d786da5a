//! The alarm of a simulation thread's sleeping rooms.

use std::sync::OnceLock;
use std::thread::Thread;

use super::queue::BoundedQueue;

/// The rooms woken and not run since, by their numbers on the thread.
#[derive(Debug)]
pub(crate) struct WokenRooms {
    woken: BoundedQueue<usize>,
    /// The thread itself, once it runs.
    thread: OnceLock<Thread>,
}

impl WokenRooms {
    /// For `rooms_max` rooms: each is woken at most once until it runs.
    pub(super) fn new(rooms_max: usize) -> Self {
        WokenRooms { woken: BoundedQueue::new(rooms_max), thread: OnceLock::new() }
    }

    /// Makes the calling thread the one to wake.
    pub(super) fn wakes_this_thread(&self) {
        let _ = self.thread.set(std::thread::current());
    }

    /// Wakes a room.
    pub(super) fn ring(&self, number: usize) {
        let pushed = self.woken.push(number);
        debug_assert!(pushed.is_ok(), "more rooms were woken than there are");
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Takes the woken rooms.
    pub(super) fn drain(&self) -> impl Iterator<Item = usize> + '_ {
        self.woken.drain()
    }
}
