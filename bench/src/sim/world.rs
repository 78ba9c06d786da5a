//! One run: the server, its clients and what is on the way between them, in virtual time.

mod faults;
mod traffic;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use tickwire_server::simulated::SimulatedConnection;
use tickwire_shared::control::CloseCode;

use super::client::{FRAME_MS, SimClient};
use super::game::TICK_HZ;
use super::link::SimLink;
use super::path::Bound;
use super::process::{COMMIT_MS, FLUSH_MS};
use super::schedule::{Fault, Plan};
use super::state::SimState;
use super::{ending, seams};
use crate::random::Splitmix;

/// A connection on which nothing was heard for as long is lost.
const IDLE_MS: u64 = 4_000;
/// Clients ask nothing more for as long before the end.
const QUIET_MS: u64 = 5_000;
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
    /// The server does not know the connection.
    Reset,
    Ping,
}

/// A run under way.
struct SimWorld {
    begin: tokio::time::Instant,
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
    runtime()?.block_on(async {
        let mut world = SimWorld::new(plan.clone())?;
        let ran = world.run().await;
        ran.with_context(|| format!("after {} ms", world.state.now_ms)).map(|()| world.hash)
    })
}

/// A thread's own, in virtual time.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()
}

impl SimWorld {
    fn new(plan: Plan) -> anyhow::Result<Self> {
        let hash = plan.seed;
        let mut world = SimWorld {
            begin: tokio::time::Instant::now(),
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
        self.run_until(self.state.plan.length_ms()).await?;
        ending::check(&self.state)
    }

    /// Runs all that happens up to `until_ms`.
    async fn run_until(&mut self, until_ms: u64) -> anyhow::Result<()> {
        while let Some(entry) = self.events.first_entry() {
            let (at_ms, _) = *entry.key();
            if at_ms > until_ms {
                break;
            }
            if at_ms > self.state.now_ms {
                // The server's tasks run now.
                tokio::time::sleep_until(self.begin + Duration::from_millis(at_ms)).await;
                self.state.now_ms = at_ms;
                self.carry();
                continue;
            }
            let event = entry.remove();
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
                if self.is_sent_again((client, id), bound, &packet) {
                    self.send((client, id), bound, packet, Some(attempt));
                }
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
            let links = self.state.clients[client].links_mut();
            let taken = links.flat_map(|link| {
                let id = link.id;
                link.wire.take_datagrams().into_iter().map(move |datagram| (id, datagram))
            });
            for (id, datagram) in taken.collect::<Vec<_>>() {
                let packet = Packet::Datagram(datagram.to_vec());
                self.send((client, id), Bound::ToClient, packet, None);
            }
        }
        Ok(())
    }

    fn frame(&mut self, number: usize) -> anyhow::Result<()> {
        let (now_ms, epoch) = (self.state.now_ms, self.state.process.epoch);
        let client = &mut self.state.clients[number];
        let is_silent = |it: &&mut SimLink| it.is_open() && now_ms - it.server_heard_ms > IDLE_MS;
        client.links_mut().filter(is_silent).for_each(SimLink::lose);
        if client.is_asleep {
            return Ok(());
        }
        client.take_events(now_ms)?;
        self.keep_alive(number)?;
        if self.state.clients[number].wants_connection(now_ms) {
            self.open(number);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::schedule::PlanLimits;

    #[test]
    fn nothing_comes_from_a_server_that_was_killed_but_what_was_on_its_way() {
        let limits = PlanLimits { clients: Some(6), fault_ms: None, only: Some(Vec::new()) };
        let runtime = runtime().unwrap();
        runtime.block_on(async {
            let mut world = SimWorld::new(Plan::of_seed(5, &limits)).unwrap();
            world.run_until(3_000).await.unwrap();
            world.fail(&Fault::Restart { at: 3_000, down_ms: 3_000, cut: 0 }).unwrap();
            world.run_until(5_500).await.unwrap();
            for client in &world.state.clients {
                let link = client.link.as_ref().unwrap();
                let heard_ms = link.client_heard_ms;
                assert!(heard_ms < 3_500, "client {} heard it at {heard_ms}", client.number);
                assert!(link.streams.iter().all(|it| link.wire.take(*it, 1).is_empty()));
            }
            world.run_until(12_000).await.unwrap();
            assert!(world.state.clients.iter().all(|it| it.session.room().is_some()));
        });
    }

    #[test]
    fn a_client_moves_to_another_connection() {
        let limits = PlanLimits { clients: Some(3), fault_ms: None, only: Some(Vec::new()) };
        runtime().unwrap().block_on(async {
            let mut world = SimWorld::new(Plan::of_seed(5, &limits)).unwrap();
            world.run_until(3_000).await.unwrap();
            let before = world.state.clients[1].link.as_ref().unwrap().id;
            world.fail(&Fault::Move { client: 1, at: 3_000 }).unwrap();
            world.run_until(6_000).await.unwrap();
            let client = &world.state.clients[1];
            assert!(client.link.as_ref().is_some_and(|link| link.id != before && link.is_open()));
            assert!(client.next.is_none() && !client.session.is_moving());
            world.run().await.unwrap();
            assert!(world.state.clients.iter().all(|client| client.past.is_empty()));
        });
    }

    #[test]
    fn commands_of_an_earlier_stay_are_checked_at_the_end() {
        let limits = PlanLimits { clients: Some(2), fault_ms: None, only: Some(Vec::new()) };
        runtime().unwrap().block_on(async {
            let mut world = SimWorld::new(Plan::of_seed(5, &limits)).unwrap();
            world.run_until(5_000).await.unwrap();
            world.fail(&Fault::Rejoin { client: 0, at: 5_000 }).unwrap();
            world.run_until(8_000).await.unwrap();
            let life = &mut world.state.clients[0].life;
            assert!(life.stay.is_some() && life.done.remove(&1) && life.refused.insert(1));
            let told = format!("{:#}", world.run().await.unwrap_err());
            assert!(told.contains("command 1 of client 0.0: done false, refused true"), "{told}");
        });
    }
}
