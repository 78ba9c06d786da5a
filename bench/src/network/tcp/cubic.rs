//! The number of segments that may be on their way: CUBIC, RFC 9438.

use std::time::Duration;

/// RFC 6928.
const INITIAL_SEGMENTS: f64 = 10.0;
/// RFC 9438, section 4.6: the part of the window left after a loss.
const BETA: f64 = 0.7;
/// RFC 9438, section 5.1.
const CUBIC_C: f64 = 0.4;
/// RFC 9438, section 4.3: 3 (1 - β) / (1 + β).
const RENO_ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);
/// RFC 5681, section 3.1.
const WINDOW_MIN: f64 = 2.0;

/// A congestion window, in segments.
#[derive(Clone, Debug)]
pub(super) struct Cubic {
    window: f64,
    /// Below it the window is in slow start.
    threshold: f64,
    /// The window before the last loss.
    window_max: f64,
    /// Since growth began after the last loss: the time, the window then, and Reno's estimate.
    epoch: Option<Epoch>,
}

#[derive(Clone, Copy, Debug)]
struct Epoch {
    began: Duration,
    /// Seconds until the window regains its size before the loss.
    plateau_s: f64,
    reno: f64,
}

impl Default for Cubic {
    fn default() -> Self {
        Cubic { window: INITIAL_SEGMENTS, threshold: f64::INFINITY, window_max: 0.0, epoch: None }
    }
}

impl Cubic {
    /// The number of segments that may be on their way.
    pub(super) fn window(&self) -> usize {
        self.window as usize
    }

    /// Handles the acknowledgement of `acked` segments of the `on_the_way` ones before. A window
    /// that did not limit the sender does not grow.
    pub(super) fn acked(&mut self, now: Duration, acked: usize, on_the_way: usize, rtt: Duration) {
        let is_slow_start = self.window < self.threshold;
        let bound = if is_slow_start { 2.0 * on_the_way as f64 } else { on_the_way as f64 + 1.0 };
        if self.window >= bound {
            return;
        }
        let acked = acked as f64;
        if is_slow_start {
            self.window += acked;
            return;
        }
        let window = self.window;
        let epoch = self.epoch.get_or_insert_with(|| Epoch {
            began: now,
            plateau_s: ((self.window_max - window).max(0.0) / CUBIC_C).cbrt(),
            reno: window,
        });
        // Reno's growth with the same decrease after a loss (section 4.3).
        let alpha = if epoch.reno < self.window_max { RENO_ALPHA } else { 1.0 };
        epoch.reno += alpha * acked / window;
        let at = |time: Duration| {
            let origin = self.window_max.max(window);
            CUBIC_C * (time.as_secs_f64() - epoch.plateau_s).powi(3) + origin
        };
        let passed = now.saturating_sub(epoch.began);
        if at(passed) < epoch.reno {
            self.window = window.max(epoch.reno);
        } else {
            let target = at(passed + rtt).clamp(window, 1.5 * window);
            self.window += (target - window) / window * acked;
        }
    }

    /// Handles a loss.
    pub(super) fn lost(&mut self) {
        // Fast convergence (section 4.7).
        let was_falling = self.window < self.window_max;
        self.window_max = self.window * if was_falling { (1.0 + BETA) / 2.0 } else { 1.0 };
        self.threshold = (self.window * BETA).max(WINDOW_MIN);
        self.window = self.threshold;
        self.epoch = None;
    }

    /// Handles a timeout: slow start, after [`Cubic::lost`] if the losses are new.
    pub(super) fn timed_out(&mut self) {
        self.window = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    #[test]
    fn a_window_that_binds_doubles_each_round_trip_until_a_loss_and_then_grows_slowly() {
        let mut cubic = Cubic::default();
        for (round, wanted) in [10, 20, 40, 80].into_iter().enumerate() {
            assert_eq!(cubic.window(), wanted);
            cubic.acked(RTT * round as u32, wanted, wanted, RTT);
        }
        cubic.lost();
        assert_eq!(cubic.window(), 112);
        for round in 4..14 {
            let window = cubic.window();
            (0..window).for_each(|_| cubic.acked(RTT * round, 1, cubic.window(), RTT));
            assert!((window..window + 10).contains(&cubic.window()), "{}", cubic.window());
        }
        assert!((130..160).contains(&cubic.window()), "{}", cubic.window());
    }

    #[test]
    fn a_window_that_does_not_bind_stays() {
        let mut cubic = Cubic::default();
        cubic.acked(RTT, 1, 4, RTT);
        assert_eq!(cubic.window(), 10);
        cubic.lost();
        cubic.acked(RTT, 1, 4, RTT);
        assert_eq!(cubic.window(), 7);
    }

    #[test]
    fn losses_leave_two_segments_and_silence_one() {
        let mut cubic = Cubic::default();
        (0..20).for_each(|_| cubic.lost());
        assert_eq!(cubic.window(), 2);
        cubic.timed_out();
        assert_eq!(cubic.window(), 1);
        cubic.acked(RTT, 1, 1, RTT);
        assert_eq!(cubic.window(), 2);
    }
}
