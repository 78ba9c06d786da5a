//! Score boards: the entry of each account, and the order of all. A transaction writes both, for each period.

use std::ops::RangeInclusive;

use redb::{ReadableTable as _, Table, TableDefinition, WriteTransaction};
use tickwire_shared::{SaveOutcome, ScoreBoard, ScoreRule};

use super::{Database, META, encode};
use crate::store::error::StoreError;
use crate::store::period::{PeriodKey, ScorePeriod};
use crate::store::record::StoredScore;
use crate::store::scores::SaveScore;

/// By game, board and period.
pub(super) type BoardKey = (&'static str, &'static str, u64);
/// By game, board, period and account.
pub(super) type EntryKey = (&'static str, &'static str, u64, &'static str);
/// By game, board, period, place and number of the entry.
pub(super) type OrderKey = (&'static str, &'static str, u64, u64, u64);
/// The place and the number of an entry.
type Placed = (u64, u64);

pub(super) const SCORES: TableDefinition<EntryKey, &[u8]> = TableDefinition::new("scores");
/// Has the account.
pub(super) const SCORE_ORDER: TableDefinition<OrderKey, &str> = TableDefinition::new("score_order");
/// Has the number of accounts.
pub(super) const SCORE_COUNTS: TableDefinition<BoardKey, u64> =
    TableDefinition::new("score_counts");

/// Entries beyond the bounds that a transaction removes at most, of old periods and of each full board.
const REMOVED_MAX: usize = 256;

/// The bounds of score boards.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct ScoreRetention {
    /// Accounts on a board in a period, the first ones.
    pub(in crate::store) accounts: usize,
    /// The last periods of each kind.
    pub(in crate::store) periods: u32,
}

#[cfg(test)]
impl ScoreRetention {
    pub(in crate::store) const FEW: Self = ScoreRetention { accounts: 100, periods: 2 };
}

impl Database {
    /// Takes scores onto their boards, in their order. Returns what became of each.
    pub(super) fn save_scores(
        &self,
        write: &WriteTransaction,
        saves: &[SaveScore],
        kept: ScoreRetention,
        time_ms: u64,
    ) -> Result<Vec<SaveOutcome>, StoreError> {
        if saves.is_empty() {
            return Ok(Vec::new());
        }
        let mut meta = self.table(write, META)?;
        let mut tables = ScoreTables {
            database: self,
            entries: self.table(write, SCORES)?,
            order: self.table(write, SCORE_ORDER)?,
            counts: self.table(write, SCORE_COUNTS)?,
            last_number: self.number(&meta, "scores")?.unwrap_or(0),
        };
        let outcomes = saves.iter().map(|save| tables.save(save, kept, time_ms));
        let outcomes = outcomes.collect::<Result<_, _>>()?;
        tables.remove_old(kept.periods, time_ms)?;
        meta.insert("scores", tables.last_number).map_err(|error| self.failed(error))?;
        Ok(outcomes)
    }
}

/// The tables of boards, in a transaction.
struct ScoreTables<'a> {
    database: &'a Database,
    entries: Table<'a, EntryKey, &'static [u8]>,
    order: Table<'a, OrderKey, &'static str>,
    counts: Table<'a, BoardKey, u64>,
    /// The last number that an entry got. Of equal scores the one with the lower number is ahead.
    last_number: u64,
}

impl ScoreTables<'_> {
    /// Takes a score onto its board, in each period that goes on.
    fn save(
        &mut self,
        save: &SaveScore,
        kept: ScoreRetention,
        time_ms: u64,
    ) -> Result<SaveOutcome, StoreError> {
        let mut outcome = SaveOutcome::Failed;
        for period in ScorePeriod::EACH {
            match self.save_in(
                period.at(time_ms).of_board(save.board),
                save,
                kept.accounts,
                time_ms,
            )? {
                SaveOutcome::Failed => {}
                // Of two periods one may have an entry that the other one has lost.
                SaveOutcome::Stale if outcome == SaveOutcome::Saved => {}
                other => outcome = other,
            }
        }
        Ok(outcome)
    }

    fn save_in(
        &mut self,
        PeriodKey(period): PeriodKey,
        SaveScore { game, board, new, .. }: &SaveScore,
        accounts_max: usize,
        time_ms: u64,
    ) -> Result<SaveOutcome, StoreError> {
        let board_key = (*game, board.name(), period);
        let before = self.entry(board_key, &new.account)?;
        if let Some(before) = &before
            && board.rule() == ScoreRule::Sum
            && before.has_counted(new)
        {
            return Ok(SaveOutcome::Stale);
        }
        let score = before.as_ref().map_or(new.score, |it| board.merge(it.score, new.score));
        let place = place_of(*board, score);
        if before.is_none() && !self.make_place(board_key, place, accounts_max)? {
            return Ok(SaveOutcome::Failed);
        }
        let stored = match before {
            // Who comes to the same score later stays behind.
            Some(before) if before.place == place => before.renewed(new),
            before => {
                if let Some(StoredScore { place, number, .. }) = before {
                    let (game, board, period) = board_key;
                    let removed = self.order.remove((game, board, period, place, number));
                    removed.map_err(|error| self.database.failed(error))?;
                }
                self.last_number += 1;
                StoredScore::new(new, score, (place, self.last_number), time_ms)
            }
        };
        self.put(board_key, &new.account, &stored)?;
        Ok(SaveOutcome::Saved)
    }

    /// The entry of an account. A damaged one is removed, as if there were none.
    fn entry(
        &mut self,
        (game, board, period): (&str, &str, u64),
        account: &str,
    ) -> Result<Option<StoredScore>, StoreError> {
        let database = self.database;
        let failed = |error| database.failed(error);
        let found = self.entries.get((game, board, period, account)).map_err(failed)?;
        let Some(bytes) = found.map(|found| found.value().to_vec()) else { return Ok(None) };
        match database.decode_score(&bytes, (game, board, period, account)) {
            Ok(stored) => Ok(Some(stored)),
            Err(error) => {
                tracing::error!("{error}: it begins anew");
                if let Some(place) = self.find_place((game, board, period), account)? {
                    self.remove((game, board, period), account, place)?;
                }
                Ok(None)
            }
        }
    }

    /// The place and number of an account in the order.
    fn find_place(
        &self,
        board_key: (&str, &str, u64),
        account: &str,
    ) -> Result<Option<Placed>, StoreError> {
        let failed = |error| self.database.failed(error);
        for line in self.order.range(whole(board_key)).map_err(failed)? {
            let (key, who) = line.map_err(failed)?;
            if who.value() == account {
                let (.., place, number) = key.value();
                return Ok(Some((place, number)));
            }
        }
        Ok(None)
    }

    /// The last account of a board, with its place and number.
    fn last(&self, board_key: (&str, &str, u64)) -> Result<Option<(String, Placed)>, StoreError> {
        let failed = |error| self.database.failed(error);
        let last = self.order.range(whole(board_key)).map_err(failed)?.next_back();
        last.transpose().map_err(failed).map(|last| {
            last.map(|(key, account)| {
                let (.., place, number) = key.value();
                (account.value().to_owned(), (place, number))
            })
        })
    }

    /// Makes a place for one more account, at `place`. Returns false if the board is full of better ones.
    fn make_place(
        &mut self,
        board_key: (&str, &str, u64),
        place: u64,
        accounts_max: usize,
    ) -> Result<bool, StoreError> {
        for _ in 0..REMOVED_MAX {
            if self.count(board_key)? < accounts_max as u64 {
                break;
            }
            let Some((account, last)) = self.last(board_key)? else { break };
            if last.0 <= place {
                return Ok(false);
            }
            self.remove(board_key, &account, last)?;
        }
        let count = self.count(board_key)? + 1;
        self.counts.insert(board_key, count).map_err(|error| self.database.failed(error))?;
        Ok(true)
    }

    fn count(&self, board_key: (&str, &str, u64)) -> Result<u64, StoreError> {
        let count = self.counts.get(board_key).map_err(|error| self.database.failed(error))?;
        Ok(count.map_or(0, |count| count.value()))
    }

    fn put(
        &mut self,
        (game, board, period): (&str, &str, u64),
        account: &str,
        stored: &StoredScore,
    ) -> Result<(), StoreError> {
        let database = self.database;
        let bytes = encode(stored);
        self.entries
            .insert((game, board, period, account), bytes.as_slice())
            .map_err(|error| database.failed(error))?;
        self.order
            .insert((game, board, period, stored.place, stored.number), account)
            .map_err(|error| database.failed(error))?;
        Ok(())
    }

    /// Removes an account from a board. The board is gone with its last one.
    fn remove(
        &mut self,
        board_key: (&str, &str, u64),
        account: &str,
        (place, number): (u64, u64),
    ) -> Result<(), StoreError> {
        let database = self.database;
        let (game, board, period) = board_key;
        self.entries
            .remove((game, board, period, account))
            .map_err(|error| database.failed(error))?;
        self.order
            .remove((game, board, period, place, number))
            .map_err(|error| database.failed(error))?;
        match self.count(board_key)?.saturating_sub(1) {
            0 => self.counts.remove(board_key).map(drop),
            count => self.counts.insert(board_key, count).map(drop),
        }
        .map_err(|error| database.failed(error))
    }

    /// Removes entries of periods that are over for long enough.
    fn remove_old(&mut self, periods: u32, time_ms: u64) -> Result<(), StoreError> {
        let database = self.database;
        let failed = |error| database.failed(error);
        let mut old = Vec::new();
        for line in self.counts.iter().map_err(failed)? {
            let (key, _) = line.map_err(failed)?;
            let (game, board, period) = key.value();
            if old.len() >= REMOVED_MAX {
                break;
            }
            if PeriodKey(period).is_kept(time_ms, periods) {
                continue;
            }
            let lines = self.order.range(whole((game, board, period))).map_err(failed)?;
            for line in lines.take(REMOVED_MAX - old.len()) {
                let (key, account) = line.map_err(failed)?;
                let (.., place, number) = key.value();
                let board_key = (game.to_owned(), board.to_owned(), period);
                old.push((board_key, account.value().to_owned(), (place, number)));
            }
        }
        for ((game, board, period), account, place) in old {
            self.remove((&game, &board, period), &account, place)?;
        }
        Ok(())
    }
}

/// The order of a whole board.
pub(super) fn whole<'a>(
    (game, board, period): (&'a str, &'a str, u64),
) -> RangeInclusive<(&'a str, &'a str, u64, u64, u64)> {
    (game, board, period, 0, 0)..=(game, board, period, u64::MAX, u64::MAX)
}

/// The place of a score in the order of its board: the first one has the lowest.
fn place_of(board: ScoreBoard, score: i64) -> u64 {
    let rising = score.cast_unsigned() ^ (1 << 63);
    if board.is_lowest_first() { rising } else { !rising }
}

#[cfg(test)]
mod tests;
