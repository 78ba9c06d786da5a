//! A replay from a checkpoint goes on as one from the start, and its files are whole or of no use.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tickwire_server::journal::{
    Checkpoint, CheckpointHead, JournalEnd, JournalError, JournalReader, NewestReplay,
    SegmentWriter, newest_replay,
};
use tickwire_server::room::{JournalEntry, Replay, ReplayError, SeatRole};
use tickwire_shared::{PlayerId, Simulation, Tick};

use crate::race::Race;
use crate::{OPTIONS, Table, cases, match_of_three, play};

/// The table's replay after `ticks` ticks.
fn replay_to<S: Simulation>(table: &Table, ticks: usize) -> Replay<S> {
    let mut replay = Replay::<S>::new(&table.head).unwrap();
    table.records[..ticks].iter().for_each(|record| replay.step(record).unwrap());
    replay
}

/// The same by way of a checkpoint.
fn restored<S: Simulation>(table: &Table, replay: &Replay<S>) -> Replay<S> {
    let bytes = replay.checkpoint().unwrap();
    Replay::from_checkpoint(&table.head, &bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn from_a_checkpoint_at_any_tick_the_rest_comes_to_the_same(
        options in 0usize..3, at in any::<prop::sample::Index>(),
        acts in prop::collection::vec(any::<(u8, u8, u8)>(), 1..400),
    ) {
        let table = play(OPTIONS[options], 7, &acts);
        let mut straight = replay_to::<Race<0>>(&table, at.index(table.records.len() + 1));
        let mut restored = restored(&table, &straight);
        prop_assert_eq!(restored.checkpoint().unwrap(), straight.checkpoint().unwrap());
        for record in &table.records[straight.tick().0 as usize..] {
            straight.step(record).unwrap();
            restored.step(record).unwrap();
            prop_assert_eq!(restored.difference(), None);
            prop_assert_eq!(restored.hash(), straight.hash());
        }
        prop_assert_eq!(restored.checkpoint().unwrap(), straight.checkpoint().unwrap());
        prop_assert!(restored.all_members().eq(straight.all_members()));
    }

    #[test]
    fn a_checkpoint_of_any_bytes_is_refused_or_run(
        at in any::<prop::sample::Index>(), bit in 0u8..8, length in any::<prop::sample::Index>(),
        acts in prop::collection::vec(any::<(u8, u8, u8)>(), 1..60),
    ) {
        let table = play(OPTIONS[1], 0, &acts);
        let whole = replay_to::<Race<0>>(&table, table.records.len()).checkpoint().unwrap();
        let cut = &whole[..length.index(whole.len())];
        prop_assert!(Replay::<Race<0>>::from_checkpoint(&table.head, cut).is_err());
        let longer = [&whole[..], &[0]].concat();
        prop_assert!(Replay::<Race<0>>::from_checkpoint(&table.head, &longer).is_err());
        let mut flipped = whole;
        let at = at.index(flipped.len());
        flipped[at] ^= 1 << bit;
        let _ = Replay::<Race<0>>::from_checkpoint(&table.head, &flipped);
    }
}

#[test]
fn a_checkpoint_knows_who_is_there_and_who_is_away() {
    let mut table = match_of_three(0);
    // Number 4 watches, number 2 is away.
    table.act((2, 3, 0));
    table.act((4, 1, 0));
    table.tick();
    let replay = restored(&table, &replay_to::<Race<0>>(&table, table.records.len()));
    let members: Vec<_> = replay
        .all_members()
        .map(|member| (member.player.0, member.name.as_str(), member.role, member.is_away))
        .collect();
    let expected = [
        (1, "p1", SeatRole::Player, false),
        (2, "p2", SeatRole::Player, true),
        (4, "p4", SeatRole::Spectator, false),
    ];
    assert_eq!(members, expected);
    let account = |player| {
        let mut members = replay.all_members();
        members.find(|member| member.player == PlayerId(player)).unwrap().account.clone()
    };
    assert_eq!(account(2).unwrap().id, "aa");
    assert_eq!(account(4), None, "a spectator has none");
}

#[test]
fn a_checkpoint_of_another_game_or_of_other_fields_is_refused_as_its_journal_is() {
    let table = match_of_three(0);
    let bytes = replay_to::<Race<0>>(&table, 5).checkpoint().unwrap();
    let mut head = table.head.clone();
    head.schema.game = "chess".into();
    let error = Replay::<Race<0>>::from_checkpoint(&head, &bytes).unwrap_err();
    assert_eq!(error, ReplayError::OtherGame("chess".into()));
    let mut head = table.head.clone();
    head.schema.entities[0].fields[2].name = "paint".into();
    let error = Replay::<Race<0>>::from_checkpoint(&head, &bytes).unwrap_err();
    assert!(matches!(error, ReplayError::Schema(_)), "{error}");
}

#[test]
fn a_checkpoint_from_which_the_game_shows_another_world_is_refused() {
    let table = match_of_three(0);
    let bytes = replay_to::<Race<0>>(&table, 20).checkpoint().unwrap();
    let flipped = (0..bytes.len()).map(|at| {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        Replay::<Race<0>>::from_checkpoint(&table.head, &flipped)
    });
    let refused = flipped.filter_map(Result::err).map(|error| error.to_string());
    let others = refused.filter(|error| error.contains("shows another world")).count();
    // Three drivers with places, laps and colors, and the sum that all laps have in them.
    assert!(others >= 12, "{others} of {} bytes", bytes.len());
}

/// The table's journal in a folder, in small segments, with checkpoints after these ticks.
fn folder(dir: &Path, table: &Table, at: &[usize]) -> PathBuf {
    let dir = dir.join("room");
    let mut writer = SegmentWriter::new(dir.clone(), table.head.clone(), 700);
    for record in &table.records {
        writer.append(&JournalEntry::Tick(record.clone()));
        writer.flush(false).unwrap();
    }
    let mut journal = JournalReader::open(&dir).unwrap();
    let mut replay = Replay::<Race<0>>::new(&table.head).unwrap();
    let mut number = 0;
    while let Some(record) = journal.next_record().unwrap() {
        replay.step(&record).unwrap();
        if !at.contains(&(record.tick.0 as usize)) {
            continue;
        }
        let head = CheckpointHead {
            number,
            journal: table.head.clone(),
            tick: replay.tick(),
            next: journal.position(),
        };
        let state = replay.checkpoint().unwrap();
        Checkpoint { head, state }.write(&dir).unwrap();
        number += 1;
    }
    dir
}

fn newest(dir: &Path) -> Result<NewestReplay<Race<0>>, JournalError> {
    newest_replay(dir)
}

#[test]
fn the_newest_checkpoint_counts_and_the_records_after_it() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(1));
    let room = folder(dir.path(), &table, &[10, 20]);
    // Nothing before the checkpoint is needed.
    std::fs::remove_file(room.join("000000.journal")).unwrap();
    let newest = newest(&room).unwrap();
    assert_eq!((newest.from_tick, newest.replay.tick()), (Tick(20), Tick(40)));
    assert_eq!((newest.end, newest.replay.difference()), (JournalEnd::Open, None));
    assert_eq!(newest.head, table.head);
    let whole = replay_to::<Race<0>>(&table, 40);
    assert_eq!(newest.replay.checkpoint().unwrap(), whole.checkpoint().unwrap());
    assert!(newest.unused.is_empty());
}

#[test]
fn a_checkpoint_cut_or_flipped_anywhere_falls_back_to_the_one_before() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(0));
    let room = folder(dir.path(), &table, &[10, 20]);
    let file = room.join("000001.checkpoint");
    let bytes = std::fs::read(&file).unwrap();
    let falls_back = |damaged: &[u8], what: &str| {
        std::fs::write(&file, damaged).unwrap();
        let newest = newest(&room).unwrap();
        assert_eq!((newest.from_tick, newest.replay.tick()), (Tick(10), Tick(40)), "{what}");
        assert_eq!(newest.unused.len(), 1, "{what}");
        assert!(newest.unused[0].to_string().contains("000001.checkpoint"), "{what}");
    };
    for length in 0..bytes.len() {
        falls_back(&bytes[..length], &format!("cut at {length}"));
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        falls_back(&flipped, &format!("flipped at {at}"));
    }
    falls_back(&[&bytes[..], b"x"].concat(), "longer");
    falls_back(&std::fs::read(room.join("000000.checkpoint")).unwrap(), "another's");
}

#[test]
fn a_checkpoint_that_was_not_finished_is_not_there() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(0));
    let room = folder(dir.path(), &table, &[10, 20]);
    // Killed before it had its name.
    let file = room.join("000001.checkpoint");
    std::fs::rename(&file, room.join("000001.checkpoint-unfinished")).unwrap();
    let before = newest(&room).unwrap();
    assert_eq!((before.from_tick, before.unused.len()), (Tick(10), 0));
    // The next one takes its place.
    let mut next = Checkpoint::read(&room.join("000000.checkpoint")).unwrap();
    next.head.number = 1;
    next.write(&room).unwrap();
    assert!(!room.join("000001.checkpoint-unfinished").exists());
    assert_eq!(Checkpoint::read(&file).unwrap(), next);
}

#[test]
fn without_a_whole_checkpoint_the_room_begins_at_its_beginning_if_that_is_there() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(0));
    let room = folder(dir.path(), &table, &[10]);
    std::fs::write(room.join("000000.checkpoint"), b"tickstat").unwrap();
    let begun = newest(&room).unwrap();
    assert_eq!((begun.from_tick, begun.replay.tick()), (Tick(0), Tick(40)));
    std::fs::remove_file(room.join("000000.journal")).unwrap();
    let error = newest(&room).unwrap_err().to_string();
    assert!(error.contains("000000.checkpoint is damaged at byte 0"), "{error}");
    std::fs::remove_file(room.join("000000.checkpoint")).unwrap();
    assert!(matches!(newest(&room).unwrap_err(), JournalError::NotAJournal(_)));
}

#[test]
fn a_checkpoint_beside_the_journal_of_another_room_or_before_its_end_is_of_no_use() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(0));
    let room = folder(dir.path(), &table, &[10, 20]);
    let file = room.join("000001.checkpoint");
    let whole = Checkpoint::read(&file).unwrap();
    let unused = |change: fn(&mut CheckpointHead)| {
        let mut checkpoint = whole.clone();
        change(&mut checkpoint.head);
        checkpoint.write(&room).unwrap();
        let newest = newest(&room).unwrap();
        assert_eq!((newest.from_tick, newest.replay.tick()), (Tick(10), Tick(40)));
        newest.unused[0].to_string()
    };
    assert!(unused(|head| head.journal.seed += 1).contains("of another room"));
    assert!(unused(|head| head.next.offset = 1_000_000).contains("does not have"));
    assert!(unused(|head| head.next.offset = 3).contains("does not have"));
    assert!(unused(|head| head.next.segment = 99).contains("000099.journal"));
    assert!(unused(|head| head.tick = Tick(21)).contains("another tick"));
}
