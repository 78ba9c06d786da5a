//! The command `store` of a game's program: checks a store, copies it, shows profiles and scores, and sets bans and mutes.

mod dead_letters;
mod scores;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use tickwire_shared::ScoreBoard;

use super::StoreError;
use super::database::{Database, StoreCounts};
use super::thread::wall_ms;
use crate::config::ServerConfig;
use crate::sanctions::{Sanction, SanctionError, SanctionKind, SanctionTarget, date};

/// Runs `PROGRAM store ...` of this game's program, with its name and its boards; `args` begin with the program and `store`.
pub(crate) fn store_command(
    game: (&str, &[ScoreBoard]),
    args: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    // The word `store` takes the place of the program's name.
    let matches = command().get_matches_from(args.into_iter().skip(1));
    // A panic of the database is in the error, and needs no report of its own.
    std::panic::set_hook(Box::new(|_| {}));
    match run(game, &matches) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let path = |name: &'static str, value: &'static str, help: &'static str| {
        let arg = Arg::new(name).value_name(value).value_parser(value_parser!(PathBuf));
        arg.required(true).help(help)
    };
    let dir = || path("dir", "DIR", "The store's directory, as in the setting store");
    let to = path("to", "TO", "The directory of the copy; made if it is not there");
    Command::new("store")
        .about("Checks, copies or shows the store of a server that does not run.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("check")
                .about("Reads every record. Ends with 0 if all are good, with 1 if not.")
                .arg(dir()),
        )
        .subcommand(scores::score_command().arg(dir()))
        .subcommands(SANCTION_COMMANDS.map(|(name, about, ..)| sanction_command(name, about).arg(dir())))
        .subcommand(Command::new("list").about("Prints all bans and mutes.").arg(dir()))
        .subcommand(
            Command::new("dead-letters")
                .about("Prints what webhooks have given up, oldest first: a line of JSON for each.")
                .arg(dir()),
        )
        .subcommand(Command::new("backup").about("Writes a copy of the store.").arg(dir()).arg(to))
        .subcommand(
            Command::new("profile")
                .about("Prints the profile of an account as JSON, with the stay, tick and time of its save.")
                .arg(dir())
                .arg(Arg::new("account").value_name("ACCOUNT").required(true).help("Its id")),
        )
}

/// Subcommands, their help, the kind, and whether they lift it.
const SANCTION_COMMANDS: [(&str, &str, SanctionKind, bool); 4] = [
    ("ban", "Bans an account, a name or an address.", SanctionKind::Ban, false),
    ("unban", "Lifts a ban.", SanctionKind::Ban, true),
    ("mute", "Mutes an account, a name or an address.", SanctionKind::Mute, false),
    ("unmute", "Lifts a mute.", SanctionKind::Mute, true),
];

fn sanction_command(name: &'static str, about: &'static str) -> Command {
    let word = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).value_name(value).required(true).help(help)
    };
    let is_lifted = name.starts_with("un");
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).hide(is_lifted)
    };
    Command::new(name)
        .about(about)
        .arg(word("target", "KIND", "account, name or address").index(2))
        .arg(
            word("who", "WHO", "The account's id, the name, or an address such as 203.0.113.0/24")
                .index(3),
        )
        .arg(option("for", "TIME", "Such as 30m, 12h, 7d; without it there is no end"))
        .arg(option("reason", "TEXT", "Told to the player"))
}

/// Sets or lifts a sanction in a store whose server does not run.
fn sanction(
    (kind, is_lifted): (SanctionKind, bool),
    dir: &Path,
    matches: &ArgMatches,
) -> Result<String, StoreCommandError> {
    let word = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let target =
        SanctionTarget::parse(word("target").unwrap_or_default(), word("who").unwrap_or_default())?;
    let seconds = word("for").map(seconds).transpose()?;
    let sanction = Sanction::new(seconds, word("reason").unwrap_or_default(), wall_ms())?;
    let told = sanction.told(&format!("{} {target}", kind.word()));
    // A store that is not there is not made, and one of the version before is changed.
    drop(Database::open(dir, false)?);
    let config = ServerConfig::default();
    let database = Database::create(dir, config.store_cache_bytes)?;
    let change = ((kind, target), Some(sanction).filter(|_| !is_lifted));
    match database.set_sanction(change, config.sanctions_max)? {
        true if is_lifted => Ok(format!("lifted: {told}")),
        true => Ok(told),
        false => Err(StoreCommandError::Full(config.sanctions_max)),
    }
}

/// A time such as `30m` in seconds.
fn seconds(text: &str) -> Result<u64, StoreCommandError> {
    let wrong = || StoreCommandError::Time(text.to_owned());
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let unit_s = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_s).ok_or_else(wrong)
}

/// The command cannot be carried out.
#[derive(Debug, thiserror::Error)]
enum StoreCommandError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sanction(#[from] SanctionError),
    #[error(transparent)]
    Scores(#[from] scores::ScoreCommandError),
    #[error("{0:?} is no time; give one such as 30m, 12h or 7d")]
    Time(String),
    #[error("the store has {0} bans and mutes, the most; lift some")]
    Full(usize),
}

fn run(
    (game, boards): (&str, &[ScoreBoard]),
    matches: &ArgMatches,
) -> Result<String, StoreCommandError> {
    let path = |matches: &ArgMatches, name: &str| {
        matches.get_one::<PathBuf>(name).expect("a required argument").clone()
    };
    let told = |StoreCounts { rooms, messages, profiles, scores, sanctions, topics }| {
        format!(
            "{messages} messages in {rooms} rooms, {profiles} profiles, {scores} scores, \
             {sanctions} bans and mutes, {topics} messages of topics"
        )
    };
    match matches.subcommand() {
        Some(("backup", matches)) => {
            let to = path(matches, "to");
            let counts = Database::open(&path(matches, "dir"), true)?.copy_to(&to)?;
            Ok(format!("{}: {}", to.display(), told(counts)))
        }
        Some(("profile", matches)) => {
            let account = matches.get_one::<String>("account").expect("a required argument");
            Ok(Database::open(&path(matches, "dir"), false)?.show_profile(game, account)?)
        }
        Some(("scores", matches)) => {
            let query = scores::query(boards, matches)?;
            let database = Database::open(&path(matches, "dir"), false)?;
            Ok(scores::show(&database.scores(game, &query, (wall_ms(), u32::MAX))?))
        }
        Some(("dead-letters", matches)) => {
            let letters = Database::open(&path(matches, "dir"), false)?.dead_letters()?;
            Ok(dead_letters::show(&letters))
        }
        Some(("list", matches)) => {
            let lines = Database::open(&path(matches, "dir"), false)?.sanctions()?;
            let lines = lines.into_iter().map(|((kind, target), sanction)| {
                let made = date(sanction.made_ms);
                sanction.told(&format!("{made}: {} {target}", kind.word()))
            });
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        Some((name, matches)) => {
            let dir = path(matches, "dir");
            if let Some((.., kind, is_lifted)) = SANCTION_COMMANDS.iter().find(|it| it.0 == name) {
                return sanction((*kind, *is_lifted), &dir, matches);
            }
            // Not verified: a repair is found by the check.
            let counts = Database::open(&dir, false)?.check()?;
            Ok(format!("{}: good, {}", dir.display(), told(counts)))
        }
        None => unreachable!("a subcommand is required"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::database::{Database, Retention, ScoreRetention};
    use crate::store::files::file_in;
    use crate::store::{NewMessage, SessionTag};
    use tickwire_shared::PlayerId;
    use tickwire_shared::control::{ChatMessage, RequestId};

    fn told(words: &[&str]) -> Result<String, String> {
        run(("dots", &[]), &command().get_matches_from(words)).map_err(|error| error.to_string())
    }

    #[test]
    fn bans_and_mutes_are_set_listed_and_lifted() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().to_str().unwrap();
        let ban = ["store", "ban", at, "account", "ann", "--for", "7d", "--reason", "spam"];
        assert!(told(&ban).unwrap_err().contains("is no store"));
        drop(Database::create(dir.path(), 1 << 20).unwrap());
        assert!(told(&ban).unwrap().starts_with("ban account ann until "));
        assert_eq!(told(&["store", "mute", at, "name", "Bob"]).unwrap(), "mute name Bob");
        let list = told(&["store", "list", at]).unwrap();
        let lines: Vec<&str> = list.lines().collect();
        assert!(lines[0].contains(": ban account ann until ") && lines[0].ends_with(": spam"));
        assert!(lines[1].ends_with(": mute name Bob"), "{list}");
        assert!(
            told(&["store", "check", at])
                .unwrap()
                .ends_with("2 bans and mutes, 0 messages of topics")
        );
        assert_eq!(
            told(&["store", "unban", at, "account", "ann"]).unwrap(),
            "lifted: ban account ann"
        );
        assert_eq!(told(&["store", "list", at]).unwrap().lines().count(), 1);
        let wrong = [
            (["ban", "ip", "1.2.3.4", "1d"], "give an account"),
            (["ban", "address", "nowhere", "1d"], "is no address"),
            (["mute", "account", "ann", "soon"], "is no time"),
            (["mute", "account", "ann", "0s"], "1 s to 10 years"),
        ];
        for ([word, target, who, time], part) in wrong {
            let error = told(&["store", word, at, target, who, "--for", time]).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_board_is_shown_from_the_first_line_and_around_an_account() {
        const BOARDS: &[ScoreBoard] = &[ScoreBoard::sum("kills"), ScoreBoard::best("lap")];
        let told = |words: &[&str]| {
            let matches = command().get_matches_from(words);
            run(("dots", BOARDS), &matches).map_err(|error| error.to_string())
        };
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().to_str().unwrap();
        let mut database = Database::create(dir.path(), 1 << 20).unwrap();
        database.score("dots", BOARDS[0], &[("ann", 5), ("bob", 9), ("cid", 7)]);
        drop(database);
        let lines = |text: String| -> Vec<Vec<String>> {
            let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
            text.lines().map(words).collect()
        };
        let all = lines(told(&["store", "scores", at, "kills"]).unwrap());
        let name = |line: &Vec<String>| line[..3].join(" ");
        assert_eq!(all[0], ["3", "accounts"]);
        assert_eq!(
            all[1..].iter().map(name).collect::<Vec<_>>(),
            ["1 9 BOB", "2 7 CID", "3 5 ANN"]
        );
        assert!(all[1][3] == "\"bob\"" && all[1].last().unwrap() == "UTC");
        let words =
            ["store", "scores", at, "kills", "--period", "day", "--around", "ann", "--top", "1"];
        let near = lines(told(&words).unwrap());
        assert_eq!(near[1..].iter().map(name).collect::<Vec<_>>(), ["2 7 CID", "3 5 ANN"]);
        let from =
            lines(told(&["store", "scores", at, "kills", "--from", "1", "--top", "1"]).unwrap());
        assert_eq!(from[1..].iter().map(name).collect::<Vec<_>>(), ["2 7 CID"]);
        assert_eq!(told(&["store", "scores", at, "lap"]).unwrap(), "0 accounts");
        let error = told(&["store", "scores", at, "laps"]).unwrap_err();
        assert_eq!(error, "this game has no board \"laps\"; it has: kills, lap");
        assert!(told(&["store", "check", at]).unwrap().contains(" 12 scores, "));
    }

    #[test]
    fn a_good_store_is_checked_and_copied_and_a_damaged_one_named() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let (name, text) = ("alice".to_owned(), "hello".to_owned());
        let (request, from_player) = (RequestId(1), PlayerId(7));
        let message =
            ChatMessage { request, id: 1, time_ms: 5, from: from_player, name, to: None, text };
        let new = NewMessage { room: "bay".to_owned(), message, session: Some(SessionTag(3)) };
        let mut database = Database::create(&from, 1 << 20).unwrap();
        database
            .keep(
                &[new],
                Retention {
                    messages: 9,
                    rooms: 9,
                    profiles: 9,
                    sanctions: 1000,
                    scores: ScoreRetention::FEW,
                    dead_letters: 9,
                },
            )
            .unwrap();
        drop(database);
        let [from, to] = [&from, &to].map(|dir| dir.to_str().unwrap());
        let good = "good, 1 messages in 1 rooms, 0 profiles, 0 scores, 0 bans and mutes, 0 messages of topics";
        assert!(told(&["store", "check", from]).unwrap().ends_with(good));
        assert!(told(&["store", "backup", from, to]).unwrap().starts_with(to));
        assert!(told(&["store", "check", to]).unwrap().ends_with(good));
        assert!(told(&["store", "backup", from, to]).unwrap_err().contains("is there already"));

        let file = file_in(from.as_ref());
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[..4096].fill(0x55);
        std::fs::write(&file, bytes).unwrap();
        let other = dir.path().join("other");
        let backup = ["store", "backup", from, other.to_str().unwrap()];
        for words in [&["store", "check", from][..], &backup] {
            let error = told(words).unwrap_err();
            assert!(error.contains("store.redb is damaged"), "{error}");
        }
        assert!(!file_in(&other).exists());
    }
}
