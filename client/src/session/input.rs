//! Inputs that the server may not have yet.

use std::collections::VecDeque;
use std::time::Duration;

use tickwire_shared::Tick;
use tickwire_shared::input::{INPUTS_MAX, InputCodec, InputHead, VIEW_DELAY_UNITS};
use tickwire_shared::schema::Schema;

use super::timeline::Timeline;

/// Most ticks sampled at once: one frame of a page that draws twice a second. After a longer pause
/// older ticks are skipped.
const CATCH_UP_TICKS_MAX: i32 = 30;
/// Most ticks for which a clock that was set back waits until it has caught up.
const SET_BACK_TICKS_MAX: i32 = 16;
/// Fewest inputs in a datagram, so that it makes up for a lost one before.
const REPEAT_MIN: usize = 3;
/// Inputs kept for sending and stepping again.
const SENT_MAX: usize = 128;
/// Seconds for which the send times of inputs are kept: the longest wait for a report.
const KNOWN_S: u32 = 6;

/// Sent inputs, newest last.
#[derive(Debug)]
pub(super) struct InputQueue {
    codec: InputCodec,
    sent: VecDeque<SentInput>,
    /// Tick, send time and clock origin of the last inputs, in the order in which they were sent.
    known: VecDeque<(Tick, Duration, f64)>,
    known_max: usize,
    /// An input was sampled that no datagram contains yet.
    is_due: bool,
    /// The newest input that the server has reported.
    reported: Option<Tick>,
}

#[derive(Debug)]
struct SentInput {
    tick: Tick,
    view_delay: u8,
    lanes: Vec<i32>,
}

impl InputQueue {
    pub(super) fn new(schema: &Schema) -> Self {
        InputQueue {
            codec: InputCodec::new(schema),
            sent: VecDeque::new(),
            known: VecDeque::new(),
            known_max: (KNOWN_S * schema.tick_hz) as usize,
            is_due: false,
            reported: None,
        }
    }

    /// The newest tick with a sampled input.
    pub(super) fn newest(&self) -> Option<Tick> {
        self.sent.back().map(|sent| sent.tick)
    }

    /// The input of `tick`. If that is unknown, the nearest one before it; before the oldest, the
    /// oldest.
    pub(super) fn lanes(&self, tick: Tick) -> &[i32] {
        let known = self.sent.iter().rev().find(|sent| tick.since(sent.tick) >= 0);
        known.or(self.sent.front()).map_or(&[], |sent| &sent.lanes)
    }

    /// Samples `held` for each due tick at `now`.
    pub(super) fn sample(&mut self, now: Duration, timeline: &Timeline, held: &[i32]) {
        let tick = timeline.clock().input_tick(now);
        let due_ticks = self.newest().map_or(1, |newest| tick.since(newest));
        if due_ticks <= 0 && due_ticks > -SET_BACK_TICKS_MAX {
            return;
        }
        self.is_due = true;
        // A clock that was set back or ahead by too much restarts at its own tick.
        let first = if (1..=CATCH_UP_TICKS_MAX).contains(&due_ticks) { due_ticks - 1 } else { 0 };
        for back in (0..=first).rev() {
            self.push(tick.offset(-back), now, timeline, held);
        }
    }

    /// Returns true if anything was sampled since the last call.
    pub(super) fn take_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }

    /// Adds the input of `tick`. Ticks must be consecutive; after a gap the queue starts afresh.
    fn push(&mut self, tick: Tick, at: Duration, timeline: &Timeline, held: &[i32]) {
        if self.newest().is_some_and(|newest| tick != newest.next()) {
            self.sent.clear();
        }
        let reuse = if self.sent.len() >= SENT_MAX { self.sent.pop_front() } else { None };
        let mut lanes = reuse.map(|sent| sent.lanes).unwrap_or_default();
        lanes.clear();
        lanes.extend_from_slice(held);
        let view_delay =
            (timeline.view_delay_ticks(tick) * f64::from(VIEW_DELAY_UNITS)).round() as u8;
        self.sent.push_back(SentInput { tick, view_delay, lanes });
        if self.known.len() >= self.known_max {
            self.known.pop_front();
        }
        self.known.push_back((tick, at, timeline.clock().input_origin()));
    }

    /// Takes the report that the server has the input of `tick`. Returns its send time and clock
    /// origin, the first time it is reported.
    pub(super) fn report(&mut self, tick: Tick) -> Option<(Duration, f64)> {
        if self.reported.is_some_and(|reported| tick.since(reported) <= 0) {
            return None;
        }
        self.reported = Some(tick);
        let known = self.known.iter().rev().find(|(known, ..)| *known == tick);
        known.map(|&(_, at, origin)| (at, origin))
    }

    /// A datagram with acknowledgements only.
    pub(super) fn acknowledgement(&self, head: InputHead) -> Vec<u8> {
        self.codec.encode(head, &[])
    }

    /// A datagram with the inputs that the server has not reported, at most [`INPUTS_MAX`].
    pub(super) fn datagram(&self, head: InputHead) -> Vec<u8> {
        let Some(&SentInput { tick: newest, view_delay, .. }) = self.sent.back() else {
            return self.acknowledgement(head);
        };
        let unreported = match self.reported {
            Some(reported) => newest.since(reported).max(0) as usize,
            None => INPUTS_MAX,
        };
        let count = unreported.clamp(REPEAT_MIN, INPUTS_MAX).min(self.sent.len());
        let lanes: Vec<i32> = self
            .sent
            .iter()
            .rev()
            .take(count)
            .flat_map(|sent| sent.lanes.iter().copied())
            .collect();
        self.codec.encode(InputHead { newest_low16: newest.low16(), view_delay, ..head }, &lanes)
    }
}
