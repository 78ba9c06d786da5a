//! One player of the field.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tickwire_client::session::WireStats;
use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_shared::control::{RoomChoice, ServerFrame};
use tickwire_shared::{PlayerId, Simulation as _, Tick};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;

use super::rules::{Field, Held, STILL, State};
use crate::random::Splitmix;
use crate::swarm::Phase;

/// Random inputs a second.
const DRAWS_HZ: u32 = 4;
const JOIN_TIME: Duration = Duration::from_secs(30);

/// Counters of one player during the measurement.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) number: usize,
    pub(super) snapshots: u64,
    pub(super) expected: u64,
    pub(super) wire: WireStats,
    /// Approximate payload of one input datagram.
    pub(super) input_bytes: usize,
    /// The ticks that a sample recorded.
    pub(super) ticks: Range<u32>,
    /// The state of every walker in each of them.
    pub(super) had: Vec<State>,
    /// The final state of every walker, at the tick of the last snapshot.
    pub(super) last: Vec<State>,
}

/// Walks from the hello to the goodbye.
pub(super) async fn walk(
    target: &str,
    number: usize,
    sample: bool,
    gate: &Semaphore,
    (mut phase, beat): (watch::Receiver<Phase>, &Notify),
) -> anyhow::Result<Outcome> {
    let turn = gate.acquire().await.context("the run is over")?;
    let options = ConnectOptions { timeout: JOIN_TIME, ..ConnectOptions::default() };
    let mut client = Client::<Field>::connect(target, options).await?;
    client.join(RoomChoice::Named("field".to_owned()), &format!("walker {number}"));
    timeout(JOIN_TIME, wait_for_seat(&mut client)).await.context("no seat in time")??;
    drop(turn);

    let mut random = Splitmix::new(number as u64 + 1);
    let mut outcome = Outcome { number, ..Outcome::default() };
    let mut start = None;
    for tick in number as u32.. {
        beat.notified().await;
        client.update();
        while let Some(event) = client.poll_event() {
            if let ClientEvent::Over { code, text } = event {
                bail!("the session ended: {code:?}: {text}");
            }
        }
        if tick.is_multiple_of(Field::TICK_HZ / DRAWS_HZ) {
            client.set_input(held(&mut random));
        }
        let now = *phase.borrow_and_update();
        if now == Phase::Measured && start.is_none() {
            start = Some((client.stats(), client.wire()));
            let newest = newest(&client).0 + 1;
            outcome.ticks = newest..newest;
        }
        if sample && start.is_some() {
            outcome.write_down(&client);
        }
        if now == Phase::Over {
            break;
        }
    }
    if let Some((stats, wire)) = start {
        outcome.finish(&client, (&stats, &wire));
    }
    client.close().await;
    Ok(outcome)
}

impl Outcome {
    /// Records the state of every walker in each tick since the last call.
    fn write_down(&mut self, client: &Client<Field>) {
        let end = newest(client).0 + 1;
        for tick in self.ticks.end..end {
            states_at(client, Tick(tick), &mut self.had);
        }
        self.ticks.end = end;
    }

    fn finish(
        &mut self,
        client: &Client<Field>,
        (start, wire): (&tickwire_client::session::NetStats, &WireStats),
    ) {
        let (end, wire_end) = (client.stats(), client.wire());
        self.snapshots = end.snapshots - start.snapshots;
        self.expected = end.snapshots_expected - start.snapshots_expected;
        self.input_bytes = ((end.bytes_out - start.bytes_out) / self.expected.max(1)) as usize;
        self.wire = WireStats {
            datagrams_in: wire_end.datagrams_in - wire.datagrams_in,
            bytes_in: wire_end.bytes_in - wire.bytes_in,
            datagrams_out: wire_end.datagrams_out - wire.datagrams_out,
            bytes_out: wire_end.bytes_out - wire.bytes_out,
        };
        states_at(client, newest(client), &mut self.last);
    }
}

fn newest(client: &Client<Field>) -> Tick {
    client.session().room().and_then(|room| room.replica().newest()).unwrap_or_default()
}

/// The client's states of all walkers at a tick.
fn states_at(client: &Client<Field>, tick: Tick, out: &mut Vec<State>) {
    let Some(room) = client.session().room() else { return };
    for entity in room.replica().entities() {
        if let Some(at) = entity.states.at_or_before(tick) {
            let mut lanes = [0; 6];
            entity.states.copy_to(at, &mut lanes);
            out.push(State { tick: tick.0, id: entity.id.0, lanes });
        }
    }
}

async fn wait_for_seat(client: &mut Client<Field>) -> anyhow::Result<PlayerId> {
    loop {
        client.update();
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Control(ServerFrame::Joined { .. }) => return Ok(client.player()),
                ClientEvent::Control(ServerFrame::Refused { code, text, .. }) => {
                    bail!("no seat: {code:?}: {text}")
                }
                ClientEvent::Over { code, text } => bail!("the session ended: {code:?}: {text}"),
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn held(random: &mut Splitmix) -> Held {
    let drawn = random.bits();
    Held { direction: (drawn % (u64::from(STILL) + 1)) as u8, buttons: (drawn >> 32) as u8 }
}
