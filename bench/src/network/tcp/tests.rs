//! Two ends connected by links.

use super::*;
use crate::network::{Profile, Weather};

const SEND_BYTES: usize = 64 * 1024;
const PERIOD: Duration = Duration::from_micros(16_667);

fn connection(weather: Weather, seed: u64) -> Connection {
    let links = [1, 2].map(|way| Link::new(weather, seed << 8 | way));
    Connection::new(links, [SEND_BYTES; 2])
}

/// The client writes `length` numbers, one a period, while the server writes 20 bytes each time.
/// Returns the arrival time of each number.
fn thin_stream(weather: Weather, seed: u64, length: u16) -> Vec<Duration> {
    let mut connection = connection(weather, seed);
    let (mut arrivals, mut came) = (Vec::new(), Vec::new());
    let mut take = |connection: &mut Connection, at: Duration| {
        came.extend(connection.read(End::Server));
        while came.len() >= 2 * (arrivals.len() + 1) {
            let number =
                u16::from_be_bytes([came[2 * arrivals.len()], came[2 * arrivals.len() + 1]]);
            assert_eq!(usize::from(number), arrivals.len(), "in order");
            arrivals.push(at);
        }
    };
    for number in 0..length {
        let now = PERIOD * number.into();
        while let Some(at) = connection.next().filter(|at| *at <= now) {
            connection.advance(at);
            take(&mut connection, at);
        }
        connection.write(now, End::Client, &number.to_be_bytes());
        connection.write(now, End::Server, &[0; 20]);
        connection.read(End::Client);
    }
    while let Some(at) = connection.next() {
        connection.advance(at);
        take(&mut connection, at);
    }
    assert_eq!(connection.writable(End::Client), SEND_BYTES, "all is acknowledged");
    arrivals
}

#[test]
fn every_byte_comes_once_and_in_order_on_every_network() {
    for profile in Profile::ALL {
        for seed in 0..20 {
            assert_eq!(thin_stream(profile.weather(), seed, 2000).len(), 2000, "{profile:?}");
        }
    }
    let horrible =
        Weather { delay_ms: 80.0, jitter_ms: 80.0, loss: 0.4, burst: 6.0, reorders: true };
    assert_eq!(thin_stream(horrible, 1, 500).len(), 500);
}

#[test]
fn without_losses_nothing_is_later_than_the_link() {
    let weather = Weather { loss: 0.0, ..Profile::Lte.weather() };
    for (number, came) in (0..).zip(thin_stream(weather, 1, 2000)) {
        let delay_ms = came.saturating_sub(PERIOD * number).as_millis();
        assert!((35..=65).contains(&delay_ms), "{number}: {delay_ms}");
    }
}

#[test]
fn a_lost_segment_holds_what_follows_until_it_was_sent_again() {
    let weather =
        Weather { delay_ms: 50.0, jitter_ms: 0.0, loss: 0.01, burst: 1.0, reorders: false };
    let arrivals = thin_stream(weather, 2, 6000);
    let delay = |number: usize| arrivals[number].saturating_sub(PERIOD * number as u32);
    let bursts: Vec<&[Duration]> = arrivals.chunk_by(|a, b| a == b).collect();
    let mut number = 0;
    let mut stalls = Vec::new();
    for burst in bursts {
        if burst.len() > 1 {
            stalls.push(delay(number).as_millis());
        }
        number += burst.len();
    }
    // A later segment arrives, a quarter of a round trip passes, and the lost segment travels
    // again: 125 and 50 ms. Shorter stalls come from a window that is full for a moment.
    stalls.retain(|stall| *stall >= 150);
    assert!((40..80).contains(&stalls.len()), "{stalls:?}");
    let typical = stalls.iter().filter(|stall| (170..=180).contains(*stall)).count();
    assert!(typical * 10 >= stalls.len() * 8, "{stalls:?}");
}

#[test]
fn the_last_segment_is_sent_again_after_silence() {
    let weather =
        Weather { delay_ms: 50.0, jitter_ms: 0.0, loss: 0.0, burst: 1.0, reorders: false };
    let mut connection = connection(weather, 1);
    connection.write(Duration::ZERO, End::Client, b"measured");
    while let Some(at) = connection.next() {
        connection.advance(at);
    }
    assert_eq!(connection.read(End::Server), b"measured");
    let begin = Duration::from_secs(10);
    connection.write(begin, End::Client, b"lost");
    connection.on_the_way.clear();
    while let Some(at) = connection.next()
        && connection.readable(End::Server) == 0
    {
        connection.advance(at);
        let passed_ms = at.saturating_sub(begin).as_millis();
        // One round trip was measured, of 140 ms with the delay of its acknowledgement, and half of
        // it is its variation: 140 plus four times 70 ms, plus the way.
        assert!(passed_ms <= 470, "{passed_ms}");
    }
    assert_eq!(connection.read(End::Server), b"lost");
}

#[test]
fn a_bulk_of_bytes_is_as_fast_as_its_window() {
    let weather =
        Weather { delay_ms: 50.0, jitter_ms: 0.0, loss: 0.0, burst: 1.0, reorders: false };
    let links = [1, 2].map(|way| Link::new(weather, way));
    let mut connection = Connection::new(links, [1 << 20; 2]);
    let bytes: Vec<u8> = (0..1 << 20).map(|number: u32| (number / 7) as u8).collect();
    connection.write(Duration::ZERO, End::Client, &bytes);
    let mut last = Duration::ZERO;
    while let Some(at) = connection.next() {
        connection.advance(at);
        if connection.readable(End::Server) == bytes.len() {
            break;
        }
        last = at;
    }
    assert!(connection.read(End::Server) == bytes);
    // 725 segments in windows of 10, 20, 40 … 320 and a part of 640.
    let round_trips = last.as_secs_f32() / 0.1;
    assert!((6.0..7.5).contains(&round_trips), "{round_trips}");
}

#[test]
fn the_same_seed_gives_the_same_connection() {
    let play = |seed| thin_stream(Profile::Awful.weather(), seed, 500);
    assert_eq!(play(3), play(3));
    assert_ne!(play(3), play(4));
}

#[test]
fn connecting_takes_a_round_trip_and_seconds_when_a_segment_of_it_is_lost() {
    let weather = Weather { jitter_ms: 0.0, loss: 0.0, ..Profile::Lte.weather() };
    let links = |weather| [1, 2].map(|way| Link::new(weather, way));
    let now = Duration::from_secs(5);
    // Delays are summed as floats, so round.
    let ms = |at: Option<Duration>| at.map(|at| (at - now).as_millis());
    assert_eq!(ms(connected(&mut links(weather), now)), Some(100));

    let half = Weather { loss: 0.5, burst: 1.0, ..weather };
    let mut seen = [0; 4];
    for seed in 0..400 {
        let mut links = [1, 2].map(|way| Link::new(half, seed << 8 | way).with_passing_bursts());
        let at = ms(connected(&mut links, now));
        let retry = [0, 1, 3, 7].iter().position(|s| at == Some(s * 1000 + 100));
        retry.into_iter().for_each(|retry| seen[retry] += 1);
    }
    let [first, second, third, fourth] = seen;
    // A quarter of all attempts pass in both directions.
    assert!((70..130).contains(&first), "{seen:?}");
    assert!(first > second && second > third && third > fourth && fourth > 20, "{seen:?}");
}
