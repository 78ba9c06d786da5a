//! The punctuality of ticks.

use hdrhistogram::Histogram;

/// Lateness and duration of ticks, and counts of what was dropped or skipped.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    /// Microseconds from a tick's deadline to its start.
    pub(crate) lateness_us: Histogram<u64>,
    /// Microseconds from a tick's start to its end.
    pub(crate) duration_us: Histogram<u64>,
    /// Ticks that began a whole tick late or more.
    pub(crate) overruns: u64,
    /// Ticks that were skipped because too many were due.
    pub(crate) skipped: u64,
    /// Snapshots dropped because the network did not take them.
    pub(crate) snapshots_dropped: u64,
    /// Events dropped because too many waited for a client's acknowledgement.
    pub(crate) events_dropped: u64,
    /// The number of resets before these counts.
    pub(crate) generation: u64,
}

impl Timing {
    pub(crate) fn new(generation: u64) -> Self {
        // Up to a minute, to within one per cent: a few kilobytes, copied a few times a second.
        let histogram = || Histogram::new_with_max(60_000_000, 2).expect("the bounds are valid");
        Timing {
            lateness_us: histogram(),
            duration_us: histogram(),
            overruns: 0,
            skipped: 0,
            snapshots_dropped: 0,
            events_dropped: 0,
            generation,
        }
    }

    /// Counts one tick; times are in nanoseconds.
    pub(crate) fn record(&mut self, lateness_ns: u64, duration_ns: u64) {
        self.lateness_us.saturating_record(lateness_ns / 1000);
        self.duration_us.saturating_record(duration_ns / 1000);
    }

    /// Adds the counts of another thread.
    pub(crate) fn add(&mut self, other: &Timing) {
        let same = "all histograms have the same bounds";
        self.lateness_us.add(&other.lateness_us).expect(same);
        self.duration_us.add(&other.duration_us).expect(same);
        self.overruns += other.overruns;
        self.skipped += other.skipped;
        self.snapshots_dropped += other.snapshots_dropped;
        self.events_dropped += other.events_dropped;
    }
}
