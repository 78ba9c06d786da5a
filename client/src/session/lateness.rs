//! The wait for data from the network: as short as possible, as long as necessary.

use std::collections::VecDeque;

/// Values remembered: half a minute at 60 a second.
const KEPT_MAX: usize = 2048;
/// Most of those values that may exceed the wait.
const LEFT_OUT_MAX: usize = 96;
/// Values between two computations of the wait.
const FRESH_VALUES: u32 = 8;
/// Consecutive values above the wait that mean a changed network.
const ABOVE_IN_A_ROW_MAX: usize = 8;
/// Consecutive values far below the earlier ones that mean a changed network.
const BELOW_IN_A_ROW_MAX: usize = 128;
/// Distance, in ticks, that counts as far below.
const FAR_BELOW_TICKS: f32 = 1.5;
/// One value in this many belongs to the tail, which tells how fast larger values become rare.
const TAIL_SHARE: usize = 64;
const TAIL_MAX: usize = 32;
/// The wait covers the worst value expected in this multiple of the kept values.
const TO_COME: f64 = 2.0;
/// Most that this adds to the wait, in ticks.
const TO_COME_MAX: f64 = 6.0;

/// The last values of how late something came, and the wait that covers them, both in ticks.
///
/// A longer wait costs delay, a shorter one leaves more values late. The wait is where lengthening
/// it would cost more than it saves: one tick of delay is worth the `1 / price` part of all values
/// being late. So it covers every value of an even network, the bursts of a bad one as far as they
/// are worth it, and no outlier. Where it covers all values the worst may still be to come: as for
/// the largest of values with an exponential tail, the wait is longer by the mean excess of the
/// worst values times the logarithm of the share of values still missing.
#[derive(Clone, Debug)]
pub(super) struct Lateness {
    price_ticks: f64,
    values: VecDeque<f32>,
    wait: Option<f64>,
    since_fresh: u32,
    above: usize,
    sorted: Vec<f32>,
}

impl Lateness {
    /// `price_ticks`: the delay, in ticks, that is worth having no late value.
    pub(super) fn new(price_ticks: f64) -> Self {
        Lateness {
            price_ticks,
            values: VecDeque::new(),
            wait: None,
            since_fresh: 0,
            above: 0,
            sorted: Vec::new(),
        }
    }

    /// Adds the value of something that was lost: it counts as having come with what followed it.
    pub(super) fn push_lost(&mut self, value: f64) {
        if self.values.len() == KEPT_MAX {
            self.values.pop_front();
        }
        self.values.push_back(value as f32);
    }

    /// Adds a value. Returns true if the network has changed: the wait may now be far from the one
    /// before.
    pub(super) fn push(&mut self, value: f64) -> bool {
        self.push_lost(value);
        self.above = if self.wait.is_some_and(|wait| value > wait) { self.above + 1 } else { 0 };
        self.since_fresh += 1;
        let is_other = self.above >= ABOVE_IN_A_ROW_MAX;
        if is_other {
            self.keep_last(ABOVE_IN_A_ROW_MAX);
        }
        let is_young = self.values.len() < BELOW_IN_A_ROW_MAX;
        if is_other || is_young || self.since_fresh >= FRESH_VALUES {
            self.since_fresh = 0;
            if !is_other && self.is_better() {
                self.keep_last(BELOW_IN_A_ROW_MAX);
            }
            self.wait = Some(self.cheapest());
        }
        is_other
    }

    /// The wait in ticks; `None` before the first value.
    pub(super) fn wait(&self) -> Option<f64> {
        self.wait
    }

    /// The number of values kept.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.wait = None;
        self.above = 0;
    }

    fn keep_last(&mut self, count: usize) {
        self.above = 0;
        self.values.drain(..self.values.len().saturating_sub(count));
    }

    /// True if the last values are all far below nine in ten of the others.
    fn is_better(&self) -> bool {
        let Some(others) = self.values.len().checked_sub(BELOW_IN_A_ROW_MAX) else { return false };
        let last = self.values.iter().skip(others).fold(f32::MIN, |most, &value| most.max(value));
        let last = last + FAR_BELOW_TICKS;
        let below = self.values.iter().take(others).filter(|&&value| value <= last).count();
        others > 0 && below * 10 < others
    }

    fn cheapest(&mut self) -> f64 {
        self.sorted.clear();
        self.sorted.extend(&self.values);
        let top = (LEFT_OUT_MAX + 1).min(self.sorted.len());
        self.sorted.select_nth_unstable_by(top - 1, |a, b| b.total_cmp(a));
        self.sorted.truncate(top);
        self.sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let price = self.price_ticks / self.values.len() as f64;
        let cost = |left_out: usize, wait: f32| f64::from(wait) + left_out as f64 * price;
        let waits = self.sorted.iter().copied().enumerate();
        let (left_out, wait) = waits
            .min_by(|a, b| cost(a.0, a.1).total_cmp(&cost(b.0, b.1)))
            .expect("a value was pushed");
        let to_come = if left_out == 0 { self.to_come() } else { 0.0 };
        f64::from(wait) + to_come
    }

    /// The expected excess of the worst value still to come over the worst so far, in ticks.
    fn to_come(&self) -> f64 {
        let tail = (self.values.len() / TAIL_SHARE).clamp(2, TAIL_MAX);
        let tail = &self.sorted[..tail.min(self.sorted.len())];
        let least = tail[tail.len() - 1];
        let excess = tail.iter().map(|value| f64::from(value - least)).sum::<f64>();
        if self.values.len() < TAIL_SHARE {
            return 0.0;
        }
        let missing = (TO_COME * KEPT_MAX as f64 / self.values.len() as f64).ln().max(0.0);
        (excess / tail.len() as f64 * missing).min(TO_COME_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(price: f64, values: impl IntoIterator<Item = f64>) -> Lateness {
        let mut lateness = Lateness::new(price);
        for value in values {
            lateness.push(value);
        }
        lateness
    }

    #[test]
    fn an_even_network_is_waited_for_to_its_end_and_an_outlier_is_not() {
        let even = |at: u32| f64::from(at % 16) / 8.0;
        let wait = after(1500.0, (0..1600).map(even)).wait().unwrap();
        assert!((15.0 / 8.0..2.0).contains(&wait), "{wait}");
        let outlier = |at: u32| if at == 800 { 40.0 } else { even(at) };
        assert_eq!(after(1500.0, (0..1600).map(outlier)).wait(), Some(15.0 / 8.0));
    }

    #[test]
    fn bursts_are_covered_as_far_as_they_are_worth_it() {
        // One in a hundred values is three ticks late, one in two thousand eight.
        let burst = |at: u32| match at {
            700 => 8.0,
            at if at.is_multiple_of(100) => 3.0,
            _ => 0.0,
        };
        assert_eq!(after(1500.0, (1..2000).map(burst)).wait(), Some(3.0));
        assert_eq!(after(20.0, (1..2000).map(burst)).wait(), Some(0.0));
    }

    #[test]
    fn a_worse_network_is_noticed_in_eight_values_and_a_better_one_in_two_seconds() {
        let mut lateness = after(1500.0, (0..2000).map(|_| 1.0));
        let noticed: Vec<bool> = (0..8).map(|_| lateness.push(12.0)).collect();
        assert_eq!(noticed, [false, false, false, false, false, false, false, true]);
        assert_eq!(lateness.wait(), Some(12.0));
        for _ in 0..2000 {
            lateness.push(12.0);
        }
        for _ in 0..128 + 2 * FRESH_VALUES {
            lateness.push(1.0);
        }
        assert_eq!(lateness.wait(), Some(1.0));
    }
}
