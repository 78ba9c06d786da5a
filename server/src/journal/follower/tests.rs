//! The follower's rounds over real files, without its thread.

use std::cell::Cell;
use std::fs::File;

use serde::{Deserialize, Serialize};
use tickwire_shared::{
    Capture, EntityId, Input, Inputs, LeaveReason, NewPlayer, NewRoom, NoCommand, NoEvent, Outbox,
    PlayerId, Replicate,
};

use super::*;
use crate::config::RoomConfig;
use crate::journal::checkpoint::checkpoints;
use crate::journal::{SegmentWriter, newest_replay};
use crate::logged::logged;
use crate::room::{JournalHead, Room as LiveRoom};

mod removal;

thread_local! {
    /// Games made so far, from that of the last live room on.
    static MADE: Cell<u32> = const { Cell::new(0) };
}

/// The tick in which a room named after a fault shows it.
const FAULT: u32 = 50;

#[derive(Clone, Copy, Default, PartialEq, Input)]
struct Nothing {}

#[derive(Replicate)]
struct Orb {
    #[replicate(range = 0..=1_000_000)]
    height: u32,
}

/// Rules with the fault that the room's name says.
#[derive(Serialize, Deserialize)]
struct Faulty {
    name: String,
    made: u32,
    tick: u32,
    height: u32,
    #[serde(skip)]
    hidden: u32,
}

impl Simulation for Faulty {
    const NAME: &'static str = "faulty";
    type Input = Nothing;
    type Entity = Orb;
    type Event = NoEvent;
    type Command = NoCommand;
    type RoomOptions = ();
    type JoinOptions = ();
    type Profile = ();

    fn new(room: &NewRoom<'_, Self>) -> Self {
        let made = MADE.replace(MADE.get() + 1);
        Faulty { name: room.name.to_owned(), made, tick: 0, height: 0, hidden: 0 }
    }

    fn join(&mut self, _player: &NewPlayer<'_, Self>) {}

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {}

    fn step(&mut self, _inputs: &Inputs<'_, Self>, _outbox: &mut Outbox<Self>) {
        self.tick += 1;
        self.hidden += 1;
        self.height += match self.name.as_str() {
            "random" if self.tick >= FAULT => self.made,
            "skips" => self.hidden % 8,
            "skips-late" if self.tick >= FAULT => self.hidden,
            _ => self.tick % 3,
        };
        assert!(self.name != "panics" || self.tick < FAULT || self.made == 0, "a fault");
        assert!(self.name != "ends" || self.tick < FAULT, "a fault");
    }

    fn capture(&self, world: &mut Capture<Orb>) {
        world.show(EntityId(7), Orb { height: self.height });
    }
}

/// A server's journals, without its threads.
struct Table {
    dir: tempfile::TempDir,
    follower: Follower<Faulty>,
    config: ServerConfig,
}

/// A room that plays, and its files.
struct Live {
    room: LiveRoom<Faulty>,
    log: Arc<RoomLog>,
    writer: SegmentWriter,
}

impl Table {
    fn new(change: fn(&mut ServerConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // 60 ticks a second.
        let mut config = ServerConfig { journal_checkpoint_s: 1, ..ServerConfig::default() };
        change(&mut config);
        let follower = Follower::new(Arc::default(), dir.path(), &config);
        follower.shared.all_restored();
        Table { dir, follower, config }
    }

    /// Makes a room of this name.
    fn live(&self, name: &str) -> Live {
        let config = RoomConfig::default();
        let head = JournalHead::new::<Faulty>((name, 1), &"".into(), &config);
        MADE.set(0);
        let mut room = LiveRoom::new(name.to_owned(), 1, config);
        room.start_journal(self.config.journal_lanes_ticks);
        let dir = self.dir.path().join(name);
        let log =
            Arc::new(RoomLog::new(dir.clone(), head.clone(), 0, self.config.journal_lanes_ticks));
        self.follower.shared.begin(&log);
        let segment_bytes_max = self.config.journal_segment_bytes as u64;
        Live { room, log, writer: SegmentWriter::new(dir, head, segment_bytes_max) }
    }

    /// Rounds until nothing is left to follow.
    fn follow(&mut self) -> FollowerStats {
        while self.follower.round() {}
        self.follower.shared.stats()
    }

    fn checkpoints(&self, room: &str) -> Vec<u32> {
        checkpoints(&self.dir.path().join(room)).unwrap()
    }
}

impl Live {
    fn tick(&mut self, ticks: u32) {
        for _ in 0..ticks {
            let stepped = guarded(|| self.room.step(Instant::now()));
            let Some(record) = self.room.poll_journal() else { return };
            self.writer.append_bytes(&record);
            self.writer.flush(false).unwrap();
            self.log.written(self.room.tick());
            if stepped.is_none() {
                return;
            }
        }
    }
}

#[test]
fn a_room_is_followed_and_its_checkpoints_lead_to_the_same() {
    let mut table = Table::new(|_| {});
    let mut live = table.live("fair");
    live.tick(61);
    let stats = table.follow();
    assert_eq!((stats.rooms, stats.lag_ticks_max, stats.checkpoints), (1, 0, 1));
    let log = logged(|| {
        for ticks in [60, 60, 60, 59] {
            live.tick(ticks);
            table.follow();
        }
    });
    assert_eq!(table.follow().checkpoints, 4);
    assert_eq!((table.checkpoints("fair"), log.as_str()), (vec![0, 2, 3], ""));
    let newest = newest_replay::<Faulty>(&table.dir.path().join("fair")).unwrap();
    assert_eq!((newest.from_tick, newest.replay.tick()), (Tick(240), Tick(300)));
    assert_eq!(newest.replay.difference(), None);
    assert_eq!(newest.replay.simulation().height, live.room.simulation().height);
    // The room goes, and the follower lets it go once it has followed it.
    live.tick(5);
    drop(live);
    assert_eq!(table.follow().rooms, 0);
}

#[test]
fn a_room_that_was_followed_before_goes_on_from_its_newest_checkpoint() {
    let mut table = Table::new(|_| {});
    let mut live = table.live("fair");
    live.tick(130);
    table.follow();
    // Another server's follower.
    table.follower = Follower::new(Arc::default(), table.dir.path(), &table.config);
    table.follower.shared.begin(&live.log);
    live.tick(60);
    let stats = table.follow();
    assert_eq!((stats.checkpoints, table.checkpoints("fair")), (1, vec![0, 1, 2]));
}

#[test]
fn rules_that_are_not_deterministic_are_named_with_tick_entity_and_field() {
    let mut table = Table::new(|_| {});
    let (mut odd, mut fair) = (table.live("random"), table.live("fair"));
    odd.tick(200);
    fair.tick(200);
    let log = logged(|| _ = table.follow());
    let told = "the room has no more checkpoints: the game is not deterministic: tick 50 differs";
    assert!(log.contains("ERROR") && log.contains(told), "{log}");
    for part in [r#"room="random""#, "tick=50", "entity=7", r#"field="Orb.height""#] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    let stats = table.follow();
    assert_eq!((stats.rooms_not_deterministic, stats.rooms, stats.checkpoints), (1, 1, 3));
    assert_eq!(table.checkpoints("random"), Vec::<u32>::new(), "they would be wrong");
    // It is said once.
    odd.tick(100);
    assert_eq!(logged(|| _ = table.follow()), "");
}

#[test]
fn a_difference_whose_field_the_journal_never_has_is_named_all_the_same() {
    let mut table = Table::new(|config| config.journal_lanes_ticks = 0);
    let mut live = table.live("random");
    live.tick(55);
    let log = logged(|| _ = table.follow());
    assert!(log.contains("tick 50 differs") && !log.contains("entity="), "{log}");
    // The room ends before the next lanes come.
    let mut table = Table::new(|_| {});
    let mut live = table.live("random");
    live.tick(55);
    assert_eq!(logged(|| _ = table.follow()), "");
    drop(live);
    let log = logged(|| _ = table.follow());
    assert!(log.contains("tick 50 differs"), "{log}");
    assert_eq!(table.follow().rooms_not_deterministic, 1);
}

#[test]
fn state_that_serde_skips_is_named_and_no_checkpoint_is_written() {
    let mut table = Table::new(|_| {});
    let mut live = table.live("skips");
    live.tick(200);
    let log = logged(|| _ = table.follow());
    let told = "a checkpoint does not hold all of the game's state (look for what serde skips): after one from tick 60";
    assert!(log.contains(told), "{log}");
    for part in [r#"room="skips""#, "tick=61", "entity=7", r#"field="Orb.height""#] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    assert_eq!(table.checkpoints("skips"), Vec::<u32>::new());
    assert_eq!(table.follow().rooms_not_deterministic, 1);
}

#[test]
fn state_that_serde_skips_and_that_matters_later_is_found_later() {
    let mut table = Table::new(|_| {});
    let mut live = table.live("skips-late");
    live.tick(200);
    let log = logged(|| _ = table.follow());
    assert!(log.contains("after one from tick 60"), "{log}");
    // With the first checkpoint before the state matters.
    let mut table = Table::new(|_| {});
    table.follower.checkpoint_ticks = 20;
    let mut live = table.live("skips-late");
    live.tick(200);
    let log = logged(|| _ = table.follow());
    let told = "tick 50 differs";
    assert!(log.contains(told) && log.contains("run from a checkpoint of tick 40 on"), "{log}");
}

#[test]
fn a_panic_of_the_rules_ends_the_following_of_its_room_alone() {
    let mut table = Table::new(|_| {});
    let mut live = table.live("panics");
    live.tick(100);
    let mut fair = table.live("fair");
    fair.tick(100);
    // The replays are other ones than the live rooms, which were number 0.
    let log = logged(|| _ = table.follow());
    assert!(log.contains("its rules panic in tick 50 where they did not before"), "{log}");
    let stats = table.follow();
    assert_eq!((stats.rooms_not_deterministic, stats.rooms, stats.checkpoints), (1, 1, 1));
}

#[test]
fn a_panic_that_ended_the_room_itself_is_no_fault_of_determinism() {
    let mut table = Table::new(|_| {});
    let mut live = table.live("ends");
    live.tick(100);
    assert_eq!(live.room.tick(), Tick(FAULT));
    let log = logged(|| _ = table.follow());
    assert!(log.contains("as they did in the room"), "{log}");
    let stats = table.follow();
    assert_eq!((stats.rooms_not_deterministic, stats.rooms_not_followed), (0, 1));
}

#[test]
fn a_journal_that_is_damaged_while_it_is_followed_is_named() {
    let mut table = Table::new(|_| {});
    let mut live = table.live("fair");
    live.tick(10);
    table.follow();
    let file = live.log.dir().join("000000.journal");
    let bytes = std::fs::metadata(&file).unwrap().len();
    live.tick(1);
    File::options().write(true).open(&file).unwrap().set_len(bytes).unwrap();
    let log = logged(|| _ = table.follow());
    assert!(log.contains("it is shorter than what was written"), "{log}");
    assert_eq!(table.follow().rooms_not_followed, 1);
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_named_and_the_next_one_tried() {
    let mut table = Table::new(|_| {});
    let mut live = table.live("fair");
    // A folder in the place of the file.
    let unfinished = live.log.dir().join("000000.checkpoint-unfinished");
    std::fs::create_dir_all(&unfinished).unwrap();
    live.tick(61);
    let log = logged(|| _ = table.follow());
    assert!(log.contains("WARN") && log.contains("a checkpoint cannot be written"), "{log}");
    let stats = table.follow();
    assert_eq!((stats.checkpoints, stats.checkpoints_failed, stats.rooms), (0, 1, 1));
    std::fs::remove_dir(unfinished).unwrap();
    live.tick(60);
    let stats = table.follow();
    assert_eq!((stats.checkpoints, stats.checkpoints_failed), (1, 1));
    assert_eq!(table.checkpoints("fair"), [0]);
}

#[test]
fn a_follower_that_is_a_checkpoint_behind_says_so_and_when_it_is_not() {
    let mut table = Table::new(|_| {});
    let mut live = table.live("fair");
    live.tick(200);
    let log = logged(|| _ = table.follower.round());
    assert!(log.contains("followed more than a checkpoint late") && log.contains("lag_ticks=136"));
    assert_eq!(table.follower.shared.stats().lag_ticks_max, 136);
    let log = logged(|| _ = table.follow());
    assert!(log.contains("followed in time again"), "{log}");
}
