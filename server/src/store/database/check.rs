//! A check of every record.

use std::collections::HashMap;

use redb::{ReadableDatabase as _, ReadableTable as _};

use super::profiles::PROFILES;
use super::sanctions::SANCTIONS;
use super::scores::SCORES;
use super::topics::TOPIC_MESSAGES;
use super::webhooks::DEAD_LETTERS;
use super::{Database, MESSAGES, StoreCounts};
use crate::store::error::{StoreError, guarded};
use crate::store::record::RoomHead;

impl Database {
    /// Reads every record, and the database's own checksums.
    pub(in crate::store) fn check(self) -> Result<StoreCounts, StoreError> {
        let path = self.path.clone();
        guarded(&path, || self.check_all())
    }

    fn check_all(mut self) -> Result<StoreCounts, StoreError> {
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
        let profiles = match self.has_table(&read, PROFILES)? {
            true => self.check_profiles(&read)?,
            false => 0,
        };
        let scores = match self.has_table(&read, SCORES)? {
            true => self.check_scores(&read)?,
            false => 0,
        };
        let sanctions = match self.has_table(&read, SANCTIONS)? {
            true => self.read_sanctions(&read)?.len() as u64,
            false => 0,
        };
        let topics = match self.has_table(&read, TOPIC_MESSAGES)? {
            true => self.check_topics(&read)?,
            false => 0,
        };
        if self.has_table(&read, DEAD_LETTERS)? {
            self.read_dead_letters(&read)?;
        }
        let rooms = self.rooms.len() as u64;
        Ok(StoreCounts { rooms, messages, profiles, scores, sanctions, topics })
    }
}
