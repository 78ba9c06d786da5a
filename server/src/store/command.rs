//! The command `store` of a game's program: checks a store and copies it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::StoreError;
use super::database::{Database, StoreCounts};

/// Runs `PROGRAM store ...`; `args` begin with the program and `store`.
pub(crate) fn store_command(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // The word `store` takes the place of the program's name.
    let matches = command().get_matches_from(args.into_iter().skip(1));
    match run(&matches) {
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
        .about("Checks or copies the store of a server that does not run.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("check")
                .about("Reads every record. Ends with 0 if all are good, with 1 if not.")
                .arg(dir()),
        )
        .subcommand(Command::new("backup").about("Writes a copy of the store.").arg(dir()).arg(to))
}

fn run(matches: &ArgMatches) -> Result<String, StoreError> {
    let path = |matches: &ArgMatches, name: &str| {
        matches.get_one::<PathBuf>(name).expect("a required argument").clone()
    };
    let told = |StoreCounts { rooms, messages }| format!("{messages} messages in {rooms} rooms");
    match matches.subcommand() {
        Some(("backup", matches)) => {
            let to = path(matches, "to");
            let counts = Database::open(&path(matches, "dir"))?.copy_to(&to)?;
            Ok(format!("{}: {}", to.display(), told(counts)))
        }
        Some((_, matches)) => {
            let dir = path(matches, "dir");
            let counts = Database::open(&dir)?.check()?;
            Ok(format!("{}: good, {}", dir.display(), told(counts)))
        }
        None => unreachable!("a subcommand is required"),
    }
}
