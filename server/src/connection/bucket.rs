//! A rate with a burst, for one client.

use std::time::Instant;

/// Tokens that come back at a steady rate; each thing done takes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    tokens: f64,
    burst: f64,
    refill_hz: f64,
    filled_at: Instant,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens, `refill_hz` of which come back each second.
    pub(super) fn new(burst: u32, refill_hz: u32, now: Instant) -> Self {
        let (burst, refill_hz) = (f64::from(burst), f64::from(refill_hz));
        TokenBucket { tokens: burst, burst, refill_hz, filled_at: now }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed_s = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.tokens = (self.tokens + passed_s * self.refill_hz).min(self.burst);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(3, 10, start);
        let passed = (0..5).filter(|_| bucket.take(start)).count();
        assert_eq!(passed, 3);
        let later = start + Duration::from_millis(250);
        assert_eq!((0..5).filter(|_| bucket.take(later)).count(), 2);
        let much_later = start + Duration::from_secs(60);
        assert_eq!((0..5).filter(|_| bucket.take(much_later)).count(), 3);
    }
}
