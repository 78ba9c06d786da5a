//! Deadlines of connections.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use rustix::event::Timespec;

/// The deadlines of all connections, the earliest first.
///
/// A connection's deadline moves with every packet, mostly to later. So it keeps its entry while
/// that is early enough; when the entry comes up, the connection is asked for its deadline again.
/// There is one live entry for each connection, and few are ever pushed.
#[derive(Debug, Default)]
pub(super) struct Timers {
    entries: BinaryHeap<Reverse<(Instant, usize)>>,
}

/// One connection's live entry.
#[derive(Debug, Default)]
pub(super) struct TimerEntry(Option<Instant>);

impl Timers {
    /// Ensures that connection `index` comes up at `deadline` or earlier.
    pub(super) fn set(&mut self, index: usize, alarm: &mut TimerEntry, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if alarm.0.is_none_or(|set| deadline < set) {
            alarm.0 = Some(deadline);
            self.entries.push(Reverse((deadline, index)));
        }
    }

    /// The time of the earliest entry.
    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// Takes an entry that is due at `now`: its deadline and the connection's index.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Instant, usize)> {
        if self.next()? > now {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| entry)
    }
}

impl TimerEntry {
    /// Takes the entry for `deadline` out of use; `false` if it is not the live one.
    pub(super) fn came_up(&mut self, deadline: Instant) -> bool {
        let live = self.0 == Some(deadline);
        if live {
            self.0 = None;
        }
        live
    }
}

/// As the system has it.
pub(super) fn timespec(time: Duration) -> Timespec {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: i64::from(time.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_later_deadline_keeps_the_entry_and_an_earlier_one_replaces_it() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let (mut timers, mut alarm) = (Timers::default(), TimerEntry::default());
        timers.set(7, &mut alarm, Some(at(20)));
        timers.set(7, &mut alarm, Some(at(30)));
        timers.set(7, &mut alarm, None);
        assert_eq!(timers.entries.len(), 1);
        timers.set(7, &mut alarm, Some(at(10)));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop(at(9)), None);
        assert_eq!(timers.pop(at(25)), Some((at(10), 7)));
        assert!(alarm.came_up(at(10)));
        // The rest of the first entry belongs to nobody.
        assert_eq!(timers.pop(at(25)), Some((at(20), 7)));
        assert!(!alarm.came_up(at(20)));
        assert_eq!(timers.pop(at(25)), None);
    }
}
