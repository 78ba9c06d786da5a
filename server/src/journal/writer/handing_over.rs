//! Journals for another process: which ones there are, and checkpoints for one whose rules are of another version.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::super::room_log::{KEPT, RoomLog};
use super::Journals;

/// How often checkpoints are looked for that were asked for.
const LOOK: Duration = Duration::from_millis(2);

impl Journals {
    /// Remembers a journal for so long as anything holds it.
    pub(super) fn note(&self, log: &Arc<RoomLog>) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.retain(|log| log.strong_count() > 0);
        logs.push(Arc::downgrade(log));
    }

    /// The names of the folders of rooms that go on.
    pub(crate) fn live_folders(&self) -> Vec<PathBuf> {
        let live = self.live().into_iter().filter(|log| log.dir().is_dir());
        live.filter_map(|log| log.dir().file_name().map(PathBuf::from)).collect()
    }

    /// Writes a checkpoint of each room, at its last tick.
    ///
    /// # Errors
    /// The first room of which there is none, in words.
    pub(crate) fn write_checkpoints(&self, until: Instant) -> Result<(), String> {
        let live: Vec<_> = self.live().into_iter().filter(|log| log.dir().is_dir()).collect();
        live.iter().for_each(|log| log.ask_for_checkpoint());
        for log in live {
            let room = log.room();
            let written = loop {
                self.wake_follower();
                let is_late = Instant::now() >= until;
                match log.has_checkpoint() {
                    None if !is_late && log.state() == KEPT => std::thread::sleep(LOOK),
                    written => break written,
                }
            };
            // A room that was let go meanwhile needs none.
            if written != Some(true) && log.state() == KEPT {
                return Err(format!(
                    "the room {room:?} has no checkpoint, by which another version could go on: the log says why, or \
                     journal_checkpoint_s is 0"
                ));
            }
        }
        Ok(())
    }

    /// Has each room end with a checkpoint of its last tick.
    pub(crate) fn end_with_checkpoints(&self) {
        self.live().iter().for_each(|log| log.end_with_checkpoint());
    }

    /// True once the follower has let all rooms go. All must have ended.
    pub(crate) fn are_followed(&self) -> bool {
        self.wake_follower();
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.iter().all(|log| log.strong_count() == 0)
    }

    fn wake_follower(&self) {
        self.follower_thread.iter().for_each(|handle| handle.thread().unpark());
    }

    fn live(&self) -> Vec<Arc<RoomLog>> {
        let logs: &Mutex<Vec<Weak<RoomLog>>> = &self.logs;
        let logs = logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.iter().filter_map(Weak::upgrade).filter(|log| log.state() == KEPT).collect()
    }
}
