//! Where the server's time stands: the tick to send inputs for, and the tick to show.
//!
//! Inputs run ahead of the server so that each reaches it just before its tick. The server reports by
//! how much (the margin); the client's input clock is moved a little with every report until the margin
//! is [`MARGIN_TICKS`], and set at once when it is far off. What is shown runs behind, by a delay that
//! covers the jitter of the snapshots' arrivals.

use std::time::Duration;

use tickwire_shared::Tick;
use tickwire_shared::snapshot::{InputReport, MARGIN_UNITS_PER_MS};

/// Inputs should reach the server so many ticks before they are due, plus twice the jitter.
const MARGIN_TICKS: f64 = 0.75;
/// But no earlier: a report says at most 256 ms.
const MARGIN_MS_MAX: f64 = 200.0;
/// An input clock farther off than this is set, not moved.
const JUMP_TICKS: f64 = 4.0;
/// What is shown is set anew when it is farther off than this.
const SHOWN_JUMP_TICKS: f64 = 20.0;
/// Share of an error that one report takes away.
const GAIN: f64 = 0.05;
/// What is shown is at least so many ticks behind the newest snapshot: far entities come every
/// second tick.
const DELAY_TICKS_MIN: f64 = 2.5;
/// And at most so many.
const DELAY_TICKS_MAX: f64 = 12.0;

/// The client's estimate of the server's clock.
#[derive(Clone, Debug)]
pub struct ServerClock {
    tick_hz: f64,
    start: Tick,
    /// Input ticks since `start` at time zero.
    input_origin: f64,
    /// Arrival of tick `start`, smoothed, in ticks of the caller's time.
    arrival_origin: Option<f64>,
    jitter_ticks: f64,
    /// After the clock was set, reports on inputs before this tick say nothing about it.
    judge_from: Tick,
    shown_ticks: f64,
    rtt_ms: f64,
    margin_ms: f64,
}

impl ServerClock {
    /// A clock for a room that was at `tick` when the client, at `now`, learned of it.
    pub fn new(tick_hz: u32, now: Duration, tick: Tick) -> Self {
        let tick_hz = f64::from(tick_hz);
        ServerClock {
            tick_hz,
            start: tick,
            input_origin: 2.0 - now.as_secs_f64() * tick_hz,
            arrival_origin: None,
            jitter_ticks: 0.0,
            judge_from: tick,
            shown_ticks: 0.0,
            rtt_ms: 0.0,
            margin_ms: 0.0,
        }
    }

    /// The tick whose input is to be sent at `now`.
    pub fn input_tick(&self, now: Duration) -> Tick {
        super::tick_at(self.start, self.input_origin + now.as_secs_f64() * self.tick_hz)
    }

    /// A snapshot of `tick` came at `now`.
    pub fn snapshot(&mut self, now: Duration, tick: Tick) {
        let arrival = now.as_secs_f64() * self.tick_hz - f64::from(tick.since(self.start));
        let origin = self.arrival_origin.get_or_insert(arrival);
        let late = arrival - *origin;
        if late.abs() > 30.0 {
            // The path changed or the client was suspended: begin anew.
            *origin = arrival;
            return;
        }
        self.jitter_ticks += (late.abs() - self.jitter_ticks) * 0.05;
        *origin += late * 0.05;
    }

    /// The server reports on the newest input, sent at `sent`, with the snapshot of `tick` at `now`.
    pub fn report(
        &mut self,
        now: Duration,
        tick: Tick,
        report: InputReport,
        sent: Option<Duration>,
    ) {
        let newest = tick.offset(report.newest_ticks);
        let margin_ms = f64::from(report.margin_eighth_ms) / f64::from(MARGIN_UNITS_PER_MS);
        self.margin_ms = margin_ms;
        let period_ms = 1000.0 / self.tick_hz;
        if let Some(sent) = sent {
            let waited_ms = margin_ms - f64::from(report.newest_ticks) * period_ms;
            let trip_ms = now.saturating_sub(sent).as_secs_f64() * 1000.0 - waited_ms;
            let first = self.rtt_ms == 0.0;
            self.rtt_ms += (trip_ms.max(0.0) - self.rtt_ms) * if first { 1.0 } else { 0.1 };
        }
        if newest.since(self.judge_from) < 0 {
            return;
        }
        let wanted = (MARGIN_TICKS + 2.0 * self.jitter_ticks).min(MARGIN_MS_MAX / period_ms);
        let error = wanted - margin_ms / period_ms;
        if error.abs() > JUMP_TICKS {
            self.input_origin += error;
            self.judge_from = self.input_tick(now).next();
        } else {
            self.input_origin += error * GAIN;
        }
    }

    /// Nothing of what was sent is reported: the input clock is far off in a way that no margin tells.
    pub fn lost(&mut self, now: Duration, newest_snapshot: Tick) {
        let ahead = 3.0 + self.rtt_ms / 1000.0 * self.tick_hz;
        let target = f64::from(newest_snapshot.since(self.start)) + ahead;
        self.input_origin = target - now.as_secs_f64() * self.tick_hz;
        self.judge_from = self.input_tick(now).next();
    }

    /// Advances what is shown to `now` and returns it, in ticks since the room's `start` tick with a
    /// fraction. It goes back only when it is far off, as after a change of the path.
    pub fn show(&mut self, now: Duration) -> f64 {
        let Some(origin) = self.arrival_origin else { return self.shown_ticks };
        let ideal = now.as_secs_f64() * self.tick_hz - origin - self.delay_ticks();
        if (ideal - self.shown_ticks).abs() > SHOWN_JUMP_TICKS {
            self.shown_ticks = ideal;
        }
        self.shown_ticks = self.shown_ticks.max(ideal);
        self.shown_ticks
    }

    /// The tick that all times of [`ServerClock::show`] count from.
    pub fn start(&self) -> Tick {
        self.start
    }

    /// How far what is shown runs behind the snapshots' mean arrival, in ticks.
    pub fn delay_ticks(&self) -> f64 {
        (DELAY_TICKS_MIN + 3.0 * self.jitter_ticks).min(DELAY_TICKS_MAX)
    }

    /// [`ServerClock::delay_ticks`] in milliseconds.
    pub fn delay_ms(&self) -> f32 {
        (self.delay_ticks() * 1000.0 / self.tick_hz) as f32
    }

    /// Round trip in milliseconds, smoothed; 0 before the first report.
    pub fn rtt_ms(&self) -> f32 {
        self.rtt_ms as f32
    }

    /// Mean deviation of arrivals in milliseconds.
    pub fn jitter_ms(&self) -> f32 {
        (self.jitter_ticks * 1000.0 / self.tick_hz) as f32
    }

    /// The last reported margin in milliseconds.
    pub fn margin_ms(&self) -> f32 {
        self.margin_ms as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server 60 Hz, one way `delay_ms` each way; returns the margins it saw, in ticks.
    fn run(delay_ms: u64, ticks: u32) -> (Vec<f64>, ServerClock) {
        let period = Duration::from_secs(1) / 60;
        let delay = Duration::from_millis(delay_ms);
        let zero = Duration::from_secs(5);
        let deadline = |tick: u32| zero + period * tick;
        let joined = deadline(100) + delay;
        let mut clock = ServerClock::new(60, joined, Tick(100));
        let mut margins = Vec::new();
        let mut sent: Vec<(Tick, Duration)> = Vec::new();
        for tick in 101..101 + ticks {
            // The server's tick: the newest input that had arrived.
            let due = deadline(tick);
            let newest = sent.iter().rev().find(|(_, at)| *at + delay <= due).copied();
            let arrived = due + delay;
            clock.snapshot(arrived, Tick(tick));
            if let Some((input, at)) = newest {
                let margin_ms =
                    (deadline(input.0).as_secs_f64() - (at + delay).as_secs_f64()) * 1e3;
                margins.push(margin_ms / 1e3 * 60.0);
                let report = InputReport {
                    newest_ticks: input.since(Tick(tick)),
                    margin_eighth_ms: (margin_ms * 8.0) as i32,
                };
                clock.report(arrived, Tick(tick), report, Some(at));
            }
            // The client's frames between this snapshot and the next.
            for frame in 0..4 {
                let at = arrived + period * frame / 4;
                let input = clock.input_tick(at);
                if sent.last().is_none_or(|(last, _)| input.since(*last) > 0) {
                    sent.push((input, at));
                }
            }
        }
        (margins, clock)
    }

    #[test]
    fn inputs_settle_to_arrive_just_in_time_at_any_distance() {
        for delay_ms in [0, 20, 100, 200] {
            let (margins, clock) = run(delay_ms, 300);
            let settled = &margins[margins.len() - 100..];
            assert!(settled.iter().all(|m| (0.0..2.0).contains(m)), "{delay_ms} ms: {settled:?}");
            let rtt = f64::from(clock.rtt_ms());
            assert!((rtt - 2.0 * delay_ms as f64).abs() < 3.0, "{delay_ms} ms: rtt {rtt}");
        }
    }

    #[test]
    fn what_is_shown_never_goes_back_and_keeps_its_delay() {
        let (_, mut clock) = run(50, 100);
        let mut last = 0.0;
        for frame in 0..100u32 {
            let now = Duration::from_millis(5 * 1000 + 3400 + u64::from(frame) * 7);
            let shown = clock.show(now);
            assert!(shown >= last);
            last = shown;
        }
    }
}
