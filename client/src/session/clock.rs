//! Where the server's time stands: the tick to send inputs for, and the tick to show.
//!
//! Inputs run ahead of the server so that each reaches it just before its tick. The server reports how
//! early they came; from the last half minute of reports the client knows what lead each input would
//! have needed, and goes towards the cheapest one (see [`Lateness`]) a little with each frame, or at
//! once when the network has become another one. What is shown runs behind, by a delay that is found in
//! the same way from when snapshots came.

use std::time::Duration;

use tickwire_shared::Tick;
use tickwire_shared::snapshot::{InputReport, MARGIN_UNITS_PER_MS};

use super::lateness::Lateness;

/// Ticks of lead that are worth it if no input is late any more.
const LATE_INPUT_PRICE: f64 = 6000.0;
/// Ticks of delay that are worth it if nothing that is shown is starved any more.
const STARVED_PRICE: f64 = 1000.0;
/// Lead beyond what the inputs so far needed.
const SLACK_TICKS: f64 = 0.25;
/// The same before anything is known, on top; it shrinks as inputs are reported.
const UNKNOWN_TICKS: f64 = 1.0;
/// Inputs after which half of it is gone.
const UNKNOWN_INPUTS: f64 = 30.0;
/// An input clock farther off than this is set, not moved.
const JUMP_TICKS: f64 = 4.0;
/// A clock moves by this part of the time at most: faster to be on time, slower to save delay.
const HASTE: f64 = 0.05;
const EASE: f64 = 0.02;
/// A report can tell of no input that was later.
const LATE_EIGHTH_MS_TOLD: i32 = -2048;
/// A frame that takes longer is an accident.
const FRAME_TICKS_MAX: f64 = 30.0;
/// What is shown is set anew when it is farther off than this.
const SHOWN_JUMP_TICKS: f64 = 20.0;
/// Without a call for longer than this the caller paused: a browser suspended the page, say.
const PAUSE_S: f64 = 0.75;
/// What comes so much earlier than anything before was not faster: the clock stood still, as while a machine sleeps.
const SLEPT_S: f64 = 0.5;
/// Step, in ticks, between the leads that are tried while no input is reported; a report covers inputs that late.
const SEARCH_TICKS: f64 = 128.0;
/// Longest lead that is tried, in seconds.
const SEARCH_S_MAX: f64 = 8.0;
/// Where the round trip is known, not before it did not help so often.
const KNOWN_TRIES: u32 = 8;
/// For so long after it, what comes late waited for the caller.
const WAITED_S_MAX: f64 = 1.0;
/// Far entities come every second tick, so theirs is needed one tick before it is shown.
const FAR_TICKS: f64 = 1.0;

/// The client's estimate of the server's clock.
#[derive(Clone, Debug)]
pub struct ServerClock {
    tick_hz: f64,
    start: Tick,
    /// When the clock was made; it counts from then, for what is remembered has few digits.
    zero: Duration,
    /// Input ticks since `start` at `zero`.
    input_origin: f64,
    /// Where it should be for each of the last inputs to come in time.
    needed: Lateness,
    /// The newest input that was reported, and by which snapshot.
    reported: Option<(Tick, Tick)>,
    moved: Duration,
    /// The caller's last call.
    called: Duration,
    /// When a pause of the caller ended, until all that waited meanwhile came.
    resumed: Option<Duration>,
    /// The end of the last pause.
    paused: Duration,
    /// Snapshots that were lost in pauses, or left out on a path that loses nothing.
    missed: u64,
    /// The path loses nothing: a snapshot that does not come was not sent.
    is_lossless: bool,
    /// From one frame to the next, in ticks: inputs are sampled when a frame comes.
    frame_ticks: f64,
    /// Caller's time at which tick `start` could have been shown, in ticks, for each tick since.
    arrivals: Lateness,
    newest: Option<Tick>,
    /// The earliest of them so far.
    earliest: f64,
    /// How often in a row the clock was set as nothing was reported.
    unreported: u32,
    /// Mean of the same, and the mean deviation from it.
    mean_arrival: f64,
    jitter_ticks: f64,
    /// After the clock was set, reports on inputs before this tick say nothing about it.
    judge_from: Tick,
    shown_ticks: Option<(Duration, f64)>,
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
            zero: now,
            input_origin: 2.0,
            needed: Lateness::new(LATE_INPUT_PRICE),
            reported: None,
            moved: now,
            called: now,
            resumed: None,
            paused: Duration::ZERO,
            missed: 0,
            is_lossless: false,
            frame_ticks: 1.0,
            arrivals: Lateness::new(STARVED_PRICE),
            newest: None,
            earliest: f64::INFINITY,
            unreported: 0,
            mean_arrival: 0.0,
            jitter_ticks: 0.0,
            judge_from: tick,
            shown_ticks: None,
            rtt_ms: 0.0,
            margin_ms: 0.0,
        }
    }

    /// The room goes on at another tick, over the path that `before` knew.
    pub(super) fn go_on_from(&mut self, before: &ServerClock) {
        self.is_lossless = before.is_lossless;
        self.rtt_ms = before.rtt_ms;
        self.input_origin += before.rtt_ticks();
    }

    /// Ticks since the clock was made.
    fn passed(&self, now: Duration) -> f64 {
        self.ticks_in(now.saturating_sub(self.zero))
    }

    /// Ticks in so much time.
    pub(super) fn ticks_in(&self, time: Duration) -> f64 {
        time.as_secs_f64() * self.tick_hz
    }

    /// The tick whose input is to be sent at `now`.
    pub fn input_tick(&self, now: Duration) -> Tick {
        tick_at(self.start, self.input_ticks(now))
    }

    /// The same as ticks since [`ServerClock::start`], with a fraction.
    pub fn input_ticks(&self, now: Duration) -> f64 {
        self.input_origin + self.passed(now)
    }

    /// Moves the input clock towards where it should be, as far as it may since the last time.
    pub(super) fn advance(&mut self, now: Duration) {
        self.notice_pause(now);
        let passed = now.saturating_sub(self.moved).as_secs_f64() * self.tick_hz;
        self.moved = now;
        self.frame_ticks += (passed.min(FRAME_TICKS_MAX) - self.frame_ticks) * 0.05;
        let Some(wanted) = self.wanted_origin() else { return };
        let error = wanted - self.input_origin;
        self.input_origin += error.clamp(-EASE * passed, HASTE * passed);
    }

    /// A snapshot of `tick` came at `now`. Returns whether it had waited while the caller paused: it says nothing
    /// of the network then.
    pub(super) fn snapshot(&mut self, now: Duration, tick: Tick) -> bool {
        self.notice_pause(now);
        let arrival = self.passed(now) - f64::from(tick.since(self.start));
        let newest = self.newest.replace(tick);
        let gap = newest.map_or(1, |newest| tick.since(newest)).max(1);
        if arrival + SLEPT_S * self.tick_hz < self.earliest && newest.is_some() {
            self.wake(now, tick);
        }
        self.earliest = self.earliest.min(arrival);
        let since_s = |at: Duration| now.saturating_sub(at).as_secs_f64();
        self.resumed = self.resumed.filter(|&at| since_s(at) < WAITED_S_MAX);
        if self.resumed.is_some() || self.is_lossless {
            self.missed += gap as u64 - 1;
        }
        let is_late = self.arrivals.wait().is_some_and(|wait| arrival + 1.0 > wait);
        if self.resumed.is_some() && is_late {
            return true;
        }
        let late = arrival - self.mean_arrival;
        if newest.is_none() || late.abs() > SHOWN_JUMP_TICKS {
            self.mean_arrival = arrival;
        } else {
            self.jitter_ticks += (late.abs() - self.jitter_ticks) * 0.05;
            self.mean_arrival += late * 0.05;
        }
        // What was lost came with this one, but for what was lost in a pause.
        let lost = if self.resumed.take().is_some() { 0 } else { gap.min(64) - 1 };
        for ago in (1..=lost).rev() {
            self.arrivals.push_lost(arrival + f64::from(ago) + 1.0);
        }
        self.arrivals.push(arrival + 1.0);
        false
    }

    /// The server reports on the newest input, which was sampled at `sent` when the clock's origin was
    /// `origin`, with the snapshot of `tick` at `now`.
    pub(super) fn report(
        &mut self,
        now: Duration,
        tick: Tick,
        report: InputReport,
        (sent, origin): (Duration, f64),
    ) {
        let input = tick.offset(report.newest_ticks);
        let margin_ms = f64::from(report.margin_eighth_ms) / f64::from(MARGIN_UNITS_PER_MS);
        let dip_ms = f64::from(report.dip_eighth_ms) / f64::from(MARGIN_UNITS_PER_MS);
        self.margin_ms = margin_ms;
        let period_ms = 1000.0 / self.tick_hz;
        let waited_ms = margin_ms - f64::from(report.newest_ticks) * period_ms;
        let trip_ms = now.saturating_sub(sent).as_secs_f64() * 1000.0 - waited_ms;
        if sent >= self.paused || self.rtt_ms == 0.0 {
            let gain = if self.rtt_ms == 0.0 { 1.0 } else { 0.1 };
            self.rtt_ms += (trip_ms.max(0.0) - self.rtt_ms) * gain;
        }

        let before = self.reported.replace((input, tick));
        let was_search = std::mem::take(&mut self.unreported) > 0;
        if input.since(self.judge_from) < 0 && !was_search {
            return;
        }
        let (margin, dip) = (margin_ms / period_ms, dip_ms / period_ms);
        if report.margin_eighth_ms <= LATE_EIGHTH_MS_TOLD {
            // It was later than a margin can tell; its tick may tell more.
            self.needed.clear();
            let margin = margin.min(f64::from(report.newest_ticks));
            self.set_input_origin(now, origin - margin + SLACK_TICKS);
            return;
        }
        // It waited for its frame. How long is chance, but never longer than a frame takes.
        let sampled = origin + self.passed(sent);
        let waited = (sampled - f64::from(input.since(self.start))).clamp(0.0, self.frame_ticks);
        let needed = origin - margin - waited;
        // Those between the last reported one and this: from the worst on, each better than the one
        // before. After a lost snapshot only the worst of them is known.
        let count = match before {
            Some((known, _)) if known.next().since(self.judge_from) < 0 => 1,
            Some((known, of)) if tick.since(of) == 1 => input.since(known).clamp(1, 64),
            _ => 1 + i32::from(dip > 0.0),
        };
        for number in 0..count - 1 {
            let part = f64::from(count - 1 - number) / f64::from(count - 1);
            self.needed.push_lost(needed + dip * part);
        }
        let is_other = self.needed.push(needed);
        let Some(wanted) = self.wanted_origin() else { return };
        if is_other || (wanted - self.input_origin).abs() > JUMP_TICKS {
            self.set_input_origin(now, wanted);
        }
    }

    fn notice_pause(&mut self, now: Duration) {
        let since_s = now.saturating_sub(self.called).as_secs_f64();
        self.called = now;
        if since_s > PAUSE_S {
            self.paused = now;
            // One who always calls so rarely is not always after a pause.
            self.resumed = self.resumed.or(Some(now));
        }
    }

    fn set_input_origin(&mut self, now: Duration, origin: f64) {
        self.input_origin = origin;
        self.judge_from = self.input_tick(now).next();
    }

    /// Nothing of what was sent is reported: the input clock is far off in a way that no margin tells. One lead after
    /// the other is tried, from what the round trip asks for on.
    pub fn lost(&mut self, now: Duration, newest_snapshot: Tick) {
        let known_tries = if self.rtt_ms > 0.0 { KNOWN_TRIES } else { 0 };
        let more_ticks = f64::from(self.unreported.saturating_sub(known_tries)) * SEARCH_TICKS;
        let most_ticks = SEARCH_S_MAX * self.tick_hz + SEARCH_TICKS;
        self.unreported += 1;
        self.lead_by(now, newest_snapshot, more_ticks % most_ticks);
    }

    /// Snapshots until an input that was sent can be reported.
    pub(super) fn rtt_ticks(&self) -> f64 {
        self.rtt_ms / 1000.0 * self.tick_hz
    }

    /// The clock stood still for a while: what it told of the path is of no use any more, but for the round trip.
    fn wake(&mut self, now: Duration, newest_snapshot: Tick) {
        self.arrivals.clear();
        (self.earliest, self.paused, self.resumed) = (f64::INFINITY, now, Some(now));
        self.lead_by(now, newest_snapshot, 0.0);
    }

    /// Sets the input clock by the round trip, and so much more.
    fn lead_by(&mut self, now: Duration, newest_snapshot: Tick, more_ticks: f64) {
        let extrapolated = 3.0 + self.rtt_ticks() + more_ticks;
        let target = f64::from(newest_snapshot.since(self.start)) + extrapolated;
        self.needed.clear();
        self.set_input_origin(now, target - self.passed(now));
    }

    /// Advances what is shown to `now` and returns it, in ticks since the room's `start` tick with a
    /// fraction; `None` before the first snapshot. It goes back only when it is far off, as after a
    /// change of the path.
    pub fn show(&mut self, now: Duration) -> Option<f64> {
        let ideal = self.passed(now) - self.arrivals.wait()? - FAR_TICKS;
        let (before, shown) = self.shown_ticks.unwrap_or((now, ideal));
        let passed = now.saturating_sub(before).as_secs_f64() * self.tick_hz;
        let error = ideal - (shown + passed);
        let shown = if error.abs() > SHOWN_JUMP_TICKS {
            ideal
        } else {
            shown + passed + error.clamp(-HASTE * passed, HASTE * passed)
        };
        self.shown_ticks = Some((now, shown));
        Some(shown)
    }

    /// The tick that all times of [`ServerClock::show`] count from.
    pub fn start(&self) -> Tick {
        self.start
    }

    /// How far what is shown runs behind the snapshots' mean arrival, in ticks; 0 while what should be shown has not
    /// come, as after a stall of the path.
    pub fn delay_ticks(&self) -> f64 {
        let delay = self.arrivals.wait().map_or(0.0, |wait| wait + FAR_TICKS - self.mean_arrival);
        delay.max(0.0)
    }

    /// Whether the path is one on which nothing is lost.
    pub(super) fn set_lossless(&mut self, is_lossless: bool) {
        self.is_lossless = is_lossless;
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

    /// Snapshots that were lost while the caller paused, or left out on a path that loses nothing: no fault of the
    /// network.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The last reported margin in milliseconds.
    pub fn margin_ms(&self) -> f32 {
        self.margin_ms as f32
    }

    /// What an input sampled now is sampled by; [`ServerClock::report`] wants it back.
    pub(super) fn input_origin(&self) -> f64 {
        self.input_origin
    }

    fn wanted_origin(&self) -> Option<f64> {
        let known = self.needed.len() as f64;
        let unknown = UNKNOWN_TICKS * UNKNOWN_INPUTS / (UNKNOWN_INPUTS + known);
        Some(self.needed.wait()? + self.frame_ticks + SLACK_TICKS + unknown)
    }
}

/// The tick that is `ticks` after `start`.
pub(super) fn tick_at(start: Tick, ticks: f64) -> Tick {
    start.offset(ticks.floor() as i32)
}

#[cfg(test)]
mod tests;
