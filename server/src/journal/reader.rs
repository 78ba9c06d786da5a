//! Reads a room's journal, segment by segment.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::block::{Block, MAGIC, VERSION, block_bytes, read_block};
use super::error::JournalError;
use super::segment::{SegmentHead, folder_of, number_of, segment_path};
use crate::room::{JournalEntry, JournalHead, TickRecord};

/// A room's journal from its beginning on.
#[derive(Debug)]
pub struct JournalReader {
    segment: OpenSegment,
    end: JournalEnd,
}

/// The end of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalEnd {
    /// After a record: the room goes on, or its server ended.
    Open,
    /// The room was let go.
    Closed,
    /// Within a record: this many bytes are left out. They are a part of it, or zeros from somewhere in it on, which are left
    /// of a machine that failed before the disk had them.
    Cut(u64),
}

/// Zeros at the end of a file that are no record's own, wherever they begin.
const TORN_ZEROS_MIN: u64 = 32;

/// Bytes that a disk takes as a whole, at least: fewer zeros are no record's own if the last of these has nothing else.
const SECTOR_BYTES: u64 = 512;

/// Bytes of a file that are looked at in one go.
const PART_BYTES: u64 = 64 * 1024;

/// A place between two records of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPosition {
    /// The segment.
    pub segment: u32,
    /// Bytes of its file before that place.
    pub offset: u64,
}

#[derive(Debug)]
struct OpenSegment {
    path: PathBuf,
    input: BufReader<File>,
    offset: u64,
    head: SegmentHead,
}

impl JournalReader {
    /// Opens the journal in the folder `path`, or with the first segment `path`.
    ///
    /// # Errors
    /// [`JournalError`] if there is none, or its head cannot be read.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let path = if path.is_dir() { segment_path(path, 0) } else { path.to_owned() };
        let segment = match OpenSegment::open(&path, 0)? {
            OpenedSegment::Segment(segment) => *segment,
            OpenedSegment::Cut(_) => return Err(damaged(&path, 0, CUT_HEAD)),
        };
        Ok(JournalReader { segment, end: JournalEnd::Open })
    }

    /// Opens the journal in the folder `dir` at a place between two records.
    ///
    /// # Errors
    /// [`JournalError`] if that segment is not there, cannot be read, or ends before that place.
    pub fn open_at(dir: &Path, position: JournalPosition) -> Result<Self, JournalError> {
        let path = segment_path(dir, position.segment);
        let mut segment = match OpenSegment::open(&path, position.segment)? {
            OpenedSegment::Segment(segment) => *segment,
            OpenedSegment::Cut(_) => return Err(damaged(&path, 0, CUT_HEAD)),
        };
        segment.go_to(position.offset)?;
        Ok(JournalReader { segment, end: JournalEnd::Open })
    }

    /// Opens the journal in the folder `dir` at the first record of its last segment that has a whole head.
    ///
    /// # Errors
    /// [`JournalError`] if there is none.
    pub(super) fn open_last(dir: &Path) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Io { path: dir.to_owned(), error };
        let mut numbers = Vec::new();
        for file in std::fs::read_dir(dir).map_err(failed)? {
            let name = file.map_err(failed)?.file_name();
            numbers.extend(number_of(Path::new(&name), "journal"));
        }
        numbers.sort_unstable();
        for number in numbers.into_iter().rev() {
            let opened = OpenSegment::open(&segment_path(dir, number), number)?;
            if let OpenedSegment::Segment(segment) = opened {
                return Ok(JournalReader { segment: *segment, end: JournalEnd::Open });
            }
        }
        Err(JournalError::NotAJournal(dir.to_owned()))
    }

    /// The place after the last record that was read.
    pub fn position(&self) -> JournalPosition {
        JournalPosition { segment: self.segment.head.number, offset: self.segment.offset }
    }

    /// The head: the room's name, seed and options.
    pub fn head(&self) -> &JournalHead {
        &self.segment.head.head
    }

    /// The next record; `None` at the end, see [`JournalReader::end`].
    ///
    /// # Errors
    /// [`JournalError`], from here on always.
    pub fn next_record(&mut self) -> Result<Option<TickRecord>, JournalError> {
        while self.end == JournalEnd::Open {
            let at = self.segment.offset;
            match self.segment.next_block()? {
                Block::Whole(payload) => match JournalEntry::from_bytes(&payload) {
                    Ok(JournalEntry::Tick(record)) => return Ok(Some(record)),
                    Ok(JournalEntry::Closed) => self.end = JournalEnd::Closed,
                    Err(_) => {
                        return Err(self.segment.damaged(at, "a record is none of a journal"));
                    }
                },
                Block::Damaged(what) => match self.segment.torn_bytes(at)? {
                    Some(bytes) if !self.has(1)? => self.end = JournalEnd::Cut(bytes),
                    _ => return Err(self.segment.damaged(at, what)),
                },
                Block::End if self.has(1)? => self.go_on()?,
                Block::End => return Ok(None),
                Block::Cut(_) if self.has(1)? => {
                    let what = "it ends within a record, and there is another segment";
                    return Err(self.segment.damaged(at, what));
                }
                Block::Cut(bytes) => self.end = JournalEnd::Cut(bytes),
            }
        }
        Ok(None)
    }

    /// The end of the journal, once all records are read.
    pub fn end(&self) -> JournalEnd {
        self.end
    }

    /// Its end, without its open file. All records must be read.
    pub(super) fn into_tail(self) -> JournalTail {
        let OpenSegment { path, offset, head, .. } = self.segment;
        JournalTail { path, offset, number: head.number, end: self.end }
    }

    fn folder(&self) -> &Path {
        self.segment.path.parent().unwrap_or(Path::new(""))
    }

    /// True if there is a segment that many after this one.
    fn has(&self, after: u32) -> Result<bool, JournalError> {
        let path = self.path(after);
        path.try_exists().map_err(|error| JournalError::Io { path, error })
    }

    /// The file of the segment that many after this one.
    fn path(&self, after: u32) -> PathBuf {
        segment_path(self.folder(), self.segment.head.number + after)
    }

    fn go_on(&mut self) -> Result<(), JournalError> {
        let path = self.path(1);
        let next = match OpenSegment::open(&path, self.segment.head.number + 1)? {
            OpenedSegment::Segment(next) => *next,
            OpenedSegment::Cut(_) if self.has(2)? => {
                return Err(damaged(&path, 0, CUT_HEAD));
            }
            OpenedSegment::Cut(bytes) => {
                self.end = JournalEnd::Cut(bytes);
                return Ok(());
            }
        };
        if next.head.head != self.segment.head.head {
            return Err(next.damaged(0, "it is of another room than the segment before"));
        }
        self.segment = next;
        Ok(())
    }
}

/// The end of a journal that may go on.
#[derive(Debug)]
pub(crate) struct JournalTail {
    /// The last segment with a whole head.
    path: PathBuf,
    /// Its number.
    number: u32,
    /// Bytes of it before the end of the last whole record.
    offset: u64,
    end: JournalEnd,
}

impl JournalTail {
    /// Removes a cut record or head, so that another segment may follow. Returns its number. The disk has a cut before that,
    /// and with `is_synced` all else: of what a killed process wrote it may not have the end, and with another segment after it
    /// a journal without its end would be damaged.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn cut_off(self, is_synced: bool) -> io::Result<u32> {
        let is_cut = matches!(self.end, JournalEnd::Cut(_));
        let folder = folder_of(&self.path);
        let next = segment_path(folder, self.number + 1);
        if is_cut && next.try_exists()? {
            std::fs::remove_file(next)?;
        } else if is_cut {
            let file = OpenOptions::new().write(true).open(&self.path)?;
            file.set_len(self.offset)?;
        }
        if is_cut || is_synced {
            for path in [folder_of(folder), folder, &self.path] {
                File::open(path)?.sync_all()?;
            }
        }
        Ok(self.number + 1)
    }
}

/// A segment's file, opened.
enum OpenedSegment {
    Segment(Box<OpenSegment>),
    /// It ends within its head, after this many bytes: the process ended as it was begun.
    Cut(u64),
}

const CUT_HEAD: &str = "it ends within its head";

fn damaged(path: &Path, offset: u64, what: &'static str) -> JournalError {
    JournalError::Damaged { path: path.to_owned(), offset, what }
}

impl OpenSegment {
    fn open(path: &Path, number: u32) -> Result<OpenedSegment, JournalError> {
        let path = path.to_owned();
        let failed = |error: io::Error| match io::Error::kind(&error) {
            io::ErrorKind::NotFound => JournalError::NotAJournal(path.clone()),
            _ => JournalError::Io { path: path.clone(), error },
        };
        let mut input = BufReader::new(File::open(&path).map_err(failed)?);
        let mut begin = Vec::new();
        let begin_bytes = MAGIC.len() + size_of_val(&VERSION);
        input.by_ref().take(begin_bytes as u64).read_to_end(&mut begin).map_err(failed)?;
        if begin.len() < begin_bytes && MAGIC.starts_with(&begin[..begin.len().min(MAGIC.len())]) {
            return Ok(OpenedSegment::Cut(begin.len() as u64));
        }
        let Some([low, high]) = begin.strip_prefix(&MAGIC) else {
            let torn = torn_bytes(&mut input, 0).map_err(failed)?;
            return torn.map(OpenedSegment::Cut).ok_or(JournalError::NotAJournal(path));
        };
        let version = u16::from_le_bytes([*low, *high]);
        let offset = begin_bytes as u64;
        if version != VERSION {
            let torn = torn_bytes(&mut input, 0).map_err(failed)?;
            return torn.map(OpenedSegment::Cut).ok_or(JournalError::Version { path, version });
        }
        let payload = match read_block(&mut input).map_err(failed)? {
            Block::Whole(payload) => payload,
            Block::End => return Ok(OpenedSegment::Cut(offset)),
            Block::Cut(bytes) => return Ok(OpenedSegment::Cut(offset + bytes)),
            Block::Damaged(what) => {
                let torn = torn_bytes(&mut input, offset).map_err(failed)?;
                let torn = torn.map(|bytes| OpenedSegment::Cut(offset + bytes));
                return torn.ok_or_else(|| damaged(&path, offset, what));
            }
        };
        let Ok((head, [])) = postcard::take_from_bytes::<SegmentHead>(&payload) else {
            return Err(damaged(&path, offset, "its head is none of a journal"));
        };
        if head.number != number {
            return Err(JournalError::Segment { path, expected: number, found: head.number });
        }
        let offset = offset + block_bytes(&payload);
        Ok(OpenedSegment::Segment(Box::new(OpenSegment { path, input, offset, head })))
    }

    fn go_to(&mut self, offset: u64) -> Result<(), JournalError> {
        let failed = |error| JournalError::Io { path: self.path.clone(), error };
        let bytes = self.input.get_ref().metadata().map_err(failed)?.len();
        if offset < self.offset || offset > bytes {
            return Err(
                self.damaged(bytes, "a checkpoint goes on at a place that it does not have")
            );
        }
        self.input.seek(SeekFrom::Start(offset)).map_err(failed)?;
        self.offset = offset;
        Ok(())
    }

    fn next_block(&mut self) -> Result<Block, JournalError> {
        let read = read_block(&mut self.input);
        let block = read.map_err(|error| JournalError::Io { path: self.path.clone(), error })?;
        if let Block::Whole(payload) = &block {
            self.offset += block_bytes(payload);
        }
        Ok(block)
    }

    /// As [`torn_bytes`], after a damaged block at `offset`.
    fn torn_bytes(&mut self, offset: u64) -> Result<Option<u64>, JournalError> {
        let failed = |error| JournalError::Io { path: self.path.clone(), error };
        torn_bytes(&mut self.input, offset).map_err(failed)
    }

    fn damaged(&self, offset: u64, what: &'static str) -> JournalError {
        damaged(&self.path, offset, what)
    }
}

/// Bytes from `offset` to the file's end, if what was read from there on runs into zeros that are all that follows. The reader
/// is at the end then.
fn torn_bytes(input: &mut BufReader<File>, offset: u64) -> io::Result<Option<u64>> {
    let read_to = input.stream_position()?;
    input.seek(SeekFrom::Start(offset))?;
    let (mut bytes, mut zeros) = (0, 0);
    let mut part = Vec::new();
    loop {
        part.clear();
        input.by_ref().take(PART_BYTES).read_to_end(&mut part)?;
        if part.is_empty() {
            break;
        }
        let at_end = part.iter().rev().take_while(|byte| **byte == 0).count() as u64;
        zeros = if at_end == part.len() as u64 { zeros + at_end } else { at_end };
        bytes += part.len() as u64;
    }
    let end = offset + bytes;
    let last_sector = end.saturating_sub(1) / SECTOR_BYTES * SECTOR_BYTES;
    // No record begins with zeros, and the one before may have ended with some in the same sector.
    let is_all = zeros == bytes || end - zeros <= last_sector;
    let is_run = zeros >= TORN_ZEROS_MIN || zeros > 0 && is_all;
    Ok((is_run && end - zeros < read_to).then_some(bytes))
}
