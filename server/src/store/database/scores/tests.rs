use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use redb::ReadableDatabase as _;
use tickwire_shared::{PlayerId, Tick};

use super::super::{Batch, CACHE_BYTES, Retention};
use super::*;
use crate::room::NewScore;
use crate::store::fences::ProfileFences;
use crate::store::scores::{ScoreLine, ScorePage, ScoreQuery, ScoreRange};

const GAME: &str = "dots";
const BOARDS: [ScoreBoard; 4] = [
    ScoreBoard::best("best"),
    ScoreBoard::best("lap").lowest_first(),
    ScoreBoard::sum("sum"),
    ScoreBoard::newest("newest"),
];
const DAY_MS: u64 = 86_400_000;
const BEGIN_MS: u64 = 20_000 * DAY_MS;

fn new(board: ScoreBoard, account: &str, tick: u32, score: i64) -> SaveScore {
    let new = NewScore {
        player: PlayerId(1),
        account: account.to_owned(),
        name: account.to_uppercase(),
        room_seed: 7,
        tick: Tick(tick),
        board: 0,
        score,
    };
    SaveScore { game: GAME, room: "bay".to_owned(), board, new }
}

fn create(dir: &Path) -> Database {
    Database::create(dir, CACHE_BYTES).unwrap()
}

fn write(
    database: &mut Database,
    scores: &[SaveScore],
    kept: ScoreRetention,
    time_ms: u64,
) -> Vec<SaveOutcome> {
    let batch = Batch { scores: scores.to_vec(), time_ms, ..Batch::default() };
    let retention = Retention {
        messages: 9,
        rooms: 9,
        profiles: 9,
        sanctions: 1000,
        scores: kept,
        dead_letters: 9,
    };
    database.write(&batch, retention, &ProfileFences::new(0, 1)).unwrap().scores
}

fn look(
    database: &Database,
    (board, period, ago): (ScoreBoard, ScorePeriod, u32),
    range: ScoreRange,
    time_ms: u64,
) -> ScorePage {
    let query = ScoreQuery { board, period, ago, range };
    database.scores(GAME, &query, (time_ms, ScoreRetention::FEW.periods)).unwrap()
}

fn top(database: &Database, board: ScoreBoard) -> Vec<(u64, String, i64)> {
    let range = ScoreRange::Top { from: 0, count: 100 };
    let page = look(database, (board, ScorePeriod::All, 0), range, BEGIN_MS);
    page.lines.into_iter().map(|line| (line.rank, line.account, line.score)).collect()
}

impl Database {
    /// Scores of accounts on a board, now.
    pub(in crate::store) fn score(
        &mut self,
        game: &'static str,
        board: ScoreBoard,
        scores: &[(&str, i64)],
    ) {
        let saves = scores.iter().map(|(account, score)| new(board, account, 1, *score));
        let saves: Vec<_> = saves.map(|save| SaveScore { game, ..save }).collect();
        write(self, &saves, ScoreRetention::FEW, crate::store::wall_ms());
    }
}

/// A line of a board in the model.
#[derive(Clone, Debug)]
struct ModelLine {
    account: String,
    score: i64,
    /// Grows with each change.
    number: usize,
    since_ms: u64,
    tick: u32,
}

/// All boards by place in [`BOARDS`] and period, in any order.
#[derive(Debug, Default)]
struct Model {
    boards: BTreeMap<(usize, u64), Vec<ModelLine>>,
    changes: usize,
}

impl Model {
    fn save(&mut self, at: usize, save: &SaveScore, most: usize, time_ms: u64) -> SaveOutcome {
        let (board, mut outcomes) = (BOARDS[at], Vec::new());
        for period in ScorePeriod::EACH {
            let key = (at, period.at(time_ms).of_board(board).0);
            let mut lines = self.boards.remove(&key).unwrap_or_default();
            self.changes += 1;
            let mut line = ModelLine {
                account: save.new.account.clone(),
                score: save.new.score,
                number: self.changes,
                since_ms: time_ms,
                tick: save.new.tick.0,
            };
            let own = lines.iter().position(|line| line.account == save.new.account);
            let before = own.map(|own| lines.remove(own));
            let is_old = before.as_ref().is_some_and(|before| line.tick <= before.tick);
            let outcome = match before {
                Some(before) if is_old && board.rule() == ScoreRule::Sum => {
                    lines.push(before);
                    SaveOutcome::Stale
                }
                Some(before) => {
                    line.score = match board.rule() {
                        ScoreRule::Best if board.is_lowest_first() => line.score.min(before.score),
                        ScoreRule::Best => line.score.max(before.score),
                        ScoreRule::Sum => line.score + before.score,
                        ScoreRule::Newest => line.score,
                    };
                    if line.score == before.score {
                        (line.number, line.since_ms) = (before.number, before.since_ms);
                    }
                    lines.push(line);
                    SaveOutcome::Saved
                }
                None => {
                    lines.push(line);
                    Self::sort(board, &mut lines);
                    lines.truncate(most);
                    match lines.iter().any(|line| line.account == save.new.account) {
                        true => SaveOutcome::Saved,
                        false => SaveOutcome::Failed,
                    }
                }
            };
            Self::sort(board, &mut lines);
            self.boards.insert(key, lines);
            outcomes.push(outcome);
        }
        let first_of = |wanted| outcomes.contains(&wanted).then_some(wanted);
        first_of(SaveOutcome::Saved).or(first_of(SaveOutcome::Stale)).unwrap_or(SaveOutcome::Failed)
    }

    fn sort(board: ScoreBoard, lines: &mut [ModelLine]) {
        let sign = if board.is_lowest_first() { 1 } else { -1 };
        lines.sort_by_key(|line| (sign * line.score, line.number));
    }

    fn lines(&self, at: usize, period: PeriodKey) -> Vec<ScoreLine> {
        let lines = self.boards.get(&(at, period.0)).into_iter().flatten();
        let lines = lines.zip(1..).map(|(line, rank)| ScoreLine {
            rank,
            account: line.account.clone(),
            name: line.account.to_uppercase(),
            score: line.score,
            since_ms: line.since_ms,
        });
        lines.collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn boards_are_those_of_a_naive_model(
        batches in prop::collection::vec(
            (prop::collection::vec((0..4usize, 0..6u8, -4..5i64, 0..9u8), 1..6), 0..8u8),
            1..24,
        ),
        most in 3..8usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut database = create(dir.path());
        let kept = ScoreRetention { accounts: most, ..ScoreRetention::FEW };
        let (mut model, mut time_ms, mut tick) = (Model::default(), BEGIN_MS, 1000);
        for (scores, pause) in batches {
            // Some batches come a day or weeks later, and with some the room goes on a little before where it was.
            time_ms += [0, 1, 1, 1, DAY_MS / 2, DAY_MS, 9 * DAY_MS, 40 * DAY_MS][usize::from(pause)];
            if pause == 7 {
                drop(database);
                database = create(dir.path());
            }
            let (mut saves, mut wanted) = (Vec::new(), Vec::new());
            for (at, account, score, step) in scores {
                tick = if step == 8 { tick - 3 } else { tick + u32::from(step) };
                let account = ["ann", "bob", "cid", "dan", "eve", "fay"][usize::from(account)];
                let save = new(BOARDS[at], account, tick, score);
                wanted.push(model.save(at, &save, most, time_ms));
                saves.push(save);
            }
            prop_assert_eq!(write(&mut database, &saves, kept, time_ms), wanted);
            model.boards.retain(|(_, period), _| PeriodKey(*period).is_kept(time_ms, kept.periods));
        }
        for (at, board) in BOARDS.into_iter().enumerate() {
            for (period, ago) in ScorePeriod::EACH.into_iter().flat_map(|it| [(it, 0), (it, 1)]) {
                let Some(key) = period.at(time_ms).of_board(board).before(ago) else { continue };
                let lines = model.lines(at, key);
                for (from, count) in [(0, 100), (0, 2), (1, 2), (3, 9), (99, 1)] {
                    let page = look(&database, (board, period, ago), ScoreRange::Top { from, count }, time_ms);
                    let part = lines.iter().skip(from as usize).take(count as usize);
                    prop_assert_eq!(page.lines, part.cloned().collect::<Vec<_>>());
                    prop_assert_eq!(page.accounts, lines.len() as u64);
                }
                for account in ["ann", "bob", "cid", "dan", "eve", "fay"] {
                    let own = lines.iter().position(|line| line.account == account);
                    for count in [0, 1, 2, 9] {
                        let range = ScoreRange::Around { account: account.to_owned(), count };
                        let page = look(&database, (board, period, ago), range, time_ms);
                        let near = own.map_or(0..0, |own| {
                            let count = count as usize;
                            own.saturating_sub(count)..(own + count + 1).min(lines.len())
                        });
                        prop_assert_eq!(&page.lines[..], &lines[near]);
                    }
                }
            }
        }
        let entries: usize = model.boards.values().map(Vec::len).sum();
        prop_assert_eq!(database.check().unwrap().scores, entries as u64);
    }
}

#[test]
fn of_equal_scores_the_one_that_was_there_first_is_ahead_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let [best, ..] = BOARDS;
    let mut database = create(dir.path());
    let save = |database: &mut Database, account, tick, score| {
        write(database, &[new(best, account, tick, score)], ScoreRetention::FEW, BEGIN_MS)
    };
    save(&mut database, "ann", 1, 5);
    save(&mut database, "bob", 2, 7);
    drop(database);
    let mut database = create(dir.path());
    save(&mut database, "cid", 3, 7);
    save(&mut database, "ann", 4, 7);
    // Who comes to the same score again stays where it is.
    save(&mut database, "bob", 5, 7);
    save(&mut database, "bob", 6, 2);
    let wanted = [(1, "bob"), (2, "cid"), (3, "ann")].map(|(rank, who)| (rank, who.to_owned(), 7));
    assert_eq!(top(&database, best), wanted);
}

#[test]
fn a_sum_counts_a_tick_of_a_room_once_and_another_room_counts_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = create(dir.path());
    let [.., sum, _] = BOARDS;
    let mut save = |tick, player, room_seed| {
        let mut save = new(sum, "ann", tick, 10);
        (save.new.room_seed, save.new.player) = (room_seed, PlayerId(player));
        let [outcome] = write(&mut database, &[save], ScoreRetention::FEW, BEGIN_MS)[..] else {
            panic!("one score has one outcome");
        };
        outcome
    };
    let (saved, stale) = (SaveOutcome::Saved, SaveOutcome::Stale);
    assert_eq!([save(100, 1, 7), save(101, 1, 7)], [saved, saved]);
    // The room was set back to tick 97 by a kill.
    assert_eq!([99, 100, 101, 102].map(|tick| save(tick, 1, 7)), [stale, stale, stale, saved]);
    // A later session of the account in the same step, and another room.
    assert_eq!([save(102, 2, 7), save(102, 1, 7), save(3, 2, 8)], [saved, stale, saved]);
    // A room may be older than ticks count.
    assert_eq!([save(u32::MAX, 2, 9), save(1, 2, 9), save(u32::MAX, 2, 9)], [saved, saved, stale]);
    assert_eq!(top(&database, sum), [(1, "ann".to_owned(), 70)]);
}

#[test]
fn a_board_whose_order_changes_begins_anew_and_one_whose_rule_changes_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = create(dir.path());
    let scores = [5, 9].map(|score| new(ScoreBoard::best("lap"), "ann", score as u32, score));
    write(&mut database, &scores, ScoreRetention::FEW, BEGIN_MS);
    assert!(top(&database, ScoreBoard::best("lap").lowest_first()).is_empty());
    let sum = ScoreBoard::sum("lap");
    write(&mut database, &[new(sum, "ann", 10, 1)], ScoreRetention::FEW, BEGIN_MS);
    assert_eq!(top(&database, sum), [(1, "ann".to_owned(), 10)]);
    assert_eq!(database.check().unwrap().scores, 4);
}

#[test]
fn a_lower_bound_holds_from_the_next_new_account_on_and_old_periods_go_little_by_little() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = create(dir.path());
    let [best, ..] = BOARDS;
    let many: Vec<_> = (0..400).map(|at| new(best, &format!("account-{at}"), 1, at)).collect();
    let all = ScoreRetention { accounts: 1000, ..ScoreRetention::FEW };
    write(&mut database, &many, all, BEGIN_MS);
    let few = ScoreRetention { accounts: 10, ..ScoreRetention::FEW };
    let outcome = write(&mut database, &[new(best, "low", 2, -1)], few, BEGIN_MS);
    assert_eq!(outcome, [SaveOutcome::Failed], "the board has ten better ones");
    for tick in 2..4 {
        let account = format!("high-{tick}");
        write(&mut database, &[new(best, &account, tick, 1000)], few, BEGIN_MS);
    }
    assert_eq!(top(&database, best).len(), 10);
    // Half a year later the day, the week and the month are old.
    let later = BEGIN_MS + 180 * DAY_MS;
    write(&mut database, &many, all, BEGIN_MS);
    let mut left = Vec::new();
    for tick in 5..12 {
        write(&mut database, &[new(best, "high-2", tick, 1000)], few, later);
        let read = database.redb.begin_read().unwrap();
        left.push(database.check_scores(&read).unwrap());
    }
    assert!(left.is_sorted_by(|one, two| one >= two), "{left:?}");
    assert_eq!(left.last(), Some(&(400 + 2 + 3)), "{left:?}");
}

#[test]
fn a_damaged_entry_is_named_by_the_check_left_out_of_pages_and_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = create(dir.path());
    let [.., sum, _] = BOARDS;
    let both = [new(sum, "ann", 1, 5), new(sum, "bob", 1, 3)];
    write(&mut database, &both, ScoreRetention::FEW, BEGIN_MS);
    let PeriodKey(all) = ScorePeriod::All.at(BEGIN_MS).of_board(sum);
    let damage = database.begin_write().unwrap();
    let key = (GAME, sum.name(), all, "ann");
    database.table(&damage, SCORES).unwrap().insert(key, &[255][..]).unwrap();
    damage.commit().unwrap();
    // The others keep their ranks.
    assert_eq!(top(&database, sum), [(2, "bob".to_owned(), 3)]);
    drop(database);
    let error = Database::open(dir.path(), false).unwrap().check().unwrap_err().to_string();
    assert!(error.contains(r#"the score of "ann" on the board "sum" of "dots""#), "{error}");
    let mut database = create(dir.path());
    write(&mut database, &[new(sum, "ann", 2, 2)], ScoreRetention::FEW, BEGIN_MS);
    let wanted = [(1, "bob", 3), (2, "ann", 2)].map(|(rank, who, it)| (rank, who.to_owned(), it));
    assert_eq!(top(&database, sum), wanted);
    assert_eq!(database.check().unwrap().scores, 8);
}

#[test]
fn an_entry_that_is_not_in_its_boards_order_is_named_by_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = create(dir.path());
    let [best, ..] = BOARDS;
    write(&mut database, &[new(best, "ann", 1, 5)], ScoreRetention::FEW, BEGIN_MS);
    let damage = database.begin_write().unwrap();
    let PeriodKey(all) = ScorePeriod::All.at(BEGIN_MS).of_board(best);
    let key = (GAME, best.name(), all, place_of(best, 5), 1);
    assert!(database.table(&damage, SCORE_ORDER).unwrap().remove(key).unwrap().is_some());
    damage.commit().unwrap();
    let error = database.check().unwrap_err().to_string();
    assert!(error.contains("is not in the order of its board"), "{error}");
}

#[test]
fn stores_of_the_versions_before_are_read_copied_and_get_the_tables() {
    for version in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let database = create(&from);
        let older = database.begin_write().unwrap();
        older.delete_table(SCORES).unwrap();
        older.delete_table(SCORE_ORDER).unwrap();
        older.delete_table(SCORE_COUNTS).unwrap();
        database.table(&older, META).unwrap().insert("version", version).unwrap();
        older.commit().unwrap();
        drop(database);
        let database = Database::open(&from, false).unwrap();
        assert!(top(&database, BOARDS[0]).is_empty());
        assert_eq!(database.check().unwrap().scores, 0);
        assert_eq!(Database::open(&from, true).unwrap().copy_to(&to).unwrap().scores, 0);
        for dir in [&from, &to] {
            let mut database = create(dir);
            let saves = [new(BOARDS[0], "ann", 1, 5)];
            let outcome = write(&mut database, &saves, ScoreRetention::FEW, BEGIN_MS);
            assert_eq!(outcome, [SaveOutcome::Saved]);
            drop(database);
            assert_eq!(Database::open(dir, true).unwrap().check().unwrap().scores, 4);
        }
        let copy = dir.path().join("copy");
        assert_eq!(Database::open(&to, true).unwrap().copy_to(&copy).unwrap().scores, 4);
        let copied = Database::open(&copy, true).unwrap();
        assert_eq!(top(&copied, BOARDS[0]), [(1, "ann".to_owned(), 5)]);
        assert_eq!(copied.check().unwrap().scores, 4);
    }
}
