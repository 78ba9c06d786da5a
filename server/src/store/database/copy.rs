//! A copy of a store, which has its name once it is whole.

use std::path::Path;

use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle,
    WriteTransaction,
};

use super::profiles::PROFILES;
use super::said::SAID;
use super::sanctions::SANCTIONS;
use super::scores::{SCORE_COUNTS, SCORE_ORDER, SCORES};
use super::topics::{TOPIC_MESSAGES, TOPIC_RUNS, TOPICS};
use super::webhooks::{DEAD_LETTERS, WEBHOOKS};
use super::{CACHE_BYTES, Database, MESSAGES, META, ROOMS, StoreCounts};
use crate::store::error::{StoreError, guarded};
use crate::store::files::{file_in, make_dir, part_in, publish};
use crate::store::record::VERSION;

impl Database {
    /// Writes a copy of everything, as of one moment, into another directory. It gets its name once the disk has all of it.
    pub(in crate::store) fn copy_to(&self, dir: &Path) -> Result<StoreCounts, StoreError> {
        let (path, part) = (file_in(dir), part_in(dir));
        if path.exists() {
            return Err(StoreError::Exists(path));
        }
        make_dir(dir)?;
        // Of a copy that did not come to its end.
        let _ = std::fs::remove_file(&part);
        let copied = guarded(&self.path, || self.copy_into(&part));
        let published = copied.and_then(|counts| publish(&part, &path).map(|()| counts));
        if published.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        published
    }

    fn copy_into(&self, part: &Path) -> Result<StoreCounts, StoreError> {
        let copy = Database::create_file(part, CACHE_BYTES)?;
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        let write = copy.begin_write()?;
        let both = (&read, &write);
        self.copy_table(&copy, both, META)?;
        let rooms = self.copy_table(&copy, both, ROOMS)?;
        let messages = self.copy_table(&copy, both, MESSAGES)?;
        // A store that no server has opened since there are these tables has none of them.
        if self.has_table(&read, SAID)? {
            self.copy_table(&copy, both, SAID)?;
        }
        let profiles = match self.has_table(&read, PROFILES)? {
            true => self.copy_table(&copy, both, PROFILES)?,
            false => 0,
        };
        let sanctions = match self.has_table(&read, SANCTIONS)? {
            true => self.copy_table(&copy, both, SANCTIONS)?,
            false => 0,
        };
        let scores = match self.has_table(&read, SCORES)? {
            true => {
                self.copy_table(&copy, both, SCORE_ORDER)?;
                self.copy_table(&copy, both, SCORE_COUNTS)?;
                self.copy_table(&copy, both, SCORES)?
            }
            false => 0,
        };
        let topics = match self.has_table(&read, TOPIC_MESSAGES)? {
            true => {
                self.copy_table(&copy, both, TOPICS)?;
                self.copy_table(&copy, both, TOPIC_RUNS)?;
                self.copy_table(&copy, both, TOPIC_MESSAGES)?
            }
            false => 0,
        };
        if self.has_table(&read, DEAD_LETTERS)? {
            self.copy_table(&copy, both, WEBHOOKS)?;
            self.copy_table(&copy, both, DEAD_LETTERS)?;
        }
        // The copy has them all.
        self.set_version(&write)?;
        write.commit().map_err(|error| copy.failed(error))?;
        let Database { redb, path, .. } = copy;
        redb.close().map_err(|error| StoreError::of_database(&path, error.into()))?;
        Ok(StoreCounts { rooms, messages, profiles, scores, sanctions, topics })
    }

    /// True if the store has this table.
    pub(super) fn has_table(
        &self,
        read: &ReadTransaction,
        table: impl TableHandle,
    ) -> Result<bool, StoreError> {
        let mut tables = read.list_tables().map_err(|error| self.failed(error))?;
        Ok(tables.any(|there| there.name() == table.name()))
    }

    /// Writes the version of the format.
    fn set_version(&self, write: &WriteTransaction) -> Result<(), StoreError> {
        let mut meta = self.table(write, META)?;
        meta.insert("version", VERSION).map(drop).map_err(|error| self.failed(error))
    }

    /// Copies a table. Returns the number of its lines.
    fn copy_table<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        copy: &Database,
        (read, write): (&ReadTransaction, &WriteTransaction),
        definition: TableDefinition<'static, K, V>,
    ) -> Result<u64, StoreError> {
        let from = read.open_table(definition).map_err(|error| self.failed(error))?;
        let mut to = copy.table(write, definition)?;
        let mut count = 0;
        for line in from.iter().map_err(|error| self.failed(error))? {
            let (key, value) = line.map_err(|error| self.failed(error))?;
            to.insert(key.value(), value.value()).map_err(|error| copy.failed(error))?;
            count += 1;
        }
        Ok(count)
    }
}
