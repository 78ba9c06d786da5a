//! What is on the way between the clients and the server.

use tickwire_shared::control::CloseCode;

use super::{IDLE_MS, Packet, SimEvent, SimWorld};
use crate::sim::client::Incoming;
use crate::sim::link::{STREAMS, ServerEnd, SimLink};
use crate::sim::path::Bound;
use crate::sim::seams;

/// Interval of packets that keep a connection.
const PING_MS: u64 = 1_000;
/// Most bytes of a stream that are on the way at once.
const PIECE_BYTES_MAX: usize = 8192;

impl SimWorld {
    /// Keeps the connection of a client, or loses it.
    pub(super) fn keep_alive(&mut self, number: usize) {
        let now_ms = self.state.now_ms;
        let client = &mut self.state.clients[number];
        let Some(link) = &mut client.link else { return };
        if now_ms - link.client_heard_ms > IDLE_MS {
            return self.leave_link(number, "nothing was heard");
        }
        if now_ms - link.pinged_ms >= PING_MS {
            link.pinged_ms = now_ms;
            let (id, is_open) = (link.id, link.is_open());
            self.send((number, id), Bound::ToServer, Packet::Ping, None);
            if is_open {
                self.send((number, id), Bound::ToClient, Packet::Ping, None);
            }
        }
    }

    /// The client's connection is lost; the server is not told.
    pub(super) fn leave_link(&mut self, number: usize, text: &str) {
        if let Some(link) = self.state.clients[number].lose_link(self.state.now_ms, text) {
            self.left.push((self.state.now_ms + IDLE_MS, link.wire));
        }
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
            return client.connected(SimLink::new(id, wire, self.state.process.epoch, now_ms));
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
            let Some(link) = &mut client.link else { continue };
            let mut packets = Vec::new();
            for stream in 0..STREAMS {
                let waiting = &mut link.waiting[stream];
                let space = link.wire.space(link.streams[stream]).min(PIECE_BYTES_MAX);
                if !waiting.is_empty() && !link.is_up[stream] && space > 0 && !is_asleep {
                    let piece = waiting.drain(..waiting.len().min(space)).collect();
                    link.is_up[stream] = true;
                    let packet = Packet::Piece(stream, seams::of_control(piece));
                    packets.push((Bound::ToServer, packet));
                }
                let is_sent = link.server_end != ServerEnd::Lost;
                if is_sent && !link.is_down[stream] && !is_slow && !is_asleep {
                    let piece = link.wire.take(link.streams[stream], PIECE_BYTES_MAX);
                    if !piece.is_empty() {
                        link.is_down[stream] = true;
                        packets.push((Bound::ToClient, Packet::Piece(stream, piece)));
                    }
                }
            }
            if link.is_open()
                && let Some((code, text)) = link.wire.closed()
            {
                (link.server_end, link.is_closing) = (ServerEnd::Closed, true);
                packets.push((Bound::ToClient, Packet::Closed(code, text)));
            }
            let id = link.id;
            for (bound, packet) in packets {
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
        &self,
        (client, id): (usize, u64),
        bound: Bound,
        packet: &Packet,
    ) -> bool {
        let link = self.state.clients[client].link.as_ref().filter(|link| link.id == id);
        link.is_some_and(|link| {
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
        let Some(link) = client.link.as_mut().filter(|link| link.id == id) else { return Ok(()) };
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
            return client.arrive(now_ms, incoming);
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
