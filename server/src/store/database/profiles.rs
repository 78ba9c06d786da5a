//! The profiles of accounts.

use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition, WriteTransaction,
};
use tickwire_shared::SaveOutcome;

use super::{Database, encode};
use crate::store::SaveProfile;
use crate::store::error::StoreError;
use crate::store::fences::ProfileFences;
use crate::store::record::StoredProfile;

/// By game and account.
pub(super) const PROFILES: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("profiles");

impl Database {
    /// Saves profiles, in their order, those of stale stays left out. Returns what became of each.
    pub(super) fn save_profiles(
        &self,
        write: &WriteTransaction,
        saves: &[SaveProfile],
        (fences, profiles_max): (&ProfileFences, usize),
        time_ms: u64,
    ) -> Result<Vec<SaveOutcome>, StoreError> {
        let mut table = self.table(write, PROFILES)?;
        let mut count = table.len().map_err(|error| self.failed(error))?;
        let mut outcomes = Vec::with_capacity(saves.len());
        for SaveProfile { game, new, .. } in saves {
            let key = (*game, new.account.as_str());
            let before = table.get(key).map_err(|error| self.failed(error))?;
            // A damaged one is in the log since it was read for the join.
            let stored = before.as_ref().map(|stored| {
                let stored = self.decode_profile(stored.value(), key);
                stored.map_or(0, |stored| stored.fence)
            });
            drop(before);
            let is_stale = stored.is_some_and(|stored| new.fence < stored);
            outcomes.push(if is_stale || fences.is_stale(&new.account, new.fence) {
                SaveOutcome::Stale
            } else if stored.is_none() && count >= profiles_max as u64 {
                SaveOutcome::Failed
            } else {
                count += u64::from(stored.is_none());
                let bytes = encode(&StoredProfile::new(new, time_ms));
                table.insert(key, bytes.as_slice()).map_err(|error| self.failed(error))?;
                SaveOutcome::Saved
            });
        }
        Ok(outcomes)
    }

    /// The profile of an account; `None` if none was saved.
    pub(in crate::store) fn profile(
        &self,
        game: &str,
        account: &str,
    ) -> Result<Option<StoredProfile>, StoreError> {
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        let table = read.open_table(PROFILES).map_err(|error| self.failed(error))?;
        let stored = table.get((game, account)).map_err(|error| self.failed(error))?;
        stored.map(|stored| self.decode_profile(stored.value(), (game, account))).transpose()
    }

    /// The profile of an account as JSON, with what is known of its save.
    pub(in crate::store) fn show_profile(
        &self,
        game: &str,
        account: &str,
    ) -> Result<String, StoreError> {
        let missing =
            || StoreError::NoProfile { account: account.to_owned(), game: game.to_owned() };
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        if !self.has_table(&read, PROFILES)? {
            return Err(missing());
        }
        let StoredProfile { fence, tick, version, saved_ms, json } =
            self.profile(game, account)?.ok_or_else(missing)?;
        Ok(format!(
            r#"{{"stay":{fence},"tick":{tick},"version":{version},"saved_ms":{saved_ms},"profile":{json}}}"#
        ))
    }

    /// Reads all profiles. Returns their number.
    pub(super) fn check_profiles(&self, read: &ReadTransaction) -> Result<u64, StoreError> {
        let table = read.open_table(PROFILES).map_err(|error| self.failed(error))?;
        let mut count = 0;
        for line in table.iter().map_err(|error| self.failed(error))? {
            let (key, value) = line.map_err(|error| self.failed(error))?;
            self.decode_profile(value.value(), key.value())?;
            count += 1;
        }
        Ok(count)
    }

    fn decode_profile(
        &self,
        bytes: &[u8],
        (game, account): (&str, &str),
    ) -> Result<StoredProfile, StoreError> {
        self.decode(bytes, || format!("the profile of {account:?} in {game:?}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use tickwire_shared::{PlayerId, Tick};

    use super::super::{Batch, CACHE_BYTES, Retention, ScoreRetention};
    use super::*;
    use crate::room::{NewProfile, SavedProfile};

    const GAME: &str = "dots";

    fn save(account: &str, fence: u64, json: &str) -> SaveProfile {
        let profile = SavedProfile { version: 3, json: json.into() };
        let (player, tick, account) = (PlayerId(7), Tick(9), account.to_owned());
        let new = NewProfile { player, account, fence, tick, profile };
        SaveProfile { game: GAME, room: "bay".to_owned(), new }
    }

    fn write(
        database: &mut Database,
        fences: &ProfileFences,
        saves: Vec<SaveProfile>,
    ) -> Vec<SaveOutcome> {
        let batch = Batch { saves, time_ms: 5, ..Batch::default() };
        let retention = Retention {
            messages: 9,
            rooms: 9,
            profiles: 2,
            sanctions: 1000,
            scores: ScoreRetention::FEW,
            dead_letters: 9,
        };
        database.write(&batch, retention, fences).unwrap().saves
    }

    fn json_of(database: &Database, account: &str) -> Option<String> {
        let stored = database.profile(GAME, account).unwrap();
        stored.map(|stored| stored.profile().json.0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_save_is_kept_unless_a_later_stay_has_begun_and_reopening_changes_nothing(
            acts in prop::collection::vec(any::<(u8, u8, u8)>(), 1..40),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
            let (mut run, mut fences) = (1, ProfileFences::new(1 << 32, 100));
            // The model: stays, the newest of each account in this run, and what the disk has.
            let mut stays: Vec<(&str, u64)> = Vec::new();
            let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
            let mut disk: BTreeMap<&str, (u64, String)> = BTreeMap::new();
            for (at, (act, account, value)) in acts.into_iter().enumerate() {
                let account = ["ann", "bob"][usize::from(account) % 2];
                match act % 6 {
                    0 | 1 => {
                        let stored = database.profile(GAME, account).unwrap();
                        let last = stored.map_or(0, |stored| stored.fence);
                        prop_assert_eq!(last, disk.get(account).map_or(0, |(fence, _)| *fence));
                        let fence = fences.begin(account, last);
                        prop_assert!(stays.iter().all(|(_, before)| *before < fence));
                        newest.insert(account, fence);
                        stays.push((account, fence));
                    }
                    2..=4 if !stays.is_empty() => {
                        let picked = [value, value.wrapping_mul(31), act];
                        let picked = picked.map(|at| stays[usize::from(at) % stays.len()]);
                        let saves = picked.iter().zip(0..).map(|((account, fence), part)| {
                            save(account, *fence, &format!("{at}.{part}"))
                        });
                        let saves: Vec<_> = saves.collect();
                        let outcomes = write(&mut database, &fences, saves.clone());
                        for (((account, fence), save), outcome) in
                            picked.into_iter().zip(&saves).zip(outcomes)
                        {
                            let on_disk = disk.get(account).map_or(0, |(fence, _)| *fence);
                            let is_old = fence < on_disk.max(*newest.get(account).unwrap_or(&0));
                            let wanted =
                                if is_old { SaveOutcome::Stale } else { SaveOutcome::Saved };
                            prop_assert_eq!(outcome, wanted);
                            if !is_old {
                                disk.insert(account, (fence, save.new.profile.json.0.clone()));
                            }
                        }
                    }
                    5 => {
                        // Another run, in which rooms go on with stays of before.
                        drop(database);
                        database = Database::create(dir.path(), CACHE_BYTES).unwrap();
                        run += 1;
                        fences = ProfileFences::new(run << 32, 100);
                        newest.clear();
                    }
                    _ => {}
                }
            }
            for account in ["ann", "bob"] {
                let wanted = disk.get(account).map(|(_, json)| json.clone());
                prop_assert_eq!(json_of(&database, account), wanted);
            }
            prop_assert_eq!(database.check().unwrap().profiles, disk.len() as u64);
        }
    }

    #[test]
    fn accounts_beyond_the_bound_are_not_saved_and_those_that_are_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
        let fences = ProfileFences::new(0, 9);
        let names = ["ann", "bob", "cid"];
        let saves = names.map(|account| save(account, 1, "1")).to_vec();
        let outcomes = write(&mut database, &fences, saves);
        assert_eq!(outcomes, [SaveOutcome::Saved, SaveOutcome::Saved, SaveOutcome::Failed]);
        assert_eq!(write(&mut database, &fences, vec![save("ann", 1, "2")]), [SaveOutcome::Saved]);
        assert_eq!(names.map(|name| json_of(&database, name).is_some()), [true, true, false]);
        assert_eq!(json_of(&database, "ann").as_deref(), Some("2"));
    }

    #[test]
    fn a_damaged_profile_is_named_by_the_check_and_the_next_save_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
        let fences = ProfileFences::new(0, 9);
        write(&mut database, &fences, vec![save("ann", 1, "1"), save("bob", 1, "1")]);
        let damage = database.begin_write().unwrap();
        database.table(&damage, PROFILES).unwrap().insert((GAME, "ann"), &[255][..]).unwrap();
        damage.commit().unwrap();
        let error = database.profile(GAME, "ann").unwrap_err().to_string();
        assert!(error.contains(r#"the profile of "ann" in "dots" does not decode"#), "{error}");
        assert_eq!(json_of(&database, "bob").as_deref(), Some("1"), "the others can be read");
        let shown: serde_json::Value =
            serde_json::from_str(&database.show_profile(GAME, "bob").unwrap()).unwrap();
        let wanted = serde_json::json!(
            {"stay": 1, "tick": 9, "version": 3, "saved_ms": 5, "profile": 1}
        );
        assert_eq!(shown, wanted);
        let error = database.show_profile(GAME, "cid").unwrap_err().to_string();
        assert!(error.contains("there is no profile of"), "{error}");
        drop(database);
        let error = Database::open(dir.path(), false).unwrap().check().unwrap_err().to_string();
        assert!(error.contains(r#"the profile of "ann""#), "{error}");
        let mut database = Database::create(dir.path(), CACHE_BYTES).unwrap();
        assert_eq!(write(&mut database, &fences, vec![save("ann", 1, "2")]), [SaveOutcome::Saved]);
        assert_eq!(database.check().unwrap().profiles, 2);
    }

    #[test]
    fn a_store_without_profiles_is_read_copied_and_gets_the_table() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let database = Database::create(&from, CACHE_BYTES).unwrap();
        let older = database.begin_write().unwrap();
        older.delete_table(PROFILES).unwrap();
        database.table(&older, super::super::META).unwrap().insert("version", 1).unwrap();
        older.commit().unwrap();
        drop(database);
        assert_eq!(Database::open(&from, false).unwrap().check().unwrap().profiles, 0);
        Database::open(&from, true).unwrap().copy_to(&to).unwrap();
        for dir in [&from, &to] {
            let mut database = Database::create(dir, CACHE_BYTES).unwrap();
            let saves = vec![save("ann", 1, "1")];
            assert_eq!(
                write(&mut database, &ProfileFences::new(0, 9), saves),
                [SaveOutcome::Saved]
            );
            drop(database);
            let counts = Database::open(dir, true).unwrap().check().unwrap();
            assert_eq!(counts.profiles, 1);
        }
    }
}
