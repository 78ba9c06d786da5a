//! One run: the server, its clients and what is on the way between them, in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use tickwire_server::simulated::SimulatedConnection;
use tickwire_shared::control::CloseCode;

use super::client::{FRAME_MS, Incoming, SimClient};
use super::game::TICK_HZ;
use super::link::{STREAMS, SimLink};
use super::path::Bound;
use super::process::{COMMIT_MS, FLUSH_MS};
use super::schedule::{Fault, Plan};
use super::state::SimState;
use super::{ending, hostile, seams};
use crate::random::Splitmix;

/// A connection on which nothing was heard for as long is lost.
const IDLE_MS: u64 = 4_000;
/// Interval of packets that keep a connection.
const PING_MS: u64 = 1_000;
/// An attempt to connect fails after as long.
const CONNECT_MS: u64 = 2_500;
/// Clients ask nothing more for as long before the end.
const QUIET_MS: u64 = 5_000;
/// Most bytes of a stream that are on the way at once.
const PIECE_BYTES_MAX: usize = 8192;
/// Milliseconds since 1970 when a run begins.
const TIME_MS: u64 = 1_800_000_000_000;

/// What is to happen.
enum SimEvent {
    Tick,
    Flush,
    Commit,
    Second,
    Frame { client: usize },
    Quiet,
    Fault { fault: Fault },
    Wake { client: usize },
    Start,
    Connect { client: usize, id: u64, until_ms: u64 },
    Packet { client: usize, id: u64, bound: Bound, packet: Packet },
    Again { client: usize, id: u64, bound: Bound, packet: Packet, attempt: u32 },
}

/// What is on the way.
#[derive(Clone)]
enum Packet {
    Datagram(Vec<u8>),
    Piece(usize, Vec<u8>),
    Closed(CloseCode, String),
    Ping,
}

/// A run under way.
struct SimWorld {
    state: SimState,
    events: BTreeMap<(u64, u64), SimEvent>,
    numbers: u64,
    ticks: u64,
    /// Connections that their clients have left, and when the server loses them.
    left: Vec<(u64, SimulatedConnection)>,
    hash: u64,
}

/// Runs a plan. Returns a hash of all that its clients were shown.
///
/// # Errors
/// What was not as it must be.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<u64> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let mut world = SimWorld::new(plan.clone())?;
        let ran = world.run().await;
        ran.with_context(|| format!("after {} ms", world.state.now_ms)).map(|()| world.hash)
    })
}

impl SimWorld {
    fn new(plan: Plan) -> anyhow::Result<Self> {
        let hash = plan.seed;
        let mut world = SimWorld {
            state: SimState::new(plan)?,
            events: BTreeMap::new(),
            numbers: 0,
            ticks: 0,
            left: Vec::new(),
            hash,
        };
        for event in [SimEvent::Tick, SimEvent::Flush, SimEvent::Commit, SimEvent::Second] {
            world.happen(1, event);
        }
        let mut random = Splitmix::new(world.state.plan.seed);
        for client in 0..world.state.plan.clients {
            world.happen(random.bits() % 800, SimEvent::Frame { client });
        }
        world.happen(world.state.plan.length_ms() - QUIET_MS, SimEvent::Quiet);
        for it in world.state.plan.faults.clone() {
            world.happen(it.fault.begin_ms(), SimEvent::Fault { fault: it.fault });
        }
        Ok(world)
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        let begin = tokio::time::Instant::now();
        while let Some(((at_ms, number), event)) = self.events.pop_first() {
            if at_ms > self.state.now_ms {
                if at_ms > self.state.plan.length_ms() {
                    return ending::check(&self.state);
                }
                self.events.insert((at_ms, number), event);
                // The server's tasks run now.
                tokio::time::sleep_until(begin + Duration::from_millis(at_ms)).await;
                self.state.now_ms = at_ms;
                self.carry();
                continue;
            }
            if matches!(event, SimEvent::Second)
                && let Some(server) = &mut self.state.process.server
            {
                server.sweep().await;
                server.follow_journals();
            }
            self.handle(event)?;
        }
        Ok(())
    }

    fn happen(&mut self, at_ms: u64, event: SimEvent) {
        self.numbers += 1;
        self.events.insert((at_ms, self.numbers), event);
    }

    fn handle(&mut self, event: SimEvent) -> anyhow::Result<()> {
        match event {
            SimEvent::Tick => {
                self.ticks += 1;
                self.happen(self.ticks * 1000 / u64::from(TICK_HZ) + 1, SimEvent::Tick);
                self.tick()?;
            }
            SimEvent::Flush => {
                self.happen(self.state.now_ms + FLUSH_MS, SimEvent::Flush);
                self.state.process.flush();
            }
            SimEvent::Commit => {
                self.happen(self.state.now_ms + COMMIT_MS, SimEvent::Commit);
                self.state.process.commit();
            }
            SimEvent::Second => {
                self.happen(self.state.now_ms + 1000, SimEvent::Second);
                ending::check_queues(&self.state)?;
            }
            SimEvent::Frame { client } => {
                self.happen(self.state.now_ms + FRAME_MS, SimEvent::Frame { client });
                self.frame(client).with_context(|| format!("client {client}"))?;
            }
            SimEvent::Quiet => self.state.clients.iter_mut().for_each(SimClient::be_quiet),
            SimEvent::Fault { fault } => self.fail(&fault)?,
            SimEvent::Wake { client } => self.state.clients[client].wake(self.state.now_ms)?,
            SimEvent::Start => self.start()?,
            SimEvent::Connect { client, id, until_ms } => self.connect(client, id, until_ms),
            SimEvent::Packet { client, id, bound, packet } => {
                let arrived = self.arrive((client, id), bound, packet);
                arrived.with_context(|| format!("client {client}"))?;
            }
            SimEvent::Again { client, id, bound, packet, attempt } => {
                self.send((client, id), bound, packet, Some(attempt));
            }
        }
        Ok(())
    }

    fn tick(&mut self) -> anyhow::Result<()> {
        let Some(server) = &mut self.state.process.server else { return Ok(()) };
        server.tick(TIME_MS + self.state.now_ms);
        if let Some((tick, game)) = self.state.process.game() {
            self.state.truth.note(tick, game);
        }
        ending::check_seats(&mut self.state)?;
        for client in 0..self.state.clients.len() {
            let Some(link) = &self.state.clients[client].link else { continue };
            let id = link.id;
            for datagram in link.wire.take_datagrams() {
                let packet = Packet::Datagram(datagram.to_vec());
                self.send((client, id), Bound::ToClient, packet, None);
            }
        }
        Ok(())
    }

    fn frame(&mut self, number: usize) -> anyhow::Result<()> {
        let (now_ms, epoch) = (self.state.now_ms, self.state.process.epoch);
        let client = &mut self.state.clients[number];
        let silent = client.link.as_mut().filter(|it| now_ms - it.server_heard_ms > IDLE_MS);
        if let Some(link) = silent {
            link.wire.end(CloseCode::ConnectionLost);
            link.is_dead = true;
        }
        if client.is_asleep {
            return Ok(());
        }
        client.take_events(now_ms)?;
        self.keep_alive(number);
        let client = &mut self.state.clients[number];
        if client.wants_connection(now_ms) {
            self.numbers += 1;
            let id = self.numbers;
            client.opening = Some(id);
            let (at_ms, until_ms) = (now_ms + 2 * client.path.delay_ms(), now_ms + CONNECT_MS);
            self.happen(at_ms, SimEvent::Connect { client: number, id, until_ms });
        }
        let client = &mut self.state.clients[number];
        let datagrams = client.frame(now_ms);
        if let Some(link) = &client.link {
            let id = link.id;
            for datagram in datagrams {
                let packet = Packet::Datagram(seams::of_datagram(datagram));
                self.send((number, id), Bound::ToServer, packet, None);
            }
        }
        let client = &mut self.state.clients[number];
        client.take_events(now_ms)?;
        ending::check_client(client, &self.state.truth, epoch, now_ms)?;
        let seen = std::mem::take(&mut client.events_seen);
        let newest = client.session.room().and_then(|room| room.replica().newest());
        let newest = newest.map_or(0, |tick| u64::from(tick.0));
        for part in seen.into_iter().chain([newest, now_ms]) {
            self.hash = Splitmix::new(self.hash ^ part).bits();
        }
        Ok(())
    }

    /// Keeps the connection of a client, or loses it.
    fn keep_alive(&mut self, number: usize) {
        let now_ms = self.state.now_ms;
        let client = &mut self.state.clients[number];
        let Some(link) = &mut client.link else { return };
        if now_ms - link.client_heard_ms > IDLE_MS {
            return self.leave_link(number, "nothing was heard");
        }
        if now_ms - link.pinged_ms >= PING_MS {
            link.pinged_ms = now_ms;
            let id = link.id;
            for bound in [Bound::ToServer, Bound::ToClient] {
                self.send((number, id), bound, Packet::Ping, None);
            }
        }
    }

    /// The client's connection is lost; the server is not told.
    fn leave_link(&mut self, number: usize, text: &str) {
        if let Some(link) = self.state.clients[number].lose_link(self.state.now_ms, text) {
            self.left.push((self.state.now_ms + IDLE_MS, link.wire));
        }
    }

    fn connect(&mut self, number: usize, id: u64, until_ms: u64) {
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
    fn carry(&mut self) {
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
                if !link.is_down[stream] && !is_slow && !is_asleep {
                    let piece = link.wire.take(link.streams[stream], PIECE_BYTES_MAX);
                    if !piece.is_empty() {
                        link.is_down[stream] = true;
                        packets.push((Bound::ToClient, Packet::Piece(stream, piece)));
                    }
                }
            }
            if let Some((code, text)) = link.wire.closed()
                && !std::mem::replace(&mut link.is_closing, true)
            {
                link.is_dead = true;
                packets.push((Bound::ToClient, Packet::Closed(code, text)));
            }
            let id = link.id;
            for (bound, packet) in packets {
                self.send((number, id), bound, packet, Some(0));
            }
        }
    }

    /// Sends a packet. One with a number of its attempt is sent again until it arrives.
    fn send(
        &mut self,
        (client, id): (usize, u64),
        bound: Bound,
        packet: Packet,
        attempt: Option<u32>,
    ) {
        let bytes = match &packet {
            Packet::Datagram(bytes) | Packet::Piece(_, bytes) => bytes.len(),
            Packet::Closed(..) | Packet::Ping => 30,
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

    fn arrive(
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
                    link.is_down[stream] = is_asleep;
                    Incoming::Piece(stream, bytes)
                }
                Packet::Closed(code, text) => Incoming::Closed(code, text),
                Packet::Ping => return Ok(()),
            };
            return client.arrive(now_ms, incoming);
        }
        if link.is_dead {
            // The server does not know the connection, and says so.
            if is_up && !std::mem::replace(&mut link.is_closing, true) {
                let reset = Packet::Closed(CloseCode::ConnectionLost, "reset".to_owned());
                self.send((number, id), Bound::ToClient, reset, Some(0));
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
            Packet::Closed(..) | Packet::Ping => {}
        }
        Ok(())
    }

    fn fail(&mut self, fault: &Fault) -> anyhow::Result<()> {
        let of = |client: usize| client % self.state.plan.clients;
        match fault {
            Fault::Storm { .. } | Fault::Dark { .. } | Fault::Partition { .. } => {}
            Fault::Cut { client, both, .. } => {
                let client = of(*client);
                if let Some(link) = self.state.clients[client].link.as_ref().filter(|_| *both) {
                    link.wire.end(CloseCode::ConnectionLost);
                }
                self.leave_link(client, "cut");
            }
            Fault::Asleep { client, during } => {
                let client = of(*client);
                self.state.clients[client].sleep(during.end);
                self.happen(during.end, SimEvent::Wake { client });
            }
            Fault::Slow { client, during } => {
                self.state.clients[of(*client)].slow_until_ms = during.end;
            }
            Fault::Jump { client, by_ms, .. } => self.state.clients[of(*client)].ahead_ms += by_ms,
            Fault::Rejoin { client, .. } => self.state.clients[of(*client)].leave(),
            Fault::Hostile { seed, .. } => {
                if let Some(server) = &mut self.state.process.server
                    && let Some(wire) = hostile::attack(server, *seed)
                {
                    self.left.push((self.state.now_ms + IDLE_MS, wire));
                }
            }
            Fault::Restart { down_ms, cut, .. } => {
                if self.state.process.server.is_some() {
                    self.state.process.kill(*cut)?;
                    let links =
                        self.state.clients.iter_mut().filter_map(|client| client.link.as_mut());
                    links.for_each(|link| link.is_dead = true);
                    self.happen(self.state.now_ms + down_ms, SimEvent::Start);
                }
            }
        }
        Ok(())
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let lost = self.state.process.start_again().context("a restart")?;
        for client in &mut self.state.clients {
            let life = &mut client.life;
            if let Some(lost) = lost.get(&life.player) {
                life.forgiven.extend(lost.iter().filter(|number| life.done.contains(number)));
            }
        }
        if let Some((tick, game)) = self.state.process.game() {
            self.state.truth.go_back(tick, game)?;
        }
        Ok(())
    }
}
