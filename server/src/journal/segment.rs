//! Writes a room's journal as segments in a folder.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::block::{MAGIC, VERSION, put_block};
use crate::room::{JournalEntry, JournalHead};

/// The head of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SegmentHead {
    /// Its number in the room's journal, from 0.
    pub(super) number: u32,
    /// The same in each.
    pub(super) head: JournalHead,
}

/// Writes the journal of one room.
///
/// Its files are readable by their user alone: they hold names, options and inputs.
#[derive(Debug)]
pub struct SegmentWriter {
    dir: PathBuf,
    next: SegmentHead,
    segment_bytes_max: u64,
    /// The segment and its bytes. `None` before the first flush, and between two segments.
    file: Option<(Arc<File>, u64)>,
    /// Bytes that are not yet in the file.
    buffer: Vec<u8>,
    /// Files and folders that the disk may not have as they are.
    unsynced: Vec<Arc<File>>,
}

impl SegmentWriter {
    /// A journal in the new folder `dir`, in segments of about this many bytes. Nothing is made before the first flush.
    pub fn new(dir: PathBuf, head: JournalHead, segment_bytes_max: u64) -> Self {
        SegmentWriter::go_on(dir, head, 0, segment_bytes_max)
    }

    /// Goes on with the journal in `dir`, in the segment of this number.
    pub(super) fn go_on(
        dir: PathBuf,
        head: JournalHead,
        number: u32,
        segment_bytes_max: u64,
    ) -> Self {
        let next = SegmentHead { number, head };
        let (buffer, unsynced) = (Vec::new(), Vec::new());
        SegmentWriter { dir, next, segment_bytes_max, file: None, buffer, unsynced }
    }

    /// Takes an entry.
    pub fn append(&mut self, entry: &JournalEntry) {
        self.append_bytes(&entry.to_bytes());
    }

    /// Takes an entry in bytes.
    pub(super) fn append_bytes(&mut self, entry: &[u8]) {
        put_block(&mut self.buffer, entry);
    }

    /// Hands all that was taken to the system; with `sync` it waits until the disk has it.
    ///
    /// # Errors
    /// Those of the system. The last record that was written may then be cut, and none may follow.
    pub fn flush(&mut self, sync: bool) -> io::Result<()> {
        self.end_full(File::sync_data)?;
        self.write()?;
        let unsynced = self.take_unsynced();
        match sync {
            true => unsynced.iter().try_for_each(|file| file.sync_data()),
            false => Ok(()),
        }
    }

    /// Hands all that was taken to the system, without a wait for the disk. Returns the number of bytes.
    ///
    /// # Errors
    /// As [`SegmentWriter::flush`].
    pub(super) fn write(&mut self) -> io::Result<usize> {
        if self.buffer.is_empty() {
            return Ok(0);
        }
        let (file, written) = match self.file.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        (&*file).write_all(&self.buffer)?;
        if !self.unsynced.iter().any(|unsynced| Arc::ptr_eq(unsynced, &file)) {
            self.unsynced.push(Arc::clone(&file));
        }
        let bytes = self.buffer.len();
        self.buffer.clear();
        self.file = Some((file, written + bytes as u64));
        Ok(bytes)
    }

    /// Begins a segment without records, and returns its bytes.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn begin_empty(&mut self) -> io::Result<u64> {
        let (file, bytes) = self.begin()?;
        file.sync_all()?;
        Ok(bytes)
    }

    /// Ends the segment if it is full and nobody has yet to sync it: the next write begins another one. The disk may keep that
    /// before what was written earlier, and a segment that is cut with another one after it is damage. Until then the full one
    /// goes on; one that is twice as large is synced here, by `sync`.
    ///
    /// # Errors
    /// Those of `sync`.
    pub(super) fn end_full(&mut self, sync: impl Fn(&File) -> io::Result<()>) -> io::Result<()> {
        let most = self.segment_bytes_max;
        let Some((file, written)) = self.file.as_mut().filter(|(_, written)| *written >= most)
        else {
            return Ok(());
        };
        if Arc::get_mut(file).is_none() {
            if *written < most.saturating_mul(2) {
                return Ok(());
            }
            let segment = segment_path(&self.dir, self.next.number - 1);
            for path in [folder_of(&self.dir), &self.dir, &segment] {
                sync(&File::open(path)?)?;
            }
        }
        self.file = None;
        Ok(())
    }

    /// The files and folders to be synced before the disk has all that was written, in that order.
    pub(super) fn take_unsynced(&mut self) -> Vec<Arc<File>> {
        std::mem::take(&mut self.unsynced)
    }

    fn begin(&mut self) -> io::Result<(Arc<File>, u64)> {
        if self.next.number == 0 {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
            self.unsynced.push(Arc::new(File::open(folder_of(&self.dir))?));
        }
        let path = segment_path(&self.dir, self.next.number);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // A file that is synced and that no folder names is lost all the same.
        self.unsynced.push(Arc::new(File::open(&self.dir)?));
        let head = postcard::to_allocvec(&self.next).map_err(io::Error::other)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        put_block(&mut bytes, &head);
        file.write_all(&bytes)?;
        self.next.number += 1;
        Ok((Arc::new(file), bytes.len() as u64))
    }
}

/// The folder that has `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().unwrap_or(path);
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The file of a segment in a journal's folder.
pub(super) fn segment_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:06}.journal"))
}

/// The number of a file with this extension, if its name is one.
pub(super) fn number_of(name: &Path, extension: &str) -> Option<u32> {
    let stem = name.file_stem()?.to_str()?;
    let is_number = stem.len() >= 6 && stem.bytes().all(|byte| byte.is_ascii_digit());
    let fits = is_number && name.extension().is_some_and(|it| it == extension);
    fits.then(|| stem.parse().ok()).flatten()
}
