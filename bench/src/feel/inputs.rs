//! The arrival of one client's inputs at the room, seen from both ends.

use std::collections::BTreeMap;
use std::time::Duration;

use tickwire_shared::Tick;

/// The times at which each input was first sent and first arrived.
#[derive(Debug, Default)]
pub(crate) struct InputLog {
    inputs: BTreeMap<u32, Way>,
}

#[derive(Clone, Copy, Debug)]
struct Way {
    sent: Duration,
    came: Option<Duration>,
}

/// Figures of an [`InputLog`] for a range of ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Margins {
    /// Inputs whose first datagram came after their deadline, or never.
    pub(crate) late: usize,
    pub(crate) inputs: usize,
    /// The mean time from sending to the deadline, minus the smallest lead with which no more than
    /// the wanted part of the inputs would have been late on the same network; `None` if more of
    /// them never came.
    pub(crate) beyond_need_ticks: Option<f64>,
    /// The mean time from arrival to the deadline.
    pub(crate) early_ticks: f64,
}

impl InputLog {
    /// Records that a datagram with the inputs of the `count` ticks up to `newest` was sent at
    /// `now`.
    pub(crate) fn sent(&mut self, now: Duration, newest: Tick, count: usize) {
        for age in 0..count as u32 {
            let tick = newest.0.wrapping_sub(age);
            self.inputs.entry(tick).or_insert(Way { sent: now, came: None });
        }
    }

    /// Records that the datagram arrived at `now`.
    pub(crate) fn came(&mut self, now: Duration, newest: Tick, count: usize) {
        for age in 0..count as u32 {
            if let Some(way) = self.inputs.get_mut(&newest.0.wrapping_sub(age)) {
                way.came.get_or_insert(now);
            }
        }
    }

    /// Evaluates the inputs of `ticks`, each due at `deadline`.
    pub(crate) fn margins(
        &self,
        ticks: std::ops::Range<u32>,
        deadline: impl Fn(u32) -> Duration,
        period: Duration,
        late_target: f64,
    ) -> Margins {
        let in_ticks = |time: Duration| time.as_secs_f64() / period.as_secs_f64();
        let (mut trips, mut leads, mut early) = (Vec::new(), 0.0, 0.0);
        let mut late = 0;
        for (&tick, way) in self.inputs.range(ticks) {
            let due = in_ticks(deadline(tick));
            let trip = way.came.map_or(f64::INFINITY, |came| in_ticks(came) - in_ticks(way.sent));
            let lead = due - in_ticks(way.sent);
            late += usize::from(way.came.is_none_or(|came| came > deadline(tick)));
            early += if trip.is_finite() { lead - trip } else { 0.0 };
            leads += lead;
            trips.push(trip);
        }
        let inputs = trips.len();
        if inputs == 0 {
            return Margins::default();
        }
        trips.sort_by(|a, b| b.total_cmp(a));
        let needed = trips[((late_target * inputs as f64) as usize).min(inputs - 1)];
        let mean = |sum: f64| sum / inputs as f64;
        let beyond_need_ticks = needed.is_finite().then(|| mean(leads) - needed);
        Margins { late, inputs, beyond_need_ticks, early_ticks: mean(early) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(10);

    fn deadline(tick: u32) -> Duration {
        PERIOD * tick
    }

    #[test]
    fn a_lost_datagrams_input_comes_with_the_next_and_is_late_without_a_tick_to_spare() {
        let mut log = InputLog::default();
        for tick in 100..200u32 {
            let sent = deadline(tick) - Duration::from_millis(25);
            log.sent(sent, Tick(tick), 3);
            // Twenty milliseconds of delay; one in a hundred is lost.
            if tick != 150 {
                log.came(sent + Duration::from_millis(20), Tick(tick), 3);
            }
        }
        let margins = |late_target| log.margins(100..200, deadline, PERIOD, late_target);
        let strict = margins(0.0);
        assert_eq!((strict.late, strict.inputs), (1, 100));
        // Three ticks were needed, the lead was two and a half.
        let beyond_need = |margins: Margins| margins.beyond_need_ticks.unwrap();
        assert!((beyond_need(strict) + 0.5).abs() < 1e-6, "{strict:?}");
        assert!((beyond_need(margins(0.01)) - 0.5).abs() < 1e-6);
        assert!((strict.early_ticks - 0.49).abs() < 1e-6, "{strict:?}");
    }

    #[test]
    fn an_input_that_never_came_is_late() {
        let mut log = InputLog::default();
        log.sent(deadline(8), Tick(10), 1);
        let margins = log.margins(0..20, deadline, PERIOD, 0.0);
        assert_eq!((margins.late, margins.beyond_need_ticks), (1, None));
    }
}
