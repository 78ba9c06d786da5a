//! Runs programs, and reports which one failed and how to run it alone.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use anyhow::{Context as _, bail};

use crate::shown::{self, Failed};

/// A program with its arguments and its directory.
pub(crate) struct Run {
    command: Command,
    shown: String,
    directory: PathBuf,
}

impl Run {
    pub(crate) fn new(program: &str, arguments: &[&str], directory: &Path) -> Run {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory).stdin(Stdio::null());
        for name in leaked_variables() {
            command.env_remove(name);
        }
        let shown = [&[program], arguments].concat().join(" ");
        Run { command, shown, directory: directory.to_path_buf() }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.shown = format!("{name}='{}' {}", value.as_ref().display(), self.shown);
        self.command.env(name, value);
        self
    }

    /// The command itself, for a caller that starts it differently.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Runs the program and shows its output. Where nobody watches a terminal, the error has the
    /// last lines, so that a report can repeat them at its end.
    pub(crate) fn show(mut self) -> anyhow::Result<()> {
        if io::stdout().is_terminal() {
            let status = self.command.status().with_context(|| self.cannot_start())?;
            return self.check(status);
        }
        let (status, last_lines) =
            shown::run(&mut self.command).with_context(|| self.cannot_start())?;
        self.check(status).map_err(|error| Failed { reason: error.to_string(), last_lines }.into())
    }

    /// Runs the program, shows its errors, and passes each line of its standard output to `each` as
    /// it comes.
    pub(crate) fn lines(mut self, mut each: impl FnMut(&str)) -> anyhow::Result<()> {
        self.command.stdout(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| self.cannot_start())?;
        let output = child.stdout.take().context("there is no output to read")?;
        for line in BufReader::new(output).lines() {
            each(&line.context("output that is not UTF-8")?);
        }
        let status = child.wait().with_context(|| self.cannot_start())?;
        self.check(status)
    }

    /// Runs the program silently; shows its output if it fails.
    pub(crate) fn quiet(mut self) -> anyhow::Result<()> {
        let output = self.command.output().with_context(|| self.cannot_start())?;
        if !output.status.success() {
            eprint!("{}", text_of(&output));
        }
        self.check(output.status)
    }

    /// Runs the program silently and returns its standard output.
    pub(crate) fn read(mut self) -> anyhow::Result<String> {
        let output = self.command.output().with_context(|| self.cannot_start())?;
        if !output.status.success() {
            eprint!("{}", text_of(&output));
            self.check(output.status)?;
        }
        String::from_utf8(output.stdout).context("output that is not UTF-8")
    }

    fn check(&self, status: ExitStatus) -> anyhow::Result<()> {
        if !status.success() {
            bail!("{status}; to run it alone: cd {} && {}", self.directory.display(), self.shown);
        }
        Ok(())
    }

    fn cannot_start(&self) -> String {
        format!("cannot start `{}` in {}; is it installed?", self.shown, self.directory.display())
    }
}

/// True if a program is on the path.
pub(crate) fn is_on_path(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).any(|directory| directory.join(program).is_file())
}

/// Variables that `cargo run` sets for this program alone. Build scripts that watch them would run
/// again each time a chore and a person take turns.
fn leaked_variables() -> impl Iterator<Item = String> {
    let own = |name: &String| {
        name == "CARGO"
            || ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
    };
    env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(own)
}

fn text_of(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    let _ = write!(text, "{}", String::from_utf8_lossy(&output.stderr));
    text
}
