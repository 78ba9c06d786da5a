//! The states one entity went through, by tick.

use crate::Tick;

/// A queue of (tick, lanes), oldest first, each with the same number of lanes.
#[derive(Clone, Debug)]
pub struct History {
    width: usize,
    /// Place of the oldest state.
    start: usize,
    len: usize,
    /// A ring of places, a power of two of them.
    ticks: Vec<Tick>,
    /// The lanes of each place, side by side.
    lanes: Vec<i32>,
}

impl History {
    /// An empty history of states with `width` lanes.
    pub fn new(width: usize) -> Self {
        History { width, start: 0, len: 0, ticks: Vec::new(), lanes: Vec::new() }
    }

    /// Appends the state at `tick`, which must be later than all before.
    pub fn push(&mut self, tick: Tick, lanes: &[i32]) {
        debug_assert!(self.is_empty() || tick.since(self.tick(self.len - 1)) > 0);
        if self.len == self.ticks.len() {
            self.grow();
        }
        self.len += 1;
        let place = self.place(self.len - 1);
        self.ticks[place] = tick;
        self.lanes[place * self.width..(place + 1) * self.width].copy_from_slice(lanes);
    }

    /// Number of states.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no state.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tick of state `at`, 0 being the oldest.
    #[inline]
    pub fn tick(&self, at: usize) -> Tick {
        self.ticks[self.place(at)]
    }

    /// The lanes of state `at`.
    #[inline]
    pub fn lanes(&self, at: usize) -> &[i32] {
        let place = self.place(at);
        &self.lanes[place * self.width..(place + 1) * self.width]
    }

    /// Copies the lanes of state `at` into `out`.
    #[inline]
    pub fn copy_to(&self, at: usize, out: &mut [i32]) {
        out[..self.width].copy_from_slice(self.lanes(at));
    }

    /// The lanes of state `at`.
    pub fn state(&self, at: usize) -> impl Iterator<Item = i32> + '_ {
        self.lanes(at).iter().copied()
    }

    /// The newest state not after `tick`.
    #[inline]
    pub fn at_or_before(&self, tick: Tick) -> Option<usize> {
        (0..self.len).rev().find(|&at| tick.since(self.tick(at)) >= 0)
    }

    /// The state of exactly `tick`.
    #[inline]
    pub fn at(&self, tick: Tick) -> Option<usize> {
        self.at_or_before(tick).filter(|&at| self.tick(at) == tick)
    }

    /// Forgets the states that no tick from `tick` on needs: all before the newest one not after it.
    pub fn forget_before(&mut self, tick: Tick) {
        while self.len > 1 && tick.since(self.tick(1)) >= 0 {
            self.start = self.place(1);
            self.len -= 1;
        }
    }

    /// Forgets the second oldest state.
    pub fn forget_second(&mut self) {
        if self.len < 2 {
            return;
        }
        let (oldest, second) = (self.place(0), self.place(1));
        self.ticks[second] = self.ticks[oldest];
        let from = oldest * self.width;
        self.lanes.copy_within(from..from + self.width, second * self.width);
        self.start = second;
        self.len -= 1;
    }

    #[inline]
    fn place(&self, at: usize) -> usize {
        debug_assert!(at < self.len);
        (self.start + at) & (self.ticks.len() - 1)
    }

    fn grow(&mut self) {
        let places = (2 * self.ticks.len()).max(PLACES_MIN);
        let (mut ticks, mut lanes) =
            (Vec::with_capacity(places), Vec::with_capacity(places * self.width));
        for at in 0..self.len {
            ticks.push(self.tick(at));
            lanes.extend_from_slice(self.lanes(at));
        }
        ticks.resize(places, Tick(0));
        lanes.resize(places * self.width, 0);
        (self.start, self.ticks, self.lanes) = (0, ticks, lanes);
    }
}

/// Places of a history that is not empty.
const PLACES_MIN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_state_outlives_the_second() {
        let mut history = History::new(2);
        for tick in 1..4u32 {
            history.push(Tick(tick), &[tick as i32; 2]);
        }
        history.forget_second();
        assert_eq!((history.len(), history.tick(0), history.tick(1)), (2, Tick(1), Tick(3)));
        assert_eq!(history.state(1).collect::<Vec<_>>(), [3, 3]);
    }

    #[test]
    fn states_are_whole_wherever_the_queue_wraps() {
        for width in 1..5 {
            let mut history = History::new(width);
            for tick in 1..200u32 {
                history.push(Tick(tick), &vec![tick as i32; width]);
                history.forget_before(Tick(tick.saturating_sub(5)));
                for at in 0..history.len() {
                    let mut out = vec![0; width];
                    history.copy_to(at, &mut out);
                    assert_eq!(out, vec![history.tick(at).0 as i32; width]);
                }
            }
        }
    }

    #[test]
    fn the_state_of_a_tick_is_the_last_change_before_it() {
        let mut history = History::new(2);
        for tick in [3u32, 5, 9] {
            history.push(Tick(tick), &[tick as i32, -(tick as i32)]);
        }
        assert_eq!(history.at_or_before(Tick(2)), None);
        assert_eq!(history.at_or_before(Tick(8)), Some(1));
        assert_eq!(history.at(Tick(8)), None);
        assert_eq!(history.state(2).collect::<Vec<_>>(), [9, -9]);
        history.forget_before(Tick(8));
        assert_eq!((history.len(), history.tick(0)), (2, Tick(5)));
        assert_eq!(history.at_or_before(Tick(8)), Some(0));
    }
}
