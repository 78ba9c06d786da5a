//! One player's jitter buffer: inputs wait here for their tick.

use std::time::{Duration, Instant};

use tickwire_shared::Tick;
use tickwire_shared::input::InputDatagram;
use tickwire_shared::snapshot::{DIP_EIGHTH_MS_MAX, InputReport, MARGIN_UNITS_PER_MS};

/// Most ticks that a report can carry.
const REPORT_TICKS_MAX: i32 = 127;

/// Inputs by tick; each is taken once.
#[derive(Debug)]
pub(super) struct InputBuffer<I> {
    /// Ring by tick; each slot holds the tick of its input.
    ring: Vec<Option<(Tick, BufferedInput<I>)>>,
    window_ticks: i32,
    /// The last input that came in time.
    held: BufferedInput<I>,
    /// Ticks since then.
    missed_ticks: u32,
    /// The last one that the room's journal has.
    recorded: BufferedInput<I>,
    newest: Option<NewestInput>,
    /// Inputs are expected, so that a tick without one is a miss: the first one came.
    has_begun: bool,
    /// The least margin of the inputs since the last report, in eighths of a millisecond.
    least_eighth_ms: Option<i32>,
    counts: InputCounts,
}

/// Counts of one player's inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputCounts {
    /// Inputs that came in time.
    pub taken: u64,
    /// Inputs that came after their tick.
    pub late: u64,
    /// Inputs that had not come when their tick was due; the game's rule for missing inputs gave
    /// them.
    pub missing: u64,
    /// Inputs for a tick outside the window.
    pub outside: u64,
}

/// An input with its view delay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct BufferedInput<I> {
    pub(super) input: I,
    /// In units of [`tickwire_shared::input::VIEW_DELAY_UNITS`] a tick.
    pub(super) view_delay: u8,
}

/// What the journal has of a player's input in a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TakenInput<I> {
    /// The one it had before.
    Same,
    /// Another one came.
    New(BufferedInput<I>),
    /// None came: the rules say what it is.
    Missing,
}

#[derive(Clone, Copy, Debug)]
struct NewestInput {
    tick: Tick,
    margin_eighth_ms: i32,
    /// The room's tick at its arrival.
    came: Tick,
}

/// The room's clock: tick `tick` was due at `due`.
#[derive(Clone, Copy, Debug)]
pub(super) struct DueClock {
    pub(super) tick: Tick,
    pub(super) due: Instant,
    pub(super) period: Duration,
}

impl<I: Copy + Default + PartialEq> InputBuffer<I> {
    pub(super) fn new(window_ticks: u32) -> Self {
        let ring = vec![None; window_ticks as usize + 1];
        let window_ticks = window_ticks as i32;
        InputBuffer {
            ring,
            window_ticks,
            held: BufferedInput::default(),
            missed_ticks: 0,
            recorded: BufferedInput::default(),
            newest: None,
            has_begun: false,
            least_eighth_ms: None,
            counts: InputCounts::default(),
        }
    }

    /// The buffer of a player that held an input and had missed that many ticks.
    pub(super) fn held(self, held: BufferedInput<I>, missed_ticks: u32) -> Self {
        InputBuffer { held, recorded: held, missed_ticks, has_begun: true, ..self }
    }

    /// Takes the inputs of one datagram, newest first. Known and useless ones are skipped: every
    /// datagram repeats the inputs whose arrival the client has not learned of.
    pub(super) fn push(&mut self, clock: DueClock, at: Instant, datagram: &InputDatagram<I>) {
        let InputDatagram { head, inputs } = datagram;
        let view_delay = head.view_delay;
        let newest = Tick::expand(head.newest_low16, clock.tick);
        for (age, input) in inputs.iter().enumerate() {
            let tick = newest.offset(-(age as i32));
            let ahead = tick.since(clock.tick);
            if ahead > self.window_ticks || ahead < -self.window_ticks {
                self.counts.outside += 1;
                continue;
            }
            let first_time = self.newest.is_none_or(|known| tick.since(known.tick) > 0);
            if ahead <= 0 {
                self.counts.late += u64::from(first_time && age == 0);
                continue;
            }
            let at = tick.0 as usize % self.ring.len();
            if self.ring[at].is_none_or(|(held, _)| held != tick) {
                self.ring[at] = Some((tick, BufferedInput { input: *input, view_delay }));
            }
        }
        let ahead = newest.since(clock.tick);
        let is_newer = self.newest.is_none_or(|known| newest.since(known.tick) > 0);
        // A late input still reports its lateness.
        let reported_ticks = -self.window_ticks.max(REPORT_TICKS_MAX)..=self.window_ticks;
        if !inputs.is_empty() && is_newer && reported_ticks.contains(&ahead) {
            let first_new = match self.newest {
                Some(known) => known.tick.next(),
                None => newest,
            };
            let oldest = newest.offset(1 - inputs.len() as i32);
            let oldest = if first_new.since(oldest) > 0 { first_new } else { oldest };
            let least = margin(clock, oldest, at);
            self.least_eighth_ms = Some(self.least_eighth_ms.map_or(least, |old| old.min(least)));
            let margin_eighth_ms = margin(clock, newest, at);
            self.newest = Some(NewestInput { tick: newest, margin_eighth_ms, came: clock.tick });
            self.has_begun = true;
        }
    }

    /// True if a later datagram overtook this one; its inputs are all older than the newest.
    pub(super) fn is_overtaken(&self, room_tick: Tick, datagram: &InputDatagram<I>) -> bool {
        let newest = Tick::expand(datagram.head.newest_low16, room_tick);
        !datagram.inputs.is_empty() && self.newest.is_some_and(|known| newest.since(known.tick) < 0)
    }

    /// The input of `tick`. If it has not come, `missing` derives it from the last one and the
    /// ticks since then.
    pub(super) fn take(&mut self, tick: Tick, missing: impl Fn(I, u32) -> I) -> BufferedInput<I> {
        let at = tick.0 as usize % self.ring.len();
        match self.ring[at].take_if(|(held, _)| *held == tick) {
            Some((_, held)) => {
                (self.held, self.missed_ticks) = (held, 0);
                self.counts.taken += 1;
                return held;
            }
            None if !self.has_begun => return self.held,
            None => self.counts.missing += 1,
        }
        self.missed_ticks = self.missed_ticks.saturating_add(1);
        BufferedInput { input: missing(self.held.input, self.missed_ticks), ..self.held }
    }

    /// What was taken last, for the room's journal, which has it from now on.
    pub(super) fn taken_since_recorded(&mut self) -> TakenInput<I> {
        if self.missed_ticks > 0 {
            return TakenInput::Missing;
        }
        if self.held == self.recorded {
            return TakenInput::Same;
        }
        self.recorded = self.held;
        TakenInput::New(self.held)
    }

    /// The report for the next snapshot.
    pub(super) fn report(&mut self, tick: Tick) -> Option<InputReport> {
        // An input from a window ago says nothing of the inputs that come now.
        let least = self.least_eighth_ms.take();
        let newest = self
            .newest
            .filter(|newest| newest.came.since(tick) > -self.window_ticks.min(REPORT_TICKS_MAX))?;
        Some(InputReport {
            newest_ticks: newest.tick.since(tick).clamp(-128, 127),
            margin_eighth_ms: newest.margin_eighth_ms,
            dip_eighth_ms: least.map_or(0, |least| dip(newest.margin_eighth_ms, least)),
        })
    }

    pub(super) fn counts(&self) -> InputCounts {
        self.counts
    }
}

fn margin(clock: DueClock, tick: Tick, at: Instant) -> i32 {
    let ahead_s = clock.period.as_secs_f64() * f64::from(tick.since(clock.tick));
    let since_due_s = match at.checked_duration_since(clock.due) {
        Some(after) => after.as_secs_f64(),
        None => -clock.due.duration_since(at).as_secs_f64(),
    };
    ((ahead_s - since_due_s) * 1000.0 * f64::from(MARGIN_UNITS_PER_MS)) as i32
}

/// The distance of the least margin below the newest input's, bounded as on the wire.
fn dip(newest_eighth_ms: i32, least_eighth_ms: i32) -> u32 {
    newest_eighth_ms.saturating_sub(least_eighth_ms).clamp(0, DIP_EIGHTH_MS_MAX) as u32
}

#[cfg(test)]
mod tests {
    use tickwire_shared::input::InputHead;

    use super::*;

    const HOLD_ON: fn(u8, u32) -> u8 = |last, _| last;

    fn datagram(newest_low16: u16, inputs: &[u8]) -> InputDatagram<u8> {
        let head = InputHead { newest_low16, view_delay: 7, ..InputHead::default() };
        InputDatagram { head, inputs: inputs.to_vec() }
    }

    fn clock(tick: u32, due: Instant) -> DueClock {
        DueClock { tick: Tick(tick), due, period: Duration::from_millis(10) }
    }

    #[test]
    fn inputs_wait_for_their_tick_and_the_last_one_is_held() {
        let due = Instant::now();
        let mut buffer = InputBuffer::new(32);
        buffer.push(clock(100, due), due, &datagram(103, &[3, 2, 1, 0]));
        let taken: Vec<u8> =
            (101..=105).map(|tick| buffer.take(Tick(tick), HOLD_ON).input).collect();
        assert_eq!(taken, [1, 2, 3, 3, 3]);
        let counts = buffer.counts();
        assert_eq!((counts.taken, counts.missing, counts.late), (3, 2, 0));
    }

    #[test]
    fn the_first_input_of_a_tick_stands_and_repeats_change_nothing() {
        let due = Instant::now();
        let mut buffer = InputBuffer::new(32);
        buffer.push(clock(0, due), due, &datagram(1, &[7]));
        buffer.push(clock(0, due), due, &datagram(1, &[9]));
        assert_eq!(buffer.take(Tick(1), HOLD_ON), BufferedInput { input: 7, view_delay: 7 });
        buffer.push(clock(1, due), due, &datagram(1, &[9]));
        assert_eq!(buffer.take(Tick(2), HOLD_ON).input, 7);
    }

    #[test]
    fn a_tick_outside_the_window_is_counted_and_dropped() {
        let due = Instant::now();
        let mut buffer = InputBuffer::new(32);
        buffer.push(clock(1000, due), due, &datagram(1033, &[1]));
        buffer.push(clock(1000, due), due, &datagram(800, &[2]));
        assert_eq!(buffer.counts().outside, 2);
        assert!(buffer.report(Tick(1000)).is_none());
        // Useless as well, but its sender learns how late it was.
        buffer.push(clock(1000, due), due, &datagram(900, &[2]));
        assert_eq!(buffer.counts().outside, 3);
        assert_eq!(buffer.report(Tick(1000)).unwrap().newest_ticks, -100);
        assert_eq!(buffer.take(Tick(1033), HOLD_ON).input, 0);
    }

    #[test]
    fn a_datagram_is_overtaken_by_one_with_a_newer_input_and_not_by_its_copy() {
        let due = Instant::now();
        let mut buffer = InputBuffer::new(32);
        let is_overtaken = |buffer: &InputBuffer<u8>, newest| {
            buffer.is_overtaken(Tick(90), &datagram(newest, &[1]))
        };
        assert!(!is_overtaken(&buffer, 5), "nothing came before it");
        buffer.push(clock(90, due), due, &datagram(100, &[1]));
        assert_eq!([99, 100, 101].map(|tick| is_overtaken(&buffer, tick)), [true, false, false]);
        assert!(!buffer.is_overtaken(Tick(90), &datagram(99, &[])), "it tells no tick");
    }

    #[test]
    fn the_report_says_how_early_the_newest_came() {
        let due = Instant::now();
        let mut buffer = InputBuffer::new(32);
        buffer.push(clock(10, due), due + Duration::from_millis(4), &datagram(12, &[1]));
        let report = buffer.report(Tick(11)).unwrap();
        assert_eq!((report.newest_ticks, report.margin_eighth_ms), (1, 16 * 8));
        buffer.push(clock(20, due), due + Duration::from_millis(5), &datagram(20, &[1]));
        assert_eq!(buffer.report(Tick(20)).unwrap().margin_eighth_ms, -5 * 8);
        assert_eq!(buffer.counts().late, 1);
        assert!(buffer.report(Tick(51)).is_some());
        assert!(buffer.report(Tick(52)).is_none(), "nothing came for a whole window");
    }

    #[test]
    fn the_report_says_how_much_later_the_worst_of_the_new_ones_came() {
        let due = Instant::now();
        let mut buffer = InputBuffer::new(32);
        let mut dip = |at_ms: u64, newest, inputs: &[u8]| {
            buffer.push(
                clock(10, due),
                due + Duration::from_millis(at_ms),
                &datagram(newest, inputs),
            );
            buffer.report(Tick(11)).unwrap().dip_eighth_ms
        };
        assert_eq!(dip(1, 12, &[1, 1, 1]), 0, "what came before the first is not known");
        assert_eq!(dip(2, 13, &[1, 1, 1]), 0);
        // Datagrams 14 and 15 were lost: input 14 came two ticks later than 16.
        let two_ticks = dip(3, 16, &[1, 1, 1, 1]);
        assert!((20 * 8 - 1..=20 * 8).contains(&two_ticks), "{two_ticks}");
        assert_eq!(dip(4, 16, &[1]), 0);
    }

    #[test]
    fn the_game_replaces_missing_inputs_until_the_next_arrives() {
        let mut buffer = InputBuffer::new(32);
        let rule = |last: u8, missed_ticks: u32| if missed_ticks > 2 { 0 } else { last };
        assert_eq!(buffer.take(Tick(1), |_, _| 9).input, 0, "nothing was held yet");
        let due = Instant::now();
        buffer.push(clock(1, due), due, &datagram(2, &[7]));
        let held: Vec<u8> = (2..=6).map(|tick| buffer.take(Tick(tick), rule).input).collect();
        assert_eq!(held, [7, 7, 7, 0, 0]);
        buffer.push(clock(6, due), due, &datagram(7, &[5]));
        let held: Vec<u8> = (7..=10).map(|tick| buffer.take(Tick(tick), rule).input).collect();
        assert_eq!(held, [5, 5, 5, 0]);
        assert_eq!(buffer.counts().missing, 7);
    }
}
