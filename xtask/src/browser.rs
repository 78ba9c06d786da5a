//! The arena played by a real browser, against a real server.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::command::Run;
use crate::repo::Repo;
use crate::rust::build_binaries;
use crate::step::Outcome;
use crate::web;

const START_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn chromium(repo: &Repo) -> anyhow::Result<Outcome> {
    play_in(repo, "chromium")
}

pub(crate) fn firefox(repo: &Repo) -> anyhow::Result<Outcome> {
    play_in(repo, "firefox")
}

fn play_in(repo: &Repo, browser: &str) -> anyhow::Result<Outcome> {
    web::build_all(repo)?;
    build_binaries(repo)?;
    let mut server = ArenaServer::start(repo, browser)?;
    let run = ["run", "--silent", "e2e", "--", browser];
    let played = Run::new("npm", &run, &repo.page()).env("TICKWIRE_URL", &server.url).show();
    let stopped = server.stop();
    if played.is_err() || stopped.is_err() {
        eprintln!("--- the arena server's log, {}", server.log.display());
        eprintln!("{}", fs::read_to_string(&server.log).unwrap_or_default());
    }
    played.and(stopped)?;
    Ok(Outcome::Passed)
}

/// An arena server on free ports, with its output in a file.
struct ArenaServer {
    child: Child,
    url: String,
    log: PathBuf,
}

impl ArenaServer {
    fn start(repo: &Repo, name: &str) -> anyhow::Result<ArenaServer> {
        let folder = repo.target().join("e2e");
        fs::create_dir_all(&folder)?;
        let log = folder.join(format!("server-{name}.log"));
        let output = File::create(&log)?;
        let program = repo.target().join("debug/arena-server");
        let program = program.to_str().context("the path of the checkout is not UTF-8")?;
        let mut command = Run::new(program, &["--listen", "[::1]:0"], repo.root()).into_command();
        command.stdout(output.try_clone()?).stderr(output).stdin(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let mut server = ArenaServer { child, url: String::new(), log };
        server.url = server.wait_for_url()?;
        Ok(server)
    }

    fn wait_for_url(&mut self) -> anyhow::Result<String> {
        let start = Instant::now();
        while start.elapsed() < START_TIMEOUT {
            let text = fs::read_to_string(&self.log)?;
            if let Some(url) = url_in(&text) {
                return Ok(url);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the arena server ended with {status}: {text}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("the arena server printed no http:// address; see {}", self.log.display())
    }

    /// Stops it the way an operator does, and expects it to end well.
    fn stop(&mut self) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        Run::new("kill", &["-TERM", &pid], Path::new("/")).quiet()?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the arena server ended with {status} after SIGTERM");
        }
        Ok(())
    }
}

impl Drop for ArenaServer {
    /// For the ways out that did not stop it; after `stop` there is nothing left to kill.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first whole address of a page in what a server printed.
fn url_in(text: &str) -> Option<String> {
    let from = &text[text.find("http://")?..];
    let end = from.find(char::is_whitespace)?;
    Some(from[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_once_it_is_whole() {
        assert_eq!(url_in("play at http://[::1]:44"), None);
        let whole = "log line\nplay at http://[::1]:4433/ now\n";
        assert_eq!(url_in(whole).as_deref(), Some("http://[::1]:4433/"));
        assert_eq!(url_in("nothing here\n"), None);
    }
}
