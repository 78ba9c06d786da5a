//! Many datagrams over one link.

use super::super::Profile;
use super::*;

const COUNT: u32 = 200_000;
const PACE: Duration = PERIOD;

/// The first arrival of each of `COUNT` datagrams of 100 bytes.
fn arrivals(mut link: Link) -> Vec<Option<Duration>> {
    (0..COUNT).map(|number| link.send(PACE * number, 100, 28).next()).collect()
}

fn of(profile: Profile, seed: u64) -> Link {
    Link::new(profile.weather(), seed)
}

#[test]
fn every_profile_loses_its_part_in_its_bursts() {
    for profile in Profile::ALL {
        let arrivals = arrivals(of(profile, 1));
        let lost = arrivals.iter().filter(|arrival| arrival.is_none()).count() as f32;
        let begins = arrivals.windows(2).filter(|two| two[0].is_some() && two[1].is_none()).count();
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
            .zip(arrivals(of(profile, 2)))
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
    for (mut link, wanted) in
        [(Link::new(weather, 1), 0.9), (Link::new(weather, 1).with_passing_bursts(), weather.loss)]
    {
        let mut again = Vec::new();
        let mut now = Duration::ZERO;
        while again.len() < 2000 {
            now += PACE;
            if link.send(now, 100, 28).next().is_none() {
                now += Duration::from_secs(3);
                again.push(link.send(now, 100, 28).next().is_none());
            }
        }
        let lost = again.iter().filter(|lost| **lost).count() as f32 / again.len() as f32;
        assert!((lost - wanted).abs() < 0.03, "{lost}, not {wanted}");
    }
}

#[test]
fn the_same_seed_gives_the_same_link() {
    assert_eq!(arrivals(of(Profile::Awful, 3)), arrivals(of(Profile::Awful, 3)));
    assert_ne!(arrivals(of(Profile::Awful, 3)), arrivals(of(Profile::Awful, 4)));
}

#[test]
fn duplicates_come_behind_the_first_and_change_nothing_for_it() {
    let faults = Faults { duplicate: 0.1, ..Faults::default() };
    let mut link = Link {
        weather: Weather { reorders: true, ..Profile::Lte.weather() },
        ..of(Profile::Lte, 1)
    };
    let without = arrivals(link.clone());
    link = link.with_faults(faults);
    let mut twice = 0;
    for (number, first) in (0..).zip(without) {
        let came: Vec<Duration> = link.send(PACE * number, 100, 28).collect();
        assert_eq!(came.first().copied(), first);
        if let [first, second] = came[..] {
            twice += 1;
            assert!((first..=first + Duration::from_millis(15)).contains(&second));
        }
    }
    let part = twice as f32 / COUNT as f32;
    assert!((part - 0.1 * 0.98).abs() < 0.005, "{part}");
}

#[test]
fn a_bottleneck_passes_its_rate_and_loses_what_would_wait_too_long() {
    // 128 bytes 60 times a second are 7.68 kB/s.
    for (bytes_per_s, passed) in [(7_700.0, 1.0), (3_840.0, 0.5)] {
        let queue = Duration::from_millis(200);
        let bottleneck = Some(Bottleneck { bytes_per_s, queue });
        let link = of(Profile::Lan, 1).with_faults(Faults { bottleneck, ..Faults::default() });
        let arrivals = arrivals(link);
        let came = arrivals.iter().flatten().count() as f32 / COUNT as f32;
        assert!((came - passed).abs() < 0.001, "{came}");
        let worst = queue + Duration::from_secs_f64(128.0 / bytes_per_s);
        for (number, arrival) in (0..).zip(arrivals) {
            assert!(arrival.is_none_or(|at| at - PACE * number <= worst + PACE / 1000));
        }
    }
}

#[test]
fn a_blackout_loses_all_and_an_mtu_hole_what_is_larger() {
    let second = Duration::from_secs(1);
    let blackouts = [second..2 * second, 5 * second..6 * second];
    let faults = Faults {
        blackouts: Arc::new(blackouts),
        datagram_bytes_max: Some(100),
        ..Faults::default()
    };
    let mut link = of(Profile::Lan, 1).with_faults(faults);
    let mut passes = |ms, bytes| link.send(Duration::from_millis(ms), bytes, 28).next().is_some();
    for (ms, is_light) in
        [(0, true), (999, true), (1000, false), (1999, false), (2000, true), (5500, false)]
    {
        assert_eq!(passes(ms, 100), is_light, "{ms}");
        assert!(!passes(ms, 101));
    }
}
