//! Keeps cores busy during a measurement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Threads that spin until dropped, each pinned to its own core.
#[derive(Debug)]
pub(crate) struct BusyCores {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl BusyCores {
    pub(crate) fn start(cores: usize) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut busy = BusyCores { stop, threads: Vec::new() };
        for core in 0..cores {
            let stop = busy.stop.clone();
            let (pinned, is_pinned) = std::sync::mpsc::channel();
            busy.threads.push(std::thread::spawn(move || {
                let mut cpus = CpuSet::new();
                cpus.set(core);
                let _ = pinned.send(sched_setaffinity(None, &cpus));
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }));
            is_pinned
                .recv()
                .context("the spinning thread is gone")?
                .with_context(|| format!("core {core} cannot be kept busy; give fewer"))?;
        }
        Ok(busy)
    }
}

impl Drop for BusyCores {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
