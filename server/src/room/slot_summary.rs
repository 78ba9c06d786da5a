//! A slot in short.

use glam::Vec3;

/// What every client asks of a slot in every tick, close together in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotSummary {
    /// Not a number for what has no place: no distance rules it out. Infinite for one at no place that there is:
    /// every distance does.
    pub(super) place: Vec3,
    /// Number of the owner, 0 for none.
    pub(super) owner: u32,
    /// The tick this entity took the slot; what a client knows from before is of another one.
    pub(super) spawned: u32,
    /// The last tick with a change in any lane.
    pub(super) changed: u32,
    /// The last tick with a change in a lane that others than the owner see.
    pub(super) changed_public: u32,
    pub(super) kind: u8,
    /// How much it matters beside others, at least 1.
    pub(super) priority: u8,
}

impl SlotSummary {
    /// The last tick with a change that its owner sees, or others.
    #[inline]
    pub(super) fn changed_for(&self, is_owner: bool) -> u32 {
        if is_owner { self.changed } else { self.changed_public }
    }
}
