//! One room that is followed: its rules run again by what its journal has, and its checkpoints.

use std::sync::Arc;

use tickwire_shared::{Simulation, Tick};

use super::checkpoint::{Checkpoint, CheckpointHead};
use super::error::JournalError;
use super::newest::ReplayStart;
use super::reader::{JournalPosition, JournalReader};
use super::retention::RoomFiles;
use super::room_log::RoomLog;
use crate::guard::guarded;
use crate::room::{Replay, ReplayDifference, ReplayError, TickRecord};

/// A room's journal, as far as it was followed.
pub(super) struct FollowedRoom<S: Simulation> {
    log: Arc<RoomLog>,
    journal: JournalReader,
    replay: Replay<S>,
    files: RoomFiles,
    /// Ticks between two checkpoints.
    checkpoint_ticks: u32,
    /// The tick of the last checkpoint, or of the first that was run.
    last_checkpoint: Tick,
    /// The tick of the checkpoint that the replay was made from; 0 for none.
    restored_from: Tick,
    /// A checkpoint that was taken after the last tick; it is written once the replay from it was compared for a tick.
    taken: Option<TakenCheckpoint<S>>,
}

struct TakenCheckpoint<S: Simulation> {
    checkpoint: Checkpoint,
    restored: Replay<S>,
}

/// The outcome of one record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// It came to what was recorded.
    Same,
    /// And a checkpoint was written.
    Checkpoint,
    /// And a checkpoint could not be written; the next one may.
    NotWritten,
}

/// The reason why a room is not followed any more. Its checkpoints end.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// The rules came to something else than before.
    #[error("the game is not deterministic: {difference}{}", since(*checkpoint))]
    Differs {
        difference: ReplayDifference,
        /// The tick of the checkpoint that it was run from; 0 for none.
        checkpoint: Tick,
    },
    /// The same tick from a checkpoint is another one.
    #[error(
        "a checkpoint does not hold all of the game's state (look for what serde skips): after one from tick {}, {difference}",
        difference.tick - 1
    )]
    State { difference: ReplayDifference },
    #[error("no checkpoint can be made: {0}")]
    Checkpoint(ReplayError),
    #[error("its rules panic in tick {} where they did not before: the game is not deterministic", tick.0)]
    Panic { tick: Tick },
    /// The room itself ended by it.
    #[error("its rules panic in tick {}, as they did in the room", tick.0)]
    RoomPanic { tick: Tick },
    #[error("{0}")]
    Replay(ReplayError),
    #[error("{0}")]
    Journal(#[from] JournalError),
}

impl FollowError {
    /// The difference, if the rules came to another state.
    pub(super) fn difference(&self) -> Option<&ReplayDifference> {
        match self {
            FollowError::Differs { difference, .. } | FollowError::State { difference } => {
                Some(difference)
            }
            _ => None,
        }
    }
}

fn since(checkpoint: Tick) -> String {
    match checkpoint {
        Tick(0) => String::new(),
        Tick(tick) => format!(
            " (run from a checkpoint of tick {tick} on: its state may also be more than serde holds)"
        ),
    }
}

impl<S: Simulation> FollowedRoom<S> {
    /// Begins where the room's files allow: at its newest checkpoint, or at its beginning.
    pub(super) fn open(log: Arc<RoomLog>, checkpoint_ticks: u32) -> Result<Self, FollowError> {
        let dir = log.dir();
        let ReplayStart { replay, journal, from_tick, unused } =
            ReplayStart::newest(dir, Tick(u32::MAX))?;
        for error in unused {
            tracing::warn!(room = log.room(), "a checkpoint is of no use: {error}");
        }
        let files = RoomFiles::open(dir)?;
        Ok(FollowedRoom {
            log,
            journal,
            replay,
            files,
            checkpoint_ticks,
            last_checkpoint: from_tick,
            restored_from: from_tick,
            taken: None,
        })
    }

    /// The last tick that was followed.
    pub(super) fn tick(&self) -> Tick {
        self.replay.tick()
    }

    /// The files of its folder.
    pub(super) fn files(&mut self) -> &mut RoomFiles {
        &mut self.files
    }

    /// Runs the next record. Call it while the files have one more: [`RoomLog::written_tick`] is not yet
    /// [`FollowedRoom::tick`].
    pub(super) fn follow(&mut self) -> Result<Followed, FollowError> {
        let Some(record) = self.journal.next_record()? else {
            let JournalPosition { offset, .. } = self.journal.position();
            let path = self.log.dir().to_owned();
            let what = "it is shorter than what was written";
            return Err(JournalError::Damaged { path, offset, what }.into());
        };
        self.replay.set_keeps_lanes(self.taken.is_some());
        step(&mut self.replay, &record)?;
        if let Some(difference) = self.replay.difference() {
            // The field is known once a record has the lanes.
            self.taken = None;
            return match difference.is_settled() || self.log.lanes_ticks() == 0 {
                true => Err(self.differs()),
                false => Ok(Followed::Same),
            };
        }
        if let Some(taken) = self.taken.take() {
            return self.go_on_from(taken, record);
        }
        if self.checkpoint_ticks > 0
            && self.tick().since(self.last_checkpoint) >= self.checkpoint_ticks as i32
            && record.hash.is_some()
        {
            self.take_checkpoint()?;
        }
        Ok(Followed::Same)
    }

    /// Writes a checkpoint of the last tick. It is compared with nothing but its own hash: the next tick may never come.
    pub(super) fn write_checkpoint(&mut self) -> Result<Followed, FollowError> {
        if self.replay.difference().is_some() {
            return Err(self.differs());
        }
        self.take_checkpoint()?;
        let Some(TakenCheckpoint { checkpoint, .. }) = self.taken.take() else {
            return Ok(Followed::NotWritten);
        };
        Ok(self.write(&checkpoint))
    }

    /// Runs a room to the end of its files and writes a checkpoint of it.
    pub(super) fn write_last_checkpoint(log: Arc<RoomLog>) -> Result<Followed, FollowError> {
        let mut followed = FollowedRoom::<S>::open(log, 0)?;
        while let Some(record) = followed.journal.next_record()? {
            step(&mut followed.replay, &record)?;
        }
        followed.write_checkpoint()
    }

    /// The error of a difference whose field was not found by the room's end.
    pub(super) fn end(&self) -> Option<FollowError> {
        self.replay.difference().map(|_| self.differs())
    }

    fn differs(&self) -> FollowError {
        let difference = self.replay.difference().cloned();
        match difference {
            Some(difference) => FollowError::Differs { difference, checkpoint: self.restored_from },
            None => FollowError::Panic { tick: self.tick() },
        }
    }

    fn take_checkpoint(&mut self) -> Result<(), FollowError> {
        let head = CheckpointHead {
            number: self.files.next_number(),
            journal: self.journal.head().clone(),
            tick: self.tick(),
            next: self.journal.position(),
        };
        let replay = &self.replay;
        let panicked = FollowError::Panic { tick: self.tick() };
        let (state, restored) = guarded(|| -> Result<_, ReplayError> {
            let state = replay.checkpoint()?;
            let restored = Replay::from_checkpoint(&head.journal, &state)?;
            Ok((state, restored))
        })
        .ok_or(panicked)?
        .map_err(FollowError::Checkpoint)?;
        self.last_checkpoint = head.tick;
        self.taken = Some(TakenCheckpoint { checkpoint: Checkpoint { head, state }, restored });
        Ok(())
    }

    /// Compares the tick of `record`, run by the replay, with the same from the checkpoint before it; writes the checkpoint,
    /// and goes on from it: what a later tick lacks is found as well.
    fn go_on_from(
        &mut self,
        taken: TakenCheckpoint<S>,
        record: TickRecord,
    ) -> Result<Followed, FollowError> {
        let TakenCheckpoint { checkpoint, mut restored } = taken;
        let lanes = self.replay.lanes().map(<[_]>::to_vec);
        let straight = TickRecord { hash: Some(self.replay.hash()), lanes, ..record };
        step(&mut restored, &straight)?;
        if let Some(difference) = restored.difference() {
            return Err(FollowError::State { difference: difference.clone() });
        }
        self.restored_from = checkpoint.head.tick;
        // Dropping the game's own state may panic.
        let before = std::mem::replace(&mut self.replay, restored);
        let _ = guarded(|| drop(before));
        Ok(self.write(&checkpoint))
    }

    fn write(&mut self, checkpoint: &Checkpoint) -> Followed {
        if let Err(error) = checkpoint.write(self.log.dir()) {
            let (room, tick) = (self.log.room(), checkpoint.head.tick.0);
            tracing::warn!(room, tick, "a checkpoint cannot be written: {error}");
            return Followed::NotWritten;
        }
        self.files.checkpoint_written(&checkpoint.head);
        Followed::Checkpoint
    }
}

fn step<S: Simulation>(replay: &mut Replay<S>, record: &TickRecord) -> Result<(), FollowError> {
    let tick = record.tick;
    match guarded(|| replay.step(record)) {
        Some(stepped) => stepped.map_err(FollowError::Replay),
        None if record.hash.is_none() => Err(FollowError::RoomPanic { tick }),
        None => Err(FollowError::Panic { tick }),
    }
}
