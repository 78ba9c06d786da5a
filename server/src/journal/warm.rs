//! Rooms of another process, run again by their journals while they are played there, so that little is left to run once they
//! have ended.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tickwire_shared::Simulation;
use tickwire_shared::simulation::schema_of;

use super::newest::ReplayStart;
use super::reader::{JournalPosition, JournalReader};
use super::rerun::{RestoreError, newest_checkpoint, run};
use crate::config::ServerConfig;
use crate::guard::guarded;
use crate::handover::{HandoverError, Predecessor};
use crate::room::Replay;

/// How often a room is run again from its checkpoint, if what was read of its files was being written.
const TRIES: u32 = 3;

/// Rooms, each at the last record that its files had. None where nothing is taken over.
#[derive(Debug)]
pub(crate) struct WarmRooms<S: Simulation> {
    /// By the names of their folders.
    rooms: HashMap<PathBuf, WarmRoom<S>>,
    needs_checkpoints: bool,
    is_handover: bool,
    are_clients_same: bool,
}

#[derive(Debug)]
struct WarmRoom<S: Simulation> {
    replay: Replay<S>,
    position: JournalPosition,
}

impl<S: Simulation> Default for WarmRooms<S> {
    fn default() -> Self {
        WarmRooms {
            rooms: HashMap::new(),
            needs_checkpoints: false,
            is_handover: false,
            are_clients_same: true,
        }
    }
}

impl<S: Simulation> WarmRooms<S> {
    /// Runs the rooms of the other process to where their files are now; of rooms of another version it finds out whether
    /// they can go on. No file is changed.
    ///
    /// # Errors
    /// The first room that cannot go on, with the reason.
    pub(crate) fn open(
        config: &ServerConfig,
        predecessor: &Predecessor,
    ) -> Result<Self, HandoverError> {
        let dir = config.journal.as_deref().ok_or(HandoverError::NoJournals)?;
        let begin = predecessor.begin();
        let are_clients_same = begin.schema == schema_of::<S>();
        let mut warm = WarmRooms { is_handover: true, are_clients_same, ..WarmRooms::default() };
        let refused = |name: &Path, error: &dyn std::fmt::Display| {
            HandoverError::Refused(format!("the room of {}: {error}", name.display()))
        };
        let mut others = Vec::new();
        for name in &begin.rooms {
            let folder = dir.join(name);
            let version = JournalReader::open_last(&folder)
                .map(|journal| journal.head().version)
                .map_err(|error| refused(name, &error))?;
            if version != S::VERSION {
                others.push(name);
                continue;
            }
            let room = warm_up(&folder).map_err(|error| refused(name, &error))?;
            warm.rooms.extend(room.map(|room| (name.clone(), room)));
        }
        if !others.is_empty() {
            warm.needs_checkpoints = true;
            predecessor.ask_for_checkpoints()?;
        }
        for name in others {
            try_migration::<S>(&dir.join(name)).map_err(|error| refused(name, &error))?;
        }
        // What was written meanwhile.
        for (name, room) in &mut warm.rooms {
            room.advance(&dir.join(name));
        }
        Ok(warm)
    }

    /// True if there is a room whose state comes from a checkpoint at its end.
    pub(crate) fn needs_checkpoints(&self) -> bool {
        self.needs_checkpoints
    }

    /// True if the rooms come from a process that has just ended them.
    pub(crate) fn is_handover(&self) -> bool {
        self.is_handover
    }

    /// True if clients of the sessions before know the same field tables and the same model.
    pub(crate) fn are_clients_same(&self) -> bool {
        self.are_clients_same
    }

    /// The room of `folder`, as far as it was run.
    pub(super) fn take(&mut self, folder: &Path) -> Option<ReplayStart<S>> {
        let WarmRoom { replay, position } = self.rooms.remove(Path::new(folder.file_name()?))?;
        // Its segment may have been removed meanwhile: then a checkpoint is newer.
        let journal = JournalReader::open_at(folder, position).ok()?;
        let from_tick = replay.tick();
        Some(ReplayStart { replay, journal, from_tick, unused: Vec::new() })
    }
}

impl<S: Simulation> WarmRoom<S> {
    /// Runs on to the last record. A difference or damage is found by the one who takes the room.
    fn advance(&mut self, folder: &Path) {
        if let Ok(mut journal) = JournalReader::open_at(folder, self.position)
            && run(&mut self.replay, &mut journal).is_ok()
        {
            self.position = journal.position();
        }
    }
}

/// Runs a room to where its files are now. `None` if it ended.
fn warm_up<S: Simulation>(folder: &Path) -> Result<Option<WarmRoom<S>>, RestoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let warm = ReplayStart::<S>::newest(folder, tickwire_shared::Tick(u32::MAX))
            .map_err(RestoreError::from)
            .and_then(|ReplayStart { mut replay, mut journal, .. }| {
                run(&mut replay, &mut journal)?;
                let position = journal.position();
                Ok(WarmRoom { replay, position })
            });
        match warm {
            Ok(warm) => return Ok(Some(warm)),
            Err(_) if !folder.is_dir() => return Ok(None),
            // A record that is half written, or a file that was removed as it was about to be read.
            Err(RestoreError::Journal(_)) if tries < TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

/// Finds out whether this version can go on with a room of another one.
fn try_migration<S: Simulation>(folder: &Path) -> Result<(), RestoreError> {
    let checkpoint = newest_checkpoint(folder)?;
    let (head, state) = (&checkpoint.head.journal, &checkpoint.state);
    let tick = checkpoint.head.tick.0;
    guarded(|| Replay::<S>::migrated(head, state)).ok_or(RestoreError::MigratePanic(tick))??;
    Ok(())
}
