//! The proxy as a child process, and what it tells.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use tokio::sync::watch;

pub(super) use crate::proxy::Way;

/// The flag by which blackouts lose UDP alone.
pub(super) const BLOCKS_UDP: &str = "--blackout-udp";

/// The blackout of a network.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dark {
    pub(super) begun: Option<Instant>,
    pub(super) over: Option<Instant>,
}

/// A proxy process. Dropping it stops the proxy.
#[derive(Debug)]
pub(super) struct BadNetwork {
    child: Child,
    /// `host:port` for clients.
    pub(super) address: String,
    dark: watch::Receiver<Dark>,
    rebinds: Arc<AtomicUsize>,
}

impl BadNetwork {
    /// Starts a proxy to the server `to` that loses nothing by itself. Of UDP that is blocked, what counts is its beginning: the
    /// network is as good as back then.
    pub(super) fn start(to: &str, flags: &[String]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program's own path is unknown")?;
        let mut child = Command::new(program)
            .args(["proxy", "--until-eof", "--profile", "lan", "--jitter", "0", "--loss", "0"])
            .args(["--to", to])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the proxy does not start")?;
        let mut lines = BufReader::new(child.stdout.take().context("the proxy has no output")?);
        let mut line = String::new();
        lines.read_line(&mut line).context("the proxy says nothing")?;
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("udp="));
        let address = address.context("the proxy ended; its error is above")?.to_owned();
        let (tell, dark) = watch::channel(Dark::default());
        let rebinds = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&rebinds);
        let is_back_at_once = flags.iter().any(|flag| flag == BLOCKS_UDP);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if line.starts_with("blackout begins") {
                    tell.send_modify(|dark| {
                        dark.begun = Some(Instant::now());
                        dark.over = dark.begun.filter(|_| is_back_at_once);
                    });
                } else if line.starts_with("blackout over") {
                    tell.send_modify(|dark| dark.over = Some(Instant::now()));
                } else if line.starts_with("rebound") {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Ok(BadNetwork { child, address, dark, rebinds })
    }

    pub(super) fn watch(&self) -> watch::Receiver<Dark> {
        self.dark.clone()
    }

    /// Changed ports so far.
    pub(super) fn rebinds(&self) -> usize {
        self.rebinds.load(Ordering::Relaxed)
    }
}

impl Drop for BadNetwork {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
