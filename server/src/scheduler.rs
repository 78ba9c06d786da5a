//! Simulation threads: every room ticks at absolute deadlines on one of them.
//!
//! A tick never waits: messages come in and go out through lock-free queues.
//!
//! A room without members sleeps: it uses no time of its thread, and its tick stands still until
//! somebody joins.

mod by_hand;
mod clock;
mod mailbox;
mod network_queue;
mod queue;
mod runner;
mod thread;
mod timing;
mod warnings;
mod watch;
mod woken;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tickwire_shared::Simulation;

use crate::config::ServerConfig;
use crate::transport::WakeSignal;
pub(crate) use by_hand::RoomsByHand;
pub(crate) use mailbox::Mailbox;
pub(crate) use network_queue::{NetworkQueue, Outgoing, Snapshot};
pub(crate) use runner::{RoomBegin, StartRoom, TickTime};
pub(crate) use timing::Timing;
pub(crate) use watch::Stall;

use queue::BoundedQueue;
use thread::{ThreadShared, TickSettings};
use watch::{TickMark, TickWatch};
use woken::WokenRooms;

/// Number of checks, and the pause after each, for a thread that should end.
const DROP_LOOKS: u32 = 250;
const DROP_PAUSE: Duration = Duration::from_millis(1);

/// The simulation threads of a server.
pub(crate) struct Scheduler<S: Simulation> {
    threads: Vec<SimThread<S>>,
    /// A tick that takes longer, in milliseconds, counts as stalled.
    long_ms: u64,
}

struct SimThread<S: Simulation> {
    shared: Arc<ThreadShared<S>>,
    handle: Option<JoinHandle<()>>,
}

/// Watches the simulation threads from outside.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    /// The tick of each thread at the last look.
    seen: Vec<Option<TickMark>>,
}

impl<S: Simulation> Scheduler<S> {
    /// Starts the threads. Each rings `bell` when it has something for the network.
    ///
    /// # Errors
    /// If the system refuses more threads.
    pub(crate) fn start(config: &ServerConfig, bell: &Arc<WakeSignal>) -> io::Result<Self> {
        let pace = TickSettings {
            period_ns: 1_000_000_000 / u64::from(S::TICK_HZ),
            catch_up_ticks_max: u64::from(config.catch_up_ticks_max),
            frames_max: config.outbox_frames_max,
            realtime: config.realtime.then_some(config.realtime_priority),
        };
        let start = |number| {
            let shared = shared_state(config, bell);
            let of_thread = Arc::clone(&shared);
            let handle = std::thread::Builder::new()
                .name(format!("sim-{number}"))
                .spawn(move || thread::run(&of_thread, pace))?;
            Ok(SimThread { shared, handle: Some(handle) })
        };
        let threads = (0..config.sim_threads_resolved()).map(start).collect::<io::Result<_>>()?;
        Ok(Scheduler { threads, long_ms: u64::from(config.watchdog_ms) })
    }

    /// A scheduler without threads, and its rooms.
    pub(crate) fn by_hand(config: &ServerConfig, bell: &Arc<WakeSignal>) -> (Self, RoomsByHand<S>) {
        let shared = shared_state(config, bell);
        let threads = vec![SimThread { shared: Arc::clone(&shared), handle: None }];
        let scheduler = Scheduler { threads, long_ms: u64::from(config.watchdog_ms) };
        (scheduler, RoomsByHand::new(shared, config))
    }

    /// Assigns a room to the thread with the fewest rooms, preferably one that is not stalled.
    /// `false` if its intake is full.
    pub(crate) fn add(&self, room: StartRoom<S>) -> bool {
        let rooms = |thread: &&SimThread<S>| {
            let stalls = thread.shared.watch.stall(0, self.long_ms).is_some();
            (stalls, thread.shared.rooms.load(Ordering::Relaxed))
        };
        let Some(thread) = self.threads.iter().min_by_key(rooms) else { return false };
        if thread.shared.intake.push(room).is_err() {
            return false;
        }
        thread.shared.rooms.fetch_add(1, Ordering::Relaxed);
        thread.wake();
        true
    }

    /// The ticks that take too long, at most one for each thread.
    pub(crate) fn stalls(&self) -> Vec<Stall> {
        let threads = self.threads.iter().enumerate();
        let stall = |(number, thread): (_, &SimThread<S>)| {
            thread.shared.watch.stall(number, self.long_ms).map(|(_, stall)| stall)
        };
        threads.filter_map(stall).collect()
    }

    /// The first dead thread, with its last tick and room; `None` if all live.
    pub(crate) fn dead(&self) -> Option<String> {
        let number = self.threads.iter().position(SimThread::is_over)?;
        let last = self.threads[number].shared.watch.stall(number, 0);
        let tick = last.map(|(_, Stall { after_tick, room, .. })| {
            format!(" in the tick after {after_tick} of room {room:?}")
        });
        Some(format!("simulation thread {number}{}", tick.unwrap_or_default()))
    }

    /// Asks every thread to end after its current tick.
    pub(crate) fn stop(&self) {
        self.threads.iter().for_each(SimThread::stop);
    }

    /// A thread that has not ended yet, with the tick that holds it up; `None` if all have ended.
    pub(crate) fn unfinished(&self) -> Option<String> {
        let (number, thread) = self.threads.iter().enumerate().find(|(_, it)| !it.is_over())?;
        let stall = thread.shared.watch.stall(number, 0).map(|(_, stall)| stall.to_string());
        Some(stall.unwrap_or_else(|| format!("simulation thread {number} goes on")))
    }

    /// The outboxes, one for each thread.
    pub(crate) fn outboxes(&self) -> Vec<Arc<NetworkQueue<S::Input>>> {
        self.threads.iter().map(|thread| Arc::clone(&thread.shared.outbox)).collect()
    }

    /// The counts of all threads since the last reset.
    pub(crate) fn timing(&self) -> Timing {
        let mut all = Timing::new(0);
        for thread in &self.threads {
            all.add(&thread.shared.timing.load());
        }
        all
    }

    /// Asks every thread to reset its counts; [`Scheduler::is_reset`] tells when it is done.
    pub(crate) fn reset_timing(&self) {
        for thread in &self.threads {
            thread.shared.generation.fetch_add(1, Ordering::AcqRel);
            thread.wake();
        }
    }

    /// True if every thread has reset its counts.
    pub(crate) fn is_reset(&self) -> bool {
        self.threads.iter().all(|thread| {
            let wanted = thread.shared.generation.load(Ordering::Acquire);
            thread.shared.timing.load().generation == wanted
        })
    }
}

/// What one thread shares with the rest.
fn shared_state<S: Simulation>(
    config: &ServerConfig,
    bell: &Arc<WakeSignal>,
) -> Arc<ThreadShared<S>> {
    Arc::new(ThreadShared {
        intake: BoundedQueue::new(config.rooms_max),
        // Some removed rooms may still be there.
        woken: Arc::new(WokenRooms::new(2 * config.rooms_max)),
        rooms: AtomicUsize::new(0),
        outbox: Arc::new(NetworkQueue::new(config.outbox_ticks_max, Arc::clone(bell))),
        watch: TickWatch::default(),
        timing: ArcSwap::from_pointee(Timing::new(0)),
        generation: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    })
}

impl Watchdog {
    /// The ticks that are too long now and were so at the last call: a halt of the whole machine
    /// makes no tick stalled.
    pub(crate) fn look<S: Simulation>(&mut self, scheduler: &Scheduler<S>) -> Vec<Stall> {
        let mut stalls = Vec::new();
        self.seen.resize(scheduler.threads.len(), None);
        for (number, thread) in scheduler.threads.iter().enumerate() {
            let found = thread.shared.watch.stall(number, scheduler.long_ms);
            let mark = found.as_ref().map(|(mark, _)| *mark);
            let before = std::mem::replace(&mut self.seen[number], mark);
            stalls.extend(found.filter(|_| before == mark).map(|(_, stall)| stall));
        }
        stalls
    }
}

impl<S: Simulation> SimThread<S> {
    /// Wakes a thread without rooms; one with rooms checks by itself.
    fn wake(&self) {
        if let Some(handle) = &self.handle {
            handle.thread().unpark();
        }
    }

    fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
    }

    fn is_over(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl<S: Simulation> Drop for SimThread<S> {
    /// Waits for its current tick, unless that does not end.
    fn drop(&mut self) {
        self.stop();
        for _ in 0..DROP_LOOKS {
            if self.is_over() {
                break;
            }
            std::thread::sleep(DROP_PAUSE);
        }
        if let Some(handle) = self.handle.take().filter(JoinHandle::is_finished) {
            // The panic hook has already reported a panic of the thread.
            let _ = handle.join();
        }
    }
}
