//! When a message is posted again that was not taken.

use crate::config::WebhooksConfig;

/// A server's rules for attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct RetryRules {
    /// Milliseconds of the first pause.
    pub(super) first_ms: u64,
    /// Milliseconds of the longest pause.
    pub(super) max_ms: u64,
    /// Attempts that reach the receiver.
    pub(super) attempts_max: u32,
}

impl RetryRules {
    pub(super) fn of(config: &WebhooksConfig) -> Self {
        RetryRules {
            first_ms: config.retry_first_ms.into(),
            max_ms: config.retry_max_ms.into(),
            attempts_max: config.attempts_max,
        }
    }

    /// The longest time in milliseconds from the first attempt at a message until it is given up, without what the attempts
    /// themselves take.
    pub(super) fn longest_ms(&self) -> u64 {
        let pauses = u64::from(self.attempts_max.saturating_sub(1));
        let doubled =
            (0..pauses.min(DOUBLINGS_MAX.into())).map(|number| self.pause_ms(number as u32));
        let further = pauses.saturating_sub(DOUBLINGS_MAX.into()).saturating_mul(self.max_ms);
        doubled.fold(further, u64::saturating_add)
    }

    fn pause_ms(&self, doublings: u32) -> u64 {
        self.first_ms.saturating_mul(1 << doublings).min(self.max_ms)
    }
}

/// The attempts at one message.
#[derive(Debug)]
pub(super) struct RetrySchedule {
    rules: RetryRules,
    /// Attempts so far.
    attempts: u32,
    /// Those that reached the receiver.
    reached: u32,
}

impl RetrySchedule {
    pub(super) fn new(rules: RetryRules) -> Self {
        RetrySchedule { rules, attempts: 0, reached: 0 }
    }

    /// Attempts so far.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// An attempt failed. Returns the milliseconds until the next one; `None` to give the message up. Attempts that reached no
    /// receiver go on for ever.
    ///
    /// Pauses double from one failure to the next, half of each drawn by `random`, so that servers whose receiver was away do
    /// not all come back together. A receiver may ask for a longer one, up to the longest.
    pub(super) fn fail(
        &mut self,
        has_reached: bool,
        asked_ms: Option<u64>,
        random: u64,
    ) -> Option<u64> {
        let RetryRules { max_ms, attempts_max, .. } = self.rules;
        let doublings = self.attempts.min(DOUBLINGS_MAX);
        self.attempts = self.attempts.saturating_add(1);
        self.reached = self.reached.saturating_add(u32::from(has_reached));
        if has_reached && self.reached >= attempts_max {
            return None;
        }
        let pause_ms = self.rules.pause_ms(doublings);
        let half_ms = pause_ms / 2;
        let drawn_ms = pause_ms - half_ms + random % (half_ms + 1);
        Some(drawn_ms.max(asked_ms.unwrap_or(0)).min(max_ms))
    }
}

const DOUBLINGS_MAX: u32 = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: RetryRules = RetryRules { first_ms: 500, max_ms: 60_000, attempts_max: 12 };

    #[test]
    fn pauses_double_up_to_the_longest_until_the_message_is_given_up() {
        for (random, waits) in [
            (0, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]),
            (30_000, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]),
        ] {
            let mut schedule = RetrySchedule::new(RULES);
            for (at, wait_ms) in waits.into_iter().enumerate() {
                // Drawn from none of the half, and from all of it.
                let random = if random == 0 { 0 } else { (500_u64 << at).min(60_000) / 2 };
                assert_eq!(schedule.fail(true, None, random), Some(wait_ms), "{at}");
            }
            assert_eq!((schedule.fail(true, None, 7), schedule.attempts()), (None, 12));
        }
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_and_no_shorter_one() {
        let asked = |asked_ms| RetrySchedule::new(RULES).fail(true, Some(asked_ms), 0);
        assert_eq!((asked(0), asked(249), asked(251)), (Some(250), Some(250), Some(251)));
        assert_eq!((asked(60_001), asked(u64::MAX)), (Some(60_000), Some(60_000)));
    }

    #[test]
    fn a_receiver_that_is_not_reached_costs_no_message() {
        let mut schedule = RetrySchedule::new(RetryRules { attempts_max: 2, ..RULES });
        assert!((0..1000).all(|random| schedule.fail(false, None, random).is_some()));
        assert!(schedule.fail(true, None, 0).is_some());
        assert!(schedule.fail(false, None, 0).is_some());
        assert_eq!((schedule.fail(true, None, 0), schedule.attempts()), (None, 1003));
    }

    proptest! {
        #[test]
        fn no_order_of_failures_ends_before_its_time_or_waits_beyond_the_bounds(
            rules in (1u64..100_000, 1u64..10_000_000, 1u32..50),
            failures in prop::collection::vec((any::<bool>(), any::<Option<u64>>(), any::<u64>()), 1..200),
        ) {
            let (first_ms, max_ms, attempts_max) = rules;
            let mut schedule = RetrySchedule::new(RetryRules { first_ms, max_ms, attempts_max });
            let mut reached = 0;
            for (has_reached, asked_ms, random) in failures {
                reached += u32::from(has_reached);
                match schedule.fail(has_reached, asked_ms, random) {
                    Some(wait_ms) => {
                        prop_assert!(wait_ms <= max_ms && wait_ms >= first_ms.min(max_ms) / 2);
                        prop_assert!(wait_ms >= asked_ms.unwrap_or(0).min(max_ms));
                        prop_assert!(!has_reached || reached < attempts_max);
                    }
                    None => {
                        prop_assert_eq!((has_reached, reached), (true, attempts_max));
                        break;
                    }
                }
            }
        }
    }
}
