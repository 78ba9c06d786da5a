//! The signal that wakes the driver when another thread has something for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// Any thread rings it, the driver hears it. Ringing takes no lock, and makes a system call only if
/// the driver sleeps.
#[derive(Debug)]
pub(crate) struct WakeSignal {
    wire: OwnedFd,
    /// It was rung since the driver last heard it.
    rung: AtomicBool,
    /// The driver waits, or is about to, and must be woken through `wire`.
    asleep: AtomicBool,
}

impl WakeSignal {
    /// # Errors
    /// If the system gives no more descriptors.
    pub(crate) fn new() -> io::Result<Self> {
        let wire = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(WakeSignal { wire, rung: AtomicBool::new(false), asleep: AtomicBool::new(false) })
    }

    /// Wakes the driver, which then finds everything queued before the call.
    pub(crate) fn ring(&self) {
        // Both flags have one total order: either the driver sees the ring before it sleeps, or
        // this thread sees that it sleeps.
        self.rung.store(true, Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst) {
            // Fails only if the counter is full, which wakes as well.
            let _ = rustix::io::write(&self.wire, &1u64.to_ne_bytes());
        }
    }

    /// Clears the signal: anything queued later rings it again. Returns true if it was rung.
    pub(super) fn hear(&self) -> bool {
        self.rung.swap(false, Ordering::SeqCst)
    }

    /// True if it was rung since [`WakeSignal::hear`].
    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Relaxed)
    }

    /// Announces that the driver is about to wait. Returns false if it was rung since
    /// [`WakeSignal::hear`].
    pub(super) fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let silent = !self.rung.load(Ordering::SeqCst);
        if !silent {
            self.asleep.store(false, Ordering::SeqCst);
        }
        silent
    }

    /// Announces that the driver no longer waits, and clears `wire`.
    pub(super) fn wake(&self, was_rung: bool) {
        self.asleep.store(false, Ordering::SeqCst);
        if was_rung {
            let _ = rustix::io::read(&self.wire, &mut [0; 8]);
        }
    }

    /// The descriptor to wait for.
    pub(super) fn wire(&self) -> BorrowedFd<'_> {
        self.wire.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::WakeSignal;

    #[test]
    fn a_ring_before_the_sleep_prevents_it() {
        let wake_signal = WakeSignal::new().unwrap();
        wake_signal.hear();
        assert!(wake_signal.may_sleep());
        wake_signal.wake(false);
        wake_signal.ring();
        assert!(!wake_signal.may_sleep());
        wake_signal.hear();
        assert!(wake_signal.may_sleep());
    }

    #[test]
    fn only_a_sleeper_is_woken_through_the_wire() {
        let wake_signal = WakeSignal::new().unwrap();
        let mut count = [0; 8];
        wake_signal.ring();
        assert!(rustix::io::read(&wake_signal.wire, &mut count).is_err());
        wake_signal.hear();
        assert!(wake_signal.may_sleep());
        wake_signal.ring();
        wake_signal.ring();
        assert_eq!(rustix::io::read(&wake_signal.wire, &mut count), Ok(8));
        assert_eq!(u64::from_ne_bytes(count), 1);
    }
}
