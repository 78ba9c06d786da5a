//! Bans and mutes.

use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition, WriteTransaction,
};

use super::{Database, encode};
use crate::sanctions::{Sanction, SanctionKind, SanctionLine, SanctionTarget};
use crate::store::error::StoreError;

/// By the word of its kind and by its target as text.
pub(super) const SANCTIONS: TableDefinition<(&str, &str), &[u8]> =
    TableDefinition::new("sanctions");

/// A sanction that is set, or lifted.
pub(crate) type SanctionChange = ((SanctionKind, SanctionTarget), Option<Sanction>);

impl Database {
    /// Sets and lifts sanctions, in their order. Returns for each whether it was done: a new one beyond `most` is not.
    pub(super) fn set_sanctions(
        &self,
        write: &WriteTransaction,
        changes: &[SanctionChange],
        most: usize,
    ) -> Result<Vec<bool>, StoreError> {
        let mut table = self.table(write, SANCTIONS)?;
        let mut count = table.len().map_err(|error| self.failed(error))?;
        let mut done = Vec::with_capacity(changes.len());
        for ((kind, target), sanction) in changes {
            let text = target.to_string();
            let key = (kind.word(), text.as_str());
            let before = table.get(key).map_err(|error| self.failed(error))?.is_some();
            let fits = before || count < most as u64;
            match sanction {
                Some(sanction) if fits => {
                    let bytes = encode(sanction);
                    table.insert(key, bytes.as_slice()).map_err(|error| self.failed(error))?;
                    count += u64::from(!before);
                }
                Some(_) => {}
                None => {
                    table.remove(key).map_err(|error| self.failed(error))?;
                    count -= u64::from(before);
                }
            }
            done.push(sanction.is_none() || fits);
        }
        Ok(done)
    }

    /// Sets or lifts one sanction: for the command `store`.
    pub(in crate::store) fn set_sanction(
        &self,
        change: SanctionChange,
        most: usize,
    ) -> Result<bool, StoreError> {
        let write = self.begin_write()?;
        let done = self.set_sanctions(&write, &[change], most)?;
        write.commit().map_err(|error| self.failed(error))?;
        Ok(done == [true])
    }

    /// All sanctions, also those that have ended.
    pub(in crate::store) fn sanctions(&self) -> Result<Vec<SanctionLine>, StoreError> {
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        match self.has_table(&read, SANCTIONS)? {
            true => self.read_sanctions(&read),
            false => Ok(Vec::new()),
        }
    }

    /// Reads all sanctions.
    pub(super) fn read_sanctions(
        &self,
        read: &ReadTransaction,
    ) -> Result<Vec<SanctionLine>, StoreError> {
        let table = read.open_table(SANCTIONS).map_err(|error| self.failed(error))?;
        let mut lines = Vec::new();
        for line in table.iter().map_err(|error| self.failed(error))? {
            let (key, value) = line.map_err(|error| self.failed(error))?;
            let (word, text) = key.value();
            let name = || format!("the {word} of {text:?}");
            let kind = SanctionKind::of_word(word);
            let target = text.split_once(' ');
            let target = target.and_then(|(kind, rest)| SanctionTarget::parse(kind, rest).ok());
            let (Some(kind), Some(target)) = (kind, target) else {
                return Err(self.damaged(format!("{} is for nobody", name())));
            };
            lines.push(((kind, target), self.decode(value.value(), name)?));
        }
        Ok(lines)
    }
}
