//! The room's end of a playback: the records that are due in each tick.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tickwire_shared::Simulation;

use super::control::PlaybackControl;
use crate::room::{PlaybackStep, Replay, TickRecord};

/// The records of a journal for the ticks of the room that shows it.
#[derive(Debug)]
pub(crate) struct PlaybackFeed<S: Simulation> {
    control: Arc<PlaybackControl>,
    read: Receiver<Read<S>>,
    /// The next one, which was not due.
    waiting: Option<Read<S>>,
    /// Recorded ticks that are due, with the part of one.
    due_ticks: f32,
    /// The number of the last seek that was taken.
    seeks: u32,
}

/// Something that was read of a journal, with the number of seeks before it.
#[derive(Debug)]
pub(super) struct Read<S: Simulation> {
    pub(super) seek: u32,
    pub(super) part: ReadPart<S>,
}

#[derive(Debug)]
pub(super) enum ReadPart<S: Simulation> {
    /// The replay at the tick of that seek.
    Jump(Box<Replay<S>>),
    Record(Box<TickRecord>),
}

impl<S: Simulation> PlaybackFeed<S> {
    pub(super) fn new(control: Arc<PlaybackControl>, read: Receiver<Read<S>>) -> Self {
        PlaybackFeed { control, read, waiting: None, due_ticks: 0.0, seeks: 0 }
    }

    /// What the room shows in its next tick. It waits for nothing: where the reader is late, the room stands still.
    pub(crate) fn next_step(&mut self) -> PlaybackStep<S> {
        self.due_ticks += self.control.pace();
        let (mut step, seek) = (PlaybackStep::default(), self.control.seek().number);
        while let Some(next) = self.waiting.take().or_else(|| self.read.try_recv().ok()) {
            match next.part {
                // Of the time before a seek.
                _ if next.seek != seek => {}
                ReadPart::Jump(replay) => {
                    step = PlaybackStep { jump: Some(replay), records: Vec::new() };
                    self.seeks = seek;
                }
                ReadPart::Record(record) if self.due_ticks >= 1.0 => {
                    self.due_ticks -= 1.0;
                    step.records.push(*record);
                }
                part => {
                    self.waiting = Some(Read { seek, part });
                    break;
                }
            }
        }
        // What was late is not caught up with.
        self.due_ticks = self.due_ticks.fract();
        step
    }

    /// Notes what the room shows.
    pub(crate) fn shown(&self, replay: &Replay<S>, failure: Option<&str>) {
        let differs = || replay.difference().map(ToString::to_string);
        let at = (self.seeks, replay.tick().0);
        self.control.show(at, failure.map(str::to_owned).or_else(differs));
    }
}

impl<S: Simulation> Drop for PlaybackFeed<S> {
    fn drop(&mut self) {
        self.control.end();
    }
}
