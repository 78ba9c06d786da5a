//! A rate with a burst.

use std::time::{Duration, Instant};

/// Tokens that return at a steady rate; each action takes one, or its cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    /// Negative after a charge that exceeded it.
    tokens: f64,
    burst: f64,
    refill_hz: f64,
    filled_at: Instant,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens, of which `refill_hz` return each second.
    pub(crate) fn new(burst: impl Into<f64>, refill_hz: impl Into<f64>, now: Instant) -> Self {
        let (burst, refill_hz) = (burst.into(), refill_hz.into());
        TokenBucket { tokens: burst, burst, refill_hz, filled_at: now }
    }

    /// Takes a token if there is one; returns true if so.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }

    /// Takes the whole cost, even if that leaves a debt. Returns the time until the debt is paid
    /// back, at most `debt_s_max` seconds.
    pub(crate) fn charge(&mut self, cost: u64, debt_s_max: f64, now: Instant) -> Duration {
        self.refill(now);
        self.tokens -= cost as f64;
        Duration::from_secs_f64((-self.tokens / self.refill_hz).clamp(0.0, debt_s_max))
    }

    fn refill(&mut self, now: Instant) {
        let passed_s = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.tokens = (self.tokens + passed_s * self.refill_hz).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(3u32, 10u32, start);
        let passed = (0..5).filter(|_| bucket.take(start)).count();
        assert_eq!(passed, 3);
        let later = start + Duration::from_millis(250);
        assert_eq!((0..5).filter(|_| bucket.take(later)).count(), 2);
        let much_later = start + Duration::from_secs(60);
        assert_eq!((0..5).filter(|_| bucket.take(much_later)).count(), 3);
    }

    #[test]
    fn what_is_too_much_is_paused_for_and_a_rate_that_is_kept_is_not() {
        let start = Instant::now();
        let mut rate = TokenBucket::new(200u32, 100u32, start);
        for tick in 1..1000 {
            assert_eq!(
                rate.charge(1, 10.0, start + Duration::from_millis(10 * tick)),
                Duration::ZERO
            );
        }
        let now = start + Duration::from_secs(10);
        assert_eq!(rate.charge(200, 10.0, now), Duration::ZERO);
        assert_eq!(rate.charge(50, 10.0, now), Duration::from_millis(500));
        assert_eq!(rate.charge(u64::MAX, 10.0, now), Duration::from_secs(10));
    }
}
