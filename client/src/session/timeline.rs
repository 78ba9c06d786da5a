//! Which ticks are shown, and what came when.

use std::time::Duration;

use tickwire_shared::snapshot::InputReport;
use tickwire_shared::{GAP_TICKS_MAX, Tick};

use super::clock::{ServerClock, tick_at};
use super::net_stats::NetStats;

/// Snapshots, and a round trip, without a report on any input after which the input clock is reset.
const UNREPORTED_SNAPSHOTS_MAX: u32 = 60;

/// The times of one stay in a room.
#[derive(Debug)]
pub(super) struct Timeline {
    clock: ServerClock,
    /// The room's tick and the time when the stay began.
    joined: (Tick, Duration),
    /// When anything of the world came last, or the stay began.
    heard_at: Duration,
    /// That was so long ago that ticks can no longer be told by their low bits: nothing of the world is taken in until
    /// the server lets it begin anew.
    is_lost: bool,
    first_snapshot: Option<Tick>,
    snapshots: u64,
    newest_at: Option<Duration>,
    /// Snapshots in a row without a report on an input.
    unreported: u32,
    shown: Option<f64>,
    /// What is shown ahead, in the same ticks.
    input_time: Option<f64>,
}

/// The ticks that are shown, since the room's start tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShownTicks {
    pub(super) start: Tick,
    /// Of what is interpolated.
    pub(super) shown: f64,
    /// Of what is shown ahead.
    pub(super) input_time: f64,
}

/// What a snapshot says of an input: the report, and when that input was sent, by which origin of the clock.
pub(super) type ReportedInput = (InputReport, (Duration, f64));

impl Timeline {
    /// Of a stay that begins at `now`, when the room is at `tick`.
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

    /// The room goes on at another tick, over the path that `before` knew.
    pub(super) fn go_on_from(&mut self, before: &Timeline) {
        self.clock.go_on_from(&before.clock);
    }

    pub(super) fn clock(&self) -> &ServerClock {
        &self.clock
    }

    /// Whether the path loses nothing.
    pub(super) fn set_lossless(&mut self, is_lossless: bool) {
        self.clock.set_lossless(is_lossless);
    }

    /// A tick of the room at about `now`, by the clock and the tick of the begin.
    pub(super) fn about_now(&self, now: Duration) -> Tick {
        let (tick, at) = self.joined;
        tick_at(tick, self.clock.ticks_in(now.saturating_sub(at)))
    }

    /// Whether nothing came for so long that ticks can no longer be told by their low bits, for one who has anything of
    /// the world. The clock tells that, and not what comes last: then it is too late for that.
    pub(super) fn is_lost(&mut self, now: Duration, has_any: bool) -> bool {
        let gap_ticks = self.clock.ticks_in(now.saturating_sub(self.heard_at));
        self.is_lost |= has_any && gap_ticks > f64::from(GAP_TICKS_MAX);
        self.is_lost
    }

    /// Whether it was so at the last call of [`Timeline::is_lost`].
    pub(super) fn was_lost(&self) -> bool {
        self.is_lost
    }

    /// Something of the world came.
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard_at = now;
    }

    /// The snapshot of `tick` came; `report` is there if it is the first to report that input. Returns whether it had
    /// waited while the caller paused.
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

    /// Advances what is shown, and the clock of inputs.
    pub(super) fn advance(&mut self, now: Duration) {
        self.shown = self.clock.show(now);
        self.clock.advance(now);
    }

    /// Advances what is shown ahead, once what is own is predicted.
    pub(super) fn advance_input_time(&mut self, now: Duration) {
        self.input_time = Some(self.clock.input_ticks(now));
    }

    /// What is shown; `None` before the first snapshot.
    pub(super) fn shown_ticks(&self) -> Option<ShownTicks> {
        let (start, shown) = (self.clock.start(), self.shown?);
        Some(ShownTicks { start, shown, input_time: self.input_time.unwrap_or(shown) })
    }

    /// What is shown ahead, in ticks since the start; 0 before anything is.
    pub(super) fn input_time(&self) -> f64 {
        self.input_time.unwrap_or_default()
    }

    /// The tick that is shown, and how far it is towards the next; of what is shown ahead if `is_ahead`.
    pub(super) fn shown_tick(&self, is_ahead: bool) -> Option<(Tick, f64)> {
        let ticks = if is_ahead { self.input_time? } else { self.shown? };
        Some((tick_at(self.clock.start(), ticks), ticks.rem_euclid(1.0)))
    }

    /// How far behind `tick` the player sees the others, in ticks.
    pub(super) fn view_delay_ticks(&self, tick: Tick) -> f64 {
        let ticks = f64::from(tick.since(self.clock.start()));
        self.shown.map_or(0.0, |shown| ticks - shown)
    }

    /// Fills in what is known of the network; `newest` is the newest snapshot's tick.
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
