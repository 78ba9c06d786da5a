//! One direction of a simulated network path.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tickwire_arena::rules::Random;

/// Interval of datagrams by which bursts are counted.
const PERIOD: Duration = Duration::from_micros(16_667);

/// The normal behaviour of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weather {
    pub(crate) delay_ms: f32,
    /// Delays vary evenly by this much to either side.
    pub(crate) jitter_ms: f32,
    /// Part of all datagrams that is lost.
    pub(crate) loss: f32,
    /// Mean number of consecutive datagrams lost.
    pub(crate) burst: f32,
    /// A datagram may overtake another.
    pub(crate) reorders: bool,
}

/// Further faults of a path; none by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Faults {
    /// Part of the datagrams that arrive twice.
    pub(crate) duplicate: f32,
    pub(crate) bottleneck: Option<Bottleneck>,
    /// Largest payload in bytes; larger datagrams vanish.
    pub(crate) datagram_bytes_max: Option<usize>,
    /// Periods in which everything sent is lost.
    pub(crate) blackouts: Arc<[Range<Duration>]>,
}

/// Datagrams pass one after another; those that would wait too long are lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bottleneck {
    pub(crate) bytes_per_s: f64,
    /// The longest wait.
    pub(crate) queue: Duration,
}

/// One direction of one client's path.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    weather: Weather,
    faults: Faults,
    random: Random,
    /// Separate, so that losses do not depend on duplicates.
    duplicates: Random,
    /// The bad state of the Gilbert-Elliott model, in which everything is lost.
    is_bad: bool,
    /// The time at which the bottleneck is free.
    free: Duration,
    /// Time of the last arrival.
    last: Duration,
    /// Time of the last sending.
    sent: Duration,
    bursts_pass: bool,
}

impl Link {
    pub(crate) fn new(weather: Weather, seed: u64) -> Self {
        Link {
            weather,
            faults: Faults::default(),
            random: Random::new(seed),
            duplicates: Random::new(!seed),
            is_bad: false,
            free: Duration::ZERO,
            last: Duration::ZERO,
            sent: Duration::ZERO,
            bursts_pass: false,
        }
    }

    /// Ends bursts of losses by time as well, not only by lost datagrams: each 60th of a second of
    /// silence counts as a datagram. A sender that waits before it sends again then meets a
    /// realistic path.
    pub(crate) fn with_passing_bursts(self) -> Self {
        Link { bursts_pass: true, ..self }
    }

    /// Removes the size limit, for segments, which are made to fit.
    pub(crate) fn with_any_size(mut self) -> Self {
        self.faults.datagram_bytes_max = None;
        self
    }

    /// The same with faults.
    pub(crate) fn with_faults(self, faults: Faults) -> Self {
        Link { faults, ..self }
    }

    /// The arrival times of a datagram sent at `now`: none, one or two. Its payload has `bytes`,
    /// and its headers have `header_bytes`.
    pub(crate) fn send(
        &mut self,
        now: Duration,
        bytes: usize,
        header_bytes: usize,
    ) -> impl Iterator<Item = Duration> + use<> {
        let arrivals = self.draw(now).map(|delays| self.pass(now, (bytes, header_bytes), delays));
        arrivals.unwrap_or_default().into_iter().flatten()
    }

    /// The delays of a datagram and of its duplicate, in milliseconds; `None` if it is lost by
    /// chance.
    fn draw(&mut self, now: Duration) -> Option<[Option<f32>; 2]> {
        let Weather { delay_ms, jitter_ms, loss, burst, .. } = self.weather;
        if self.bursts_pass {
            self.pass_time(now.saturating_sub(self.sent));
        }
        self.sent = now;
        // A burst of mean length b ends with chance 1/b; the bad state is frequent enough to lose
        // `loss` of all.
        let change = if self.is_bad { 1.0 / burst } else { loss / (1.0 - loss) / burst };
        if self.random.between(0.0, 1.0) < change {
            self.is_bad = !self.is_bad;
        }
        let delay_ms = delay_ms + self.random.between(-jitter_ms, jitter_ms);
        let is_double = self.duplicates.between(0.0, 1.0) < self.faults.duplicate;
        let second_ms = delay_ms + self.duplicates.between(0.0, jitter_ms.max(1.0));
        (!self.is_bad).then_some([Some(delay_ms), is_double.then_some(second_ms)])
    }

    /// The path without the faults.
    fn pass(
        &mut self,
        now: Duration,
        (bytes, header_bytes): (usize, usize),
        delays_ms: [Option<f32>; 2],
    ) -> [Option<Duration>; 2] {
        let is_dark = self.faults.blackouts.iter().any(|dark| dark.contains(&now));
        let is_too_large = self.faults.datagram_bytes_max.is_some_and(|most| bytes > most);
        if is_dark || is_too_large {
            return [None, None];
        }
        let Some(left) = self.leave(now, bytes + header_bytes) else { return [None, None] };
        delays_ms.map(|delay_ms| {
            let mut arrival = left + Duration::from_secs_f32(delay_ms?.max(0.0) / 1000.0);
            if !self.weather.reorders {
                arrival = arrival.max(self.last);
                self.last = arrival;
            }
            Some(arrival)
        })
    }

    /// The time at which it has passed the bottleneck; `None` if too much waits there.
    fn leave(&mut self, now: Duration, bytes: usize) -> Option<Duration> {
        let Some(Bottleneck { bytes_per_s, queue }) = self.faults.bottleneck else {
            return Some(now);
        };
        let begin = self.free.max(now);
        if begin - now > queue {
            return None;
        }
        self.free = begin + Duration::from_secs_f64(bytes as f64 / bytes_per_s);
        Some(self.free)
    }

    fn pass_time(&mut self, silence: Duration) {
        let Weather { loss, burst, .. } = self.weather;
        let steps = silence.as_secs_f32() / PERIOD.as_secs_f32() - 1.0;
        if steps < 1.0 || loss == 0.0 {
            return;
        }
        let memory = 1.0 - (1.0 + loss / (1.0 - loss)) / burst;
        let before = if self.is_bad { 1.0 } else { 0.0 };
        let chance = loss + (before - loss) * memory.max(0.0).powf(steps.floor());
        self.is_bad = self.random.between(0.0, 1.0) < chance;
    }
}

#[cfg(test)]
mod tests;
