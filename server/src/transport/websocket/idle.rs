//! When a peer has been silent for too long.
//!
//! Time counts while the server looks. When its process stood still, as one that was stopped or whose
//! machine slept, what the peer sent meanwhile waits unread: that is no silence.

use std::time::Duration;

/// Looks until a peer has been silent for too long.
const LOOKS: u32 = 4;

/// For how long nothing came from a peer, or nothing whole. It knows no clock: it is told of each look.
#[derive(Debug)]
pub(super) struct IdleTimer {
    time_max: Duration,
    silent: Duration,
    /// The message that is there in part, 0 for none, and for how long it has been.
    message: u64,
    message_open: Duration,
}

/// What has lasted too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimedOut {
    /// Nothing came.
    Silence,
    /// A message came in part.
    Message,
}

impl IdleTimer {
    pub(super) fn new(time_max: Duration) -> Self {
        IdleTimer { time_max, silent: Duration::ZERO, message: 0, message_open: Duration::ZERO }
    }

    /// How long to look for a message, at most.
    pub(super) fn look(&self) -> Duration {
        self.time_max / LOOKS
    }

    /// Notes a look that took `took`, whether it `heard` a message, and which message is unfinished now.
    ///
    /// # Errors
    /// When the peer has had its time.
    pub(super) fn looked(
        &mut self,
        took: Duration,
        heard: bool,
        unfinished: u64,
    ) -> Result<(), TimedOut> {
        if took > 2 * self.look() {
            // Whoever looked stood still: the peer gets its time anew.
            *self = IdleTimer { message: unfinished, ..IdleTimer::new(self.time_max) };
            return Ok(());
        }
        let took = took.min(self.look());
        self.silent = if heard { Duration::ZERO } else { self.silent + took };
        self.message_open = match unfinished == self.message && unfinished != 0 {
            true => self.message_open + took,
            false => Duration::ZERO,
        };
        self.message = unfinished;
        if self.silent >= self.time_max {
            return Err(TimedOut::Silence);
        }
        if self.message_open >= self.time_max {
            return Err(TimedOut::Message);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(16);
    const LOOK: Duration = Duration::from_secs(4);
    const SHORT: Duration = Duration::from_millis(500);

    #[test]
    fn a_peer_has_its_time_from_its_last_message_on() {
        let mut idle = IdleTimer::new(TIME);
        assert_eq!(idle.look(), LOOK);
        for _ in 0..3 {
            assert_eq!(idle.looked(LOOK, false, 0), Ok(()));
        }
        assert_eq!(idle.looked(SHORT, true, 0), Ok(()));
        for _ in 0..3 {
            assert_eq!(idle.looked(LOOK, false, 0), Ok(()));
        }
        assert_eq!(idle.looked(LOOK, false, 0), Err(TimedOut::Silence));
    }

    #[test]
    fn a_pause_of_the_one_who_looks_is_no_silence() {
        let mut idle = IdleTimer::new(TIME);
        for _ in 0..3 {
            assert_eq!(idle.looked(LOOK, false, 0), Ok(()));
        }
        assert_eq!(idle.looked(Duration::from_secs(3600), false, 0), Ok(()));
        for _ in 0..3 {
            assert_eq!(idle.looked(LOOK, false, 0), Ok(()));
        }
        assert_eq!(idle.looked(LOOK, false, 0), Err(TimedOut::Silence));
    }

    #[test]
    fn a_message_must_end_whatever_comes_in_its_midst() {
        let mut idle = IdleTimer::new(TIME);
        let mut short = |unfinished| idle.looked(SHORT, true, unfinished);
        for message in 1..100 {
            assert_eq!(short(message), Ok(()), "each is another");
        }
        for _ in 1..32 {
            assert_eq!(short(99), Ok(()));
        }
        assert_eq!(short(99), Err(TimedOut::Message));
    }
}
