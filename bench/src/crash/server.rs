//! The server that is killed, and what its journal says.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tickwire_server::identity::{Audiences, TokenClaims, TokenSigner};
use tickwire_server::journal::JournalReader;
use tickwire_server::room::SeatChange;
use tickwire_shared::SaveOutcome;
use tickwire_shared::control::RequestId;

/// The room that all play in.
pub(super) const ROOM: &str = "crash";

/// The file of the key by which the server checks tokens.
const KEYS: &str = "keys.json";
const STOP_TIME: Duration = Duration::from_secs(10);
const STOP_LOOK: Duration = Duration::from_millis(10);

/// The saves of a journal.
#[derive(Debug, Default)]
pub(super) struct Saves {
    /// Saves that the game was told of.
    pub(super) acknowledged: usize,
    /// By player.
    accounts: HashMap<u32, String>,
    /// The tick of the last one by player.
    last: HashMap<u32, u32>,
}

/// The part of `store profile` that counts.
#[derive(Deserialize)]
struct StoredSave {
    tick: u32,
}

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
        std::fs::write(dir.join(KEYS), secret_key()).context("writing the keys")?;
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
            .arg("--store")
            .arg(self.store())
            .arg("--token-keys-file")
            .arg(self.keys())
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

    /// A token for the account of a player, for once.
    pub(super) fn token(&self, account: &str) -> anyhow::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let signer = TokenSigner::parse(&secret_key())?;
        let signed = signer.sign(&TokenClaims {
            sub: Some(account.to_owned()),
            aud: Some(Audiences::One("arena".to_owned())),
            iat: Some(now),
            exp: Some(now + 60),
            jti: Some(account.to_owned()),
            ..TokenClaims::default()
        });
        signed.map_err(anyhow::Error::msg)
    }

    /// The ticks of saves of which the game was told in the journal that they are on disk, the last one of each player.
    pub(super) fn saves(&self) -> anyhow::Result<Saves> {
        let mut saves = Saves::default();
        let mut journal = self.journal()?;
        while let Some(record) = journal.next_record()? {
            for change in record.changes {
                match change {
                    SeatChange::Join { player, account: Some(account), .. } => {
                        saves.accounts.insert(player.0, account.id);
                    }
                    SeatChange::Saved { player, tick, outcome: SaveOutcome::Saved } => {
                        saves.acknowledged += 1;
                        saves.last.insert(player.0, tick.0);
                    }
                    _ => {}
                }
            }
        }
        Ok(saves)
    }

    /// Acknowledged saves that are not in the store, nor any later one. The server must not run.
    pub(super) fn lost_saves(&self) -> anyhow::Result<usize> {
        let Saves { accounts, last, .. } = self.saves()?;
        let mut lost = 0;
        for (player, acknowledged) in last {
            let account = accounts.get(&player).context("a save is of nobody")?;
            let shown = Command::new(&self.program)
                .args(["store", "profile"])
                .arg(self.store())
                .arg(account)
                .output()
                .context("reading a profile")?;
            let stored = match shown.status.success() {
                true => serde_json::from_slice::<StoredSave>(&shown.stdout)?.tick,
                false => 0,
            };
            lost += usize::from(stored < acknowledged);
        }
        Ok(lost)
    }

    fn journals(&self) -> PathBuf {
        self.dir.join("journals")
    }

    fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    fn keys(&self) -> PathBuf {
        self.dir.join(KEYS)
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

/// The key that signs tokens and checks them: the players are this program's own.
fn secret_key() -> String {
    let secret = URL_SAFE_NO_PAD.encode([7; 32]);
    format!(r#"{{"keys":[{{"kty":"oct","alg":"HS256","k":"{secret}"}}]}}"#)
}

impl Drop for CrashServer {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
