//! Wakes many clients at times spread evenly over a period, like independent players.
//!
//! The runtime's timers have a granularity of a millisecond. Clients that share one wake in bursts,
//! so the server handles their datagrams in batches, which costs less than in practice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// One beat for each client in every period, until dropped.
#[derive(Debug)]
pub(crate) struct Metronome {
    beats: Vec<Arc<Notify>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Metronome {
    /// Starts beating for `clients` clients.
    pub(crate) fn start(clients: usize, period: Duration) -> Self {
        let beats: Vec<Arc<Notify>> = (0..clients).map(|_| Arc::default()).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let (to_beat, to_stop) = (beats.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            for round in 0.. {
                for (number, beat) in to_beat.iter().enumerate() {
                    if to_stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let part = f64::from(round) + number as f64 / to_beat.len() as f64;
                    let due = start + period.mul_f64(part);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    beat.notify_one();
                }
            }
        });
        Metronome { beats, stop, thread: Some(thread) }
    }

    /// The beat of one client. A late client misses beats and does not make up for them.
    pub(crate) fn beat(&self, number: usize) -> Arc<Notify> {
        self.beats[number].clone()
    }
}

impl Drop for Metronome {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
