//! The command `store scores`: a part of a board as lines of text.

use std::fmt::Write as _;

use clap::{Arg, ArgMatches, Command, value_parser};
use tickwire_shared::ScoreBoard;

use crate::sanctions::date;
use crate::store::period::ScorePeriod;
use crate::store::scores::{ScorePage, ScoreQuery, ScoreRange};

/// Most lines.
const LINES_MAX: i64 = 100_000;
/// Lines, if the command does not say; around an account, on each side of it.
const LINES: &str = "10";

/// The board is none of the game's.
#[derive(Debug, thiserror::Error)]
#[error("this game has no board {wanted:?}; it has: {}", known.join(", "))]
pub(super) struct ScoreCommandError {
    wanted: String,
    known: Vec<&'static str>,
}

/// The subcommand without its directory, which comes first.
pub(super) fn score_command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let lines = value_parser!(u32).range(1..=LINES_MAX);
    Command::new("scores")
        .about("Prints the first accounts of a score board, or those around one.")
        .arg(Arg::new("board").value_name("BOARD").required(true).index(2).help("Its name"))
        .arg(
            option("period", "PERIOD", "In UTC; a week begins on Monday")
                .default_value("all")
                .value_parser(ScorePeriod::EACH.map(ScorePeriod::word)),
        )
        .arg(
            option("ago", "N", "That many periods before the one that goes on")
                .default_value("0")
                .value_parser(value_parser!(u32)),
        )
        .arg(option("top", "N", "Lines").default_value(LINES).value_parser(lines))
        .arg(
            option("from", "N", "Leaves that many lines out, from the first on")
                .default_value("0")
                .value_parser(value_parser!(u32)),
        )
        .arg(option("around", "ACCOUNT", "Its line, and --top lines before and after it"))
}

/// What the command asks for.
pub(super) fn query(
    boards: &[ScoreBoard],
    matches: &ArgMatches,
) -> Result<ScoreQuery, ScoreCommandError> {
    let word = |name: &str| matches.get_one::<String>(name);
    let number = |name: &str| *matches.get_one::<u32>(name).expect("it has a default");
    let wanted = word("board").expect("a required argument");
    let board = boards.iter().find(|board| board.name() == wanted);
    let board = *board.ok_or_else(|| ScoreCommandError {
        wanted: wanted.clone(),
        known: boards.iter().map(|board| board.name()).collect(),
    })?;
    let period = word("period").and_then(|word| ScorePeriod::of_word(word));
    let (period, ago, count) = (period.unwrap_or(ScorePeriod::All), number("ago"), number("top"));
    let range = match word("around") {
        Some(account) => ScoreRange::Around { account: account.clone(), count },
        None => ScoreRange::Top { from: number("from"), count },
    };
    Ok(ScoreQuery { board, period, ago, range })
}

/// A line for each account.
pub(super) fn show(ScorePage { accounts, lines }: &ScorePage) -> String {
    let mut text = format!("{accounts} accounts");
    for line in lines {
        let (rank, score, since) = (line.rank, line.score, date(line.since_ms));
        let _ = write!(text, "\n{rank:>6} {score:>16}  {}  {:?}  {since}", line.name, line.account);
    }
    text
}
