//! The retransmission timeout: RFC 6298, with Linux's minimum.

use std::time::Duration;

/// Linux `TCP_RTO_MIN`: the least value of four variations.
const VARIATION_MIN: Duration = Duration::from_millis(200);
/// RFC 6298, section 2.1.
const INITIAL: Duration = Duration::from_secs(1);
/// Linux `TCP_RTO_MAX`.
const MOST: Duration = Duration::from_secs(120);
const DOUBLINGS_MAX: u32 = 10;

/// Estimates from the measured round trips.
#[derive(Clone, Debug, Default)]
pub(super) struct RoundTrip {
    smoothed: Option<Duration>,
    variation: Duration,
    least: Option<Duration>,
}

impl RoundTrip {
    /// Adds a measurement, of a segment that was sent once.
    pub(super) fn measured(&mut self, rtt: Duration) {
        self.least = Some(self.least.map_or(rtt, |least| least.min(rtt)));
        match self.smoothed {
            None => (self.smoothed, self.variation) = (Some(rtt), rtt / 2),
            Some(smoothed) => {
                self.variation = (self.variation * 3 + smoothed.abs_diff(rtt)) / 4;
                self.smoothed = Some((smoothed * 7 + rtt) / 8);
            }
        }
    }

    /// The smoothed round trip; zero before the first measurement.
    pub(super) fn smoothed(&self) -> Duration {
        self.smoothed.unwrap_or_default()
    }

    pub(super) fn least(&self) -> Duration {
        self.least.unwrap_or_default()
    }

    /// The silence after which everything sent counts as lost, after `silences` silences in a row.
    pub(super) fn timeout(&self, silences: u32) -> Duration {
        let first = match self.smoothed {
            Some(smoothed) => smoothed + (self.variation * 4).max(VARIATION_MIN),
            None => INITIAL,
        };
        (first * 2u32.pow(silences.min(DOUBLINGS_MAX))).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_even_path_times_out_after_a_round_trip_and_200_ms_and_silences_double_it() {
        let mut path = RoundTrip::default();
        assert_eq!(path.timeout(0), millis(1000));
        (0..100).for_each(|_| path.measured(millis(80)));
        assert_eq!(path.timeout(0), millis(280));
        assert_eq!(path.timeout(3), millis(2240));
        assert_eq!(path.timeout(50), millis(120_000));
    }

    #[test]
    fn an_uneven_path_is_given_four_variations() {
        let mut path = RoundTrip::default();
        (0..400).for_each(|number| path.measured(millis(100 + 200 * (number % 2))));
        assert_eq!(path.least(), millis(100));
        assert!((millis(190)..millis(210)).contains(&path.smoothed()), "{:?}", path.smoothed());
        assert!((millis(580)..millis(640)).contains(&path.timeout(0)), "{:?}", path.timeout(0));
    }
}
