//! Detects a peer that has been silent for too long.
//!
//! Only time in which the server looks counts. After its process stood still, because it was
//! stopped or its machine slept, the peer's messages wait unread: that is no silence.

use std::time::Duration;

/// Looks in the longest allowed silence.
const LOOKS: u32 = 4;

/// Measures how long nothing, or nothing complete, came from a peer. It has no clock: the caller
/// reports each look.
#[derive(Debug)]
pub(super) struct IdleTimer {
    time_max: Duration,
    silent: Duration,
    /// The number of the incomplete message, 0 for none, and how long it has been incomplete.
    message: u64,
    message_open: Duration,
}

/// The wait that was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimedOut {
    /// Nothing came.
    Silence,
    /// A message stayed incomplete.
    Message,
}

impl IdleTimer {
    pub(super) fn new(time_max: Duration) -> Self {
        IdleTimer { time_max, silent: Duration::ZERO, message: 0, message_open: Duration::ZERO }
    }

    /// The longest wait of one look.
    pub(super) fn look(&self) -> Duration {
        self.time_max / LOOKS
    }

    /// Records a look that took `took`, whether it `heard` a message, and the `unfinished` message
    /// now.
    ///
    /// # Errors
    /// If the peer has used up its time.
    pub(super) fn looked(
        &mut self,
        took: Duration,
        heard: bool,
        unfinished: u64,
    ) -> Result<(), TimedOut> {
        if took > 2 * self.look() {
            // The server stood still: the peer's time starts again.
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
