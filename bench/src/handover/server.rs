//! A server as processes that take over from each other.

use std::fs::OpenOptions;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// By which this program serves a version of the game.
pub(super) const VERSION_VARIABLE: &str = "HANDOVER_GAME_VERSION";

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);
/// In the log of a server that goes on.
const REFUSED: &str = "not handed over";

/// A program, and the version of the game that it serves.
pub(super) struct Program {
    path: PathBuf,
    version: Option<&'static str>,
}

impl Program {
    /// The two that take over from each other.
    pub(super) fn of(migrate: bool, arena: Option<PathBuf>) -> anyhow::Result<[Self; 2]> {
        let own = std::env::current_exe()?;
        if migrate {
            let of = |version| Program { path: own.clone(), version: Some(version) };
            return Ok([of("1"), of("2")]);
        }
        let path = arena.unwrap_or_else(|| own.with_file_name("arena-server"));
        let path = std::path::absolute(path)?;
        ensure!(
            path.is_file(),
            "there is no {}: build it, or name another with --server",
            path.display()
        );
        Ok([Program { path: path.clone(), version: None }, Program { path, version: None }])
    }

    /// One that reads the state of none of them.
    pub(super) fn unable() -> anyhow::Result<Self> {
        Ok(Program { path: std::env::current_exe()?, version: Some("3") })
    }
}

/// The server.
pub(super) struct HandoverServer {
    dir: PathBuf,
    port: u16,
    /// The first process.
    first: Child,
    /// The one that serves.
    process: Pid,
}

impl HandoverServer {
    /// Starts the first process, on a free port and in a new folder, and waits until it has its folder.
    pub(super) fn start(program: &Program) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("tickwire-handover-{}", std::process::id()));
        std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let script = write_script(&dir, program)?;
        let log = OpenOptions::new().create(true).append(true).open(dir.join("log"))?;
        let first = Command::new(&script)
            .args(["--listen", &format!("127.0.0.1:{port}"), "--room-bots-max", "0"])
            .arg("--handover-program")
            .arg(&script)
            .arg("--certs-dir")
            .arg(dir.join("certs"))
            .arg("--journal")
            .arg(dir.join("journals"))
            .arg("--store")
            .arg(dir.join("store"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", script.display()))?;
        let process = Pid::from_raw(first.id() as i32).context("the server has no number")?;
        let mut server = HandoverServer { dir, port, first, process };
        let end = Instant::now() + PATIENCE;
        while !server.log().contains("listening") {
            ensure!(server.first.try_wait()?.is_none(), "the server ended:\n{}", server.log());
            ensure!(Instant::now() < end, "the server does not listen:\n{}", server.log());
            std::thread::sleep(LOOK);
        }
        Ok(server)
    }

    /// Asks it to hand over to `program`.
    pub(super) fn hand_over(&mut self, program: &Program) -> anyhow::Result<()> {
        write_script(&self.dir, program)?;
        kill_process(self.process, Signal::USR2).context("asking for a handover")
    }

    /// Finds out which process serves now.
    pub(super) fn note_process(&mut self) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(self.dir.join("journals/lock"))?;
        let number = text.trim().parse().context("the lock names no process")?;
        self.process = Pid::from_raw(number).context("the lock names no process")?;
        Ok(())
    }

    /// True if a process was refused.
    pub(super) fn has_refused(&self) -> bool {
        self.log().contains(REFUSED)
    }

    /// The target for clients.
    pub(super) fn target(&self) -> String {
        format!("quic://127.0.0.1:{}", self.port)
    }

    /// Ends the process that serves, and removes the folder.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        kill_process(self.process, Signal::TERM).context("stopping the server")?;
        let end = Instant::now() + PATIENCE;
        while is_running(self.process) && Instant::now() < end {
            let _ = self.first.try_wait();
            std::thread::sleep(LOOK);
        }
        std::fs::remove_dir_all(&self.dir)?;
        Ok(())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for HandoverServer {
    fn drop(&mut self) {
        if is_running(self.process) {
            let _ = kill_process(self.process, Signal::KILL);
        }
        let _ = self.first.wait();
    }
}

/// Puts `program` where the server looks for the next one.
fn write_script(dir: &Path, program: &Program) -> anyhow::Result<PathBuf> {
    let version = program.version.map(|version| format!("{VERSION_VARIABLE}={version}"));
    let text = format!(
        "#!/bin/sh\nunset {VERSION_VARIABLE}\n{} exec '{}' \"$@\"\n",
        version.unwrap_or_default(),
        program.path.display()
    );
    let (path, part) = (dir.join("server"), dir.join("server.part"));
    std::fs::write(&part, text)?;
    std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o700))?;
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// False for one that has ended, whether or not anybody has asked how.
fn is_running(process: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    let state = stat.ok().and_then(|stat| stat.rsplit_once(") ")?.1.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}
