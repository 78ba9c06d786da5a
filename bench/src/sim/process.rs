//! The server's process: its files, its death and its next start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use tickwire_server::ServerConfig;
use tickwire_server::simulated::SimulatedServer;
use tickwire_shared::{PlayerId, Tick};

use super::bug::PlantedBug;
use super::client::ROOM;
use super::game::Vault;

/// For how long a seat waits for its player.
pub(crate) const GRACE_MS: u64 = 12_000;
/// Milliseconds between two commits of the store.
pub(crate) const COMMIT_MS: u64 = 50;
/// Milliseconds between two flushes of journals.
pub(crate) const FLUSH_MS: u64 = 100;

/// Runs so far: those of several threads have a folder each.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// A server, or the time between two.
pub(crate) struct Process {
    pub(crate) server: Option<SimulatedServer<Vault>>,
    /// Counts the starts.
    pub(crate) epoch: u32,
    dir: PathBuf,
    seed: u64,
    /// The room at the end of the last flush.
    flushed: Option<Flushed>,
    /// The room when the process was killed.
    killed: Option<Flushed>,
    /// The players whose seats each start found, the first with none.
    restored: Vec<BTreeSet<PlayerId>>,
    /// Commands that a step had which is lost with a restart, by the name of the player.
    lost: BTreeMap<String, BTreeSet<u32>>,
    flushes: u64,
}

/// A room at a tick: commands that steps had from each player, by name.
#[derive(Clone, Debug, Default)]
struct Flushed {
    tick: Tick,
    orders: BTreeMap<String, Vec<u32>>,
}

impl Process {
    pub(crate) fn start(seed: u64) -> anyhow::Result<Self> {
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let name = format!("tickwire-sim-{}-{run}", std::process::id());
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let dir = dir.join(name);
        let _ = fs::remove_dir_all(&dir);
        let mut process = Process {
            server: None,
            epoch: 0,
            dir,
            seed,
            flushed: None,
            killed: None,
            restored: Vec::new(),
            lost: BTreeMap::new(),
            flushes: 0,
        };
        process.begin()?;
        Ok(process)
    }

    fn config(&self) -> ServerConfig {
        ServerConfig {
            journal: Some(self.dir.join("journals")),
            store: Some(self.dir.join("store")),
            journal_sync: false,
            journal_checkpoint_s: 3,
            // Several segments in a run.
            journal_segment_bytes: 16_384,
            journal_room_bytes: 65_536,
            resume_grace_ms: GRACE_MS as u32,
            ..ServerConfig::default()
        }
    }

    fn begin(&mut self) -> anyhow::Result<()> {
        let seed = self.seed ^ u64::from(self.epoch) << 32;
        let mut server = SimulatedServer::start(self.config(), seed)?;
        server.take_up_rooms();
        self.server = Some(server);
        let seats = self.game().map(|(_, game)| game.players.keys().copied().collect());
        self.restored.push(seats.unwrap_or_default());
        Ok(())
    }

    /// Whether one of the starts from the one after `first` up to `last` lacked the seat of a player.
    pub(crate) fn has_lost(&self, player: PlayerId, first: u32, last: u32) -> bool {
        let starts = first as usize + 1..=last as usize;
        self.restored[starts].iter().any(|seats| !seats.contains(&player))
    }

    /// The room, once it is made.
    pub(crate) fn game(&self) -> Option<(Tick, &Vault)> {
        let rooms = self.server.as_ref()?.rooms();
        let room = { rooms }.find(|room| room.info().name == ROOM)?;
        Some((room.tick(), room.simulation()))
    }

    fn note(&self) -> Option<Flushed> {
        let (tick, game) = self.game()?;
        Some(Flushed { tick, orders: game.orders() })
    }

    /// Writes what waits for the journal.
    pub(crate) fn flush(&mut self) {
        self.flushes += 1;
        let Some(server) = &mut self.server else { return };
        if PlantedBug::DroppedRecord.is_planted() && self.flushes.is_multiple_of(40) {
            server.lose_journal_record();
        }
        server.flush_journals();
        // A room without a tick has no record.
        if let Some(flushed) = self.note().filter(|flushed| flushed.tick.0 > 0) {
            self.flushed = Some(flushed);
        }
    }

    /// Saves the chat that waits.
    pub(crate) fn commit(&mut self) {
        if let Some(server) = &mut self.server {
            server.commit_store();
        }
    }

    /// Kills the process while it writes: of the last write, `part` of 256 is there.
    pub(crate) fn kill(&mut self, part: u8) -> anyhow::Result<()> {
        self.killed = self.note();
        let journals = self.dir.join("journals");
        let before = lengths(&journals)?;
        if let Some(mut server) = self.server.take() {
            server.flush_journals();
        }
        for (file, length) in lengths(&journals)? {
            let old = before.get(&file).copied().unwrap_or(0);
            let kept = old + (length - old) * u64::from(part) / 256;
            if kept < length {
                fs::OpenOptions::new().write(true).open(&file)?.set_len(kept)?;
            }
        }
        Ok(())
    }

    /// Starts the next process, and notes commands that a step had which is lost.
    ///
    /// # Errors
    /// If the room is not what the journals page promises.
    pub(crate) fn start_again(&mut self) -> anyhow::Result<()> {
        self.epoch += 1;
        self.begin()?;
        let (flushed, killed) = (self.flushed.take(), self.killed.take());
        let Some(killed) = killed else { return Ok(()) };
        let Some(flushed) = flushed else {
            self.note_lost(&killed, &Flushed::default());
            return Ok(());
        };
        let restored = self.note().context("the room is not restored")?;
        let (first, last) = (flushed.tick.0, killed.tick.0);
        let tick = restored.tick.0;
        ensure!((first..=last).contains(&tick), "tick {tick} is restored, not {first} to {last}");
        for (name, orders) in &killed.orders {
            let none = Vec::new();
            let left = restored.orders.get(name).unwrap_or(&none);
            let safe = flushed.orders.get(name).unwrap_or(&none);
            ensure!(orders.starts_with(left), "commands are restored as {left:?}, not {orders:?}");
            ensure!(left.len() >= safe.len(), "commands are lost that were written: {safe:?}");
        }
        self.note_lost(&killed, &restored);
        self.flushed = Some(restored);
        Ok(())
    }

    fn note_lost(&mut self, killed: &Flushed, restored: &Flushed) {
        for (name, orders) in &killed.orders {
            let left = restored.orders.get(name).map_or(0, Vec::len);
            self.lost.entry(name.clone()).or_default().extend(&orders[left..]);
        }
    }

    /// Whether a step that had this command is lost with a restart.
    pub(crate) fn is_lost(&self, name: &str, order: u32) -> bool {
        self.lost.get(name).is_some_and(|orders| orders.contains(&order))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.server = None;
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The lengths of all segments.
fn lengths(dir: &Path) -> anyhow::Result<BTreeMap<PathBuf, u64>> {
    let mut found = BTreeMap::new();
    let Ok(folders) = fs::read_dir(dir) else { return Ok(found) };
    for folder in folders {
        let Ok(files) = fs::read_dir(folder?.path()) else { continue };
        for file in files {
            let file = file?;
            if file.path().extension().is_some_and(|it| it == "journal") {
                found.insert(file.path(), file.metadata()?.len());
            }
        }
    }
    Ok(found)
}
