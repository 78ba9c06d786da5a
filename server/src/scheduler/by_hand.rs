//! Rooms that are ticked by their caller, in its thread and its time.

use std::sync::Arc;
use std::time::Instant;

use tickwire_shared::{Simulation, Tick};

use super::clock::MonotonicClock;
use super::network_queue::NetworkQueue;
use super::runner::{Runner, TickOutcome, TickTime};
use super::thread::ThreadShared;
use crate::config::ServerConfig;
use crate::room::Room;

/// The rooms of a scheduler without threads.
pub(crate) struct RoomsByHand<S: Simulation> {
    shared: Arc<ThreadShared<S>>,
    clock: MonotonicClock,
    frames_max: usize,
    /// By the numbers of their alarms.
    runners: Vec<Option<RunnerByHand<S>>>,
}

struct RunnerByHand<S: Simulation> {
    runner: Runner<S>,
    is_asleep: bool,
}

impl<S: Simulation> RoomsByHand<S> {
    pub(super) fn new(shared: Arc<ThreadShared<S>>, config: &ServerConfig) -> Self {
        let (clock, frames_max) = (MonotonicClock::new(), config.outbox_frames_max);
        RoomsByHand { shared, clock, frames_max, runners: Vec::new() }
    }

    /// Runs one tick of every room, in the order in which they were made; new ones begin with it.
    pub(crate) fn tick(&mut self, moment: TickTime) {
        for number in self.shared.woken.drain() {
            if let Some(Some(room)) = self.runners.get_mut(number) {
                room.is_asleep = false;
            }
        }
        self.take_up(moment.now);
        for slot in &mut self.runners {
            let Some(room) = slot.as_mut().filter(|room| !room.is_asleep) else { continue };
            match room.runner.tick(moment, &self.shared.outbox) {
                TickOutcome::On { .. } => while room.runner.poll_finding().is_some() {},
                TickOutcome::Asleep => room.is_asleep = true,
                TickOutcome::Over => *slot = None,
            }
        }
    }

    /// Takes up new rooms, without a tick.
    pub(crate) fn take_up(&mut self, now: Instant) {
        while let Some(new) = self.shared.intake.pop() {
            let runner = Runner::new(new, self.frames_max, self.clock, now);
            runner.set_alarm(&self.shared.woken, self.runners.len());
            self.runners.push(Some(RunnerByHand { runner, is_asleep: false }));
        }
    }

    /// The output of all rooms.
    pub(crate) fn outbox(&self) -> &NetworkQueue<S::Input> {
        &self.shared.outbox
    }

    /// The rooms, without those whose game panicked.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &Room<S>> {
        self.runners.iter().flatten().filter_map(|room| room.runner.room())
    }

    /// The tick that each room has reached.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = (&str, Tick)> {
        self.runners.iter().flatten().map(|room| {
            let runner = &room.runner;
            (runner.name(), Tick(runner.newest_tick()))
        })
    }
}
