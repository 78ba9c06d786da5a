//! Simulation on threads of its own: every room ticks at absolute deadlines on one of them.
//!
//! A tick never waits: messages come in and go out through queues without locks.
//!
//! A room without members sleeps: it takes no time of its thread, and its tick stands still until somebody comes.

mod alarm;
mod clock;
mod mailbox;
mod outbox;
mod queue;
mod runner;
mod thread;
mod timing;
mod warnings;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tickwire_shared::Simulation;

use crate::config::ServerConfig;
use crate::transport::Bell;
pub(crate) use mailbox::Mailbox;
pub(crate) use outbox::{Outbox, Outgoing, Snapshot};
pub(crate) use runner::NewRoom;
pub(crate) use timing::Timing;

use alarm::Alarm;
use queue::BoundedQueue;
use thread::{Pace, Shared};

/// The simulation threads of a server.
pub(crate) struct Scheduler<S: Simulation> {
    threads: Vec<SimThread<S>>,
}

struct SimThread<S: Simulation> {
    shared: Arc<Shared<S>>,
    handle: Option<JoinHandle<()>>,
}

impl<S: Simulation> Scheduler<S> {
    /// Starts the threads. Each rings `bell` when it has something for the network.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub(crate) fn start(config: &ServerConfig, bell: &Arc<Bell>) -> io::Result<Self> {
        let pace = Pace {
            period_ns: 1_000_000_000 / u64::from(S::TICK_HZ),
            catch_up_ticks_max: u64::from(config.catch_up_ticks_max),
            frames_max: config.outbox_frames_max,
            realtime: config.realtime.then_some(config.realtime_priority),
        };
        let start = |number| {
            let shared = Arc::new(Shared::<S> {
                intake: BoundedQueue::new(config.rooms_max),
                // Of rooms that were let go some may still be there.
                alarm: Arc::new(Alarm::new(2 * config.rooms_max)),
                rooms: AtomicUsize::new(0),
                outbox: Arc::new(Outbox::new(config.outbox_ticks_max, Arc::clone(bell))),
                timing: ArcSwap::from_pointee(Timing::new(0)),
                generation: AtomicU64::new(0),
                stop: AtomicBool::new(false),
            });
            let of_thread = Arc::clone(&shared);
            let handle = std::thread::Builder::new()
                .name(format!("sim-{number}"))
                .spawn(move || thread::run(&of_thread, pace))?;
            Ok(SimThread { shared, handle: Some(handle) })
        };
        let threads = (0..config.sim_threads_resolved()).map(start).collect::<io::Result<_>>()?;
        Ok(Scheduler { threads })
    }

    /// Pins a room to the thread that has the fewest; `false` when none can take it.
    pub(crate) fn add(&self, room: NewRoom<S>) -> bool {
        let rooms = |thread: &&SimThread<S>| thread.shared.rooms.load(Ordering::Relaxed);
        let Some(thread) = self.threads.iter().min_by_key(rooms) else { return false };
        if thread.shared.intake.push(room).is_err() {
            return false;
        }
        thread.shared.rooms.fetch_add(1, Ordering::Relaxed);
        thread.wake();
        true
    }

    /// The outboxes, one for each thread.
    pub(crate) fn outboxes(&self) -> Vec<Arc<Outbox<S::Input>>> {
        self.threads.iter().map(|thread| Arc::clone(&thread.shared.outbox)).collect()
    }

    /// What all threads counted since the last reset.
    pub(crate) fn timing(&self) -> Timing {
        let mut all = Timing::new(0);
        for thread in &self.threads {
            all.add(&thread.shared.timing.load());
        }
        all
    }

    /// Asks every thread to begin its counts anew. Done when [`Scheduler::is_reset`] says so.
    pub(crate) fn reset_timing(&self) {
        for thread in &self.threads {
            thread.shared.generation.fetch_add(1, Ordering::AcqRel);
            thread.wake();
        }
    }

    /// Whether every thread has begun anew.
    pub(crate) fn is_reset(&self) -> bool {
        self.threads.iter().all(|thread| {
            let wanted = thread.shared.generation.load(Ordering::Acquire);
            thread.shared.timing.load().generation == wanted
        })
    }
}

impl<S: Simulation> SimThread<S> {
    /// Wakes a thread that has no rooms; one that has some looks up by itself.
    fn wake(&self) {
        if let Some(handle) = &self.handle {
            handle.thread().unpark();
        }
    }
}

impl<S: Simulation> Drop for SimThread<S> {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
        if let Some(handle) = self.handle.take() {
            // A panic of the thread was already shown by the panic hook.
            let _ = handle.join();
        }
    }
}
