//! What is kept of webhooks.

use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition, WriteTransaction,
};

use super::{Database, encode};
use crate::store::error::StoreError;
use crate::store::webhooks::{DeadLetter, WebhookRecord};

/// By the name of a webhook: the place after the messages that it is done with.
pub(super) const WEBHOOKS: TableDefinition<&str, &str> = TableDefinition::new("webhooks");
/// By a number that grows: a message that was given up.
pub(super) const DEAD_LETTERS: TableDefinition<u64, &[u8]> = TableDefinition::new("dead_letters");

/// The name of the one webhook of the settings.
const ONLY: &str = "webhooks";

impl Database {
    /// The place after which a webhook goes on, and which is kept: that of `place`, which is told the kept one, or that one.
    pub(in crate::store) fn begin_webhook(
        &self,
        place: impl FnOnce(Option<&str>) -> Option<String>,
    ) -> Result<String, StoreError> {
        let write = self.begin_write()?;
        let place = {
            let mut table = self.table(&write, WEBHOOKS)?;
            let kept = table.get(ONLY).map_err(|error| self.failed(error))?;
            let kept = kept.map(|place| place.value().to_owned());
            let place = place(kept.as_deref()).or_else(|| kept.clone()).unwrap_or_default();
            if kept.as_ref() != Some(&place) {
                table.insert(ONLY, place.as_str()).map_err(|error| self.failed(error))?;
            }
            place
        };
        write.commit().map_err(|error| self.failed(error))?;
        Ok(place)
    }

    /// Writes how far a webhook has come, and what it has given up: the newest `dead_letters_max` of those are kept.
    pub(super) fn record_webhooks(
        &self,
        write: &WriteTransaction,
        records: &[WebhookRecord],
        dead_letters_max: usize,
    ) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut places = self.table(write, WEBHOOKS)?;
        let mut dead = self.table(write, DEAD_LETTERS)?;
        for WebhookRecord { place, dead: new } in records {
            places.insert(ONLY, place.as_str()).map_err(|error| self.failed(error))?;
            let Some(letter) = new else { continue };
            let last = dead.last().map_err(|error| self.failed(error))?;
            let number = last.map_or(0, |(number, _)| number.value()) + 1;
            let bytes = encode(letter);
            dead.insert(number, bytes.as_slice()).map_err(|error| self.failed(error))?;
        }
        while dead.len().map_err(|error| self.failed(error))? > dead_letters_max as u64 {
            dead.pop_first().map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// All dead letters, oldest first.
    pub(in crate::store) fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        match self.has_table(&read, DEAD_LETTERS)? {
            true => self.read_dead_letters(&read),
            false => Ok(Vec::new()),
        }
    }

    pub(super) fn read_dead_letters(
        &self,
        read: &ReadTransaction,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let table = read.open_table(DEAD_LETTERS).map_err(|error| self.failed(error))?;
        let lines = table.iter().map_err(|error| self.failed(error))?;
        let letters = lines.map(|line| {
            let (number, value) = line.map_err(|error| self.failed(error))?;
            self.decode(value.value(), || format!("dead letter {}", number.value()))
        });
        letters.collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::store::database::{Batch, Database, Retention, ScoreRetention};
    use crate::store::fences::ProfileFences;
    use crate::store::webhooks::{DeadLetter, WebhookRecord};

    fn letter(number: u32) -> DeadLetter {
        let (id, reason) = (format!("id-{number}"), "refused".to_owned());
        DeadLetter { id, dead_ms: 5, attempts: number, reason, body: "{}".to_owned() }
    }

    fn record(database: &mut Database, place: &str, dead: Option<DeadLetter>) {
        let webhooks = vec![WebhookRecord { place: place.to_owned(), dead }];
        let retention = Retention {
            messages: 9,
            rooms: 9,
            profiles: 9,
            sanctions: 9,
            scores: ScoreRetention::FEW,
            dead_letters: 2,
        };
        let batch = Batch { webhooks, ..Batch::default() };
        database.write(&batch, retention, &ProfileFences::new(0, 9)).unwrap();
    }

    #[test]
    fn a_place_is_kept_from_the_first_run_on_and_of_dead_letters_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let mut database = Database::create(dir.path(), 1 << 20).unwrap();
        let begin = |database: &Database, place: Option<&'static str>, kept: Option<&str>| {
            let begun = database.begin_webhook(|it| {
                assert_eq!(it, kept);
                place.map(str::to_owned)
            });
            begun.unwrap()
        };
        assert_eq!(begin(&database, Some("a-1"), None), "a-1");
        assert_eq!(begin(&database, None, Some("a-1")), "a-1", "nothing was done yet");
        record(&mut database, "a-2", None);
        (3..6).for_each(|at| record(&mut database, &format!("a-{at}"), Some(letter(at))));
        drop(database);

        let (copy, database) = (dir.path().join("copy"), Database::open(dir.path(), true).unwrap());
        assert_eq!(database.dead_letters().unwrap(), [letter(4), letter(5)]);
        database.copy_to(&copy).unwrap();
        database.check().unwrap();
        let database = Database::create(&copy, 1 << 20).unwrap();
        assert_eq!(database.dead_letters().unwrap(), [letter(4), letter(5)]);
        assert_eq!(begin(&database, Some("c-5"), Some("a-5")), "c-5");
        assert_eq!(begin(&database, None, Some("c-5")), "c-5", "it is kept as one of this run");
    }
}
