//! The summary of a slot.

use glam::Vec3;

/// The properties of a slot that every client checks in every tick, close together in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotSummary {
    /// NaN for an entity without a place: no distance rules it out. Infinite for an invalid place:
    /// every distance does.
    pub(super) place: Vec3,
    /// Number of the owner, 0 for none.
    pub(super) owner: u32,
    /// The tick at which this entity took the slot; older states are of another entity.
    pub(super) spawned: u32,
    /// The last tick with a change in any lane.
    pub(super) changed: u32,
    /// The last tick with a change in a public lane, one that not only the owner sees.
    pub(super) changed_public: u32,
    pub(super) kind: u8,
    /// Its send priority, at least 1.
    pub(super) priority: u8,
}

impl SlotSummary {
    /// The last tick with a change that its owner sees, or that others see.
    #[inline]
    pub(super) fn changed_for(&self, is_owner: bool) -> u32 {
        if is_owner { self.changed } else { self.changed_public }
    }
}
