//! A player's WebSocket over a modelled TCP connection: the writing rules of server and client.

use std::time::{Duration, Instant};

use tickwire_server::{ServerConfig, WebSocketPace};

use crate::network::Link;
use crate::network::tcp::{Connection, End};

/// Bytes of a message beyond its payload: 22 of a TLS 1.3 record (RFC 8446, section 5.2), 4 of a
/// WebSocket frame (RFC 6455, section 5.2), 1 of the lane.
const OVERHEAD_BYTES: usize = 22 + 4 + 1;
/// Linux's default of `net.ipv4.tcp_wmem`.
const CLIENT_SEND_BYTES: usize = 16 * 1024;

/// Both ends of one WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocket {
    tcp: Connection,
    /// The server's rule: its own code.
    pace: WebSocketPace,
    /// Virtual time zero, for `pace`.
    zero: Instant,
    /// The waiting datagram at each end; a newer one replaces it.
    newest: [Option<Vec<u8>>; 2],
    /// The bytes of an incomplete message at each end.
    partial: [Vec<u8>; 2],
}

/// A message that arrived over a WebSocket.
#[derive(Debug, PartialEq)]
pub(crate) enum Arrived {
    /// A datagram, at the server.
    Up(Vec<u8>),
    /// A datagram, at the client.
    Down(Vec<u8>),
    /// A frame of the control stream, at the client.
    Control(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Datagram = 1,
    Control = 2,
    Ping = 3,
    Pong = 4,
}

impl WebSocket {
    /// Connected over the links from the client and from the server, with the server's default
    /// limits.
    pub(crate) fn new(links: [Link; 2], zero: Instant) -> Self {
        let limits = ServerConfig::default();
        let unconfirmed_time = Duration::from_millis(limits.websocket_unconfirmed_ms.into());
        WebSocket {
            tcp: Connection::new(links, [CLIENT_SEND_BYTES, limits.websocket_send_bytes]),
            pace: WebSocketPace::new(unconfirmed_time, zero),
            zero,
            newest: [None, None],
            partial: [Vec::new(), Vec::new()],
        }
    }

    /// Queues a snapshot at the server. Returns true if it replaced an unwritten one.
    pub(crate) fn send_down(&mut self, now: Duration, snapshot: Vec<u8>) -> bool {
        self.tcp.advance(now);
        let replaced = self.newest[End::Server as usize].replace(snapshot).is_some();
        self.write(now);
        replaced
    }

    /// Queues inputs at the client.
    pub(crate) fn send_up(&mut self, now: Duration, inputs: Vec<u8>) {
        self.tcp.advance(now);
        self.newest[End::Client as usize] = Some(inputs);
        self.write(now);
    }

    /// Writes a frame of the control stream at the server.
    pub(crate) fn send_control(&mut self, now: Duration, frame: &[u8]) {
        self.tcp.advance(now);
        self.put(now, End::Server, Kind::Control, frame);
    }

    /// The time at which [`WebSocket::advance`] has something to do.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.tcp.next()
    }

    /// Advances to `now` and returns the messages that arrived.
    pub(crate) fn advance(&mut self, now: Duration) -> Vec<Arrived> {
        self.tcp.advance(now);
        let mut arrived = Vec::new();
        for end in [End::Client, End::Server] {
            let came = self.tcp.read(end);
            self.partial[end as usize].extend_from_slice(&came);
            while let Some((kind, payload)) = take_message(&mut self.partial[end as usize]) {
                match (end, kind) {
                    (End::Server, Kind::Datagram) => arrived.push(Arrived::Up(payload)),
                    (End::Server, _) => self.pace.pong(&payload),
                    (End::Client, Kind::Datagram) => arrived.push(Arrived::Down(payload)),
                    (End::Client, Kind::Control) => arrived.push(Arrived::Control(payload)),
                    (End::Client, _) => self.put(now, End::Client, Kind::Pong, &payload),
                }
            }
        }
        self.write(now);
        arrived
    }

    /// Writes the permitted datagrams, as the server's pump and the client's writer do.
    fn write(&mut self, now: Duration) {
        if self.pace.allows(self.zero + now)
            && let Some(snapshot) = self.take_if_writable(End::Server)
        {
            self.put(now, End::Server, Kind::Datagram, &snapshot);
            if let Some(ping) = self.pace.ping_behind_datagram(self.zero + now) {
                self.put(now, End::Server, Kind::Ping, &ping);
            }
        }
        if let Some(inputs) = self.take_if_writable(End::Client) {
            self.put(now, End::Client, Kind::Datagram, &inputs);
        }
    }

    fn take_if_writable(&mut self, end: End) -> Option<Vec<u8>> {
        let writable = self.tcp.writable(end);
        self.newest[end as usize].take_if(|bytes| writable >= bytes.len() + OVERHEAD_BYTES)
    }

    fn put(&mut self, now: Duration, end: End, kind: Kind, payload: &[u8]) {
        let length = u16::try_from(payload.len()).expect("a message of the arena is small");
        let mut message = length.to_be_bytes().to_vec();
        message.push(kind as u8);
        message.resize(OVERHEAD_BYTES, 0);
        message.extend_from_slice(payload);
        self.tcp.write(now, end, &message);
    }
}

fn take_message(bytes: &mut Vec<u8>) -> Option<(Kind, Vec<u8>)> {
    let length = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
    if bytes.len() < OVERHEAD_BYTES + length {
        return None;
    }
    let message: Vec<u8> = bytes.drain(..OVERHEAD_BYTES + length).collect();
    let kind = match message[2] {
        1 => Kind::Datagram,
        2 => Kind::Control,
        3 => Kind::Ping,
        _ => Kind::Pong,
    };
    Some((kind, message[OVERHEAD_BYTES..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Profile, Weather};

    const PERIOD: Duration = Duration::from_micros(16_667);
    const SNAPSHOTS: u32 = 6000;

    /// Sends numbered snapshots of 100 bytes. Returns the send time and the arrival time of each
    /// that arrived, and the number of replaced ones.
    fn play(weather: Weather, seed: u64) -> (Vec<(Duration, Duration)>, u32) {
        let links = [1, 2].map(|way| Link::new(weather, seed ^ way));
        let mut socket = WebSocket::new(links, Instant::now());
        let (mut came, mut replaced) = (Vec::new(), 0);
        for number in 0..SNAPSHOTS {
            let now = PERIOD * number;
            while let Some(at) = socket.next().filter(|at| *at <= now) {
                for arrived in socket.advance(at) {
                    if let Arrived::Down(bytes) = arrived {
                        let number = u32::from_be_bytes(*bytes.first_chunk().unwrap());
                        came.push((PERIOD * number, at));
                    }
                }
            }
            let mut snapshot = number.to_be_bytes().to_vec();
            snapshot.resize(100, 0);
            replaced += u32::from(socket.send_down(now, snapshot));
            socket.send_up(now, vec![0; 20]);
        }
        (came, replaced)
    }

    #[test]
    fn on_a_good_network_every_snapshot_comes_at_once() {
        let (came, replaced) = play(Profile::Lan.weather(), 1);
        assert_eq!((came.len() as u32, replaced), (SNAPSHOTS - 1, 0));
        assert!(came.iter().all(|(sent, came)| sent == came));
    }

    #[test]
    fn behind_a_stall_comes_what_the_server_lets_go_unconfirmed_and_no_more() {
        let weather =
            Weather { delay_ms: 20.0, jitter_ms: 0.0, loss: 0.2, burst: 50.0, reorders: false };
        let (came, replaced) = play(weather, 1);
        assert!(replaced > 100, "{replaced}");
        assert!(came.is_sorted(), "in order");
        // The snapshots since the last answered ping, and those behind the next one.
        let limit_ms = ServerConfig::default().websocket_unconfirmed_ms;
        let at_once_max = 2 * limit_ms as usize / PERIOD.as_millis() as usize + 1;
        let at_once = came.chunk_by(|one, other| one.1 == other.1).map(<[_]>::len).max();
        assert!(at_once <= Some(at_once_max), "{at_once:?}");
    }
}
