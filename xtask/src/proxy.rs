//! A bad network between a page and its server, for `cargo xtask play`.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, ChildStdin, Stdio};

use anyhow::{Context as _, bail};

use crate::command::Run;

const PORTS_TRIED: usize = 16;

/// A listening proxy.
pub(crate) struct Proxy {
    child: Child,
    /// Its port on 127.0.0.1, for UDP and for TCP.
    pub(crate) port: u16,
}

impl Proxy {
    /// Starts the proxy. `proxy` must print its address in the first line, as `tickwire-bench
    /// proxy` does, and end once its standard input has ended.
    pub(crate) fn start(proxy: Run) -> anyhow::Result<Proxy> {
        let mut command = proxy.into_command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C in a terminal is for the server, whose goodbye must still pass.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().context("the proxy cannot be started")?;
        let mut line = String::new();
        let output = child.stdout.take().context("the proxy has no output")?;
        BufReader::new(output).read_line(&mut line).context("the proxy says nothing")?;
        let Some(port) = port_in(&line) else {
            child.wait().context("the proxy does not end")?;
            bail!("the proxy ended before it listened; its error is above");
        };
        Ok(Proxy { child, port })
    }

    /// The proxy runs as long as a process has this as its standard input.
    pub(crate) fn into_hold(mut self) -> anyhow::Result<ChildStdin> {
        self.child.stdin.take().context("the proxy has no input")
    }
}

/// A port of this machine, reserved for UDP and TCP while this lives.
pub(crate) struct Reserved {
    pub(crate) address: SocketAddr,
    _sockets: (UdpSocket, TcpListener),
}

/// Reserves a free port.
pub(crate) fn reserve() -> anyhow::Result<Reserved> {
    for _ in 0..PORTS_TRIED {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        let address = udp.local_addr()?;
        if let Ok(tcp) = TcpListener::bind(address) {
            return Ok(Reserved { address, _sockets: (udp, tcp) });
        }
    }
    bail!("{PORTS_TRIED} ports that are free for UDP are taken for TCP")
}

fn port_in(line: &str) -> Option<u16> {
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("udp="))?;
    Some(address.parse::<SocketAddr>().ok()?.port())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    fn sh(script: &str, folder: &Path) -> Run {
        Run::new("sh", &["-c", script], folder)
    }

    #[test]
    fn a_proxy_ends_with_the_server_that_holds_it_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let ended = folder.path().join("ended");
        let script = "echo listening udp=127.0.0.1:4321 tcp=127.0.0.1:4321; cat; touch ended";
        let proxy = Proxy::start(sh(script, folder.path())).unwrap();
        assert_eq!(proxy.port, 4321);
        let mut server = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::from(proxy.into_hold().unwrap()))
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(300));
        assert!(!ended.exists(), "it ended before its server");
        server.kill().unwrap();
        server.wait().unwrap();
        let begin = Instant::now();
        while !ended.exists() {
            assert!(begin.elapsed() < Duration::from_secs(10), "it goes on without its server");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_proxy_that_does_not_listen_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Proxy::start(sh("exit 2", folder.path())).err().unwrap().to_string();
        assert!(error.contains("ended before it listened"), "{error}");
    }

    #[test]
    fn a_reserved_port_is_free_once_it_is_let_go() {
        let reserved = reserve().unwrap();
        let address = reserved.address;
        assert!(UdpSocket::bind(address).is_err() && TcpListener::bind(address).is_err());
        drop(reserved);
        // A program that another test starts at this moment inherits this one's sockets until it
        // runs.
        let begin = Instant::now();
        while UdpSocket::bind(address).is_err() || TcpListener::bind(address).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(10), "{address}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
