//! The command `store` of a game's program: checks a store, copies it, and shows profiles.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::StoreError;
use super::database::{Database, StoreCounts};

/// Runs `PROGRAM store ...` of this game's program; `args` begin with the program and `store`.
pub(crate) fn store_command(game: &str, args: impl IntoIterator<Item = OsString>) -> ExitCode {
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
        .subcommand(Command::new("backup").about("Writes a copy of the store.").arg(dir()).arg(to))
        .subcommand(
            Command::new("profile")
                .about("Prints the profile of an account as JSON, with the stay, tick and time of its save.")
                .arg(dir())
                .arg(Arg::new("account").value_name("ACCOUNT").required(true).help("Its id")),
        )
}

fn run(game: &str, matches: &ArgMatches) -> Result<String, StoreError> {
    let path = |matches: &ArgMatches, name: &str| {
        matches.get_one::<PathBuf>(name).expect("a required argument").clone()
    };
    let told = |StoreCounts { rooms, messages, profiles }| {
        format!("{messages} messages in {rooms} rooms, {profiles} profiles")
    };
    match matches.subcommand() {
        Some(("backup", matches)) => {
            let to = path(matches, "to");
            let counts = Database::open(&path(matches, "dir"), true)?.copy_to(&to)?;
            Ok(format!("{}: {}", to.display(), told(counts)))
        }
        Some(("profile", matches)) => {
            let account = matches.get_one::<String>("account").expect("a required argument");
            Database::open(&path(matches, "dir"), false)?.show_profile(game, account)
        }
        Some((_, matches)) => {
            let dir = path(matches, "dir");
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
    use crate::store::database::{Database, Retention};
    use crate::store::files::file_in;
    use crate::store::{NewMessage, SessionTag};
    use tickwire_shared::PlayerId;
    use tickwire_shared::control::{ChatMessage, RequestId};

    fn told(words: &[&str]) -> Result<String, String> {
        run("dots", &command().get_matches_from(words)).map_err(|error| error.to_string())
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
        database.keep(&[new], Retention { messages: 9, rooms: 9, profiles: 9 }).unwrap();
        drop(database);
        let [from, to] = [&from, &to].map(|dir| dir.to_str().unwrap());
        let good = "good, 1 messages in 1 rooms, 0 profiles";
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
