//! The rate of a member's path: congestion control while acknowledgements tell of a queue.
//!
//! The time from a snapshot to its acknowledgement is the path's own delay, the least of late, plus
//! the wait in queues. The transport's congestion control acts on losses, when queues are full and
//! everything is late by their length. So snapshots become smaller as soon as players feel the
//! wait, and larger again without it. Games that send less than the path takes never notice.

use std::collections::VecDeque;

/// Wait in a queue, in milliseconds, that a player feels.
const FELT_MS: u32 = 50;
/// The path's own delay is the least in two windows of this many milliseconds.
const EPOCH_MS: u32 = 4000;
/// Least time between two decisions, in milliseconds.
const ROUND_MS: u32 = 200;
/// Number of recent waits, of which the least counts: jitter is not a queue.
const FLIGHTS: usize = 8;
/// Share of the throughput that is sent after a cut.
const CUT: f32 = 0.75;
/// The rate at which a long queue should shrink: throughput over bytes sent.
const SHRINKS: f32 = 1.2;
/// Growth in a round without a wait.
const GROWTH: f32 = 1.08;
/// Growth after a silence.
const FAST_GROWTH: f32 = 1.3;
/// Milliseconds without any acknowledgement after which less is sent, whatever the cause.
const SILENCE_MS: u32 = 1000;
/// Cut in a silence, as a share of the bytes sent.
const SILENCE_CUT: f32 = 0.5;
/// Bytes that a snapshot may always have.
const BYTES_MIN: f32 = 96.0;
/// Lowest limit, as a share of the bytes sent before the wait: other traffic may be the cause.
const CUT_MOST: f32 = 0.2;

/// The send rate of one member's snapshots.
#[derive(Clone, Debug, Default)]
pub(super) struct SendRate {
    /// Most bytes of a snapshot; `None` without a limit.
    limit: Option<f32>,
    /// The lower bound of `limit`.
    least: f32,
    /// Bytes let through above the limit, less the savings since then.
    debt_bytes: usize,
    /// The least times to an acknowledgement, in ticks, of this epoch and of the one before.
    own_ticks: [Option<u32>; 2],
    epoch_ticks: u32,
    /// Snapshots made so far, and those of them up to the newest acknowledged one.
    made: u32,
    through: u32,
    /// [`SendRate::made`] at the last cut.
    cut_at: u32,
    /// Ticks since the last acknowledgement.
    silent_ticks: u32,
    /// True after a silence, until a cut.
    fast: bool,
    /// The last times to an acknowledgement, in ticks.
    flights: VecDeque<u32>,
    round: RateInterval,
}

/// Counts since the last decision.
#[derive(Clone, Copy, Debug, Default)]
struct RateInterval {
    ticks: u32,
    bytes: usize,
    /// [`SendRate::through`] at its beginning.
    through: u32,
}

impl SendRate {
    /// Takes the age, in ticks, of the newest acknowledged snapshot.
    pub(super) fn acknowledged(&mut self, flight_ticks: u32) {
        let own = &mut self.own_ticks[0];
        *own = Some(own.map_or(flight_ticks, |own| own.min(flight_ticks)));
        if self.flights.len() == FLIGHTS {
            self.flights.pop_front();
        }
        self.flights.push_back(flight_ticks);
        self.through = self.made.saturating_sub(flight_ticks);
        self.silent_ticks = 0;
    }

    /// True after a long time without an acknowledgement.
    pub(super) fn was_silent(&self, tick_hz: u32) -> bool {
        self.silent_ticks > ticks(SILENCE_MS, tick_hz)
    }

    /// True if the path is likely to take more than snapshots.
    pub(super) fn is_clear(&self, tick_hz: u32) -> bool {
        if self.was_silent(tick_hz) {
            return false;
        }
        let own = self.own_ticks.into_iter().flatten().min();
        let waits = |flight: u32| flight > own.unwrap_or(flight) + ticks(FELT_MS, tick_hz);
        match (self.limit, self.flights.back()) {
            (None, _) => true,
            // After a silence, and the answers are quick again.
            (Some(_), Some(&flight)) => {
                self.fast && flight < ticks(SILENCE_MS, tick_hz) && !waits(flight)
            }
            (Some(_), None) => false,
        }
    }

    /// The bytes of the next snapshot, at most `bytes_max`.
    pub(super) fn limit(&self, bytes_max: usize) -> usize {
        self.limit.map_or(bytes_max, |limit| bytes_max.min(limit as usize))
    }

    /// As [`SendRate::limit`], for a snapshot that can hold a record only from `lacks_bytes` on.
    /// That many are let through once the last excess is saved.
    pub(super) fn limit_with(&mut self, bytes_max: usize, lacks_bytes: usize) -> usize {
        let limit = self.limit(bytes_max);
        self.debt_bytes = self.debt_bytes.saturating_sub(limit);
        if lacks_bytes <= limit || self.debt_bytes > 0 {
            return limit;
        }
        self.debt_bytes = lacks_bytes.min(bytes_max);
        self.debt_bytes
    }

    /// Counts a snapshot of `bytes`; `bytes_max` was its bound without a limit.
    pub(super) fn sent(&mut self, bytes: usize, bytes_max: usize, tick_hz: u32) {
        let ticks = |ms: u32| ticks(ms, tick_hz);
        self.made += 1;
        self.epoch_ticks += 1;
        if self.epoch_ticks >= ticks(EPOCH_MS) {
            self.epoch_ticks = 0;
            self.own_ticks = [None, self.own_ticks[0].or(self.own_ticks[1])];
        }
        self.round.ticks += 1;
        self.round.bytes += bytes;
        self.silent_ticks += 1;
        if self.was_silent(tick_hz) && self.round.ticks >= ticks(ROUND_MS) {
            return self.cut_in_silence();
        }
        let Some(&flight) = self.flights.iter().min() else { return };
        // With few acknowledgements, the last ones are older than the known delays of the path.
        let own = self.own_ticks.into_iter().flatten().fold(flight, u32::min);
        if self.round.ticks < ticks(ROUND_MS).max(own) {
            return;
        }
        let next = RateInterval { through: self.through, ..RateInterval::default() };
        let round = std::mem::replace(&mut self.round, next);
        if self.through == round.through {
            // A round without an acknowledgement tells nothing of a queue.
            return;
        }
        // A growing queue passes less than is sent, a shrinking one more.
        let part = (self.through - round.through) as f32 / round.ticks as f32;
        let waited = flight - own;
        let shrinks = if waited < 2 * ticks(FELT_MS) { 1.0 } else { SHRINKS };
        if waited < ticks(FELT_MS) {
            self.grow(bytes_max as f32);
        } else if part <= shrinks && self.through >= self.cut_at + round.ticks {
            self.cut(round.bytes as f32 / round.ticks as f32, part);
        }
    }

    fn cut_in_silence(&mut self) {
        let round = std::mem::take(&mut self.round);
        self.round.through = self.through;
        let sent = round.bytes as f32 / round.ticks as f32;
        self.limit = Some((sent * SILENCE_CUT).max(BYTES_MIN));
        (self.least, self.fast) = (BYTES_MIN, true);
    }

    fn cut(&mut self, sent: f32, part: f32) {
        if self.limit.is_none() {
            self.least = (sent * CUT_MOST).max(BYTES_MIN);
        }
        self.cut_at = self.made;
        self.fast = false;
        let sent = self.limit.map_or(sent, |limit| sent.min(limit));
        self.limit = Some((sent * part.min(1.0) * CUT).max(self.least));
    }

    fn grow(&mut self, bytes_max: f32) {
        let growth = if self.fast { FAST_GROWTH } else { GROWTH };
        let grown = self.limit.map(|limit| limit * growth);
        self.limit = grown.filter(|&grown| grown < bytes_max);
        self.fast &= self.limit.is_some();
    }
}

/// Milliseconds as ticks, at least one.
fn ticks(ms: u32, tick_hz: u32) -> u32 {
    (ms * tick_hz / 1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_HZ: u32 = 60;
    const BYTES_MAX: usize = 533;
    /// Bytes around each snapshot.
    const HEADER_BYTES: f32 = 55.0;

    /// A path with a delay in ticks and a rate in bytes per tick, behind a queue.
    struct PathEstimate {
        own_ticks: u32,
        takes: f32,
        queued: f32,
        acks: VecDeque<(u32, u32)>,
        pace: SendRate,
        tick: u32,
        sent: usize,
        /// Acknowledgements later than this are ignored.
        known_ticks: u32,
    }

    impl PathEstimate {
        fn new(own_ticks: u32) -> Self {
            let (acks, pace) = (VecDeque::new(), SendRate::default());
            let (takes, queued, known_ticks) = (10_000.0, 0.0, u32::MAX);
            PathEstimate { own_ticks, takes, queued, acks, pace, tick: 0, sent: 0, known_ticks }
        }

        /// Runs with `jitter_ticks` of the tick in addition. Returns the longest wait in the queue,
        /// in ticks.
        fn run(&mut self, ticks: u32, jitter_ticks: impl Fn(u32) -> u32) -> f32 {
            let mut longest = 0.0f32;
            for _ in 0..ticks {
                self.tick += 1;
                let came =
                    self.acks.iter().filter(|(at, _)| *at <= self.tick).map(|ack| ack.1).max();
                if let Some(newest) = came {
                    if self.tick - newest < self.known_ticks {
                        self.pace.acknowledged(self.tick - newest);
                    }
                    self.acks.retain(|(_, of)| *of > newest);
                }
                let bytes = self.pace.limit(BYTES_MAX);
                self.pace.sent(bytes, BYTES_MAX, TICK_HZ);
                self.sent += bytes;
                self.queued = (self.queued + bytes as f32 + HEADER_BYTES - self.takes).max(0.0);
                let wait = self.queued / self.takes;
                longest = longest.max(wait);
                let trip = self.own_ticks + wait as u32 + jitter_ticks(self.tick);
                self.acks.push_back((self.tick + trip, self.tick));
            }
            longest
        }
    }

    #[test]
    fn a_path_of_half_the_capacity_is_filled_and_keeps_no_queue() {
        for own_ticks in [1, 3, 6, 12, 20] {
            let mut path = PathEstimate::new(own_ticks);
            path.run(600, |_| 0);
            assert_eq!(path.sent, 600 * BYTES_MAX, "a wide path is not limited");
            path.takes = BYTES_MAX as f32 / 2.0;
            let first = path.run(600, |_| 0);
            assert!(
                first < 45.0 + 4.0 * own_ticks as f32,
                "{own_ticks} ticks: a wait of {first} ticks"
            );
            path.sent = 0;
            let later = path.run(1800, |_| 0);
            assert!(
                later < 12.0 + own_ticks as f32 / 2.0,
                "{own_ticks} ticks: a wait of {later} ticks"
            );
            let part = (path.sent as f32 / 1800.0 + HEADER_BYTES) / path.takes;
            assert!((0.7..1.05).contains(&part), "{own_ticks} ticks: {part} of the path used");
            path.takes = 10_000.0;
            path.run(600, |_| 0);
            assert_eq!(path.pace.limit(BYTES_MAX), BYTES_MAX, "wide again");
        }
    }

    #[test]
    fn jitter_is_not_a_queue_and_a_longer_path_is_soon_known() {
        let jitter = |tick: u32| tick.wrapping_mul(2_654_435_761) >> 16 & 3;
        let mut path = PathEstimate::new(6);
        path.run(3000, jitter);
        assert_eq!(path.sent, 3000 * BYTES_MAX);
        path.own_ticks = 18;
        path.run(1200, jitter);
        assert_eq!(path.pace.limit(BYTES_MAX), BYTES_MAX, "{:?}", path.pace);
    }

    #[test]
    fn a_queue_of_seconds_that_lets_no_acknowledgement_come_in_time_is_drained() {
        let mut path = PathEstimate::new(2);
        path.takes = BYTES_MAX as f32 / 2.0;
        path.queued = 120.0 * path.takes;
        // As in the room: older snapshots are unknown.
        path.known_ticks = 64;
        path.run(1200, |_| 0);
        let later = path.run(1800, |_| 0);
        assert!(later < 15.0, "a wait of {later} ticks; {:?}", path.pace);
    }

    #[test]
    fn few_acknowledgements_are_no_fault() {
        let mut pace = SendRate::default();
        for tick in 0..2000 {
            // Eight soon after each other, then about one a second that takes longer: the path's
            // own delay is forgotten before those eight.
            if (228..236).contains(&tick) {
                pace.acknowledged(3);
            } else if tick > 236 && tick % 55 == 0 {
                pace.acknowledged(20);
            }
            pace.sent(BYTES_MAX, BYTES_MAX, TICK_HZ);
        }
        assert_eq!(pace.limit(BYTES_MAX), BYTES_MAX, "{pace:?}");
    }

    #[test]
    fn a_long_path_and_a_slow_tick_are_no_silence() {
        let mut path = PathEstimate::new(100);
        path.run(1800, |_| 0);
        assert_eq!(path.pace.limit(BYTES_MAX), BYTES_MAX, "{:?}", path.pace);
        let mut pace = SendRate::default();
        for _ in 0..20 {
            pace.acknowledged(0);
            pace.sent(BYTES_MAX, BYTES_MAX, 1);
            assert_eq!(pace.limit(BYTES_MAX), BYTES_MAX, "{pace:?}");
        }
    }

    #[test]
    fn after_a_silence_all_is_sent_again_within_three_seconds() {
        let mut path = PathEstimate::new(3);
        path.run(300, |_| 0);
        path.known_ticks = 0;
        path.run(600, |_| 0);
        assert_eq!(path.pace.limit(BYTES_MAX), BYTES_MIN as usize);
        path.known_ticks = u32::MAX;
        path.run(180, |_| 0);
        assert_eq!(path.pace.limit(BYTES_MAX), BYTES_MAX);
    }

    #[test]
    fn a_path_that_is_silent_is_not_clear_until_it_is_heard_again() {
        let mut path = PathEstimate::new(3);
        path.run(300, |_| 0);
        assert!(path.pace.is_clear(TICK_HZ));
        path.known_ticks = 0;
        path.run(90, |_| 0);
        assert!(!path.pace.is_clear(TICK_HZ));
        path.known_ticks = u32::MAX;
        path.run(10, |_| 0);
        assert!(path.pace.is_clear(TICK_HZ));
    }

    #[test]
    fn a_record_above_the_limit_is_let_through_as_often_as_the_limit_has_it() {
        let mut pace = SendRate { limit: Some(100.0), ..SendRate::default() };
        let limits: Vec<usize> = (0..9).map(|_| pace.limit_with(BYTES_MAX, 400)).collect();
        assert_eq!(limits, [400, 100, 100, 100, 400, 100, 100, 100, 400]);
        assert_eq!(SendRate::default().limit_with(BYTES_MAX, 400), BYTES_MAX);
    }

    #[test]
    fn a_wait_that_is_none_of_its_doing_leaves_it_something() {
        let mut path = PathEstimate::new(3);
        path.run(300, |_| 0);
        path.run(240, |_| 12);
        assert!(path.pace.limit(BYTES_MAX) as f32 >= BYTES_MAX as f32 * CUT_MOST - 1.0);
    }
}
