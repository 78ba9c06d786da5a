//! The proxy's TCP side: a modelled connection between two real ones.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{Network, tcp_socket};
use crate::network::tcp::{Connection, End, connected};

/// Most concurrent connections; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1024;
const BACKLOG: u32 = 1024;
/// Pause after the system could accept no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The system's buffer for bytes from a client or the server: small, so that they notice when the
/// modelled connection is full. The system raises a value below its minimum.
const RECEIVE_BYTES: u32 = 4096;
/// Most unacknowledged bytes: the size to which Linux's `tcp_wmem` grows for a fast sender.
const SEND_BYTES: usize = 1 << 20;
/// Of those, the bytes that may wait to be sent: Linux's default of `tcp_wmem`.
const UNSENT_BYTES: usize = 16 * 1024;
/// Most arrived bytes that the other side has not taken.
const UNTAKEN_BYTES: usize = 64 * 1024;
const READ_BYTES: usize = 16 * 1024;

/// The bytes from one end to the other.
struct Stream<'a> {
    from: End,
    to: End,
    reader: ReadHalf<'a>,
    writer: WriteHalf<'a>,
    /// The reader has reached the end.
    has_ended: bool,
    /// The bytes inside the modelled connection.
    within: usize,
    /// Bytes that left the modelled connection and are not written yet.
    untaken: Vec<u8>,
    is_shut: bool,
}

pub(super) fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listen = || {
        let socket = tcp_socket(address)?;
        socket.set_reuseaddr(true)?;
        socket.set_recv_buffer_size(RECEIVE_BYTES)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().with_context(|| format!("cannot listen at {address} for TCP"))
}

pub(super) async fn pass(listener: TcpListener, network: &Network) -> anyhow::Result<ExitCode> {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    for number in 1.. {
        let permit = Arc::clone(&room).acquire_owned().await?;
        let client = loop {
            match listener.accept().await {
                Ok((client, _)) => break client,
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        };
        let network = network.clone();
        tokio::spawn(async move {
            // Whichever side failed, both learn it from the end of their connections.
            let _ = join(client, &network, number).await;
            drop(permit);
        });
    }
    unreachable!("there are fewer connections than numbers")
}

/// Passes on everything until both sides have ended, or one fails.
async fn join(mut client: TcpStream, network: &Network, number: u64) -> std::io::Result<()> {
    let mut links = [3, 4].map(|way| network.link(number, way));
    let Some(connected) = connected(&mut links, network.now()) else { return Ok(()) };
    sleep_until(Some(network.start + connected)).await;
    let socket = tcp_socket(network.to)?;
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    let mut server = socket.connect(network.to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut path = Connection::new(links, [SEND_BYTES; 2]);
    let (client_reader, client_writer) = client.split();
    let (server_reader, server_writer) = server.split();
    let mut up = Stream::new(End::Client, client_reader, server_writer);
    let mut down = Stream::new(End::Server, server_reader, client_writer);
    while !(up.is_shut && down.is_shut) {
        path.advance(network.now());
        up.take_out(&mut path).await?;
        down.take_out(&mut path).await?;
        let (up_may_read, down_may_read) = (up.may_read(&path), down.may_read(&path));
        let due = path.next().map(|at| network.start + at);
        tokio::select! {
            bytes = read(&mut up.reader), if up_may_read => {
                up.put_in(&mut path, network.now(), &bytes?);
            }
            bytes = read(&mut down.reader), if down_may_read => {
                down.put_in(&mut path, network.now(), &bytes?);
            }
            ready = up.writer.writable(), if !up.untaken.is_empty() => ready?,
            ready = down.writer.writable(), if !down.untaken.is_empty() => ready?,
            () = sleep_until(due) => {}
        }
    }
    Ok(())
}

impl<'a> Stream<'a> {
    fn new(from: End, reader: ReadHalf<'a>, writer: WriteHalf<'a>) -> Self {
        let to = match from {
            End::Client => End::Server,
            End::Server => End::Client,
        };
        Stream {
            from,
            to,
            reader,
            writer,
            has_ended: false,
            within: 0,
            untaken: Vec::new(),
            is_shut: false,
        }
    }

    fn may_read(&self, path: &Connection) -> bool {
        !self.has_ended
            && path.writable(self.from) >= READ_BYTES
            && path.unsent(self.from) < UNSENT_BYTES
            && self.untaken.len() < UNTAKEN_BYTES
    }

    fn put_in(&mut self, path: &mut Connection, now: Duration, bytes: &[u8]) {
        self.has_ended = bytes.is_empty();
        self.within += bytes.len();
        path.advance(now);
        path.write(now, self.from, bytes);
    }

    /// Writes the arrived bytes as far as the system accepts them, and the end after all bytes.
    async fn take_out(&mut self, path: &mut Connection) -> std::io::Result<()> {
        let came = path.read(self.to);
        self.within -= came.len();
        self.untaken.extend_from_slice(&came);
        while !self.untaken.is_empty() {
            match self.writer.try_write(&self.untaken) {
                Ok(count) => drop(self.untaken.drain(..count)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.has_ended && self.within == 0 && self.untaken.is_empty() && !self.is_shut {
            self.is_shut = true;
            self.writer.shutdown().await?;
        }
        Ok(())
    }
}

/// Reads bytes; none at the end. Safe to drop while waiting.
async fn read(reader: &mut ReadHalf<'_>) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; READ_BYTES];
    let count = reader.read(&mut bytes).await?;
    bytes.truncate(count);
    Ok(bytes)
}

async fn sleep_until(due: Option<std::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::network::{Faults, Profile, Weather};
    use crate::proxy::Way;

    fn calm(to: SocketAddr, conditions: (Weather, Faults), start: Instant) -> Network {
        let (blackout_way, rebind_every) = (Way::Both, None);
        Network { to, conditions, blackout_way, blackout_udp: false, rebind_every, seed: 1, start }
    }

    #[tokio::test]
    async fn nothing_passes_before_the_handshake_would_have() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = server.local_addr().unwrap();
        let weather = Weather { jitter_ms: 0.0, loss: 0.0, ..Profile::Awful.weather() };
        let (conditions, start) = ((weather, Faults::default()), Instant::now());
        let network = calm(to, conditions, start);
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { pass(listener, &network).await });
        let begin = Instant::now();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let (mut peer, _) = server.accept().await.unwrap();
        let mut hello = [0; 5];
        peer.read_exact(&mut hello).await.unwrap();
        // The handshake, and one direction.
        assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn all_bytes_pass_in_order_both_ways_and_so_do_the_ends() {
        let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = echo.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut peer, _) = echo.accept().await.unwrap();
                let (mut reader, mut writer) = peer.split();
                tokio::io::copy(&mut reader, &mut writer).await.unwrap();
            }
        });
        let conditions = (Profile::Wifi.weather(), Faults::default());
        let start = Instant::now();
        let network = calm(to, conditions, start);
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { pass(listener, &network).await });
        let sent: Vec<u8> = (0..400_000_u32).map(|number| (number / 5) as u8).collect();
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut reader, mut writer) = client.split();
        let mut came = Vec::new();
        let sending = async {
            writer.write_all(&sent).await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let (_, read) = tokio::join!(sending, reader.read_to_end(&mut came));
        read.unwrap();
        assert!(came == sent, "{} of {} bytes", came.len(), sent.len());
    }
}
