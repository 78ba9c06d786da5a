//! The database on disk: the only file that knows which one it is.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `meta` | `version`, `runs`, `opened`, `scores`, `topic_list`, `topic_gone` | a number |
//! | `rooms` | a room's name | its `RoomHead` in postcard |
//! | `messages` | a room's name and a message's number | its `StoredMessage` in postcard |
//! | `profiles` | a game's name and an account's id | its `StoredProfile` in postcard |
//! | `sanctions` | `ban` or `mute`, and whom it is for, as text | its `Sanction` in postcard |
//! | `scores` | a game's name, a board's, a period and an account's id | its `StoredScore` in postcard |
//! | `score_order` | the same with place and number for the account | the account's id |
//! | `score_counts` | a game's name, a board's and a period | the number of accounts |
//! | `topics` | a topic's name | the number of its log |
//! | `topic_messages` | a topic's name and a message's number | its place among all, and its `TopicMessage`, in postcard |
//! | `topic_runs` | the number of a run | the place of the newest message when it began |
//! | `webhooks` | the name of a webhook | the place after what it is done with, as text |
//! | `dead_letters` | a number that grows | a `DeadLetter` in postcard |
//! | `said` | a number that grows | session, request, room and number of one of the last messages |

mod batch;
mod check;
mod copy;
mod profiles;
mod said;
mod sanctions;
mod score_pages;
mod scores;
mod topics;
mod webhooks;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use redb::{
    Durability, ReadTransaction, ReadableDatabase as _, ReadableTable, Table, TableDefinition,
    WriteTransaction,
};
use tickwire_shared::control::ChatMessage;

use super::NewMessage;
use super::error::{StoreError, guarded};
use super::fences::ProfileFences;
use super::files::{file_bytes, file_in, make_dir, make_file, sync_name};
use super::record::{RoomHead, StoredMessage, VERSION, VERSION_FIRST};
use profiles::PROFILES;
use said::SAID;
use sanctions::SANCTIONS;
use scores::{SCORE_COUNTS, SCORE_ORDER, SCORES};
use topics::{TOPIC_MESSAGES, TOPIC_RUNS, TOPICS};
use webhooks::{DEAD_LETTERS, WEBHOOKS};

pub(super) use batch::{Batch, Retention, Written};
pub(crate) use sanctions::SanctionChange;
pub(super) use scores::ScoreRetention;

/// Most bytes of a page's names and texts, so that it fits a frame.
pub(crate) const PAGE_BYTES_MAX: usize = 48 * 1024;
/// Bytes of a message beside its name and text, at most.
const MESSAGE_BYTES: usize = 48;
/// Damaged records that are remembered, so that each is told and counted once.
const DAMAGED_MAX: usize = 1024;
/// Memory for parts of the file where no setting says it: in the command `store`.
const CACHE_BYTES: usize = 64 << 20;

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

/// Rooms and numbers of messages that did not decode, of every time that the database was opened.
pub(super) type DamagedRecords = HashSet<(String, u64)>;

/// A part of a room's messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ChatPage {
    /// From old to new.
    pub(crate) messages: Vec<ChatMessage>,
    /// There are older ones.
    pub(crate) has_older: bool,
}

/// What a look-up found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FoundPage {
    pub(super) page: ChatPage,
    /// Damaged records that it came by for the first time; they are not in the page.
    pub(super) newly_damaged: u64,
}

/// The number of records of each kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StoreCounts {
    pub(super) rooms: u64,
    pub(super) messages: u64,
    pub(super) profiles: u64,
    pub(super) scores: u64,
    pub(super) sanctions: u64,
    /// Messages of topics.
    pub(super) topics: u64,
}

impl Database {
    /// Opens the store in a directory, or makes both. The database holds at most `cache_bytes` of the file in memory.
    pub(super) fn create(dir: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        make_dir(dir)?;
        let path = file_in(dir);
        let is_new = !path.exists();
        let database = Database::create_file(&path, cache_bytes)?;
        if is_new {
            sync_name(&path)?;
        }
        Ok(database)
    }

    /// Opens the database at `path`, or makes it.
    fn create_file(path: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        make_file(path)?;
        guarded(path, || {
            let redb = redb::Builder::new().set_cache_size(cache_bytes).create(path);
            let database = Database::of(redb, path)?;
            let write = database.begin_write()?;
            {
                let mut meta = database.table(&write, META)?;
                match database.number(&meta, "version")? {
                    Some(VERSION) => {}
                    Some(version) if !(VERSION_FIRST..VERSION).contains(&version) => {
                        return Err(StoreError::Version { path: path.into(), version });
                    }
                    Some(_) | None => {
                        meta.insert("version", VERSION).map_err(|error| database.failed(error))?;
                    }
                }
                database.table(&write, ROOMS)?;
                database.table(&write, MESSAGES)?;
                database.table(&write, SAID)?;
                database.table(&write, PROFILES)?;
                database.table(&write, SANCTIONS)?;
                database.table(&write, SCORES)?;
                database.table(&write, SCORE_ORDER)?;
                database.table(&write, SCORE_COUNTS)?;
                database.table(&write, TOPICS)?;
                database.table(&write, TOPIC_MESSAGES)?;
                database.table(&write, TOPIC_RUNS)?;
                database.table(&write, WEBHOOKS)?;
                database.table(&write, DEAD_LETTERS)?;
                // A disk that takes nothing is known here, and not with the first message.
                let opened = database.number(&meta, "opened")?.unwrap_or(0) + 1;
                meta.insert("opened", opened).map_err(|error| database.failed(error))?;
            }
            write.commit().map_err(|error| database.failed(error))?;
            database.with_rooms(true)
        })
    }

    /// Opens a store that is there: for the command `store`. If `is_verified`, all the database's checksums fit.
    pub(super) fn open(dir: &Path, is_verified: bool) -> Result<Self, StoreError> {
        let path = file_in(dir);
        if !path.is_file() {
            return Err(StoreError::Missing(path));
        }
        guarded(&path, || {
            let mut builder = redb::Builder::new();
            builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(is_verified);
            let database = Database::of(builder.open(&path), &path)?;
            let read = database.redb.begin_read().map_err(|error| database.failed(error))?;
            let meta = read.open_table(META).map_err(|error| database.failed(error))?;
            match database.number(&meta, "version")? {
                Some(VERSION_FIRST..=VERSION) => {}
                version => {
                    let version = version.unwrap_or(0);
                    return Err(StoreError::Version { path: path.clone(), version });
                }
            }
            drop((meta, read));
            database.with_rooms(false)
        })
    }

    fn of(
        redb: Result<redb::Database, redb::DatabaseError>,
        path: &Path,
    ) -> Result<Self, StoreError> {
        let redb = redb.map_err(|error| StoreError::of_database(path, error.into()))?;
        Ok(Database { redb, path: path.to_owned(), rooms: HashMap::new() })
    }

    /// Its file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of its file.
    pub(super) fn disk_bytes(&self) -> u64 {
        file_bytes(&self.path)
    }

    /// Reads the table of rooms. A damaged line is an error, or made anew of the room's messages if `mends`.
    fn with_rooms(mut self, mends: bool) -> Result<Self, StoreError> {
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(ROOMS).map_err(|error| self.failed(error))?;
        let mut rooms = HashMap::new();
        for line in table.iter().map_err(|error| self.failed(error))? {
            let (name, head) = line.map_err(|error| self.failed(error))?;
            let name = name.value();
            let head = match self.decode(head.value(), || format!("room {name:?}")) {
                Err(error @ StoreError::Damaged { .. }) if mends => {
                    tracing::error!("{error}: it is counted again");
                    self.count_room(&read, name)?
                }
                head => head?,
            };
            rooms.insert(name.to_owned(), head);
        }
        self.rooms = rooms;
        Ok(self)
    }

    /// The line of a room as its messages have it.
    fn count_room(&self, read: &ReadTransaction, room: &str) -> Result<RoomHead, StoreError> {
        let table = read.open_table(MESSAGES).map_err(|error| self.failed(error))?;
        let range = table.range((room, 0)..=(room, u64::MAX));
        let mut head = RoomHead::default();
        for line in range.map_err(|error| self.failed(error))? {
            let (key, value) = line.map_err(|error| self.failed(error))?;
            (head.messages, head.last_id) = (head.messages + 1, key.value().1);
            if let Ok(stored) = self.decode_message(value.value(), room, head.last_id) {
                head.used_ms = head.used_ms.max(stored.message(head.last_id).time_ms);
            }
        }
        Ok(head)
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

    /// Writes all of `batch` in one transaction: once this returns it is on disk. After an error the database must be
    /// opened again.
    pub(super) fn write(
        &mut self,
        batch: &Batch,
        retention: Retention,
        fences: &ProfileFences,
    ) -> Result<Written, StoreError> {
        let mut heads = std::mem::take(&mut self.rooms);
        let write = self.begin_write()?;
        {
            let mut messages = self.table(&write, MESSAGES)?;
            let mut rooms = self.table(&write, ROOMS)?;
            let mut said = self.table(&write, SAID)?;
            for new in &batch.messages {
                let NewMessage { room, message, .. } = new;
                self.note_said(&mut said, new)?;
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
        let limits = (fences, retention.profiles);
        let saves = self.save_profiles(&write, &batch.saves, limits, batch.time_ms)?;
        let scores = self.save_scores(&write, &batch.scores, retention.scores, batch.time_ms)?;
        let sanctions = self.set_sanctions(&write, &batch.sanctions, retention.sanctions)?;
        self.change_topics(&write, &batch.topics)?;
        self.record_webhooks(&write, &batch.webhooks, retention.dead_letters)?;
        write.commit().map_err(|error| self.failed(error))?;
        self.rooms = heads;
        Ok(Written { saves, scores, sanctions })
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

    /// The newest `count` messages of a room with numbers below `before`. Damaged records are left out; those that are not
    /// `known` are in the log, and known from then on.
    pub(super) fn page(
        &self,
        room: &str,
        (before, count): (u64, u16),
        known: &mut DamagedRecords,
    ) -> Result<FoundPage, StoreError> {
        let mut damaged = Vec::new();
        let page = self.read_page(room, (before, count), &mut damaged)?;
        let mut newly_damaged = 0;
        for (id, error) in damaged {
            if known.len() < DAMAGED_MAX && known.insert((room.to_owned(), id)) {
                newly_damaged += 1;
                tracing::error!("{error}: history leaves it out; `store check` tells more");
            }
        }
        Ok(FoundPage { page, newly_damaged })
    }

    fn read_page(
        &self,
        room: &str,
        (before, count): (u64, u16),
        damaged: &mut Vec<(u64, StoreError)>,
    ) -> Result<ChatPage, StoreError> {
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
            match self.decode_message(value.value(), room, id) {
                Ok(stored) => {
                    left_bytes -= bytes;
                    page.messages.push(stored.message(id));
                }
                Err(error) => damaged.push((id, error)),
            }
        }
        page.messages.reverse();
        Ok(page)
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
        StoreError::of_database(&self.path, error.into())
    }
}

fn encode<T: serde::Serialize>(record: &T) -> Vec<u8> {
    postcard::to_allocvec(record).expect("writing to a vector never fails")
}

#[cfg(test)]
mod tests;
