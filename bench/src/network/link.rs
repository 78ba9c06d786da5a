//! One direction of a simulated network path.

use std::time::Duration;

use tickwire_arena::rules::Random;

/// What a path does to datagrams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weather {
    pub(crate) delay_ms: f32,
    /// Delays are spread evenly by so much to either side.
    pub(crate) jitter_ms: f32,
    /// Part of all datagrams that is lost.
    pub(crate) loss: f32,
    /// Datagrams lost in a row, in the mean.
    pub(crate) burst: f32,
    /// A datagram may overtake another.
    pub(crate) reorders: bool,
}

/// One way of one client's path.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    weather: Weather,
    random: Random,
    /// The bad state of Gilbert and Elliott's model, in which everything is lost.
    is_bad: bool,
    /// The last arrival.
    last: Duration,
    /// The last sending.
    sent: Duration,
    bursts_pass: bool,
}

impl Link {
    pub(crate) fn new(weather: Weather, seed: u64) -> Self {
        let random = Random::new(seed);
        let (last, sent) = (Duration::ZERO, Duration::ZERO);
        Link { weather, random, is_bad: false, last, sent, bursts_pass: false }
    }

    /// The same, where bursts of losses end in time too, not only by what is lost: each 60th of a second
    /// of silence counts as a datagram. Who waits and sends again then meets what he would.
    pub(crate) fn with_passing_bursts(self) -> Self {
        Link { bursts_pass: true, ..self }
    }

    /// When a datagram sent at `now` arrives; `None` if it is lost.
    pub(crate) fn send(&mut self, now: Duration) -> Option<Duration> {
        let Weather { delay_ms, jitter_ms, loss, burst, reorders } = self.weather;
        if self.bursts_pass {
            self.pass_time(now.saturating_sub(self.sent));
        }
        self.sent = now;
        // A burst of mean length b ends with chance 1/b; bad is so often that `loss` of all are lost.
        let change = if self.is_bad { 1.0 / burst } else { loss / (1.0 - loss) / burst };
        if self.random.between(0.0, 1.0) < change {
            self.is_bad = !self.is_bad;
        }
        let delay_ms = delay_ms + self.random.between(-jitter_ms, jitter_ms);
        if self.is_bad {
            return None;
        }
        let mut arrival = now + Duration::from_secs_f32(delay_ms.max(0.0) / 1000.0);
        if !reorders {
            arrival = arrival.max(self.last);
            self.last = arrival;
        }
        Some(arrival)
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

/// The pace of datagrams that bursts are counted in.
const PERIOD: Duration = Duration::from_micros(16_667);

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::*;

    const COUNT: u32 = 200_000;
    const PACE: Duration = Duration::from_micros(16_667);

    fn arrivals(profile: Profile, seed: u64) -> Vec<Option<Duration>> {
        let mut link = Link::new(profile.weather(), seed);
        (0..COUNT).map(|number| link.send(PACE * number)).collect()
    }

    #[test]
    fn every_profile_loses_its_part_in_its_bursts() {
        for profile in Profile::ALL {
            let arrivals = arrivals(profile, 1);
            let lost = arrivals.iter().filter(|arrival| arrival.is_none()).count() as f32;
            let begins =
                arrivals.windows(2).filter(|two| two[0].is_some() && two[1].is_none()).count();
            let weather = profile.weather();
            let loss = lost / COUNT as f32;
            assert!((loss - weather.loss).abs() <= 0.1 * weather.loss, "{profile:?}: {loss}");
            let burst = lost / begins.max(1) as f32;
            assert!((burst / weather.burst - 1.0).abs() < 0.1 || lost == 0.0, "{burst}");
        }
    }

    #[test]
    fn delays_are_within_the_jitter_and_only_awful_reorders() {
        for profile in Profile::ALL {
            let weather = profile.weather();
            let (least, most) =
                (weather.delay_ms - weather.jitter_ms, weather.delay_ms + weather.jitter_ms);
            let came: Vec<(Duration, Duration)> = (0..)
                .zip(arrivals(profile, 2))
                .filter_map(|(number, arrival)| Some((PACE * number, arrival?)))
                .collect();
            for (sent, arrival) in &came {
                let delay_ms = (*arrival - *sent).as_secs_f32() * 1000.0;
                assert!((least - 0.01..most + 0.01).contains(&delay_ms), "{profile:?} {delay_ms}");
            }
            let is_ordered = came.is_sorted_by_key(|(_, arrival)| *arrival);
            assert_eq!(is_ordered, !weather.reorders, "{profile:?}");
        }
    }

    #[test]
    fn a_burst_passes_in_silence_if_it_may() {
        let weather = Weather { burst: 10.0, ..Profile::Lte.weather() };
        for (link, wanted) in [
            (Link::new(weather, 1), 0.9),
            (Link::new(weather, 1).with_passing_bursts(), weather.loss),
        ] {
            let mut link = link;
            let mut again = Vec::new();
            let mut now = Duration::ZERO;
            while again.len() < 2000 {
                now += PACE;
                if link.send(now).is_none() {
                    now += Duration::from_secs(3);
                    again.push(link.send(now).is_none());
                }
            }
            let lost = again.iter().filter(|lost| **lost).count() as f32 / again.len() as f32;
            assert!((lost - wanted).abs() < 0.03, "{lost}, not {wanted}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_link() {
        assert_eq!(arrivals(Profile::Awful, 3), arrivals(Profile::Awful, 3));
        assert_ne!(arrivals(Profile::Awful, 3), arrivals(Profile::Awful, 4));
    }
}
