//! A range of a journal as a journal of its own: bit for bit the same, and found out where it is not.

use std::path::{Path, PathBuf};

use tickwire_server::journal::{
    ExportError, JournalEnd, JournalReader, NewestReplay, SegmentWriter, export_range,
    newest_replay,
};
use tickwire_server::room::{JournalEntry, Replay};
use tickwire_shared::Tick;

use crate::race::Race;
use crate::{Table, match_of_three};

/// Writes the table's journal in a new folder.
fn write(dir: &Path, table: &Table) -> PathBuf {
    let room = dir.join("room");
    let mut writer = SegmentWriter::new(room.clone(), table.head.clone(), 700);
    for record in &table.records {
        writer.append(&JournalEntry::Tick(record.clone()));
        writer.flush(false).unwrap();
    }
    room
}

fn range(from: u32, to: u32) -> (Option<Tick>, Option<Tick>) {
    (Some(Tick(from)), Some(Tick(to)))
}

/// Runs an exported journal to its end.
fn run(dir: &Path) -> NewestReplay<Race<0>> {
    newest_replay(dir).unwrap()
}

#[test]
fn an_exported_range_replays_bit_for_bit_with_the_same_hashes() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(3));
    let room = write(dir.path(), &table);
    let last = table.records.len() as u32;
    for (from, to) in [(0, last), (0, 5), (7, 30), (20, 21), (last - 1, last), (33, last)] {
        let exported = dir.path().join(format!("{from}-{to}"));
        let range = export_range::<Race<0>>(&room, &exported, range(from, to)).unwrap();
        assert_eq!((range.from, range.to, range.end), (Tick(from), Tick(to), JournalEnd::Open));
        let newest = run(&exported);
        assert_eq!((newest.from_tick, newest.replay.tick()), (Tick(from), Tick(to)));
        assert_eq!(newest.replay.difference(), None);
        assert!(newest.unused.is_empty() && newest.head == table.head);
        // The same as a replay of all, after each of its ticks.
        let mut whole = Replay::<Race<0>>::new(&table.head).unwrap();
        table.records[..to as usize].iter().for_each(|record| whole.step(record).unwrap());
        assert_eq!(newest.replay.hash(), whole.hash());
        assert_eq!(newest.replay.checkpoint().unwrap(), whole.checkpoint().unwrap());
        let position = tickwire_server::journal::JournalPosition { segment: 1, ..newest.position };
        assert_eq!(newest.position, position, "one segment");
        let mut records = Vec::new();
        let checkpoint =
            tickwire_server::journal::Checkpoint::read(&exported.join("000000.checkpoint"));
        let mut reader = JournalReader::open_at(&exported, checkpoint.unwrap().head.next).unwrap();
        while let Some(record) = reader.next_record().unwrap() {
            records.push(record);
        }
        assert_eq!(records, table.records[from as usize..to as usize], "as they were recorded");
    }
}

#[test]
fn without_bounds_all_of_it_is_exported_also_from_an_export() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(0));
    let room = write(dir.path(), &table);
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let from = Some(Tick(10));
    let range = export_range::<Race<0>>(&room, &one, (from, None)).unwrap();
    assert_eq!(range.to.0 as usize, table.records.len());
    let again = export_range::<Race<0>>(&one, &two, (None, Some(Tick(20)))).unwrap();
    assert_eq!((again.from, again.to), (Tick(10), Tick(20)));
    assert_eq!(run(&two).replay.hash(), again.replay.hash());
}

#[test]
fn a_flipped_bit_of_an_exported_range_is_found_wherever_it_is() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(5));
    let room = write(dir.path(), &table);
    let exported = dir.path().join("exported");
    export_range::<Race<0>>(&room, &exported, range(12, 30)).unwrap();
    let good = run(&exported).replay.hash();
    let mut files = 0;
    for name in ["000000.checkpoint", "000001.journal"] {
        let file = exported.join(name);
        let whole = std::fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            std::fs::write(&file, flipped).unwrap();
            let read = newest_replay::<Race<0>>(&exported);
            let is_found = read.as_ref().map_or(true, |read| read.end != JournalEnd::Open);
            assert!(is_found, "byte {at} of {name}: {read:?}");
        }
        std::fs::write(&file, whole).unwrap();
        files += 1;
    }
    assert_eq!((files, run(&exported).replay.hash()), (2, good));
}

#[test]
fn a_range_that_cannot_be_is_refused_with_the_reason() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(5));
    let room = write(dir.path(), &table);
    let last = table.records.len() as u32;
    let out = |name: &str| dir.path().join(name);
    let late = export_range::<Race<0>>(&room, &out("late"), range(last + 5, last + 9)).unwrap_err();
    let words = format!("tick {} is not in this journal, which has 0 to {last}", last + 5);
    assert!(late.to_string().starts_with(&words), "{late}");
    let empty = export_range::<Race<0>>(&room, &out("empty"), range(9, 9)).unwrap_err();
    assert!(matches!(empty, ExportError::Empty { from: 9 }), "{empty}");
    let full = export_range::<Race<0>>(&room, dir.path(), range(1, 9)).unwrap_err();
    assert!(matches!(full, ExportError::NotEmpty(_)), "{full}");
    // Other rules come to something else in tick 21.
    let other = export_range::<Race<1>>(&room, &out("other"), range(10, 30)).unwrap_err();
    assert!(matches!(&other, ExportError::Differs(difference) if difference.tick == 21), "{other}");
    assert!(newest_replay::<Race<0>>(&out("other")).is_err(), "nothing is left to be read");
    export_range::<Race<1>>(&room, &out("before"), range(10, 20)).unwrap();
}
