//! Journals as files: whole, cut, damaged and in segments.

use std::path::{Path, PathBuf};

use tickwire_server::journal::{JournalEnd, JournalError, JournalReader, SegmentWriter};
use tickwire_server::room::{JournalEntry, TickRecord};

use crate::{Table, match_of_three};

/// Writes a journal in a new folder.
fn write(dir: &Path, table: &Table, segment_bytes_max: u64, entries: &[JournalEntry]) -> PathBuf {
    let dir = dir.join("room");
    let mut writer = SegmentWriter::new(dir.clone(), table.head.clone(), segment_bytes_max);
    for entry in entries {
        writer.append(entry);
        writer.flush(false).unwrap();
    }
    dir
}

fn ticks(table: &Table) -> Vec<JournalEntry> {
    table.records.iter().cloned().map(JournalEntry::Tick).collect()
}

/// All that can be read, and how it ends.
fn read(path: &Path) -> (Vec<TickRecord>, Result<JournalEnd, JournalError>) {
    let mut records = Vec::new();
    let mut reader = match JournalReader::open(path) {
        Ok(reader) => reader,
        Err(error) => return (records, Err(error)),
    };
    loop {
        match reader.next_record() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => return (records, Ok(reader.end())),
            Err(error) => return (records, Err(error)),
        }
    }
}

#[test]
fn what_is_written_is_read_from_one_file_or_many() {
    let table = match_of_three(3);
    for segment_bytes_max in [u64::MAX, 700] {
        let dir = tempfile::tempdir().unwrap();
        let mut entries = ticks(&table);
        let room = write(dir.path(), &table, segment_bytes_max, &entries);
        let (records, end) = read(&room);
        assert_eq!((&records, end.unwrap()), (&table.records, JournalEnd::Open));
        let files = std::fs::read_dir(&room).unwrap().count();
        assert_eq!(files > 2, segment_bytes_max == 700, "{files} files");
        assert_eq!(JournalReader::open(&room).unwrap().head(), &table.head);
        let dir = tempfile::tempdir().unwrap();
        entries.push(JournalEntry::Closed);
        let room = write(dir.path(), &table, segment_bytes_max, &entries);
        let (records, end) = read(&room.join("000000.journal"));
        assert_eq!((&records, end.unwrap()), (&table.records, JournalEnd::Closed));
    }
}

#[test]
fn nobody_but_its_user_reads_a_journal() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(0));
    let room = write(dir.path(), &table, u64::MAX, &ticks(&table));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&room), mode(&room.join("000000.journal"))), (0o700, 0o600));
}

#[test]
fn a_file_that_is_cut_anywhere_gives_its_whole_records() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(20));
    let file = write(dir.path(), &table, u64::MAX, &ticks(&table)).join("000000.journal");
    let bytes = std::fs::read(&file).unwrap();
    let (mut whole, mut cut) = (0, 0);
    for length in 0..bytes.len() {
        std::fs::write(&file, &bytes[..length]).unwrap();
        let (records, end) = read(&file);
        assert_eq!(records, table.records[..records.len()]);
        assert!(records.len() >= whole, "fewer than of a shorter file");
        whole = records.len();
        match end {
            Ok(JournalEnd::Cut(left_out)) => {
                assert!(left_out > 0 && left_out < length as u64);
                cut += 1;
            }
            Ok(JournalEnd::Open) => {}
            Ok(JournalEnd::Closed) => panic!("nobody closed it"),
            Err(error) => assert_eq!(whole, 0, "{error}"),
        }
    }
    assert!(whole == table.records.len() - 1 && cut > 1000, "{whole} records, {cut} cuts");
}

#[test]
fn zeros_in_place_of_what_the_disk_never_had_are_left_out() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(20));
    let room = write(dir.path(), &table, u64::MAX, &ticks(&table));
    let file = room.join("000000.journal");
    let bytes = std::fs::read(&file).unwrap();
    let mut torn = 0;
    for kept in 0..bytes.len() {
        std::fs::write(&file, &bytes[..kept]).unwrap();
        let (whole, _) = read(&file);
        std::fs::write(&file, [&bytes[..kept], &[0; 4096]].concat()).unwrap();
        let (records, end) = read(&file);
        assert_eq!(records, table.records[..records.len()], "kept {kept}");
        assert!(records.len() >= whole.len(), "kept {kept}");
        match end {
            Ok(JournalEnd::Cut(left_out)) => {
                // The last record may end with zeros of its own.
                assert!((4096 - 40..=4096 + 4000).contains(&left_out), "{left_out} at {kept}");
                torn += 1;
            }
            Ok(end) => panic!("{end:?}, kept {kept}"),
            Err(error) => assert!(error.to_string().contains("ends within its head"), "{error}"),
        }
    }
    assert!(torn > 1000, "{torn}");
    // Not with more after it: that is damage.
    let torn = [&bytes[..bytes.len() / 2], &[0; 4096]].concat();
    std::fs::write(&file, [&torn[..], b"x"].concat()).unwrap();
    assert!(matches!(read(&file).1, Err(JournalError::Damaged { .. })));
    std::fs::write(&file, torn).unwrap();
    std::fs::write(room.join("000001.journal"), b"").unwrap();
    assert!(matches!(read(&file).1, Err(JournalError::Damaged { .. })));
}

#[test]
fn a_last_sector_that_the_disk_never_had_is_left_out_however_short_it_is() {
    let (mut sectors, mut table) = (0, match_of_three(20));
    // Names of all lengths shift the records by all bytes.
    for name_bytes in 1..64 {
        table.head.room = "x".repeat(name_bytes);
        let dir = tempfile::tempdir().unwrap();
        let room = write(dir.path(), &table, u64::MAX, &ticks(&table));
        let file = room.join("000000.journal");
        let bytes = std::fs::read(&file).unwrap();
        let mut reader = JournalReader::open(&file).unwrap();
        while reader.next_record().unwrap().is_some() {
            let end = reader.position().offset as usize;
            let sector = end / 512 * 512;
            if !(1..32).contains(&(end - sector))
                || bytes[sector..end].iter().all(|byte| *byte == 0)
            {
                continue;
            }
            std::fs::write(&file, [&bytes[..sector], &vec![0; end - sector]].concat()).unwrap();
            let (records, end_of) = read(&file);
            assert!(matches!(end_of, Ok(JournalEnd::Cut(_))), "{end_of:?} at {end}");
            assert_eq!(records, table.records[..records.len()]);
            std::fs::write(&file, &bytes).unwrap();
            sectors += 1;
        }
        for zeros in 1..32 {
            std::fs::write(room.join("000001.journal"), vec![0; zeros]).unwrap();
            let (records, end) = read(&file);
            assert_eq!(
                (records.len(), end.unwrap()),
                (table.records.len(), JournalEnd::Cut(zeros as u64))
            );
        }
    }
    assert!(sectors > 20, "{sectors}");
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_its_place_named() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(20));
    let file = write(dir.path(), &table, u64::MAX, &ticks(&table)).join("000000.journal");
    let bytes = std::fs::read(&file).unwrap();
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&file, &flipped).unwrap();
        let (records, end) = read(&file);
        assert_eq!(records, table.records[..records.len()]);
        match end.unwrap_err() {
            JournalError::Damaged { offset, .. } => {
                assert!((10..=bit as u64 / 8).contains(&offset), "{offset} of bit {bit}");
            }
            JournalError::NotAJournal(_) => assert!(bit < 8 * 8),
            JournalError::Version { .. } => assert!((8 * 8..8 * 10).contains(&bit)),
            error => panic!("{error} of bit {bit}"),
        }
    }
}

#[test]
fn a_segment_that_is_missing_cut_or_of_another_room_is_named() {
    let (dir, table) = (tempfile::tempdir().unwrap(), match_of_three(3));
    let room = write(dir.path(), &table, 700, &ticks(&table));
    let error = |path: &Path| read(path).1.unwrap_err().to_string();
    let second = room.join("000001.journal");
    assert!(error(&second).ends_with("is segment 1 of its room, and segment 0 should come here"));
    let bytes = std::fs::read(&second).unwrap();
    std::fs::write(&second, &bytes[..bytes.len() - 1]).unwrap();
    assert!(error(&room).contains("it ends within a record, and there is another segment"));
    std::fs::copy(room.join("000002.journal"), &second).unwrap();
    assert!(error(&room).ends_with("is segment 2 of its room, and segment 1 should come here"));
    let other = tempfile::tempdir().unwrap();
    let mut stranger = match_of_three(3);
    stranger.head.seed += 1;
    let strange = write(other.path(), &stranger, 700, &ticks(&stranger));
    std::fs::copy(strange.join("000001.journal"), &second).unwrap();
    assert!(error(&room).ends_with("it is of another room than the segment before"));
    assert!(error(&dir.path().join("nothing")).ends_with("is no journal, nor a folder of one"));
}
