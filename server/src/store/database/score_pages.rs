//! Parts of score boards: the first lines, and those around an account.

use std::ops::Bound;

use redb::{ReadOnlyTable, ReadTransaction, ReadableDatabase as _, ReadableTable as _};

use super::Database;
use super::scores::{EntryKey, OrderKey, SCORE_COUNTS, SCORE_ORDER, SCORES, whole};
use crate::store::error::StoreError;
use crate::store::record::StoredScore;
use crate::store::scores::{ScoreLine, ScorePage, ScoreQuery, ScoreRange};

/// The tables of boards at one moment.
struct ScoreReader<'a> {
    database: &'a Database,
    board_key: (&'a str, &'a str, u64),
    entries: ReadOnlyTable<EntryKey, &'static [u8]>,
    order: ReadOnlyTable<OrderKey, &'static str>,
}

impl Database {
    /// A part of a board at `time_ms`, if the period is one of the last `periods_max`; else, and without scores, it is empty.
    /// A damaged entry is left out.
    pub(in crate::store) fn scores(
        &self,
        game: &str,
        query: &ScoreQuery,
        (time_ms, periods_max): (u64, u32),
    ) -> Result<ScorePage, StoreError> {
        let ScoreQuery { board, period, ago, range } = query;
        let key = period.at(time_ms).of_board(*board).before(*ago);
        let read = self.redb.begin_read().map_err(|error| self.failed(error))?;
        let Some(key) = key.filter(|key| key.is_kept(time_ms, periods_max)) else {
            return Ok(ScorePage::default());
        };
        // A store that no server has opened since there are boards has no tables of them.
        if !self.has_table(&read, SCORES)? {
            return Ok(ScorePage::default());
        }
        let board_key = (game, board.name(), key.0);
        let counts = read.open_table(SCORE_COUNTS).map_err(|error| self.failed(error))?;
        let accounts = counts.get(board_key).map_err(|error| self.failed(error))?;
        let accounts = accounts.map_or(0, |accounts| accounts.value());
        let reader = ScoreReader {
            database: self,
            board_key,
            entries: read.open_table(SCORES).map_err(|error| self.failed(error))?,
            order: read.open_table(SCORE_ORDER).map_err(|error| self.failed(error))?,
        };
        let lines = match range {
            ScoreRange::Top { from, count } => reader.top(*from, *count)?,
            ScoreRange::Around { account, count } => reader.around(account, *count)?,
        };
        Ok(ScorePage { accounts, lines })
    }

    /// Reads all boards: each entry has its place in the order, and each board its count. Returns the number of entries.
    pub(super) fn check_scores(&self, read: &ReadTransaction) -> Result<u64, StoreError> {
        let entries = read.open_table(SCORES).map_err(|error| self.failed(error))?;
        let order = read.open_table(SCORE_ORDER).map_err(|error| self.failed(error))?;
        let counts = read.open_table(SCORE_COUNTS).map_err(|error| self.failed(error))?;
        let mut checked = 0;
        for line in entries.iter().map_err(|error| self.failed(error))? {
            let (key, value) = line.map_err(|error| self.failed(error))?;
            let (game, board, period, account) = key.value();
            let StoredScore { place, number, .. } =
                self.decode_score(value.value(), (game, board, period, account))?;
            let ordered = order.get((game, board, period, place, number));
            let ordered = ordered.map_err(|error| self.failed(error))?;
            if ordered.is_none_or(|who| who.value() != account) {
                let name = score_name((game, board, period, account));
                return Err(self.damaged(format!("{name} is not in the order of its board")));
            }
            checked += 1;
        }
        let mut counted = 0;
        for line in counts.iter().map_err(|error| self.failed(error))? {
            let (key, count) = line.map_err(|error| self.failed(error))?;
            let ((game, board, period), count) = (key.value(), count.value());
            let lines = order.range(whole((game, board, period)));
            let lines = lines.map_err(|error| self.failed(error))?.count() as u64;
            if lines != count {
                let board = format!("the board {board:?} of {game:?}, period {period:x}");
                return Err(
                    self.damaged(format!("{board} should have {count} accounts, and has {lines}"))
                );
            }
            counted += count;
        }
        if counted != checked {
            let what = format!("there are {checked} scores, and {counted} on boards");
            return Err(self.damaged(what));
        }
        Ok(checked)
    }

    pub(super) fn decode_score(
        &self,
        bytes: &[u8],
        key: (&str, &str, u64, &str),
    ) -> Result<StoredScore, StoreError> {
        self.decode(bytes, || score_name(key))
    }
}

impl ScoreReader<'_> {
    fn top(&self, from: u32, count: u32) -> Result<Vec<ScoreLine>, StoreError> {
        let order = self.order.range(whole(self.board_key));
        let order = order.map_err(|error| self.database.failed(error))?;
        let ranked = (u64::from(from) + 1..).zip(order.skip(from as usize));
        let mut lines = Vec::new();
        for (rank, line) in ranked.take(count as usize) {
            let (_, account) = line.map_err(|error| self.database.failed(error))?;
            lines.extend(self.line(rank, account.value())?);
        }
        Ok(lines)
    }

    /// The line of an account with `count` before it and as many after it; none if it is not on the board.
    fn around(&self, account: &str, count: u32) -> Result<Vec<ScoreLine>, StoreError> {
        let failed = |error| self.database.failed(error);
        let (game, board, period) = self.board_key;
        let Some(StoredScore { place, number, .. }) = self.entry(account)? else {
            return Ok(Vec::new());
        };
        let own = (game, board, period, place, number);
        let (first, last) = whole(self.board_key).into_inner();
        // An account's rank is one more than the number of those ahead.
        let ahead = self.order.range(first..own).map_err(failed)?.count() as u64;
        let before = self.order.range(first..own).map_err(failed)?.rev().take(count as usize);
        let mut lines = Vec::new();
        for (rank, line) in (1..=ahead).rev().zip(before) {
            let (_, account) = line.map_err(failed)?;
            lines.extend(self.line(rank, account.value())?);
        }
        lines.reverse();
        let rest = (Bound::Included(own), Bound::Included(last));
        let rest = self.order.range(rest).map_err(failed)?.take(count as usize + 1);
        for (rank, line) in (ahead + 1..).zip(rest) {
            let (_, account) = line.map_err(failed)?;
            lines.extend(self.line(rank, account.value())?);
        }
        Ok(lines)
    }

    /// The line of an account; `None` if its entry is damaged.
    fn line(&self, rank: u64, account: &str) -> Result<Option<ScoreLine>, StoreError> {
        let account = account.to_owned();
        let entry = self.entry(&account)?;
        Ok(entry.map(|StoredScore { score, name, since_ms, .. }| ScoreLine {
            rank,
            account,
            name,
            score,
            since_ms,
        }))
    }

    fn entry(&self, account: &str) -> Result<Option<StoredScore>, StoreError> {
        let (game, board, period) = self.board_key;
        let found = self.entries.get((game, board, period, account));
        let found = found.map_err(|error| self.database.failed(error))?;
        let Some(found) = found else { return Ok(None) };
        match self.database.decode_score(found.value(), (game, board, period, account)) {
            Ok(stored) => Ok(Some(stored)),
            Err(error) => {
                tracing::debug!("{error}: the board is shown without it");
                Ok(None)
            }
        }
    }
}

fn score_name((game, board, period, account): (&str, &str, u64, &str)) -> String {
    format!("the score of {account:?} on the board {board:?} of {game:?}, period {period:x},")
}
