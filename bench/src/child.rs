//! Runs a server as a child process and reads its resource usage.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

const STOP_LOOKS: usize = 300;
const STOP_PAUSE: Duration = Duration::from_millis(20);

/// A server started by this process. Dropping it stops the server.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    /// `host:port` of its UDP socket.
    pub(crate) udp: String,
    /// Base URL of its HTTP side, if it has one.
    pub(crate) http: Option<String>,
}

/// Microseconds of processor time and bytes of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu_us: u64,
    pub(crate) rss_bytes: u64,
}

impl ServerProcess {
    /// Starts this program again with `arguments`, and waits until it prints its addresses.
    pub(crate) fn start(arguments: &[String]) -> anyhow::Result<Self> {
        Self::start_with(arguments, Stdio::inherit())
    }

    /// Like [`ServerProcess::start`], with its log in the new file `log`.
    pub(crate) fn start_logged(arguments: &[String], log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        Self::start_with(arguments, file.into())
    }

    fn start_with(arguments: &[String], log: Stdio) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program's own path is unknown")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("the server process does not start")?;
        let stdout = child.stdout.take().context("the server process has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("the server process says nothing")?;
        let value = |name: &str| {
            line.split_whitespace().find_map(|word| word.strip_prefix(name)).map(str::to_owned)
        };
        let Some(udp) = value("udp=") else {
            let _ = child.kill();
            bail!("the server process ended before it listened; its error is above");
        };
        Ok(ServerProcess { child, udp, http: value("http=") })
    }

    /// The resources used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        usage_of(self.child.id())
    }
}

/// The resources that a process has used so far, by its number.
pub(crate) fn usage_of(process: u32) -> anyhow::Result<Usage> {
    let path = format!("/proc/{process}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    // The name in parentheses may contain anything; fields 3 and on follow it (proc(5)).
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    let fields: Vec<&str> = after.split_whitespace().collect();
    let field = |number: usize| -> anyhow::Result<u64> {
        let text = fields.get(number - 3).with_context(|| format!("{path} is too short"))?;
        text.parse().with_context(|| format!("field {number} of {path}"))
    };
    let ticks = field(14)? + field(15)?;
    let page_bytes = rustix::param::page_size() as u64;
    Ok(Usage {
        cpu_us: ticks * 1_000_000 / rustix::param::clock_ticks_per_second(),
        rss_bytes: field(24)? * page_bytes,
    })
}

/// Ends a process by SIGTERM, or by force if it does not end.
pub(crate) fn stop(child: &mut Child) {
    if let Some(pid) = Pid::from_raw(child.id() as i32) {
        let _ = kill_process(pid, Signal::TERM);
    }
    for _ in 0..STOP_LOOKS {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        std::thread::sleep(STOP_PAUSE);
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}
