//! The thread that follows the journals of all rooms: it runs their rules again, compares every tick, and writes checkpoints.
//!
//! It reads from the files what the writer has written to them, so neither a tick nor the writer waits for it, and however far
//! it is behind, no record waits in memory.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tickwire_shared::{Simulation, Tick};

use super::followed::{FollowError, Followed, FollowedRoom};
use super::retention::{KeptBounds, Removed, remove_ended};
use super::room_log::RoomLog;
use crate::config::ServerConfig;
use crate::guard::guarded;

/// The niceness of the thread: it runs on what the others leave.
const NICENESS: i32 = 19;
/// Records of one room in a row.
const RECORDS_A_TURN: u32 = 64;
/// Rooms that have ended and are followed to their ends; each has a whole state in memory.
const ENDED_FOLLOWED_MAX: usize = 64;
/// Interval of looks for rooms that have ended.
const REMOVAL: Duration = Duration::from_secs(60);

/// The state that the follower shares with the rest of the server.
#[derive(Debug, Default)]
pub(super) struct FollowerShared {
    /// Journals that were begun; taken once in each round.
    begun: Mutex<Vec<Arc<RoomLog>>>,
    /// Every journal that goes on from before the start was begun: the others have ended.
    is_restored: AtomicBool,
    stop: AtomicBool,
    rooms: AtomicU64,
    lag_ticks_max: AtomicU64,
    checkpoints: AtomicU64,
    checkpoints_failed: AtomicU64,
    rooms_not_deterministic: AtomicU64,
    rooms_not_followed: AtomicU64,
    bytes_removed: AtomicU64,
}

/// The state of the follower, for `/stats.json`. Counts are since the server began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct FollowerStats {
    /// Rooms that are followed.
    pub(crate) rooms: u64,
    /// Ticks from what is written of a room to what was followed, of the room with the most.
    pub(crate) lag_ticks_max: u64,
    /// Checkpoints written.
    pub(crate) checkpoints: u64,
    /// Checkpoints that could not be written.
    pub(crate) checkpoints_failed: u64,
    /// Rooms whose game is not deterministic, or whose state serde does not hold.
    pub(crate) rooms_not_deterministic: u64,
    /// Rooms that are not followed any more for another reason.
    pub(crate) rooms_not_followed: u64,
    /// Bytes of files that were removed because they are no longer kept.
    pub(crate) bytes_removed: u64,
}

impl FollowerShared {
    /// Follows this journal from its first record on.
    pub(super) fn begin(&self, log: &Arc<RoomLog>) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(log));
    }

    fn take_begun(&self) -> Vec<Arc<RoomLog>> {
        std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every journal that goes on from before the start was begun. Nothing is removed before that.
    pub(super) fn all_restored(&self) {
        self.is_restored.store(true, Ordering::Release);
    }

    /// Asks the thread to end.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(super) fn stats(&self) -> FollowerStats {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        FollowerStats {
            rooms: get(&self.rooms),
            lag_ticks_max: get(&self.lag_ticks_max),
            checkpoints: get(&self.checkpoints),
            checkpoints_failed: get(&self.checkpoints_failed),
            rooms_not_deterministic: get(&self.rooms_not_deterministic),
            rooms_not_followed: get(&self.rooms_not_followed),
            bytes_removed: get(&self.bytes_removed),
        }
    }
}

/// The thread's own.
pub(super) struct Follower<S: Simulation> {
    shared: Arc<FollowerShared>,
    rooms: Vec<FollowerRoom<S>>,
    dir: PathBuf,
    pause: Duration,
    /// Ticks between two checkpoints; 0 follows no room.
    checkpoint_ticks: u32,
    bounds: KeptBounds,
    next_removal: Instant,
    /// The bytes of all rooms were too many, and it was said.
    is_over: bool,
}

/// A room whose journal is kept.
struct FollowerRoom<S: Simulation> {
    log: Arc<RoomLog>,
    following: Following<S>,
    is_behind: bool,
    /// The size of its files when it was last said; 0 for never.
    told_bytes: u64,
}

enum Following<S: Simulation> {
    /// It has no records so far.
    Waiting,
    On(Box<FollowedRoom<S>>),
    /// It is not followed, or not any more.
    Over,
}

impl<S: Simulation> Follower<S> {
    pub(super) fn new(shared: Arc<FollowerShared>, dir: &Path, config: &ServerConfig) -> Self {
        Follower {
            shared,
            rooms: Vec::new(),
            dir: dir.to_owned(),
            pause: Duration::from_millis(u64::from(config.journal_flush_ms)),
            checkpoint_ticks: config.journal_checkpoint_s.saturating_mul(S::TICK_HZ),
            bounds: KeptBounds {
                room_bytes: config.journal_room_bytes as u64,
                bytes: config.journal_bytes as u64,
                ended: Duration::from_secs(u64::from(config.journal_ended_kept_s)),
            },
            next_removal: Instant::now() + REMOVAL,
            is_over: false,
        }
    }

    pub(super) fn run(mut self) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "the follower of journals keeps the usual niceness");
        }
        while !self.shared.stop.load(Ordering::Acquire) {
            if !self.round() {
                std::thread::park_timeout(self.pause);
            }
            if Instant::now() >= self.next_removal {
                self.next_removal = Instant::now() + REMOVAL;
                self.remove_ended(SystemTime::now());
            }
        }
        for room in self.rooms {
            room.drop_guarded();
        }
    }

    fn take_begun(&mut self) {
        // Whoever makes a room never waits for a whole round.
        let begun = self.shared.take_begun();
        let begun = begun.into_iter().map(|log| {
            let following = match self.checkpoint_ticks {
                0 => Following::Over,
                _ => Following::Waiting,
            };
            FollowerRoom { log, following, is_behind: false, told_bytes: 0 }
        });
        self.rooms.extend(begun);
    }

    /// Gives every room its turn. False if none had anything to follow.
    pub(super) fn round(&mut self) -> bool {
        self.take_begun();
        let (mut is_busy, mut lag_ticks_max, mut ended) = (false, 0, 0);
        for at in (0..self.rooms.len()).rev() {
            if self.shared.stop.load(Ordering::Acquire) {
                return true;
            }
            let has_ended = self.rooms[at].has_ended();
            let lag_ticks = self.turn(at);
            is_busy |= lag_ticks > 0;
            lag_ticks_max = lag_ticks_max.max(lag_ticks);
            ended += usize::from(has_ended && lag_ticks > 0);
            let may_lag = ended > ENDED_FOLLOWED_MAX && !self.rooms[at].log.ends_with_checkpoint();
            if has_ended && (lag_ticks == 0 || may_lag) {
                let room = self.rooms.swap_remove(at);
                self.let_go(room, lag_ticks);
            }
        }
        let followed = self.rooms.iter().filter(|room| room.is_followed()).count();
        self.shared.rooms.store(followed as u64, Ordering::Relaxed);
        self.shared.lag_ticks_max.store(u64::from(lag_ticks_max), Ordering::Relaxed);
        is_busy
    }

    /// Lets a room go that has ended, with `lag_ticks` left to follow.
    fn let_go(&self, mut room: FollowerRoom<S>, lag_ticks: u32) {
        if lag_ticks == 0 && room.log.ends_with_checkpoint() {
            room.write_checkpoint(&self.shared);
        }
        if let Following::On(followed) = &mut room.following
            && let Some(error) = followed.end()
        {
            give_up(&self.shared, &mut room, &error);
        } else if lag_ticks > 0 {
            self.shared.rooms_not_followed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                room = room.log.room(),
                lag_ticks,
                "the room has ended, and is not followed to its end: there is too little processor time left"
            );
        }
        room.drop_guarded();
    }

    /// Follows some records of a room. Returns the ticks that are left.
    fn turn(&mut self, at: usize) -> u32 {
        let room = &mut self.rooms[at];
        let written = room.log.written_tick();
        if matches!(room.following, Following::Waiting) && written.0 != 0 {
            let log = Arc::clone(&room.log);
            let opened = guarded(|| FollowedRoom::open(log, self.checkpoint_ticks));
            match opened.unwrap_or(Err(FollowError::Panic { tick: Tick(0) })) {
                Ok(followed) => room.following = Following::On(Box::new(followed)),
                Err(error) => give_up(&self.shared, room, &error),
            }
        }
        for _ in 0..RECORDS_A_TURN {
            let Following::On(followed) = &mut room.following else { break };
            if followed.tick() == written {
                break;
            }
            let tick = followed.tick();
            let outcome = guarded(|| followed.follow());
            match outcome.unwrap_or(Err(FollowError::Panic { tick })) {
                Ok(Followed::Same) => {}
                Ok(Followed::Checkpoint) => {
                    self.shared.checkpoints.fetch_add(1, Ordering::Relaxed);
                    trim(&self.shared, &room.log, followed, self.bounds);
                }
                Ok(Followed::NotWritten) => {
                    self.shared.checkpoints_failed.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => give_up(&self.shared, room, &error),
            }
        }
        let room = &mut self.rooms[at];
        if room.log.is_checkpoint_asked() && room.is_at(written) {
            let is_written = room.write_checkpoint(&self.shared);
            room.log.checkpoint_done(is_written);
        }
        let Following::On(followed) = &room.following else { return 0 };
        let lag_ticks = written.since(followed.tick()).unsigned_abs();
        room.say_if_behind(lag_ticks, self.checkpoint_ticks);
        lag_ticks
    }

    /// Removes rooms that have ended, and says which of the others are too large.
    fn remove_ended(&mut self, now: SystemTime) {
        if !self.shared.is_restored.load(Ordering::Acquire) {
            return;
        }
        self.take_begun();
        let live: HashSet<&Path> = self.rooms.iter().map(|room| room.log.dir()).collect();
        let remove = |folder: &Path| std::fs::remove_dir_all(folder);
        match remove_ended((&self.dir, &live), self.bounds, now, remove) {
            Ok(Removed { bytes, left, live }) => {
                self.shared.bytes_removed.fetch_add(bytes, Ordering::Relaxed);
                if bytes > 0 {
                    tracing::info!(bytes, "journals of ended rooms removed");
                }
                self.say_if_over(left);
                for room in &mut self.rooms {
                    let bytes = live.get(room.log.dir()).copied().unwrap_or(0);
                    room.say_if_large(bytes, self.bounds.room_bytes);
                }
            }
            Err(error) => {
                let dir = self.dir.display();
                tracing::warn!("journals of ended rooms in {dir} cannot be removed: {error}");
            }
        }
    }

    fn say_if_over(&mut self, left: u64) {
        let most = self.bounds.bytes;
        if left > most && !self.is_over {
            tracing::warn!(
                "the journals of rooms that go on take {left} bytes, more than journal_bytes ({most}); lower \
                 journal_room_bytes, or give them more"
            );
        }
        self.is_over = left > most;
    }
}

impl<S: Simulation> FollowerRoom<S> {
    /// Nobody else holds it: all its records are written.
    fn has_ended(&self) -> bool {
        let is_alone = Arc::strong_count(&self.log) == 1 + usize::from(self.is_followed());
        // What the others wrote before they let go is seen from here on.
        fence(Ordering::Acquire);
        is_alone
    }

    /// True if it is followed to `written`, or will never be.
    fn is_at(&self, written: Tick) -> bool {
        match &self.following {
            Following::Waiting => written == Tick(0),
            Following::On(followed) => followed.tick() == written,
            Following::Over => true,
        }
    }

    /// Writes a checkpoint of the last tick. False if there is none.
    fn write_checkpoint(&mut self, shared: &FollowerShared) -> bool {
        let written = match &mut self.following {
            Following::On(followed) => {
                let tick = followed.tick();
                guarded(|| followed.write_checkpoint()).unwrap_or(Err(FollowError::Panic { tick }))
            }
            // It stands where it was restored.
            Following::Waiting if self.log.dir().is_dir() => {
                let log = Arc::clone(&self.log);
                guarded(|| FollowedRoom::<S>::write_last_checkpoint(log))
                    .unwrap_or(Err(FollowError::Panic { tick: Tick(0) }))
            }
            Following::Waiting | Following::Over => return false,
        };
        match written {
            Ok(Followed::Checkpoint) => {
                shared.checkpoints.fetch_add(1, Ordering::Relaxed);
                true
            }
            Ok(_) => {
                shared.checkpoints_failed.fetch_add(1, Ordering::Relaxed);
                false
            }
            Err(error) => {
                give_up(shared, self, &error);
                false
            }
        }
    }

    fn is_followed(&self) -> bool {
        matches!(self.following, Following::On(_))
    }

    fn say_if_behind(&mut self, lag_ticks: u32, checkpoint_ticks: u32) {
        let (room, most) = (self.log.room(), checkpoint_ticks);
        if lag_ticks > most && !self.is_behind {
            self.is_behind = true;
            tracing::warn!(
                room,
                lag_ticks,
                "the room is followed more than a checkpoint late: there is too little processor time left; checkpoints come \
                 late, and a restart takes longer"
            );
        } else if lag_ticks < most / 2 && self.is_behind {
            self.is_behind = false;
            tracing::info!(room, lag_ticks, "the room is followed in time again");
        }
    }

    /// Says so each time that its files have become twice as large as they may be: without checkpoints none is removed.
    fn say_if_large(&mut self, bytes: u64, most: u64) {
        if bytes < most.max(self.told_bytes).saturating_mul(2) {
            return;
        }
        self.told_bytes = bytes;
        let (room, dir) = (self.log.room(), self.log.dir().display());
        tracing::warn!(
            room,
            bytes,
            "the files in {dir} are larger than journal_room_bytes ({most}), and none is removed as the room has no new \
             checkpoints; the disk fills up, and a restart runs the room from its last checkpoint, or from its first tick"
        );
    }

    /// Dropping the game's own state may panic.
    fn drop_guarded(self) {
        let _ = guarded(|| drop(self));
    }
}

/// Ends the following of a room, and says why.
fn give_up<S: Simulation>(
    shared: &FollowerShared,
    room: &mut FollowerRoom<S>,
    error: &FollowError,
) {
    let before = std::mem::replace(&mut room.following, Following::Over);
    let _ = guarded(|| drop(before));
    let name = room.log.room();
    let count = match error {
        FollowError::Differs { .. } | FollowError::State { .. } | FollowError::Panic { .. } => {
            &shared.rooms_not_deterministic
        }
        _ => &shared.rooms_not_followed,
    };
    count.fetch_add(1, Ordering::Relaxed);
    let Some(difference) = error.difference() else {
        tracing::error!(room = name, "the room has no more checkpoints: {error}");
        return;
    };
    let (tick, lane) = (difference.tick, difference.lane.as_ref());
    let entity = lane.map(|lane| lane.entity);
    let field = lane.and_then(|lane| Some(format!("{}.{}", lane.kind, lane.field.as_ref()?)));
    tracing::error!(room = name, tick, entity, field, "the room has no more checkpoints: {error}");
}

fn trim<S: Simulation>(
    shared: &FollowerShared,
    log: &RoomLog,
    followed: &mut FollowedRoom<S>,
    bounds: KeptBounds,
) {
    match followed.files().trim(bounds.room_bytes) {
        Ok(removed) => {
            shared.bytes_removed.fetch_add(removed, Ordering::Relaxed);
        }
        Err(error) => {
            let dir = log.dir().display();
            tracing::warn!(room = log.room(), "old files in {dir} cannot be removed: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
