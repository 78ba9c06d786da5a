//! How long to measure: all benches together take less than four minutes.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};

/// A group of things that take nanoseconds.
pub(crate) fn brief<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group.sample_size(50);
    group
}

/// A group of things that take milliseconds, with as much again around each that is not measured.
pub(crate) fn long<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(1200));
    group.sample_size(20);
    group.sampling_mode(SamplingMode::Flat);
    group
}

/// `ticks` of play before anything is measured; only a few when the benches are merely tried out.
pub(crate) fn warm_up_ticks(ticks: u32) -> u32 {
    let measuring = |argument: &str| std::env::args().any(|given| given == argument);
    if measuring("--bench") && !measuring("--test") { ticks } else { ticks.min(12) }
}
