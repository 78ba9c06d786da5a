//! A copy of a store, which has its name once it is whole.

use std::path::Path;

use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle as _,
    WriteTransaction,
};

use super::said::SAID;
use super::{CACHE_BYTES, Database, MESSAGES, META, ROOMS, StoreCounts};
use crate::store::error::{StoreError, guarded};
use crate::store::files::{file_in, make_dir, part_in, publish};

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
        // A store that no server has opened since there is this table has none.
        let mut tables = read.list_tables().map_err(|error| self.failed(error))?;
        if tables.any(|table| table.name() == SAID.name()) {
            self.copy_table(&copy, both, SAID)?;
        }
        write.commit().map_err(|error| copy.failed(error))?;
        let Database { redb, path, .. } = copy;
        redb.close().map_err(|error| StoreError::of_database(&path, error.into()))?;
        Ok(StoreCounts { rooms, messages })
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
