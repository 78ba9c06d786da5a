//! The server that is killed, and what its journal says.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tickwire_server::journal::JournalReader;
use tickwire_shared::control::RequestId;

/// The room that all play in.
pub(super) const ROOM: &str = "crash";

const STOP_TIME: Duration = Duration::from_secs(10);
const STOP_LOOK: Duration = Duration::from_millis(10);

/// An arena server: one process after another on one port, with one folder.
pub(super) struct CrashServer {
    program: PathBuf,
    dir: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl CrashServer {
    /// Its folder is new, its port free.
    pub(super) fn new(program: Option<PathBuf>) -> anyhow::Result<Self> {
        let program = match program {
            Some(program) => program,
            None => std::env::current_exe()?.with_file_name("arena-server"),
        };
        ensure!(
            program.is_file(),
            "there is no {}: build it, or name another with --server",
            program.display()
        );
        let dir = std::env::temp_dir().join(format!("tickwire-crash-{}", std::process::id()));
        std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(CrashServer { program, dir, port, child: None })
    }

    /// Starts a process. It listens a little later.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.dir.join("log"))?;
        let child = Command::new(&self.program)
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .arg("--certs-dir")
            .arg(self.dir.join("certs"))
            .arg("--journal")
            .arg(self.journals())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Ends the process by SIGKILL.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill().context("killing the server")?;
        child.wait().context("waiting for the server's end")?;
        Ok(())
    }

    /// Ends it by SIGTERM.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let pid = Pid::from_raw(child.id() as i32).context("the server has no number")?;
        kill_process(pid, Signal::TERM).context("stopping the server")?;
        let end = Instant::now() + STOP_TIME;
        while child.try_wait()?.is_none() && Instant::now() < end {
            std::thread::sleep(STOP_LOOK);
        }
        self.kill()
    }

    /// The target for clients.
    pub(super) fn target(&self) -> String {
        format!("quic://127.0.0.1:{}", self.port)
    }

    /// The last tick in the room's journal.
    pub(super) fn last_tick(&self) -> anyhow::Result<u32> {
        let mut last = 0;
        let mut journal = self.journal()?;
        while let Some(record) = journal.next_record()? {
            last = record.tick.0;
        }
        Ok(last)
    }

    /// How often each command is in the room's journal, by player and request.
    pub(super) fn commands(&self) -> anyhow::Result<HashMap<(u32, RequestId), u32>> {
        let mut commands = HashMap::new();
        let mut journal = self.journal()?;
        while let Some(record) = journal.next_record()? {
            for command in record.commands {
                *commands.entry((command.player.0, command.request)).or_default() += 1;
            }
        }
        Ok(commands)
    }

    /// Removes its folder.
    pub(super) fn remove(self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }

    fn journals(&self) -> PathBuf {
        self.dir.join("journals")
    }

    fn journal(&self) -> anyhow::Result<JournalReader> {
        let is_room = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.is_dir() && name.starts_with(&format!("{ROOM}-"))
        };
        let entries = std::fs::read_dir(self.journals())?.filter_map(Result::ok);
        let folders: Vec<_> =
            entries.map(|entry| entry.path()).filter(|path| is_room(path)).collect();
        let [folder] = &folders[..] else {
            anyhow::bail!("the room has {} journals instead of one", folders.len())
        };
        Ok(JournalReader::open(folder)?)
    }
}

impl Drop for CrashServer {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
