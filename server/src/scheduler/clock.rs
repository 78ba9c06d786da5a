//! Time of the simulation threads: nanoseconds of the monotonic clock, and sleeping until one.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// The niceness of a simulation thread, which works little and must start on time.
const NICENESS: i32 = -15;
const NS_IN_S: u64 = 1_000_000_000;

/// The monotonic clock, as nanoseconds since the machine's start and as [`Instant`]s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonotonicClock {
    start_ns: u64,
    start: Instant,
}

impl MonotonicClock {
    pub(crate) fn new() -> Self {
        MonotonicClock { start_ns: monotonic_ns(), start: Instant::now() }
    }

    /// Nanoseconds now.
    pub(crate) fn now_ns(&self) -> u64 {
        monotonic_ns()
    }

    /// The same moment as an [`Instant`].
    pub(crate) fn instant(&self, ns: u64) -> Instant {
        self.start + Duration::from_nanos(ns.saturating_sub(self.start_ns))
    }

    /// Sleeps until `ns`; a signal may end it early.
    pub(crate) fn sleep_until(&self, ns: u64) {
        let whole_s = i64::try_from(ns / NS_IN_S).unwrap_or(i64::MAX);
        let rest_ns = i64::try_from(ns % NS_IN_S).unwrap_or(0);
        // The only error is a signal; the caller checks the clock in any case.
        let _ = clock_nanosleep_absolute(
            ClockId::Monotonic,
            &Timespec { tv_sec: whole_s, tv_nsec: rest_ns },
        );
    }
}

/// Asks the system to wake this thread on time: no timer slack, precedence over other threads where
/// the process may ask for it, and the real-time class if `realtime` gives a priority for it.
pub(crate) fn tune_thread(realtime: Option<u8>) {
    if let Err(error) = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)) {
        tracing::debug!(%error, "timer slack stays as it is");
    }
    let Some(priority) = realtime else {
        // Without the right to it, the thread keeps the usual niceness.
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "the simulation thread gets no precedence");
        }
        return;
    };
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let wanted = ThreadPriority::from_posix(thread_priority::ScheduleParams {
        sched_priority: i32::from(priority),
    });
    match set_thread_priority_and_policy(thread_native_id(), wanted, policy) {
        Ok(()) => tracing::info!(priority, "simulation thread runs in the real-time class"),
        Err(error) => tracing::warn!(
            ?error,
            "no real-time class for the simulation thread: give the binary CAP_SYS_NICE"
        ),
    }
}

/// Nanoseconds of the monotonic clock now.
pub(super) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * NS_IN_S + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_ends_at_or_after_the_moment() {
        let clock = MonotonicClock::new();
        let until_ns = clock.now_ns() + 2_000_000;
        while clock.now_ns() < until_ns {
            clock.sleep_until(until_ns);
        }
        assert!(clock.instant(until_ns) <= Instant::now());
    }
}
