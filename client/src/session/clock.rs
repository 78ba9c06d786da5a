//! The client's estimate of server time: the tick to send inputs for, and the tick to show.
//!
//! Inputs run ahead of the server so that each arrives just before its tick. The server reports
//! their input margin. From the last half minute of reports the client computes the lead that each
//! input would have needed, and moves towards the cheapest lead (see [`Lateness`]) a little each
//! frame, or at once after the network has changed. What is shown runs behind, by a delay that is
//! computed in the same way from the snapshots' arrivals.

use std::time::Duration;

use tickwire_shared::Tick;
use tickwire_shared::snapshot::{InputReport, MARGIN_UNITS_PER_MS};

use super::lateness::Lateness;

/// Lead, in ticks, that is worth having no late input.
const LATE_INPUT_PRICE: f64 = 6000.0;
/// Interpolation delay, in ticks, that is worth never running out of states.
const STARVED_PRICE: f64 = 1000.0;
/// Ticks of lead on top of what the inputs so far needed.
const SLACK_TICKS: f64 = 0.25;
/// Extra ticks of lead before any report; it shrinks as reports come in.
const UNKNOWN_TICKS: f64 = 1.0;
/// Reports after which half of the extra lead is gone.
const UNKNOWN_INPUTS: f64 = 30.0;
/// Error, in ticks, beyond which the input clock is set rather than moved.
const JUMP_TICKS: f64 = 4.0;
/// Largest speed-up of a clock, as a part of the time passed. It is larger than the slow-down:
/// being late costs more than delay.
const HASTE: f64 = 0.05;
const EASE: f64 = 0.02;
/// Smallest margin that a report can carry, in eighths of a millisecond: the input may have been
/// later still.
const LATE_EIGHTH_MS_TOLD: i32 = -2048;
/// Longest frame that counts, in ticks; a longer one is an accident.
const FRAME_TICKS_MAX: f64 = 30.0;
/// Error, in ticks, beyond which the shown tick is set rather than moved.
const SHOWN_JUMP_TICKS: f64 = 20.0;
/// Gap between two calls, in seconds, that counts as a pause of the caller, such as a suspended
/// page.
const PAUSE_S: f64 = 0.75;
/// A snapshot that is earlier than all before by more than this many seconds was not faster: the
/// client's clock stood still, as during a machine's sleep.
const SLEPT_S: f64 = 0.5;
/// Step, in ticks, between the leads that are tried while no input is reported. A report can tell
/// of inputs that late.
const SEARCH_TICKS: f64 = 128.0;
/// Longest lead that is tried, in seconds; then the search starts again.
const SEARCH_S_MAX: f64 = 8.0;
/// Attempts at the lead that a known round trip asks for before longer leads are tried.
const KNOWN_TRIES: u32 = 8;
/// Seconds after a pause in which late snapshots count as having waited for the caller. While each is less late than those before
/// it, as those of a backlog are, they do so for longer.
const WAITED_S_MAX: f64 = 1.0;
const BACKLOG_S_MAX: f64 = 10.0;
/// Seconds in which a backlog gets shorter by a tick, or it is none.
const BACKLOG_STEP_S: f64 = 0.25;
/// Ticks by which far entities' states are needed earlier: they come only every second tick.
const FAR_TICKS: f64 = 1.0;

/// The client's estimate of the server's clock.
#[derive(Clone, Debug)]
pub struct ServerClock {
    tick_hz: f64,
    start: Tick,
    /// Creation time. Times count from here, because stored values have few digits.
    zero: Duration,
    /// The input clock at `zero`, in ticks since `start`.
    input_origin: f64,
    /// The origin that each of the last inputs would have needed to be in time.
    needed: Lateness,
    /// The newest reported input, and the snapshot that reported it.
    reported: Option<(Tick, Tick)>,
    moved: Duration,
    /// Time of the caller's last call.
    called: Duration,
    /// Of the caller's last pause, until the snapshots that waited meanwhile have come.
    backlog: Option<WaitedSnapshots>,
    /// End of the last pause.
    paused: Duration,
    /// Snapshots lost during pauses, or left out on a lossless path.
    missed: u64,
    /// The path is lossless: a snapshot that does not come was not sent.
    is_lossless: bool,
    /// Duration of the last frame, in ticks: inputs are sampled once a frame.
    frame_ticks: f64,
    /// For each snapshot, the caller's time in ticks at which tick `start` could have been shown.
    arrivals: Lateness,
    newest: Option<Tick>,
    /// The earliest arrival so far.
    earliest: f64,
    /// Consecutive resets of the clock for lack of reports.
    unreported: u32,
    /// Mean of the arrivals, and the mean deviation from it.
    mean_arrival: f64,
    jitter_ticks: f64,
    /// Reports on inputs before this tick are ignored: the clock was set after those were sent.
    judge_from: Tick,
    shown_ticks: Option<(Duration, f64)>,
    rtt_ms: f64,
    margin_ms: f64,
}

/// The snapshots that waited while the caller paused.
#[derive(Clone, Copy, Debug)]
struct WaitedSnapshots {
    /// End of the pause.
    since: Duration,
    /// The least late arrival so far, and the time at which it was less by a tick than the one before.
    least: f64,
    shrank: Duration,
}

impl WaitedSnapshots {
    fn new(now: Duration) -> Self {
        WaitedSnapshots { since: now, least: f64::INFINITY, shrank: now }
    }

    /// Takes an arrival. Returns false if none that comes now has waited.
    fn take(&mut self, now: Duration, arrival: f64) -> bool {
        if arrival <= self.least - 1.0 {
            (self.least, self.shrank) = (arrival, now);
        }
        let since_s = |at: Duration| now.saturating_sub(at).as_secs_f64();
        let is_shrinking = since_s(self.shrank) < BACKLOG_STEP_S;
        since_s(self.since) < if is_shrinking { BACKLOG_S_MAX } else { WAITED_S_MAX }
    }
}

impl ServerClock {
    /// A clock for a room that was at `tick` when the client learned of it at `now`.
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
            backlog: None,
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

    /// Keeps what `before` measured of the path, for a room that continues at another tick.
    pub(super) fn go_on_from(&mut self, before: &ServerClock) {
        self.is_lossless = before.is_lossless;
        self.rtt_ms = before.rtt_ms;
        self.input_origin += before.rtt_ticks();
    }

    /// Ticks since the clock was made.
    fn passed(&self, now: Duration) -> f64 {
        self.ticks_in(now.saturating_sub(self.zero))
    }

    /// A duration in ticks.
    pub(super) fn ticks_in(&self, time: Duration) -> f64 {
        time.as_secs_f64() * self.tick_hz
    }

    /// The tick whose input is to be sent at `now`.
    pub fn input_tick(&self, now: Duration) -> Tick {
        tick_at(self.start, self.input_ticks(now))
    }

    /// The input clock in ticks since [`ServerClock::start`], with a fraction.
    pub fn input_ticks(&self, now: Duration) -> f64 {
        self.input_origin + self.passed(now)
    }

    /// Moves the input clock towards its target, as far as the time since the last call allows.
    pub(super) fn advance(&mut self, now: Duration) {
        self.notice_pause(now);
        let passed = now.saturating_sub(self.moved).as_secs_f64() * self.tick_hz;
        self.moved = now;
        self.frame_ticks += (passed.min(FRAME_TICKS_MAX) - self.frame_ticks) * 0.05;
        let Some(wanted) = self.wanted_origin() else { return };
        let error = wanted - self.input_origin;
        self.input_origin += error.clamp(-EASE * passed, HASTE * passed);
    }

    /// Takes the arrival of the snapshot of `tick` at `now`. Returns true if it had waited while
    /// the caller paused: then it says nothing about the network.
    pub(super) fn snapshot(&mut self, now: Duration, tick: Tick) -> bool {
        self.notice_pause(now);
        let arrival = self.passed(now) - f64::from(tick.since(self.start));
        let newest = self.newest.replace(tick);
        let gap = newest.map_or(1, |newest| tick.since(newest)).max(1);
        if arrival + SLEPT_S * self.tick_hz < self.earliest && newest.is_some() {
            self.wake(now, tick);
        }
        self.earliest = self.earliest.min(arrival);
        self.backlog.take_if(|backlog| !backlog.take(now, arrival));
        if self.backlog.is_some() || self.is_lossless {
            self.missed += gap as u64 - 1;
        }
        let is_late = self.arrivals.wait().is_some_and(|wait| arrival + 1.0 > wait);
        if self.backlog.is_some() && is_late {
            return true;
        }
        let late = arrival - self.mean_arrival;
        if newest.is_none() || late.abs() > SHOWN_JUMP_TICKS {
            self.mean_arrival = arrival;
        } else {
            self.jitter_ticks += (late.abs() - self.jitter_ticks) * 0.05;
            self.mean_arrival += late * 0.05;
        }
        // Lost snapshots count as having come with this one, except those lost in a pause.
        let lost = if self.backlog.take().is_some() { 0 } else { gap.min(64) - 1 };
        for ago in (1..=lost).rev() {
            self.arrivals.push_lost(arrival + f64::from(ago) + 1.0);
        }
        self.arrivals.push(arrival + 1.0);
        false
    }

    /// Takes the server's report on its newest input, which came with the snapshot of `tick` at
    /// `now`. The input was sampled at `sent`, when the clock's origin was `origin`.
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
            // Later than a margin can express; the input's tick may say more.
            self.needed.clear();
            let margin = margin.min(f64::from(report.newest_ticks));
            self.set_input_origin(now, origin - margin + SLACK_TICKS);
            return;
        }
        // The input waited for its frame: by chance, but at most one frame's duration.
        let sampled = origin + self.passed(sent);
        let waited = (sampled - f64::from(input.since(self.start))).clamp(0.0, self.frame_ticks);
        let needed = origin - margin - waited;
        // The inputs between the last reported one and this: the worst first, each better than the
        // one before. After a lost snapshot only the worst of them is known.
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
            // A caller that is always this slow must not restart the pause each time.
            self.backlog.get_or_insert_with(|| WaitedSnapshots::new(now));
        }
    }

    fn set_input_origin(&mut self, now: Duration, origin: f64) {
        self.input_origin = origin;
        self.judge_from = self.input_tick(now).next();
    }

    /// Handles that no sent input is reported: the input clock is off by more than a margin can
    /// express. Each call tries a longer lead, beginning with the one that the round trip asks for.
    pub fn lost(&mut self, now: Duration, newest_snapshot: Tick) {
        let known_tries = if self.rtt_ms > 0.0 { KNOWN_TRIES } else { 0 };
        let more_ticks = f64::from(self.unreported.saturating_sub(known_tries)) * SEARCH_TICKS;
        let most_ticks = SEARCH_S_MAX * self.tick_hz + SEARCH_TICKS;
        self.unreported += 1;
        self.lead_by(now, newest_snapshot, more_ticks % most_ticks);
    }

    /// The round trip in ticks: as many snapshots come before a sent input can be reported.
    pub(super) fn rtt_ticks(&self) -> f64 {
        self.rtt_ms / 1000.0 * self.tick_hz
    }

    /// Restarts after the client's clock stood still: arrivals measured before are useless, the
    /// round trip stays.
    fn wake(&mut self, now: Duration, newest_snapshot: Tick) {
        self.arrivals.clear();
        (self.earliest, self.paused) = (f64::INFINITY, now);
        self.backlog = Some(WaitedSnapshots::new(now));
        self.lead_by(now, newest_snapshot, 0.0);
    }

    /// Sets the input clock to the lead that the round trip asks for, plus `more_ticks`.
    fn lead_by(&mut self, now: Duration, newest_snapshot: Tick, more_ticks: f64) {
        let extrapolated = 3.0 + self.rtt_ticks() + more_ticks;
        let target = f64::from(newest_snapshot.since(self.start)) + extrapolated;
        self.needed.clear();
        self.set_input_origin(now, target - self.passed(now));
    }

    /// Advances the shown tick to `now`. Returns it in ticks since the room's `start` tick, with a
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

    /// Delay of the shown tick behind the snapshots' mean arrival, in ticks; 0 while the snapshot
    /// to show has not come, as after a stall of the path.
    pub fn delay_ticks(&self) -> f64 {
        let delay = self.arrivals.wait().map_or(0.0, |wait| wait + FAR_TICKS - self.mean_arrival);
        delay.max(0.0)
    }

    /// Sets whether the path is lossless.
    pub(super) fn set_lossless(&mut self, is_lossless: bool) {
        self.is_lossless = is_lossless;
    }

    /// [`ServerClock::delay_ticks`] in milliseconds.
    pub fn delay_ms(&self) -> f32 {
        (self.delay_ticks() * 1000.0 / self.tick_hz) as f32
    }

    /// Smoothed round trip in milliseconds; 0 before the first report.
    pub fn rtt_ms(&self) -> f32 {
        self.rtt_ms as f32
    }

    /// Mean deviation of the snapshots' arrivals, in milliseconds.
    pub fn jitter_ms(&self) -> f32 {
        (self.jitter_ticks * 1000.0 / self.tick_hz) as f32
    }

    /// Snapshots lost while the caller paused, or left out on a lossless path: not the network's
    /// fault.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The last reported input margin in milliseconds.
    pub fn margin_ms(&self) -> f32 {
        self.margin_ms as f32
    }

    /// The current origin, to pass back to [`ServerClock::report`] with an input sampled now.
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
