//! What wakes the driver when another thread has something for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// Rung by any thread, heard by the driver. Ringing takes no lock, and makes a system call only
/// when the driver sleeps.
#[derive(Debug)]
pub(crate) struct WakeSignal {
    wire: OwnedFd,
    /// Rung since the driver last looked.
    rung: AtomicBool,
    /// The driver waits, or is about to, and must be woken through the wire.
    asleep: AtomicBool,
}

impl WakeSignal {
    /// # Errors
    /// When the system gives no more descriptors.
    pub(crate) fn new() -> io::Result<Self> {
        let wire = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(WakeSignal { wire, rung: AtomicBool::new(false), asleep: AtomicBool::new(false) })
    }

    /// Wakes the driver. What was queued before the call is found by it.
    pub(crate) fn ring(&self) {
        // Both flags in one total order: either the driver sees the ring before it sleeps, or this
        // thread sees that it sleeps.
        self.rung.store(true, Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst) {
            // It fails only when the counter is full, which is rung as well.
            let _ = rustix::io::write(&self.wire, &1u64.to_ne_bytes());
        }
    }

    /// Forgets the rings so far: whatever is queued from now on rings again. Says whether there were any.
    pub(super) fn hear(&self) -> bool {
        self.rung.swap(false, Ordering::SeqCst)
    }

    /// Whether it was rung since [`WakeSignal::hear`].
    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Relaxed)
    }

    /// Says that the driver is about to wait, unless it was rung since [`WakeSignal::hear`].
    pub(super) fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let silent = !self.rung.load(Ordering::SeqCst);
        if !silent {
            self.asleep.store(false, Ordering::SeqCst);
        }
        silent
    }

    /// Says that the driver no longer waits, and silences the wire.
    pub(super) fn wake(&self, was_rung: bool) {
        self.asleep.store(false, Ordering::SeqCst);
        if was_rung {
            let _ = rustix::io::read(&self.wire, &mut [0; 8]);
        }
    }

    /// What to wait for.
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
