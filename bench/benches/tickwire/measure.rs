//! The clock and the durations of the benches: all together take less than four minutes.

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use tickwire_bench::rooms::thread_time;

/// Processor time of this thread, which excludes other threads. A tick and a codec wait for
/// nothing, so on an idle machine it equals the elapsed time.
pub(crate) struct ThreadTime;

impl ThreadTime {
    /// The time so far.
    pub(crate) fn now() -> Duration {
        thread_time()
    }
}

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        ThreadTime::now()
    }

    fn end(&self, start: Duration) -> Duration {
        ThreadTime::now() - start
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// A group of operations that take nanoseconds.
pub(crate) fn brief<'a>(
    c: &'a mut Criterion<ThreadTime>,
    name: &str,
) -> BenchmarkGroup<'a, ThreadTime> {
    let mut group = c.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group.sample_size(50);
    group
}

/// A group of operations that take milliseconds, with more unmeasured work around each.
pub(crate) fn long<'a>(
    c: &'a mut Criterion<ThreadTime>,
    name: &str,
) -> BenchmarkGroup<'a, ThreadTime> {
    let mut group = c.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_secs(2));
    group.sample_size(20);
    group.sampling_mode(SamplingMode::Flat);
    group
}

/// Ticks to play before measuring: `ticks`, or only a few when the benches are merely tried out.
pub(crate) fn warm_up_ticks(ticks: u32) -> u32 {
    let asked = |argument: &str| std::env::args().any(|given| given == argument);
    if asked("--bench") && !asked("--test") { ticks } else { ticks.min(12) }
}
