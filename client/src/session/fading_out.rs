//! Removed entities that are still visible while they fade out.

use std::collections::VecDeque;

use tickwire_shared::Tick;
use tickwire_shared::replica::{Departed, Entity, Replica};

use super::extrapolated::Extrapolated;
use super::interpolation::KindBlend;
use super::timeline::ShownTicks;
use super::trajectory::Trajectory;

/// Most such entities; beyond it, the earliest disappear.
const LEAVING_MAX: usize = 256;
/// Seconds of a complete fade, in or out.
const PRESENCE_S: f64 = 0.2;

/// Entities that left, in order.
#[derive(Debug)]
pub(super) struct FadingOut {
    fade_ticks: f64,
    list: VecDeque<FadingEntity>,
}

#[derive(Debug)]
struct FadingEntity {
    departed: Departed,
    /// The motion of an interpolated entity after its last state.
    trajectory: Trajectory,
    /// The shown input time at which the entity was removed, for one that is shown ahead.
    told: f64,
}

impl FadingOut {
    pub(super) fn new(tick_hz: u32) -> Self {
        FadingOut { fade_ticks: PRESENCE_S * f64::from(tick_hz), list: VecDeque::new() }
    }

    /// Adds an entity that departed at the shown input time `input_time`.
    pub(super) fn add(&mut self, departed: Departed, replica: &Replica, input_time: f64) {
        let Some(table) = replica.kind(departed.entity.kind) else { return };
        if self.list.len() >= LEAVING_MAX {
            self.list.pop_front();
        }
        let trajectory = Trajectory::of(&departed.entity, departed.tick, table, None);
        self.list.push_back(FadingEntity { departed, trajectory, told: input_time });
    }

    /// Drops entities that are no longer visible or that came back.
    pub(super) fn advance(
        &mut self,
        times: ShownTicks,
        replica: &Replica,
        extrapolated: &Extrapolated,
    ) {
        let fade_ticks = self.fade_ticks;
        self.list.retain(|left| {
            let entity = &left.departed.entity;
            let is_back = || replica.entities().iter().any(|other| other.id == entity.id);
            presence_of(left, times, fade_ticks, extrapolated.has_kind(entity.kind)) > 0.0
                && !is_back()
        });
    }

    /// All of its entities; for the display of those shown ahead.
    pub(super) fn entities(&self) -> impl Iterator<Item = &Entity> {
        self.list.iter().map(|left| &left.departed.entity)
    }

    /// Calls `each` with every entity, its presence and its lanes.
    pub(super) fn for_each(
        &self,
        times: ShownTicks,
        replica: &Replica,
        (blends, extrapolated): (&[KindBlend], &Extrapolated),
        mut each: impl FnMut(&Entity, f64, &[f64]),
    ) {
        let mut lanes = Vec::new();
        for left in &self.list {
            let entity = &left.departed.entity;
            let is_ahead = extrapolated.has_kind(entity.kind);
            let presence = presence_of(left, times, self.fade_ticks, is_ahead);
            if is_ahead {
                if let Some(lanes) = extrapolated.shown(entity.id) {
                    each(entity, presence, lanes);
                }
                continue;
            }
            let Some(table) = replica.kind(entity.kind) else { continue };
            let blend = &blends[usize::from(entity.kind)];
            let last = entity.states.tick(entity.states.len() - 1);
            let past = times.shown - f64::from(last.since(times.start));
            if past > 0.0 {
                left.trajectory.along(past, table, blend, entity.mine, &mut lanes);
            } else {
                blend.at(entity, times.start, times.shown, &mut lanes);
            }
            each(entity, presence.min(self.entered(entity.first, times)), &lanes);
        }
    }

    /// The presence of an interpolated entity whose first state is of tick `first`.
    pub(super) fn entered(&self, first: Tick, times: ShownTicks) -> f64 {
        part(times.shown - f64::from(first.since(times.start)), self.fade_ticks)
    }

    /// The presence of an entity shown ahead, by the ticks since its first frame.
    pub(super) fn entered_ahead(&self, ticks: f64) -> f64 {
        part(ticks, self.fade_ticks)
    }
}

fn presence_of(left: &FadingEntity, times: ShownTicks, fade_ticks: f64, is_ahead: bool) -> f64 {
    let Departed { tick, in_world, .. } = left.departed;
    let since = if is_ahead {
        times.input_time - left.told
    } else {
        times.shown - f64::from(tick.since(times.start))
    };
    match in_world {
        true => 1.0 - part(since, fade_ticks),
        // Entities shown ahead are already past their end.
        false if is_ahead || since >= 0.0 => 0.0,
        false => 1.0,
    }
}

fn part(ticks: f64, of: f64) -> f64 {
    (ticks / of).clamp(0.0, 1.0)
}
