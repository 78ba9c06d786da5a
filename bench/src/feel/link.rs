//! One direction of a simulated network path.

use std::time::Duration;

use clap::ValueEnum;
use tickwire_arena::rules::Random;

/// A network as players have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// No delay and no loss.
    Lan,
    /// 20 ± 5 ms one way, 0.5 % lost one by one.
    Wifi,
    /// 50 ± 15 ms, 2 % lost in bursts of three in the mean.
    Lte,
    /// 100 ± 25 ms, 5 % lost in bursts of four in the mean, the rest out of order.
    Awful,
}

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
    last: Duration,
}

impl Profile {
    pub(crate) const ALL: [Profile; 4] =
        [Profile::Lan, Profile::Wifi, Profile::Lte, Profile::Awful];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Profile::Lan => "lan",
            Profile::Wifi => "wifi",
            Profile::Lte => "lte",
            Profile::Awful => "awful",
        }
    }

    pub(crate) fn weather(self) -> Weather {
        let of = |delay_ms, jitter_ms, loss, burst| Weather {
            delay_ms,
            jitter_ms,
            loss,
            burst,
            reorders: self == Profile::Awful,
        };
        match self {
            Profile::Lan => of(0.0, 0.0, 0.0, 1.0),
            Profile::Wifi => of(20.0, 5.0, 0.005, 1.0),
            Profile::Lte => of(50.0, 15.0, 0.02, 3.0),
            Profile::Awful => of(100.0, 25.0, 0.05, 4.0),
        }
    }

    /// The part of inputs that may come late.
    pub(crate) fn late_target(self) -> f64 {
        match self {
            Profile::Lan => 0.0,
            Profile::Wifi => 0.0005,
            Profile::Lte => 0.002,
            Profile::Awful => 0.01,
        }
    }
}

impl Link {
    pub(crate) fn new(weather: Weather, seed: u64) -> Self {
        Link { weather, random: Random::new(seed), is_bad: false, last: Duration::ZERO }
    }

    /// When a datagram sent at `now` arrives; `None` if it is lost.
    pub(crate) fn send(&mut self, now: Duration) -> Option<Duration> {
        let Weather { delay_ms, jitter_ms, loss, burst, reorders } = self.weather;
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
}

#[cfg(test)]
mod tests {
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
    fn the_same_seed_gives_the_same_link() {
        assert_eq!(arrivals(Profile::Awful, 3), arrivals(Profile::Awful, 3));
        assert_ne!(arrivals(Profile::Awful, 3), arrivals(Profile::Awful, 4));
    }
}
