//! The database on disk: the only file that knows which one it is.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `meta` | `version`, `runs`, `opened` | a number |
//! | `rooms` | a room's name | its `RoomHead` in postcard |
//! | `messages` | a room's name and a message's number | its `StoredMessage` in postcard |

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use redb::{
    Durability, ReadableDatabase as _, ReadableTable, Table, TableDefinition, WriteTransaction,
};
use tickwire_shared::control::ChatMessage;

use super::error::StoreError;
use super::record::{RoomHead, StoredMessage, VERSION};
use super::{NewMessage, make_dir};

/// Most bytes of a page's names and texts, so that it fits a frame.
const PAGE_BYTES_MAX: usize = 48 * 1024;
/// Bytes of a message beside its name and text, at most.
const MESSAGE_BYTES: usize = 48;
/// The file in the store's directory.
const FILE: &str = "store.redb";

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const ROOMS: TableDefinition<&str, &[u8]> = TableDefinition::new("rooms");
const MESSAGES: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("messages");

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    redb: redb::Database,
    path: PathBuf,
    /// The lines of the table `rooms`.
    rooms: HashMap<String, RoomHead>,
}

/// The bounds of what is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    /// Newest messages of each room.
    pub(super) messages: usize,
    /// Rooms, the last used ones.
    pub(super) rooms: usize,
}

/// A part of a room's messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ChatPage {
    /// From old to new.
    pub(crate) messages: Vec<ChatMessage>,
    /// There are older ones.
    pub(crate) has_older: bool,
}

/// The number of records of each kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StoreCounts {
    pub(super) rooms: u64,
    pub(super) messages: u64,
}

impl Database {
    /// Opens the store in a directory, or makes it.
    pub(super) fn create(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let redb = redb::Database::create(&path);
        let redb = redb.map_err(|error| failed(&path, error))?;
        let database = Database { redb, path, rooms: HashMap::new() };
        let write = database.begin_write()?;
        {
            let mut meta = database.table(&write, META)?;
            match database.number(&meta, "version")? {
                Some(VERSION) => {}
                Some(version) => {
                    return Err(StoreError::Version { path: database.path.clone(), version });
                }
                None => {
                    meta.insert("version", VERSION).map_err(|error| database.failed(error))?;
                }
            }
            database.table(&write, ROOMS)?;
            database.table(&write, MESSAGES)?;
            // A disk that takes nothing is known here, and not with the first message.
            let opened = database.number(&meta, "opened")?.unwrap_or(0) + 1;
            meta.insert("opened", opened).map_err(|error| database.failed(error))?;
        }
        write.commit().map_err(|error| database.failed(error))?;
        database.with_rooms()
    }

    /// Opens a store that is there.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        if !path.is_file() {
            return Err(StoreError::Missing(path));
        }
        let redb = redb::Database::open(&path).map_err(|error| failed(&path, error))?;
        let database = Database { redb, path, rooms: HashMap::new() };
        let read = database.redb.begin_read().map_err(|error| database.failed(error))?;
        let meta = read.open_table(META).map_err(|error| database.failed(error))?;
        match database.number(&meta, "version")? {
            Some(VERSION) => {}
            version => {
                let version = version.unwrap_or(0);
                return Err(StoreError::Version { path: database.path.clone(), version });
            }
        }
        drop((meta, read));
        database.with_rooms()
    }

    /// Reads the table of rooms.
    fn with_rooms(mut self) -> Result<Self, StoreError> {
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(ROOMS).map_err(|error| self.failed(error))?;
        let mut rooms = HashMap::new();
        for line in table.iter().map_err(|error| self.failed(error))? {
            let (name, head) = line.map_err(|error| self.failed(error))?;
            let name = name.value();
            let head = self.decode(head.value(), || format!("room {name:?}"))?;
            rooms.insert(name.to_owned(), head);
        }
        self.rooms = rooms;
        Ok(self)
    }

    /// Counts a run of a server. Returns its number: higher than that of any run before, and than every message's number
    /// shifted by `shift` bits.
    pub(super) fn count_run(&self, shift: u32) -> Result<u64, StoreError> {
        let write = self.begin_write()?;
        let run = {
            let mut meta = self.table(&write, META)?;
            let before = self.number(&meta, "runs")?.unwrap_or(0);
            let run = before.max(self.highest_id() >> shift) + 1;
            meta.insert("runs", run).map_err(|error| self.failed(error))?;
            run
        };
        write.commit().map_err(|error| self.failed(error))?;
        Ok(run)
    }

    /// The number of a room's newest message, 0 without any.
    pub(super) fn last_id(&self, room: &str) -> u64 {
        self.rooms.get(room).map_or(0, |head| head.last_id)
    }

    /// The highest number of any message.
    fn highest_id(&self) -> u64 {
        self.rooms.values().map(|head| head.last_id).max().unwrap_or(0)
    }

    /// Keeps messages in one transaction: once this returns they are on disk. After an error the database must be opened
    /// again.
    pub(super) fn keep(
        &mut self,
        new: &[NewMessage],
        retention: Retention,
    ) -> Result<(), StoreError> {
        let mut heads = std::mem::take(&mut self.rooms);
        let write = self.begin_write()?;
        {
            let mut messages = self.table(&write, MESSAGES)?;
            let mut rooms = self.table(&write, ROOMS)?;
            for NewMessage { room, message } in new {
                if !heads.contains_key(room) && heads.len() >= retention.rooms {
                    self.drop_oldest_room(&mut heads, &mut rooms, &mut messages)?;
                }
                let head = heads.entry(room.clone()).or_default();
                let bytes = encode(&StoredMessage::new(message));
                let before = messages
                    .insert((room.as_str(), message.id), bytes.as_slice())
                    .map_err(|error| self.failed(error))?;
                head.messages += u64::from(before.is_none());
                drop(before);
                head.last_id = head.last_id.max(message.id);
                head.used_ms = head.used_ms.max(message.time_ms);
                if head.messages > retention.messages as u64 {
                    let excess = head.messages - retention.messages as u64;
                    head.messages -= self.drop_oldest(room, excess, &mut messages)?;
                }
                rooms
                    .insert(room.as_str(), encode(head).as_slice())
                    .map_err(|error| self.failed(error))?;
            }
        }
        write.commit().map_err(|error| self.failed(error))?;
        self.rooms = heads;
        Ok(())
    }

    /// Removes the oldest messages of a room. Returns their number.
    fn drop_oldest(
        &self,
        room: &str,
        count: u64,
        messages: &mut Table<(&str, u64), &[u8]>,
    ) -> Result<u64, StoreError> {
        let range = messages.range((room, 0)..=(room, u64::MAX));
        let oldest = range.map_err(|error| self.failed(error))?.take(count as usize);
        let ids = oldest.map(|line| line.map(|(key, _)| key.value().1));
        let ids: Vec<u64> = ids.collect::<Result<_, _>>().map_err(|error| self.failed(error))?;
        for id in &ids {
            messages.remove((room, *id)).map_err(|error| self.failed(error))?;
        }
        Ok(ids.len() as u64)
    }

    /// Removes the room that was not used for the longest time.
    fn drop_oldest_room(
        &self,
        heads: &mut HashMap<String, RoomHead>,
        rooms: &mut Table<&str, &[u8]>,
        messages: &mut Table<(&str, u64), &[u8]>,
    ) -> Result<(), StoreError> {
        let oldest = heads.iter().min_by_key(|(name, head)| (head.used_ms, *name));
        let Some(name) = oldest.map(|(name, _)| name.clone()) else { return Ok(()) };
        heads.remove(&name);
        self.drop_oldest(&name, u64::MAX, messages)?;
        rooms.remove(name.as_str()).map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// The newest `count` messages of a room with numbers below `before`.
    pub(super) fn page(&self, room: &str, before: u64, count: u16) -> Result<ChatPage, StoreError> {
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(MESSAGES).map_err(|error| self.failed(error))?;
        let range = table.range((room, 0)..(room, before)).map_err(|error| self.failed(error))?;
        let mut page = ChatPage { messages: Vec::new(), has_older: false };
        let mut left_bytes = PAGE_BYTES_MAX;
        for line in range.rev() {
            let (key, value) = line.map_err(|error| self.failed(error))?;
            let (id, bytes) = (key.value().1, value.value().len() + MESSAGE_BYTES);
            if page.messages.len() >= usize::from(count) || bytes > left_bytes {
                page.has_older = true;
                break;
            }
            left_bytes -= bytes;
            let stored = self.decode_message(value.value(), room, id)?;
            page.messages.push(stored.message(id));
        }
        page.messages.reverse();
        Ok(page)
    }

    /// Reads every record, and the database's own checksums.
    pub(super) fn check(mut self) -> Result<StoreCounts, StoreError> {
        let checked = self.redb.check_integrity();
        if !checked.map_err(|error| self.failed(error))? {
            let what = "its checksums did not fit; it was repaired: check it again".to_owned();
            return Err(self.damaged(what));
        }
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(MESSAGES).map_err(|error| self.failed(error))?;
        let mut found: HashMap<String, RoomHead> = HashMap::new();
        for line in table.iter().map_err(|error| self.failed(error))? {
            let (key, value) = line.map_err(|error| self.failed(error))?;
            let (room, id) = key.value();
            self.decode_message(value.value(), room, id)?;
            let head = found.entry(room.to_owned()).or_default();
            (head.messages, head.last_id) = (head.messages + 1, id);
        }
        for (room, head) in &self.rooms {
            let has = found.remove(room).unwrap_or_default();
            if (has.messages, has.last_id) != (head.messages, head.last_id) {
                let RoomHead { messages, last_id, .. } = head;
                let what = format!(
                    "room {room:?} should have {messages} messages up to number {last_id}, and has {} up to {}",
                    has.messages, has.last_id
                );
                return Err(self.damaged(what));
            }
        }
        if let Some(room) = found.keys().next() {
            return Err(self.damaged(format!("there are messages of room {room:?}, and no room")));
        }
        let messages = self.rooms.values().map(|head| head.messages).sum();
        Ok(StoreCounts { rooms: self.rooms.len() as u64, messages })
    }

    /// Writes a copy of everything, as of one moment, into another directory.
    pub(super) fn copy_to(&self, dir: &Path) -> Result<StoreCounts, StoreError> {
        let path = dir.join(FILE);
        if path.exists() {
            return Err(StoreError::Exists(path));
        }
        make_dir(dir)?;
        let copy = Database::create(dir)?;
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        let write = copy.begin_write()?;
        let mut counts = StoreCounts::default();
        {
            let from = read.open_table(META).map_err(|error| self.failed(error))?;
            let mut to = copy.table(&write, META)?;
            for line in from.iter().map_err(|error| self.failed(error))? {
                let (key, value) = line.map_err(|error| self.failed(error))?;
                to.insert(key.value(), value.value()).map_err(|error| copy.failed(error))?;
            }
            let from = read.open_table(ROOMS).map_err(|error| self.failed(error))?;
            let mut to = copy.table(&write, ROOMS)?;
            for line in from.iter().map_err(|error| self.failed(error))? {
                let (key, value) = line.map_err(|error| self.failed(error))?;
                to.insert(key.value(), value.value()).map_err(|error| copy.failed(error))?;
                counts.rooms += 1;
            }
            let from = read.open_table(MESSAGES).map_err(|error| self.failed(error))?;
            let mut to = copy.table(&write, MESSAGES)?;
            for line in from.iter().map_err(|error| self.failed(error))? {
                let (key, value) = line.map_err(|error| self.failed(error))?;
                to.insert(key.value(), value.value()).map_err(|error| copy.failed(error))?;
                counts.messages += 1;
            }
        }
        write.commit().map_err(|error| copy.failed(error))?;
        Ok(counts)
    }

    /// A transaction that is on disk once committed, and from which a crash is recovered without reading the whole file.
    fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        let mut write = self.redb.begin_write().map_err(|error| self.failed(error))?;
        write.set_durability(Durability::Immediate).map_err(|error| self.failed(error))?;
        write.set_quick_repair(true);
        Ok(write)
    }

    fn table<'txn, K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        write: &'txn WriteTransaction,
        definition: TableDefinition<K, V>,
    ) -> Result<Table<'txn, K, V>, StoreError> {
        write.open_table(definition).map_err(|error| self.failed(error))
    }

    fn number(
        &self,
        meta: &impl ReadableTable<&'static str, u64>,
        key: &str,
    ) -> Result<Option<u64>, StoreError> {
        let value = meta.get(key).map_err(|error| self.failed(error))?;
        Ok(value.map(|value| value.value()))
    }

    fn decode_message(
        &self,
        bytes: &[u8],
        room: &str,
        id: u64,
    ) -> Result<StoredMessage, StoreError> {
        self.decode(bytes, || format!("message {id} of room {room:?}"))
    }

    fn decode<T: serde::de::DeserializeOwned>(
        &self,
        bytes: &[u8],
        name: impl Fn() -> String,
    ) -> Result<T, StoreError> {
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => {
                Err(self.damaged(format!("{} is {} bytes too long", name(), rest.len())))
            }
            Err(error) => Err(self.damaged(format!("{} does not decode: {error}", name()))),
        }
    }

    fn damaged(&self, what: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what }
    }

    fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        failed(&self.path, error)
    }
}

fn failed(path: &Path, error: impl Into<redb::Error>) -> StoreError {
    let path = path.to_owned();
    match error.into() {
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse(path),
        error => StoreError::Database { path, error: Box::new(error) },
    }
}

fn encode<T: serde::Serialize>(record: &T) -> Vec<u8> {
    postcard::to_allocvec(record).expect("writing to a vector never fails")
}

#[cfg(test)]
mod tests;
