//! The states one entity went through, by tick.

use std::collections::VecDeque;

use crate::Tick;

/// A queue of (tick, lanes), oldest first, each with the same number of lanes.
#[derive(Clone, Debug)]
pub struct History {
    width: usize,
    ticks: VecDeque<Tick>,
    lanes: VecDeque<i32>,
}

impl History {
    /// An empty history of states with `width` lanes.
    pub fn new(width: usize) -> Self {
        History { width, ticks: VecDeque::new(), lanes: VecDeque::new() }
    }

    /// Appends the state at `tick`, which must be later than all before.
    pub fn push(&mut self, tick: Tick, lanes: &[i32]) {
        debug_assert_eq!(lanes.len(), self.width);
        debug_assert!(self.ticks.back().is_none_or(|last| tick.since(*last) > 0));
        self.ticks.push_back(tick);
        self.lanes.extend(lanes);
    }

    /// Number of states.
    pub fn len(&self) -> usize {
        self.ticks.len()
    }

    /// Whether there is no state.
    pub fn is_empty(&self) -> bool {
        self.ticks.is_empty()
    }

    /// Tick of state `at`, 0 being the oldest.
    pub fn tick(&self, at: usize) -> Tick {
        self.ticks[at]
    }

    /// Copies the lanes of state `at` into `out`.
    #[inline]
    pub fn copy_to(&self, at: usize, out: &mut [i32]) {
        let (span, out) = (self.span(at), &mut out[..self.width]);
        let (front, back) = self.lanes.as_slices();
        if span.end <= front.len() {
            out.copy_from_slice(&front[span]);
        } else if span.start >= front.len() {
            out.copy_from_slice(&back[span.start - front.len()..span.end - front.len()]);
        } else {
            let (begin, end) = out.split_at_mut(front.len() - span.start);
            begin.copy_from_slice(&front[span.start..]);
            end.copy_from_slice(&back[..span.end - front.len()]);
        }
    }

    /// The lanes of state `at`.
    pub fn state(&self, at: usize) -> impl Iterator<Item = i32> + '_ {
        self.lanes.range(self.span(at)).copied()
    }

    /// The newest state not after `tick`.
    pub fn at_or_before(&self, tick: Tick) -> Option<usize> {
        self.ticks.iter().rposition(|at| tick.since(*at) >= 0)
    }

    /// The state of exactly `tick`.
    pub fn at(&self, tick: Tick) -> Option<usize> {
        self.at_or_before(tick).filter(|&at| self.ticks[at] == tick)
    }

    /// Forgets the states that no tick from `tick` on needs: all before the newest one not after it.
    pub fn forget_before(&mut self, tick: Tick) {
        while self.ticks.get(1).is_some_and(|second| tick.since(*second) >= 0) {
            self.ticks.pop_front();
            self.lanes.drain(..self.width);
        }
    }

    /// Forgets the second oldest state.
    pub fn forget_second(&mut self) {
        if self.ticks.remove(1).is_some() {
            self.lanes.drain(self.span(1));
        }
    }

    fn span(&self, at: usize) -> std::ops::Range<usize> {
        at * self.width..(at + 1) * self.width
    }
}

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
