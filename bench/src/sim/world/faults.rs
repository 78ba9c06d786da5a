//! The faults of a plan as they happen.

use anyhow::Context as _;
use tickwire_shared::control::CloseCode;

use super::{IDLE_MS, SimEvent, SimWorld};
use crate::random::Splitmix;
use crate::sim::client::SimClient;
use crate::sim::hostile;
use crate::sim::link::SimLink;
use crate::sim::path::Bound;
use crate::sim::schedule::Fault;

impl SimWorld {
    pub(super) fn fail(&mut self, fault: &Fault) -> anyhow::Result<()> {
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
            Fault::Move { client, .. } => {
                let client = of(*client);
                if self.state.clients[client].can_move() {
                    self.open(client);
                }
            }
            Fault::Hostile { seed, .. } => {
                if let Some(server) = &mut self.state.process.server
                    && let Some(wire) = hostile::attack(server, *seed)
                {
                    self.left.push((self.state.now_ms + IDLE_MS, wire));
                }
            }
            Fault::Restart { down_ms, cut, .. } => self.kill(*cut, *down_ms)?,
        }
        Ok(())
    }

    /// Kills the server, with all that it had written and not sent, and half of what it had sent.
    fn kill(&mut self, cut: u8, down_ms: u64) -> anyhow::Result<()> {
        if self.state.process.server.is_none() {
            return Ok(());
        }
        self.state.process.kill(cut)?;
        self.state.clients.iter_mut().flat_map(SimClient::links_mut).for_each(SimLink::lose);
        let mut random = Splitmix::new(self.state.plan.seed ^ self.state.now_ms << 32);
        self.events.retain(|_, event| match event {
            SimEvent::Packet { bound: Bound::ToClient, .. } => random.bits().is_multiple_of(2),
            _ => true,
        });
        self.happen(self.state.now_ms + down_ms, SimEvent::Start);
        Ok(())
    }

    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        self.state.process.start_again().context("a restart")?;
        if let Some((tick, game)) = self.state.process.game() {
            self.state.truth.go_back(tick, game)?;
        }
        Ok(())
    }
}
