//! What is on the way between the clients and the server.

use tickwire_shared::control::CloseCode;

use super::{IDLE_MS, Packet, SimEvent, SimWorld};
use crate::sim::client::Incoming;
use crate::sim::link::{STREAMS, ServerEnd, SimLink};
use crate::sim::path::Bound;
use crate::sim::seams;

/// Interval of packets that keep a connection.
const PING_MS: u64 = 1_000;
/// An attempt to connect fails after as long.
const CONNECT_MS: u64 = 2_500;
/// Most bytes of a stream that are on the way at once.
const PIECE_BYTES_MAX: usize = 8192;

impl SimWorld {
    /// Keeps the connections of a client, or loses them.
    pub(super) fn keep_alive(&mut self, number: usize) -> anyhow::Result<()> {
        let now_ms = self.state.now_ms;
        let client = &mut self.state.clients[number];
        let is_silent = |link: &SimLink| now_ms - link.client_heard_ms > IDLE_MS;
        if let Some(id) = client.next.as_ref().filter(|link| is_silent(link)).map(|link| link.id) {
            let lost = Incoming::Closed(CloseCode::ConnectionLost, String::new());
            client.arrive(now_ms, id, lost)?;
        }
        client.leave_failed_move();
        let retired = client.retired.drain(..).map(|link| (now_ms + IDLE_MS, link.wire));
        self.left.extend(retired);
        if client.link.as_ref().is_some_and(is_silent) {
            self.leave_link(number, "nothing was heard");
        }
        let mut pings = Vec::new();
        for link in self.state.clients[number].links_mut() {
            if now_ms - link.pinged_ms >= PING_MS {
                link.pinged_ms = now_ms;
                pings.push((link.id, Bound::ToServer));
                pings.extend(link.is_open().then_some((link.id, Bound::ToClient)));
            }
        }
        for (id, bound) in pings {
            self.send((number, id), bound, Packet::Ping, None);
        }
        Ok(())
    }

    /// The client's connection is lost; the server is not told.
    pub(super) fn leave_link(&mut self, number: usize, text: &str) {
        if let Some(link) = self.state.clients[number].lose_link(self.state.now_ms, text) {
            self.left.push((self.state.now_ms + IDLE_MS, link.wire));
        }
    }

    /// Begins to open a connection for a client.
    pub(super) fn open(&mut self, number: usize) {
        self.numbers += 1;
        let (id, now_ms) = (self.numbers, self.state.now_ms);
        let client = &mut self.state.clients[number];
        client.opening = Some(id);
        let (at_ms, until_ms) = (now_ms + 2 * client.path.delay_ms(), now_ms + CONNECT_MS);
        self.happen(at_ms, SimEvent::Connect { client: number, id, until_ms });
    }

    pub(super) fn connect(&mut self, number: usize, id: u64, until_ms: u64) {
        let now_ms = self.state.now_ms;
        let client = &mut self.state.clients[number];
        if client.opening != Some(id) {
            return;
        }
        if client.is_asleep {
            return self.happen(now_ms + 300, SimEvent::Connect { client: number, id, until_ms });
        }
        let server = self.state.process.server.as_mut().filter(|_| client.path.is_open(now_ms));
        if let Some(server) = server
            && let Some(wire) = server.connect(client.address, 1200)
        {
            let link = SimLink::new(id, wire, self.state.process.epoch, now_ms);
            return client.connected(now_ms, link);
        }
        if now_ms >= until_ms {
            return client.fail_to_connect(now_ms);
        }
        self.happen(now_ms + 300, SimEvent::Connect { client: number, id, until_ms });
    }

    /// Puts on the way what waits at both ends of every connection.
    pub(super) fn carry(&mut self) {
        let now_ms = self.state.now_ms;
        self.left.retain(|(until_ms, wire)| {
            let stays = now_ms < *until_ms;
            if !stays {
                wire.end(CloseCode::ConnectionLost);
            }
            stays
        });
        for number in 0..self.state.clients.len() {
            let client = &mut self.state.clients[number];
            let (is_slow, is_asleep) = (now_ms < client.slow_until_ms, client.is_asleep);
            let mut packets = Vec::new();
            for link in client.links_mut() {
                take_waiting(link, (is_slow, is_asleep), &mut packets);
            }
            for (id, bound, packet) in packets {
                self.send((number, id), bound, packet, Some(0));
            }
        }
    }

    /// Sends a packet. One with a number of its attempt is sent again until it arrives.
    pub(super) fn send(
        &mut self,
        (client, id): (usize, u64),
        bound: Bound,
        packet: Packet,
        attempt: Option<u32>,
    ) {
        let bytes = match &packet {
            Packet::Datagram(bytes) | Packet::Piece(_, bytes) => bytes.len(),
            Packet::Closed(..) | Packet::Reset | Packet::Ping => 30,
        };
        let path = &mut self.state.clients[client].path;
        let arrivals = path.send(bound, self.state.now_ms, bytes);
        let again_ms = (2 * path.delay_ms() + 60) << attempt.unwrap_or(0).min(4);
        let Some(attempt) = attempt else {
            for at_ms in arrivals {
                let packet = packet.clone();
                self.happen(at_ms, SimEvent::Packet { client, id, bound, packet });
            }
            return;
        };
        // A stream's receiver drops what comes twice.
        match arrivals.first() {
            Some(at_ms) => {
                self.happen(*at_ms, SimEvent::Packet { client, id, bound, packet });
            }
            None => {
                let (at_ms, attempt) = (self.state.now_ms + again_ms.min(1_500), attempt + 1);
                self.happen(at_ms, SimEvent::Again { client, id, bound, packet, attempt });
            }
        }
    }

    /// Whether a packet that was lost is sent again: not by a server that has lost the connection, but for its reset.
    pub(super) fn is_sent_again(
        &mut self,
        (client, id): (usize, u64),
        bound: Bound,
        packet: &Packet,
    ) -> bool {
        self.state.clients[client].link_mut(id).is_some_and(|link| {
            bound == Bound::ToServer
                || link.server_end != ServerEnd::Lost
                || matches!(packet, Packet::Reset)
        })
    }

    pub(super) fn arrive(
        &mut self,
        (number, id): (usize, u64),
        bound: Bound,
        packet: Packet,
    ) -> anyhow::Result<()> {
        let now_ms = self.state.now_ms;
        let is_up = self.state.process.server.is_some();
        let client = &mut self.state.clients[number];
        let is_asleep = client.is_asleep;
        let Some(link) = client.link_mut(id) else { return Ok(()) };
        if bound == Bound::ToClient {
            if !is_asleep {
                link.client_heard_ms = now_ms;
            }
            let incoming = match packet {
                Packet::Datagram(bytes) => Incoming::Datagram(bytes),
                Packet::Piece(stream, bytes) => {
                    (link.is_down[stream], link.is_unread[stream]) = (is_asleep, is_asleep);
                    Incoming::Piece(stream, bytes)
                }
                Packet::Closed(code, text) => Incoming::Closed(code, text),
                Packet::Reset => Incoming::Closed(CloseCode::ConnectionLost, "reset".to_owned()),
                Packet::Ping => return Ok(()),
            };
            return client.arrive(now_ms, id, incoming);
        }
        if !link.is_open() {
            // The server does not know the connection, and says so.
            if is_up && !std::mem::replace(&mut link.is_closing, true) {
                self.send((number, id), Bound::ToClient, Packet::Reset, Some(0));
            }
            return Ok(());
        }
        link.server_heard_ms = now_ms;
        match packet {
            Packet::Datagram(bytes) => link.wire.datagram(bytes),
            Packet::Piece(stream, bytes) => {
                link.is_up[stream] = false;
                link.wire.write(link.streams[stream], &bytes);
            }
            Packet::Closed(..) | Packet::Reset | Packet::Ping => {}
        }
        Ok(())
    }
}

/// Takes what waits at both ends of a connection, for its way. A client that is slow does not read, one that is asleep does
/// nothing.
fn take_waiting(
    link: &mut SimLink,
    (is_slow, is_asleep): (bool, bool),
    packets: &mut Vec<(u64, Bound, Packet)>,
) {
    for stream in 0..STREAMS {
        let waiting = &mut link.waiting[stream];
        let space = link.wire.space(link.streams[stream]).min(PIECE_BYTES_MAX);
        if !waiting.is_empty() && !link.is_up[stream] && space > 0 && !is_asleep {
            let piece = waiting.drain(..waiting.len().min(space)).collect();
            link.is_up[stream] = true;
            let packet = Packet::Piece(stream, seams::of_control(piece));
            packets.push((link.id, Bound::ToServer, packet));
        }
        let is_sent = link.server_end != ServerEnd::Lost;
        if is_sent && !link.is_down[stream] && !is_slow && !is_asleep {
            let piece = link.wire.take(link.streams[stream], PIECE_BYTES_MAX);
            if !piece.is_empty() {
                link.is_down[stream] = true;
                packets.push((link.id, Bound::ToClient, Packet::Piece(stream, piece)));
            }
        }
    }
    if link.is_open()
        && let Some((code, text)) = link.wire.closed()
    {
        (link.server_end, link.is_closing) = (ServerEnd::Closed, true);
        packets.push((link.id, Bound::ToClient, Packet::Closed(code, text)));
    }
}
