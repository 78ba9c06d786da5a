//! The run's own network: only loopback, with 65,536 addresses.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};

/// All of its addresses belong to this machine. A socket that connects to one of them uses the same
/// address as its source.
const NETWORK: &str = "10.9.0.0/16";

/// Runs this program again, with the same arguments, in its own network namespace.
pub(super) fn run_inside() -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe().context("this program's own path is unknown")?;
    let status = Command::new("unshare")
        .args(["--map-root-user", "--net", "--"])
        .arg(program)
        .args(std::env::args_os().skip(1))
        .arg("--inside")
        .status()
        .context("no network namespace: unshare does not run; install util-linux")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Brings up the loopback of the namespace.
pub(super) fn set_up() -> anyhow::Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    ip(&["route", "add", "local", NETWORK, "dev", "lo"])
}

/// The address of attacker `number`.
pub(super) fn address(number: usize, port: u16) -> std::net::SocketAddr {
    let [.., high, low] = (number % 65_000 + 257).to_be_bytes();
    ([10, 9, high, low], port).into()
}

fn ip(words: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("ip")
        .args(words)
        .status()
        .context("ip does not run; run: apt-get install iproute2")?;
    ensure!(status.success(), "ip {} failed; is this run as root?", words.join(" "));
    Ok(())
}
