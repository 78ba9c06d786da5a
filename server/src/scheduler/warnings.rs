//! Warnings to the game's author, in the log: each at once, then at most once a minute with its
//! count.

use std::collections::BTreeMap;

use tickwire_shared::Simulation;
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;

use crate::room::{Fault, Finding};

/// Least time between two logs of the same warning.
const AGAIN_NS: u64 = 60_000_000_000;

/// The warnings of one simulation thread.
#[derive(Debug)]
pub(super) struct Warnings {
    schema: Schema,
    /// At most as many as the game's field tables allow.
    faults: BTreeMap<Fault, LastWarning>,
    skips: BTreeMap<SkipReason, LastWarning>,
}

/// The time of the last log and the count since.
#[derive(Debug, Default)]
struct LastWarning {
    at_ns: Option<u64>,
    count: u64,
}

/// The thread's work since its ticks were last on time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ThreadLoad {
    ticks: u64,
    step_ns: u64,
    encode_ns: u64,
    /// The longest tick, and the slot of its room.
    longest: (u64, usize),
}

/// The reason why ticks are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SkipReason {
    /// The game's `step` and `capture`, and the handling of messages.
    Step,
    /// Building the snapshots.
    Encoding,
    /// Neither: the thread did not get to run.
    Machine,
}

impl Warnings {
    pub(super) fn new<S: Simulation>() -> Self {
        Warnings { schema: schema_of::<S>(), faults: BTreeMap::new(), skips: BTreeMap::new() }
    }

    /// Counts a room's finding, and logs it if due.
    pub(super) fn found(&mut self, now_ns: u64, room: &str, finding: &Finding) {
        let told = self.faults.entry(finding.fault).or_default();
        // A game that intends this has it in every room: once is enough.
        if finding.fault == Fault::NothingOwned && told.at_ns.is_some() {
            return;
        }
        let Some(count) = told.count(now_ns, finding.count) else { return };
        tracing::warn!(room, count, "{}", finding.describe(&self.schema));
    }

    /// Counts ticks skipped under this load, and logs them if due; `room` had its longest tick.
    pub(super) fn skipped(
        &mut self,
        now_ns: u64,
        ticks: u64,
        why: SkipReason,
        (room, load): (&str, &ThreadLoad),
    ) {
        let told = self.skips.entry(why).or_default();
        let Some(count) = told.count(now_ns, ticks) else { return };
        let millis = |ns: u64| ns as f64 / 1e6;
        let (step_ms, encode_ms) = (millis(load.step_ns), millis(load.encode_ns));
        let why = match why {
            SkipReason::Step => "the game's step is slow",
            SkipReason::Encoding => "encoding the snapshots is slow",
            SkipReason::Machine => {
                "the simulation thread did not run, as on a busy machine or after a sleep"
            }
        };
        tracing::warn!(
            room,
            count,
            after_ticks = load.ticks,
            "ticks are skipped because {why}: {step_ms:.1} ms of stepping and {encode_ms:.1} ms of encoding"
        );
    }
}

impl LastWarning {
    /// Adds to the count. Returns it, and resets it, if a log is due.
    fn count(&mut self, now_ns: u64, more: u64) -> Option<u64> {
        self.count += more;
        if self.at_ns.is_some_and(|at_ns| now_ns.saturating_sub(at_ns) < AGAIN_NS) {
            return None;
        }
        self.at_ns = Some(now_ns);
        Some(std::mem::take(&mut self.count))
    }
}

impl ThreadLoad {
    /// Adds a tick of the room in `slot`.
    pub(super) fn add(&mut self, slot: usize, step_ns: u64, encode_ns: u64) {
        self.ticks += 1;
        self.step_ns += step_ns;
        self.encode_ns += encode_ns;
        self.longest = self.longest.max((step_ns + encode_ns, slot));
    }

    /// The slot of the room with the longest tick.
    pub(super) fn slot(&self) -> usize {
        self.longest.1
    }

    /// The reason why a thread with this load is behind by `behind_ns`. All is wall time: a thread
    /// that is held up in a step counts as stepping.
    pub(super) fn why(&self, behind_ns: u64) -> SkipReason {
        if 2 * (self.step_ns + self.encode_ns) < behind_ns {
            SkipReason::Machine
        } else if self.step_ns >= self.encode_ns {
            SkipReason::Step
        } else {
            SkipReason::Encoding
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_told_at_once_and_then_counted_for_a_minute() {
        let mut told = LastWarning::default();
        assert_eq!(told.count(5, 1), Some(1));
        assert_eq!(told.count(6, 1), None);
        assert_eq!(told.count(AGAIN_NS, 7), None);
        assert_eq!(told.count(5 + AGAIN_NS, 2), Some(10), "all since it was told");
        assert_eq!(told.count(6 + AGAIN_NS, 1), None);
    }

    #[test]
    fn the_slowest_part_is_the_reason_for_skipped_ticks() {
        const BEHIND_NS: u64 = 100_000;
        let why = |step_ns, encode_ns| {
            let mut load = ThreadLoad::default();
            load.add(0, 1, 1);
            load.add(3, step_ns, encode_ns);
            assert_eq!(load.slot(), 3);
            load.why(BEHIND_NS)
        };
        assert_eq!(why(90_000, 20_000), SkipReason::Step);
        assert_eq!(why(20_000, 90_000), SkipReason::Encoding);
        assert_eq!(why(5_000, 4_000), SkipReason::Machine);
        assert_eq!(ThreadLoad::default().why(BEHIND_NS), SkipReason::Machine);
    }
}
