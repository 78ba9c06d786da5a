//! A page that applies streams, in a browser driven by another process.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Sample;

/// An open page. Dropping it closes the page and its browser.
pub(super) struct Page {
    script: Child,
    /// A line for each request; the script ends with it.
    wishes: Option<ChildStdin>,
    /// A line for each answer.
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
    /// The browser's own name.
    pub(super) browser: String,
}

#[derive(Deserialize)]
struct Opened {
    browser: String,
}

#[derive(Deserialize)]
struct Ran {
    ms: f64,
    hash: String,
}

impl Page {
    /// Opens a page that loads the module in `folder`.
    pub(super) fn open(script: &Path, folder: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new("node")
            .args([script, folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node does not start; is it installed?")?;
        let wishes = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("node has no output")?);
        let (folder, browser) = (folder.to_owned(), String::new());
        let mut page = Page { script: child, wishes, answers, folder, browser };
        page.browser = page.answer::<Opened>()?.browser;
        Ok(page)
    }

    /// Writes a stream where the page finds it.
    pub(super) fn give(&self, name: &str, stream: &[u8]) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, stream).with_context(|| format!("writing {}", path.display()))
    }

    /// Applies the stream of this name `passes` times.
    pub(super) fn run(&mut self, name: &str, passes: u32) -> anyhow::Result<Sample> {
        let mut wishes = self.wishes.as_ref().context("the page is closed")?;
        writeln!(wishes, "{name} {passes}").context("the page ended; its error is above")?;
        let ran: Ran = self.answer()?;
        let hash = u64::from_str_radix(&ran.hash, 16).context("not a hash")?;
        Ok(Sample { took: Duration::from_secs_f64(ran.ms / 1000.0), hash })
    }

    fn answer<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        self.answers.read_line(&mut line).context("the page says nothing")?;
        anyhow::ensure!(!line.is_empty(), "the page ended; its error is above");
        serde_json::from_str(&line).with_context(|| format!("not an answer of the page: {line}"))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.wishes = None;
        let _ = self.script.wait();
    }
}
