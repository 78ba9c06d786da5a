//! Observes the server's use of resources from outside.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::child::ServerProcess;

/// Time for the bots to join.
const JOIN_TIME: Duration = Duration::from_secs(30);
/// Time between two observations.
const LOOK: Duration = Duration::from_millis(100);
/// Duration after which a health check has failed.
const HEALTH_TIME: Duration = Duration::from_secs(5);

/// Observes a server.
pub(super) struct Watch<'a> {
    server: &'a ServerProcess,
    log: &'a Path,
    port: u16,
}

/// The observations.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Seen {
    /// Mean number of processors that the server kept busy.
    pub(super) server_cores: f64,
    pub(super) memory_before_mb: f64,
    pub(super) memory_most_mb: f64,
    /// Bytes that the server logged.
    pub(super) log_bytes: u64,
    /// The longest time of an answer from `/healthz`; the limit if there was none.
    pub(super) health_ms_most: f64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(server: &'a ServerProcess, log: &'a Path, port: u16) -> Self {
        Watch { server, log, port }
    }

    /// Waits until `players` players have a seat.
    pub(super) fn wait_for_players(&self, players: usize) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Players {
            players: usize,
        }
        let end = Instant::now() + JOIN_TIME;
        while Instant::now() < end {
            let url = format!("http://127.0.0.1:{}/stats.json", self.port);
            let found: Players = ureq::get(&url).call()?.body_mut().read_json()?;
            if found.players >= players {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        // The session that removes everyone never lets them all be there at once.
        Ok(())
    }

    /// Observes for `time`.
    pub(super) fn look_for(&self, time: Duration) -> anyhow::Result<Seen> {
        let (begin, before, logged) = (Instant::now(), self.server.usage()?, self.log_bytes()?);
        let mut last = before;
        let mut rss_bytes_most = before.rss_bytes;
        let mut health = Duration::ZERO;
        while begin.elapsed() < time {
            health = health.max(self.health());
            last = self.server.usage().context("the server is gone")?;
            rss_bytes_most = rss_bytes_most.max(last.rss_bytes);
            std::thread::sleep(LOOK);
        }
        let cpu_s = (last.cpu_us - before.cpu_us) as f64 / 1e6;
        Ok(Seen {
            server_cores: cpu_s / begin.elapsed().as_secs_f64(),
            memory_before_mb: before.rss_bytes as f64 / 1e6,
            memory_most_mb: rss_bytes_most as f64 / 1e6,
            log_bytes: self.log_bytes()? - logged,
            health_ms_most: health.as_secs_f64() * 1e3,
        })
    }

    /// Duration of a health check on a new connection.
    fn health(&self) -> Duration {
        let begin = Instant::now();
        let config = ureq::Agent::config_builder().timeout_global(Some(HEALTH_TIME)).build();
        let url = format!("http://127.0.0.1:{}/healthz", self.port);
        match ureq::Agent::new_with_config(config).get(&url).call() {
            Ok(_) => begin.elapsed(),
            Err(_) => HEALTH_TIME,
        }
    }

    fn log_bytes(&self) -> anyhow::Result<u64> {
        Ok(std::fs::metadata(self.log).context("the server's log is gone")?.len())
    }
}
