//! Other servers of the same load: NATS and Redis, as Debian packages them, on this machine.
//!
//! Both run without TLS and keep nothing, while this project's server encrypts every packet and keeps a topic's last messages. Their
//! subscribers are the plainest there can be: a TCP connection of which lines are read.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::load::{Load, TOPIC};
use super::ours::Listened;
use super::text::{TextFrame, TextProtocol, TextReader};
use crate::child;

/// Time for a server to listen, and for a subscription.
const START_TIME: Duration = Duration::from_secs(20);
/// Pause between two attempts to connect.
const START_LOOK: Duration = Duration::from_millis(20);
/// Connections that wait to be accepted, as both servers have it or more.
const CONNECTING_MAX: usize = 64;
/// Folders of programs that a user's path may lack.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// A server to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Peer {
    /// nats-server, core subscribers.
    Nats,
    /// redis-server, pub/sub subscribers.
    Redis,
    /// No other server.
    None,
}

/// A peer's process.
#[derive(Debug)]
pub(super) struct PeerProcess {
    protocol: TextProtocol,
    child: Child,
    address: SocketAddr,
}

impl Peer {
    /// The name of its program, and of Debian's package with it.
    pub(super) fn program(self) -> Option<&'static str> {
        match self {
            Peer::Nats => Some("nats-server"),
            Peer::Redis => Some("redis-server"),
            Peer::None => None,
        }
    }

    fn protocol(self) -> TextProtocol {
        if self == Peer::Redis { TextProtocol::Redis } else { TextProtocol::Nats }
    }

    /// Where its program is.
    pub(super) fn find(self) -> Option<PathBuf> {
        let program = self.program()?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(SYSTEM_FOLDERS.map(PathBuf::from));
        folders.map(|folder| folder.join(program)).find(|file| file.is_file())
    }

    /// The version that its program tells.
    ///
    /// # Errors
    /// If it tells none.
    pub(super) fn version(self, program: &Path) -> anyhow::Result<String> {
        let output = Command::new(program)
            .arg("--version")
            .output()
            .with_context(|| format!("running {}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words = text.split_whitespace();
        let is_version = |word: &&str| {
            let number = word.trim_start_matches("v=").trim_start_matches('v');
            number.starts_with(|first: char| first.is_ascii_digit())
        };
        let version = words.find(is_version).context("it tells no version")?;
        Ok(version.trim_start_matches("v=").trim_start_matches('v').to_owned())
    }

    /// Starts it on a free port of this machine, and waits until it listens.
    ///
    /// # Errors
    /// If it does not.
    pub(super) async fn start(self, program: &Path) -> anyhow::Result<PeerProcess> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let port = address.port().to_string();
        let arguments: &[&str] = match self {
            Peer::Redis => {
                &["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"]
            }
            _ => &["-a", "127.0.0.1", "-p", &port],
        };
        let child = Command::new(program)
            .args(arguments)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut process = PeerProcess { protocol: self.protocol(), child, address };
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                if let Some(status) = process.child.try_wait()? {
                    bail!("{} ended: {status}", program.display());
                }
                sleep(START_LOOK).await;
            }
            Ok(())
        };
        timeout(START_TIME, listens)
            .await
            .with_context(|| format!("{} does not listen", program.display()))??;
        Ok(process)
    }
}

impl PeerProcess {
    /// Microseconds of processor time so far.
    pub(super) fn cpu_us(&self) -> anyhow::Result<u64> {
        Ok(child::usage_of(self.child.id())?.cpu_us)
    }

    /// Starts all subscribers of a run.
    pub(super) fn listen_all(&self, load: &Arc<Load>) -> JoinSet<anyhow::Result<Listened>> {
        let gate = Arc::new(tokio::sync::Semaphore::new(CONNECTING_MAX));
        let (address, protocol) = (self.address, self.protocol);
        let mut listening = JoinSet::new();
        for _ in 0..load.subscribers {
            let (load, gate) = (Arc::clone(load), Arc::clone(&gate));
            listening.spawn(async move {
                let connection = {
                    let _turn = gate.acquire().await.context("the gate is closed")?;
                    let mut connection = PeerConnection::open(address, protocol).await?;
                    connection.stream.write_all(&protocol.subscribe(TOPIC)).await?;
                    timeout(START_TIME, connection.subscribed())
                        .await
                        .context("no answer to a subscription in time")??;
                    connection
                };
                Ok(listen(&load, connection).await)
            });
        }
        listening
    }

    /// A connection to publish over.
    pub(super) async fn publisher(&self) -> anyhow::Result<PeerConnection> {
        let mut connection = PeerConnection::open(self.address, self.protocol).await?;
        connection.stream.write_all(self.protocol.connect()).await?;
        Ok(connection)
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        child::stop(&mut self.child);
    }
}

/// One client's connection.
#[derive(Debug)]
pub(super) struct PeerConnection {
    protocol: TextProtocol,
    stream: TcpStream,
    reader: TextReader,
    buffer: Vec<u8>,
}

impl PeerConnection {
    async fn open(address: SocketAddr, protocol: TextProtocol) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let (reader, buffer) = (TextReader::new(protocol), vec![0; 16 * 1024]);
        Ok(PeerConnection { protocol, stream, reader, buffer })
    }

    async fn subscribed(&mut self) -> anyhow::Result<()> {
        loop {
            self.read().await?;
            while let Some(frame) = self.reader.poll()? {
                match frame {
                    TextFrame::Subscribed => return Ok(()),
                    frame => self.answer(&frame).await?,
                }
            }
        }
    }

    /// Waits for bytes. Loses nothing if it is dropped while it waits.
    async fn read(&mut self) -> anyhow::Result<()> {
        let count = self.stream.read(&mut self.buffer).await.context("reading")?;
        if count == 0 {
            bail!("the server closed a connection");
        }
        self.reader.push(&self.buffer[..count]);
        Ok(())
    }

    async fn answer(&mut self, frame: &TextFrame) -> anyhow::Result<()> {
        if *frame == TextFrame::Ping {
            self.stream.write_all(self.protocol.pong()).await.context("answering a ping")?;
        }
        Ok(())
    }

    /// Publishes a message, and looks at what the server has said since.
    ///
    /// # Errors
    /// If it told of an error, or the connection is over.
    pub(super) async fn publish(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        match self.stream.try_read(&mut self.buffer) {
            Ok(0) => bail!("the server closed the publisher's connection"),
            Ok(count) => self.reader.push(&self.buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(frame) = self.reader.poll()? {
            self.answer(&frame).await?;
        }
        self.stream.write_all(&self.protocol.publish(TOPIC, payload)).await.context("publishing")
    }
}

/// Counts what comes until the end of the run.
async fn listen(load: &Load, mut connection: PeerConnection) -> Listened {
    load.note_ready();
    let mut tally = load.tally();
    let over = load.over();
    tokio::pin!(over);
    let listened = async {
        loop {
            tokio::select! {
                biased;
                read = connection.read() => read?,
                () = &mut over => return anyhow::Ok(()),
            }
            while let Some(frame) = connection.reader.poll()? {
                match frame {
                    TextFrame::Message(payload) => load.take(&payload, &mut tally),
                    frame => connection.answer(&frame).await?,
                }
            }
        }
    };
    let error = listened.await.err().map(|error| format!("{error:#}"));
    Listened { tally, error }
}
