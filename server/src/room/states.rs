//! The states of every slot in the last ticks.
//!
//! ```text
//! rows   tick t    slot 0 lanes | slot 1 lanes | slot 2 lanes | ...
//!        tick t+1  slot 0 lanes | slot 1 lanes | ...
//! ```
//!
//! A tick is written from front to back, and a baseline is read in the same order: all clients of a
//! tick are coded against the same few rows.

use tickwire_shared::Tick;
use tickwire_shared::slots::{SlotSet, slots_of};

/// Ticks that are kept.
pub(super) const STATES_TICKS: u32 = 64;

/// Slots allocated at first.
const SLOTS_MIN: usize = 64;

/// The states of the last ticks.
#[derive(Debug)]
pub(super) struct States {
    /// Lanes of the widest kind.
    stride: usize,
    slots: usize,
    now: u32,
    /// By tick modulo [`STATES_TICKS`], then by slot.
    lanes: Vec<i32>,
    /// The slots that changed, by tick modulo [`STATES_TICKS`].
    changed: Vec<SlotSet>,
    /// By slot, the last change older than those in `changed`.
    changed_before: Vec<u32>,
}

impl States {
    /// Storage for kinds of at most `lanes_max` lanes.
    pub(super) fn new(lanes_max: usize) -> Self {
        States {
            stride: lanes_max.max(1),
            slots: 0,
            now: 0,
            lanes: Vec::new(),
            changed: (0..STATES_TICKS).map(|_| SlotSet::default()).collect(),
            changed_before: Vec::new(),
        }
    }

    /// Begins `tick`, the one after the last.
    pub(super) fn begin(&mut self, tick: Tick) {
        self.now = tick.0;
        let row = (self.now % STATES_TICKS) as usize;
        let oldest = self.now.saturating_sub(STATES_TICKS);
        for slot in slots_of(self.changed[row].words()) {
            self.changed_before[usize::from(slot)] = oldest;
        }
        self.changed[row].reset(self.slots);
    }

    /// Stores the current state of `slot`.
    pub(super) fn record(&mut self, slot: u16, lanes: &[i32]) {
        if usize::from(slot) >= self.slots {
            self.grow();
        }
        let at = self.place(self.now, slot);
        self.lanes[at..at + lanes.len()].copy_from_slice(lanes);
    }

    /// Marks `slot` as changed in this tick.
    pub(super) fn mark_changed(&mut self, slot: u16) {
        self.changed[(self.now % STATES_TICKS) as usize].insert(slot);
    }

    /// The slots that changed in this tick.
    pub(super) fn changed(&self) -> &SlotSet {
        &self.changed[(self.now % STATES_TICKS) as usize]
    }

    /// The state of `slot` at `tick`; `None` if it is no longer known. Valid while the slot is of
    /// the same entity.
    #[inline]
    pub(super) fn at(&self, slot: u16, tick: Tick, lanes: usize) -> Option<&[i32]> {
        let oldest = self.now.saturating_sub(STATES_TICKS - 1);
        if tick.0 < oldest
            && (self.changed_before[usize::from(slot)] > tick.0
                || self.changed[(oldest % STATES_TICKS) as usize].contains(slot))
        {
            return None;
        }
        // A slot without a change since then still has the state.
        let at = self.place(tick.0.max(oldest), slot);
        Some(&self.lanes[at..at + lanes])
    }

    /// The current state of `slot`.
    #[inline]
    pub(super) fn newest(&self, slot: u16, lanes: usize) -> &[i32] {
        let at = self.place(self.now, slot);
        &self.lanes[at..at + lanes]
    }

    #[inline]
    fn place(&self, tick: u32, slot: u16) -> usize {
        ((tick % STATES_TICKS) as usize * self.slots + usize::from(slot)) * self.stride
    }

    fn grow(&mut self) {
        let slots = (2 * self.slots).max(SLOTS_MIN);
        let mut lanes = vec![0; STATES_TICKS as usize * slots * self.stride];
        if self.slots > 0 {
            let old = self.lanes.chunks(self.slots * self.stride);
            for (to, from) in lanes.chunks_mut(slots * self.stride).zip(old) {
                to[..from.len()].copy_from_slice(from);
            }
        }
        (self.slots, self.lanes) = (slots, lanes);
        self.changed_before.resize(slots, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_known_for_as_long_as_it_lasts() {
        let mut states = States::new(2);
        for tick in 1..=300 {
            states.begin(Tick(tick));
            // Slot 100 changes at tick 10 and 150, slot 3 in every tick.
            let slow = match tick {
                ..10 => 0,
                10..150 => 10,
                _ => 150,
            };
            states.record(100, &[slow]);
            states.record(3, &[tick as i32, -(tick as i32)]);
            states.mark_changed(3);
            if [1, 10, 150].contains(&tick) {
                states.mark_changed(100);
            }
            if tick == 200 {
                assert_eq!(states.at(100, Tick(160), 1), Some(&[150][..]));
                assert_eq!(states.at(100, Tick(149), 1), Some(&[10][..]));
                assert_eq!(states.at(100, Tick(20), 1), Some(&[10][..]), "as it has not changed");
                assert_eq!(states.at(100, Tick(9), 1), None);
                assert_eq!(states.at(3, Tick(137), 2), Some(&[137, -137][..]));
                assert_eq!(states.at(3, Tick(136), 2), None);
            }
            if tick == 150 + STATES_TICKS - 1 {
                assert_eq!(states.at(100, Tick(150), 1), Some(&[150][..]));
                assert_eq!(states.at(100, Tick(149), 1), None, "it changed in the oldest row");
            }
        }
        assert_eq!(states.at(100, Tick(160), 1), Some(&[150][..]));
        assert_eq!(states.at(100, Tick(149), 1), None);
        assert_eq!(states.newest(3, 2), [300, -300]);
    }
}
