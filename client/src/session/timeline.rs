//! The shown ticks, and the arrival times behind them.

use std::time::Duration;

use tickwire_shared::snapshot::InputReport;
use tickwire_shared::{GAP_TICKS_MAX, Tick};

use super::clock::{ServerClock, tick_at};
use super::net_stats::NetStats;

/// Snapshots, beyond a round trip, without a report on any input after which the input clock is
/// reset.
const UNREPORTED_SNAPSHOTS_MAX: u32 = 60;

/// The times of one stay in a room.
#[derive(Debug)]
pub(super) struct Timeline {
    clock: ServerClock,
    /// The room's tick when the stay began, and that time.
    joined: (Tick, Duration),
    /// Time of the last data about the world, or of the begin of the stay.
    heard_at: Duration,
    /// The silence was too long for ticks to be known by their low bits: data about the world is
    /// ignored until the server restarts it.
    is_lost: bool,
    first_snapshot: Option<Tick>,
    snapshots: u64,
    newest_at: Option<Duration>,
    /// Consecutive snapshots without a report on an input.
    unreported: u32,
    shown: Option<f64>,
    /// The shown tick of entities shown ahead, on the same scale.
    input_time: Option<f64>,
}

/// The shown ticks, relative to the room's start tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShownTicks {
    pub(super) start: Tick,
    /// The shown tick of interpolated entities.
    pub(super) shown: f64,
    /// The shown tick of entities shown ahead.
    pub(super) input_time: f64,
}

/// A snapshot's report on an input, with the input's send time and clock origin.
pub(super) type ReportedInput = (InputReport, (Duration, f64));

impl Timeline {
    /// For a stay that begins at `now`, when the room is at `tick`.
    pub(super) fn new(tick_hz: u32, now: Duration, tick: Tick) -> Self {
        Timeline {
            clock: ServerClock::new(tick_hz, now, tick),
            joined: (tick, now),
            heard_at: now,
            is_lost: false,
            first_snapshot: None,
            snapshots: 0,
            newest_at: None,
            unreported: 0,
            shown: None,
            input_time: None,
        }
    }

    /// Keeps what `before` measured of the path, for a room that continues at another tick.
    pub(super) fn go_on_from(&mut self, before: &Timeline) {
        self.clock.go_on_from(&before.clock);
    }

    pub(super) fn clock(&self) -> &ServerClock {
        &self.clock
    }

    /// Sets whether the path is lossless.
    pub(super) fn set_lossless(&mut self, is_lossless: bool) {
        self.clock.set_lossless(is_lossless);
    }

    /// The room's approximate tick at `now`, from the clock and the tick at the begin.
    pub(super) fn about_now(&self, now: Duration) -> Tick {
        let (tick, at) = self.joined;
        tick_at(tick, self.clock.ticks_in(now.saturating_sub(at)))
    }

    /// True once the silence was too long for ticks to be known by their low bits, if the client
    /// has any of the world (`has_any`). Must be asked before the next arrival is handled: that one
    /// could no longer tell.
    pub(super) fn is_lost(&mut self, now: Duration, has_any: bool) -> bool {
        let gap_ticks = self.clock.ticks_in(now.saturating_sub(self.heard_at));
        self.is_lost |= has_any && gap_ticks > f64::from(GAP_TICKS_MAX);
        self.is_lost
    }

    /// The result of the last call of [`Timeline::is_lost`].
    pub(super) fn was_lost(&self) -> bool {
        self.is_lost
    }

    /// Notes that data about the world came.
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard_at = now;
    }

    /// Takes the arrival of the snapshot of `tick`; `report` is given if it is the first to report
    /// that input. Returns true if the snapshot had waited while the caller paused.
    pub(super) fn snapshot(
        &mut self,
        now: Duration,
        tick: Tick,
        report: Option<ReportedInput>,
    ) -> bool {
        self.heard(now);
        self.first_snapshot.get_or_insert(tick);
        self.snapshots += 1;
        self.newest_at = Some(now);
        let waited = self.clock.snapshot(now, tick);
        match report {
            Some((report, sent)) => {
                self.unreported = 0;
                self.clock.report(now, tick, report, sent);
            }
            None => self.unreported += u32::from(!waited),
        }
        if self.unreported > UNREPORTED_SNAPSHOTS_MAX + self.clock.rtt_ticks() as u32 {
            self.unreported = 0;
            self.clock.lost(now, tick);
        }
        waited
    }

    /// Advances the shown tick and the input clock.
    pub(super) fn advance(&mut self, now: Duration) {
        self.shown = self.clock.show(now);
        self.clock.advance(now);
    }

    /// Advances the input time shown, after the prediction has stepped.
    pub(super) fn advance_input_time(&mut self, now: Duration) {
        self.input_time = Some(self.clock.input_ticks(now));
    }

    /// The shown ticks; `None` before the first snapshot.
    pub(super) fn shown_ticks(&self) -> Option<ShownTicks> {
        let (start, shown) = (self.clock.start(), self.shown?);
        Some(ShownTicks { start, shown, input_time: self.input_time.unwrap_or(shown) })
    }

    /// The shown tick of entities shown ahead, in ticks since the start; 0 before there is one.
    pub(super) fn input_time(&self) -> f64 {
        self.input_time.unwrap_or_default()
    }

    /// The shown tick and the fraction towards the next; of entities shown ahead if `is_ahead`.
    pub(super) fn shown_tick(&self, is_ahead: bool) -> Option<(Tick, f64)> {
        let ticks = if is_ahead { self.input_time? } else { self.shown? };
        Some((tick_at(self.clock.start(), ticks), ticks.rem_euclid(1.0)))
    }

    /// The view delay of an input of `tick`, in ticks.
    pub(super) fn view_delay_ticks(&self, tick: Tick) -> f64 {
        let ticks = f64::from(tick.since(self.clock.start()));
        self.shown.map_or(0.0, |shown| ticks - shown)
    }

    /// Fills in the network statistics; `newest` is the newest snapshot's tick.
    pub(super) fn fill_stats(&self, now: Duration, newest: Option<Tick>, stats: &mut NetStats) {
        let age = self.newest_at.map_or(Duration::ZERO, |at| now.saturating_sub(at));
        stats.silence_ms = age.as_secs_f32() * 1000.0;
        stats.interpolation_ms = self.clock.delay_ms();
        stats.rtt_ms = self.clock.rtt_ms();
        stats.snapshot_age_ms = stats.silence_ms + stats.rtt_ms / 2.0;
        stats.jitter_ms = self.clock.jitter_ms();
        stats.input_margin_ms = self.clock.margin_ms();
        stats.snapshots = self.snapshots;
        if let (Some(first), Some(newest)) = (self.first_snapshot, newest) {
            stats.snapshots_missed = self.clock.missed();
            stats.snapshots_expected = newest.since(first) as u64 + 1;
        }
    }
}
