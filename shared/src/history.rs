//! The states of one entity by tick.

use crate::Tick;

/// Initial number of places.
const PLACES_MIN: usize = 4;

/// A queue of (tick, lanes), oldest first, each with the same number of lanes.
///
/// ```text
/// places   tick lanes | tick lanes | tick lanes | tick lanes     a ring, a power of two of them
///                       ^newest      (free)       ^oldest
/// ```
#[derive(Clone, Debug)]
pub struct History {
    width: usize,
    /// Place of the oldest state.
    start: usize,
    len: usize,
    /// Number of places, less one.
    last_place: usize,
    /// For each place its tick, as bits, and its lanes.
    places: Vec<i32>,
}

impl History {
    /// An empty history of states with `width` lanes.
    pub fn new(width: usize) -> Self {
        let places = vec![0; PLACES_MIN * (width + 1)];
        History { width, start: 0, len: 0, last_place: PLACES_MIN - 1, places }
    }

    /// Appends the state at `tick`, which must be later than all before.
    pub fn push(&mut self, tick: Tick, lanes: &[i32]) {
        self.make_place();
        let at = self.begin(self.len) + 1;
        self.places[at..at + self.width].copy_from_slice(lanes);
        self.push_draft(tick);
    }

    /// The lanes of state `at`, and those of the next state, to be filled in. It becomes a state
    /// with [`History::push_draft`].
    #[inline]
    pub fn draft(&mut self, at: usize) -> (&[i32], &mut [i32]) {
        self.make_place();
        let (from, to) = (self.begin(at) + 1, self.begin(self.len) + 1);
        if from < to {
            let (head, tail) = self.places.split_at_mut(to);
            (&head[from..from + self.width], &mut tail[..self.width])
        } else {
            let (head, tail) = self.places.split_at_mut(from);
            (&tail[..self.width], &mut head[to..to + self.width])
        }
    }

    /// Appends the [draft](History::draft) as the state at `tick`, which must be later than all
    /// before.
    #[inline]
    pub fn push_draft(&mut self, tick: Tick) {
        debug_assert!(self.is_empty() || tick.since(self.tick(self.len - 1)) > 0);
        debug_assert!(self.len <= self.last_place);
        let begin = self.begin(self.len);
        self.places[begin] = tick.0.cast_signed();
        self.len += 1;
    }

    /// The number of states.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there is no state.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tick of state `at`, 0 being the oldest.
    #[inline]
    pub fn tick(&self, at: usize) -> Tick {
        debug_assert!(at < self.len);
        Tick(self.places[self.begin(at)].cast_unsigned())
    }

    /// The lanes of state `at`.
    #[inline]
    pub fn lanes(&self, at: usize) -> &[i32] {
        debug_assert!(at < self.len);
        let first = self.begin(at) + 1;
        &self.places[first..first + self.width]
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

    /// The newest state at or before `tick`.
    #[inline]
    pub fn at_or_before(&self, tick: Tick) -> Option<usize> {
        let newest = self.len.checked_sub(1)?;
        // Ticks are distinct, so the state is at most this far back, and usually exactly there.
        let behind_ticks = self.tick(newest).since(tick).max(0) as usize;
        let mut at = newest.saturating_sub(behind_ticks);
        if tick.since(self.tick(at)) < 0 {
            return None;
        }
        while at < newest && tick.since(self.tick(at + 1)) >= 0 {
            at += 1;
        }
        Some(at)
    }

    /// The state of exactly `tick`.
    #[inline]
    pub fn at(&self, tick: Tick) -> Option<usize> {
        self.at_or_before(tick).filter(|&at| self.tick(at) == tick)
    }

    /// Drops the states that no tick from `tick` on needs: all before the newest one at or before
    /// it.
    pub fn forget_before(&mut self, tick: Tick) {
        while self.len > 1 && tick.since(self.tick(1)) >= 0 {
            self.start = (self.start + 1) & self.last_place;
            self.len -= 1;
        }
    }

    /// Drops the second oldest state.
    pub fn forget_second(&mut self) {
        if self.len < 2 {
            return;
        }
        let (oldest, second) = (self.begin(0), self.begin(1));
        self.places.copy_within(oldest..oldest + self.width + 1, second);
        self.start = (self.start + 1) & self.last_place;
        self.len -= 1;
    }

    /// The index in `places` at which state `at`, or the next one, begins.
    #[inline]
    fn begin(&self, at: usize) -> usize {
        ((self.start + at) & self.last_place) * (self.width + 1)
    }

    /// Ensures that there is a place for one more.
    #[inline]
    fn make_place(&mut self) {
        if self.len > self.last_place {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let count = 2 * (self.last_place + 1);
        let first = self.begin(0);
        self.places.rotate_left(first);
        self.places.resize(count * (self.width + 1), 0);
        (self.start, self.last_place) = (0, count - 1);
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
    fn a_draft_is_no_state_before_it_is_pushed() {
        let mut history = History::new(2);
        history.push(Tick(1), &[1, 1]);
        for tick in 2..100u32 {
            let (before, draft) = history.draft(history.len() - 1);
            assert_eq!(before, [tick as i32 - 1; 2]);
            draft.fill(-1);
            assert_eq!(history.at_or_before(Tick(tick)), Some(history.len() - 1));
            history.draft(0).1.fill(tick as i32);
            history.forget_before(Tick(tick.saturating_sub(5)));
            history.push_draft(Tick(tick));
            assert_eq!(history.lanes(history.len() - 1), [tick as i32; 2]);
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
