//! The priority of a record within its snapshot.
//!
//! The ticks that a record has waited, times its send priority, and twice that for a near entity.
//! An entity that is new to a client waits since it came into view. The client's own entities and
//! removals come first.

use tickwire_shared::Tick;

use super::sent_snapshots::SentSnapshots;
use crate::room::interest::Interest;
use crate::room::world::World;

/// The head start of entities never sent to a client, in ticks of waiting.
pub(super) const FRESH_PRIORITY_TICKS: u32 = 30;
/// Ticks beyond the usual after which an unacknowledged snapshot counts as lost.
const LOST_TICKS: i32 = 8;

/// The priority of a record within its snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Priority(pub(super) u32);

impl Priority {
    pub(super) const NONE: Priority = Priority(0);
    pub(super) const FIRST_OF_ALL: Priority = Priority(u32::MAX - 1);
    /// Before even the first of all.
    pub(super) const OVERDUE: Priority = Priority(u32::MAX);

    /// Priority by the ticks that a record has waited: at 60 Hz it rises for a day and a half in
    /// any case.
    pub(super) fn of(waited_ticks: u32, matters: u8, is_near: bool) -> Self {
        let priority = waited_ticks.saturating_mul(u32::from(matters) << u32::from(is_near));
        Priority(priority.min(Priority::FIRST_OF_ALL.0 - 1))
    }
}

/// The client's view and states, as far as priorities depend on them.
#[derive(Clone, Copy, Debug)]
pub(super) struct WaitingFor<'a> {
    pub(super) world: &'a World,
    pub(super) interest: &'a Interest,
    pub(super) sent_snapshots: &'a SentSnapshots,
}

impl WaitingFor<'_> {
    /// The priority of an entity of another owner, last sent to the client at the tick `sent`.
    #[inline]
    pub(super) fn priority(&self, slot: u16, sent: u32, is_near: bool) -> Priority {
        let tick = self.world.tick();
        let summary = &self.world.summaries()[usize::from(slot)];
        let mut told = sent;
        if tick.since(Tick(told)) > self.sent_snapshots.flight_ticks() + LOST_TICKS {
            // It has waited since its last acknowledged state.
            told = self.sent_snapshots.acked(slot);
        }
        let waited_ticks = if told < summary.spawned {
            let came = self.interest.entered(slot).max(summary.spawned);
            FRESH_PRIORITY_TICKS + tick.since(Tick(came)).unsigned_abs()
        } else {
            tick.since(Tick(told)).unsigned_abs()
        };
        Priority::of(waited_ticks, summary.priority, is_near)
    }
}
