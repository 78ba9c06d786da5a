//! A room of another version of the game goes on in a folder of its own, from the checkpoint at its end.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tickwire_shared::Simulation;

use super::checkpoint::{Checkpoint, CheckpointHead};
use super::reader::{JournalEnd, JournalPosition, JournalReader};
use super::rerun::{CLOSED_SUFFIX, RestoreError, closed_name, newest_checkpoint, rename_closed};
use super::segment::SegmentWriter;
use crate::guard::guarded;
use crate::room::Replay;

/// The first segment of the new folder. There is none before it, as where the first ones were removed: a replay begins at the
/// checkpoint.
const FIRST_SEGMENT: u32 = 1;

/// Makes the folder in which the room of `folder` goes on by this build's version, and renames the old one as that of a room
/// that was let go: its records stay for builds of their version. `None` if the room was let go before.
///
/// # Errors
/// [`RestoreError`]; `folder` is as it was.
pub(super) fn migrate<S: Simulation>(folder: &Path) -> Result<Option<PathBuf>, RestoreError> {
    let Checkpoint { head, state } = newest_checkpoint(folder)?;
    let mut journal = JournalReader::open_at(folder, head.next)?;
    let mut later_ticks = 0;
    while journal.next_record()?.is_some() {
        later_ticks += 1;
    }
    if journal.end() == JournalEnd::Closed {
        rename_closed(folder)?;
        return Ok(None);
    }
    if later_ticks > 0 {
        let (recorded, own) = (head.journal.version, S::VERSION);
        return Err(RestoreError::NotAtEnd { recorded, own, later_ticks });
    }
    let migrated = guarded(|| {
        let (journal, replay) = Replay::<S>::migrated(&head.journal, &state)?;
        let state = replay.checkpoint()?;
        Ok::<_, RestoreError>((journal, state))
    });
    let (journal, state) = migrated.ok_or(RestoreError::MigratePanic(head.tick.0))??;
    let (next, part) = new_folders(folder, S::VERSION)?;
    let mut segment = SegmentWriter::go_on(part.clone(), journal.clone(), FIRST_SEGMENT, 0);
    let next_record = JournalPosition { segment: FIRST_SEGMENT, offset: segment.begin_empty()? };
    let head = CheckpointHead { number: 0, journal, tick: head.tick, next: next_record };
    Checkpoint { head, state }.write(&part)?;
    std::fs::rename(&part, &next)?;
    rename_closed(folder)?;
    Ok(Some(next))
}

/// The folder for the next version, and one to be renamed to it once it is whole. A room that comes back to a version has
/// been in a folder of it before, which is closed: the next one has a number.
fn new_folders(folder: &Path, version: u32) -> io::Result<(PathBuf, PathBuf)> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'-';
    let base = match name.rsplit_once(".v") {
        Some((base, number)) if number.bytes().all(is_number) => base,
        _ => &name,
    };
    let mut next = folder.with_file_name(format!("{base}.v{version}"));
    let mut number = 1;
    while closed_name(&next).try_exists()? {
        number += 1;
        next = folder.with_file_name(format!("{base}.v{version}-{number}"));
    }
    if next.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let part = folder.with_file_name(format!("{base}.v{version}.part{CLOSED_SUFFIX}"));
    if part.try_exists()? {
        // Of a process that ended in the middle.
        std::fs::remove_dir_all(&part)?;
    }
    DirBuilder::new().mode(0o700).create(&part)?;
    Ok((next, part))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tickwire_shared::{
        Capture, EntityId, Inputs, LeaveReason, MigrateError, NewPlayer, NewRoom, Outbox, PlayerId,
        Tick, read_state,
    };

    use super::super::restore::restore;
    use super::super::warm::WarmRooms;
    use super::*;
    use crate::config::RoomConfig;
    use crate::room::{JournalEntry, JournalHead, TickRecord};

    #[derive(Clone, Copy, Default, PartialEq, tickwire_shared::Input)]
    struct Nothing {}

    #[derive(tickwire_shared::Replicate)]
    struct Tower {
        floors: u16,
    }

    /// A tower that grows by a floor in each tick.
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Site<const VERSION: u32> {
        floors: u16,
        visitors: Vec<u32>,
    }

    #[tickwire_shared::game]
    impl<const VERSION: u32> Simulation for Site<VERSION> {
        const NAME: &'static str = "site";
        const VERSION: u32 = VERSION;
        type Input = Nothing;
        type Entity = Tower;

        fn new(_room: &NewRoom<Self>) -> Self {
            Site { floors: 0, visitors: Vec::new() }
        }

        fn migrate(from: u32, bytes: &[u8]) -> Result<Self, MigrateError> {
            match (from, VERSION) {
                (1, 2) => read_state::<Site<1>>(bytes)
                    .map(|site| Site { floors: site.floors + 100, visitors: vec![7] }),
                (2, 1) => read_state::<Site<2>>(bytes)
                    .map(|site| Site { floors: site.floors - 100, visitors: site.visitors }),
                _ => Err(MigrateError::version(from)),
            }
        }

        fn join(&mut self, _player: &NewPlayer<Self>) {}

        fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

        fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
            self.floors += 1;
        }

        fn capture(&self, world: &mut Capture<Tower>) {
            world.show(EntityId(1), Tower { floors: self.floors });
        }
    }

    fn record(tick: u32) -> TickRecord {
        let tick = Tick(tick);
        let (changes, inputs, commands) = (Vec::new(), Vec::new(), Vec::new());
        TickRecord { tick, changes, inputs, commands, hash: None, lanes: None }
    }

    /// A room of version 1 with this many ticks, and a checkpoint after the tick `checkpoint`.
    fn play(folder: &Path, ticks: u32, checkpoint: u32) {
        let head = JournalHead::new::<Site<1>>(("tower", 5), &"".into(), &RoomConfig::default());
        let mut writer = SegmentWriter::new(folder.to_owned(), head.clone(), 1 << 20);
        let mut replay = Replay::<Site<1>>::new(&head).unwrap();
        for tick in 1..=ticks {
            writer.append(&JournalEntry::Tick(record(tick)));
            writer.flush(false).unwrap();
            replay.step(&record(tick)).unwrap();
            if tick == checkpoint {
                let mut journal = JournalReader::open(folder).unwrap();
                while journal.next_record().unwrap().is_some() {}
                let (next, tick) = (journal.position(), Tick(tick));
                let head = CheckpointHead { number: 0, journal: head.clone(), tick, next };
                let state = replay.checkpoint().unwrap();
                Checkpoint { head, state }.write(folder).unwrap();
            }
        }
    }

    #[test]
    fn a_room_goes_on_in_the_next_version_and_is_restored_from_its_new_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tower-1-0");
        play(&folder, 9, 9);
        let none = &mut WarmRooms::default();
        let restored = restore::<Site<2>>(&folder, none).unwrap().expect("it goes on");
        assert_eq!(restored.folder, dir.path().join("tower-1-0.v2"));
        assert_eq!((restored.head.version, restored.replay.tick()), (2, Tick(9)));
        assert!(!folder.exists() && dir.path().join("tower-1-0.closed").is_dir());
        // The old records are whole for builds of their version.
        let old = JournalReader::open(&dir.path().join("tower-1-0.closed")).unwrap();
        assert_eq!(old.head().version, 1);
        // The room plays on, and is restored once more: now it is of this version.
        let number = restored.tail.cut_off(false).unwrap();
        let (folder, head) = (restored.folder, restored.head);
        let mut writer = SegmentWriter::go_on(folder.clone(), head, number, 1 << 20);
        writer.append(&JournalEntry::Tick(record(10)));
        writer.flush(false).unwrap();
        let again = restore::<Site<2>>(&folder, none).unwrap().expect("it goes on");
        assert_eq!((again.folder, again.replay.tick()), (folder, Tick(10)));
    }

    #[test]
    fn a_room_goes_to_a_version_and_back_again_and_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = dir.path().join("tower-1-0");
        play(&folder, 9, 9);
        for name in ["v2", "v1", "v2-2", "v1-2", "v2-3"] {
            let (next, floors) = if name.starts_with("v2") {
                let restored = restore::<Site<2>>(&folder, &mut WarmRooms::default());
                let restored = restored.unwrap().expect("it goes on");
                (restored.folder, restored.replay.simulation().floors)
            } else {
                let restored = restore::<Site<1>>(&folder, &mut WarmRooms::default());
                let restored = restored.unwrap().expect("it goes on");
                (restored.folder, restored.replay.simulation().floors)
            };
            assert_eq!(next, dir.path().join(format!("tower-1-0.{name}")));
            assert_eq!(floors, if name.starts_with("v2") { 109 } else { 9 });
            assert!(!folder.exists(), "{} is closed", folder.display());
            folder = next;
        }
    }

    #[test]
    fn ticks_after_the_checkpoint_are_not_lost_for_a_migration() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tower-1-0");
        play(&folder, 9, 7);
        let refused = restore::<Site<2>>(&folder, &mut WarmRooms::default()).unwrap_err();
        let expected = RestoreError::NotAtEnd { recorded: 1, own: 2, later_ticks: 2 };
        assert_eq!(refused.to_string(), expected.to_string());
        assert!(folder.is_dir(), "it is as it was");
    }

    #[test]
    fn a_version_that_reads_no_other_leaves_the_room_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tower-1-0");
        play(&folder, 9, 9);
        let refused = restore::<Site<3>>(&folder, &mut WarmRooms::default()).unwrap_err();
        assert!(refused.to_string().contains("write Simulation::migrate"), "{refused}");
        let restored = restore::<Site<1>>(&folder, &mut WarmRooms::default()).unwrap();
        assert_eq!(restored.expect("it goes on").replay.tick(), Tick(9));
    }
}
