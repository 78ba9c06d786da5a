//! Pins a process to one processor.

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Keeps this thread, and all threads it starts, on processor `core`.
pub(crate) fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("there is no processor {core}"))
}
