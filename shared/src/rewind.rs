//! A record of the past for lag compensation: the places of things when a player saw them.
//!
//! Keep a [`Rewind`] in the game's own state, so that a checkpoint includes it and a replay gives
//! the same hits. Record everything that can be hit at the end of each step. For a shot, ask for
//! the places with [`Inputs::view_delay_ticks`](crate::Inputs::view_delay_ticks) of the player who
//! aims.

use std::collections::VecDeque;

use glam::{Vec2, Vec3};
use serde::{Deserialize, Serialize};

use crate::{EntityId, Tick};

/// A value that can be interpolated.
pub trait Blend: Copy {
    /// Returns `self` for a `part` of 0, `other` for 1.
    fn blend(self, other: Self, part: f32) -> Self;
}

impl Blend for f32 {
    fn blend(self, other: Self, part: f32) -> Self {
        self + (other - self) * part
    }
}

impl Blend for Vec2 {
    fn blend(self, other: Self, part: f32) -> Self {
        self + (other - self) * part
    }
}

impl Blend for Vec3 {
    fn blend(self, other: Self, part: f32) -> Self {
        self + (other - self) * part
    }
}

/// The last ticks of a property that entities of some sort have, such as their place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rewind<T> {
    /// Newest last; each sorted by entity.
    ticks: VecDeque<(Tick, Vec<(EntityId, T)>)>,
}

impl<T: Blend> Rewind<T> {
    /// Records the property of all things at the end of `tick`, and drops ticks more than
    /// `ticks_max` before it.
    pub fn record(
        &mut self,
        tick: Tick,
        ticks_max: u32,
        things: impl Iterator<Item = (EntityId, T)>,
    ) {
        let mut row = Vec::new();
        while self.ticks.front().is_some_and(|(old, _)| {
            let age = tick.since(*old);
            age <= 0 || age > ticks_max as i32
        }) {
            row = self.ticks.pop_front().map(|(_, row)| row).unwrap_or_default();
        }
        row.clear();
        row.extend(things);
        row.sort_unstable_by_key(|(id, _)| *id);
        self.ticks.push_back((tick, row));
    }

    /// The value of `id` at `ticks_ago` before `tick`, interpolated between two ticks. Goes back at
    /// most as far as the record; `None` if `id` was not there.
    pub fn at(&self, id: EntityId, tick: Tick, ticks_ago: f32) -> Option<T> {
        let (oldest, newest) = (self.ticks.front()?.0, self.ticks.back()?.0);
        let back = f32::max(ticks_ago, 0.0) - tick.since(newest) as f32;
        let back = back.clamp(0.0, newest.since(oldest) as f32);
        let (later, part) = (back.floor() as usize, back.fract());
        let row = |back: usize| {
            let (_, row) = self.ticks.get(self.ticks.len().checked_sub(back + 1)?)?;
            let at = row.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            Some(row[at].1)
        };
        let later_value = row(later)?;
        if part == 0.0 {
            return Some(later_value);
        }
        // An entity that appeared in between is where it was first seen.
        Some(row(later + 1).map_or(later_value, |earlier| later_value.blend(earlier, part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(ticks: u32) -> Rewind<f32> {
        let mut rewind = Rewind::default();
        for tick in 1..=ticks {
            let late = (tick > 7).then_some((EntityId(1), 100.0));
            let things = [(EntityId(9), tick as f32 * 10.0)];
            rewind.record(Tick(tick), 15, things.into_iter().chain(late));
        }
        rewind
    }

    #[test]
    fn things_are_where_they_were_and_no_farther_back_than_is_known() {
        let rewind = recorded(40);
        let at = |ago| rewind.at(EntityId(9), Tick(41), ago);
        assert_eq!(at(1.0), Some(400.0));
        assert_eq!(at(0.0), Some(400.0), "nothing is known of a tick to come");
        assert_eq!(at(3.25), Some(377.5));
        assert_eq!(at(16.0), Some(250.0));
        assert_eq!(at(60.0), Some(250.0));
        assert_eq!(at(f32::NAN), Some(400.0));
        assert_eq!(rewind.at(EntityId(2), Tick(41), 1.0), None);
    }

    #[test]
    fn what_was_not_there_yet_cannot_be_hit() {
        let rewind = recorded(9);
        let at = |ago| rewind.at(EntityId(1), Tick(9), ago);
        assert_eq!((at(0.0), at(1.0)), (Some(100.0), Some(100.0)));
        assert_eq!(at(1.5), Some(100.0), "seen where it came");
        assert_eq!(at(2.0), None);
    }
}
