//! One bot: connects, joins, plays until the end, and counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::Watch;
use anyhow::{Context as _, bail};
use tickwire_arena::bot::Bot;
use tickwire_arena::rules::Arena;
use tickwire_client::{Client, ClientEvent, ConnectOptions, session::NetStats};
use tickwire_shared::control::{RefuseCode, RoomChoice, ServerChat, ServerFrame};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;

/// Ticks between two decisions of a bot.
const TICKS_PER_DECISION: u64 = 3;
/// One bot in this many chats, about twice a minute.
const BOTS_PER_TALKER: usize = 10;
/// Ticks between two samples of the round trip.
const TICKS_PER_SAMPLE: u64 = 60;
/// Most swarms in one room.
const NAMES_TRIED: usize = 8;
/// Longest time to connect and to join, when hundreds do so at once.
const JOIN_TIME: Duration = Duration::from_secs(30);

/// The phase of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connecting, joining, warming up.
    Before,
    /// Counting.
    Measured,
    /// Time to leave.
    Over,
}

/// State shared by the bots and their leader.
#[derive(Debug)]
struct Shared {
    joined: AtomicUsize,
    snapshots: AtomicU64,
    rtt_sum_us: AtomicU64,
    rtt_samples: AtomicU64,
}

/// Leads all bots through the phases.
#[derive(Debug)]
pub(super) struct PhaseSender {
    phase: watch::Sender<Phase>,
    shared: Arc<Shared>,
}

/// A bot's receiver of the phases.
#[derive(Clone, Debug)]
pub(super) struct PhaseReceiver {
    phase: watch::Receiver<Phase>,
    shared: Arc<Shared>,
}

impl PhaseSender {
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared {
            joined: AtomicUsize::new(0),
            snapshots: AtomicU64::new(0),
            rtt_sum_us: AtomicU64::new(0),
            rtt_samples: AtomicU64::new(0),
        });
        PhaseSender { phase: watch::Sender::new(Phase::Before), shared }
    }

    pub(super) fn receiver(&self) -> PhaseReceiver {
        PhaseReceiver { phase: self.phase.subscribe(), shared: self.shared.clone() }
    }

    pub(super) fn set(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// The number of bots with a seat.
    pub(super) fn joined(&self) -> usize {
        self.shared.joined.load(Ordering::Relaxed)
    }

    /// A line about the time since the last call, for the live display.
    pub(super) fn live_line(&self) -> String {
        let snapshots = self.shared.snapshots.swap(0, Ordering::Relaxed);
        let samples = self.shared.rtt_samples.swap(0, Ordering::Relaxed);
        let rtt_us = self.shared.rtt_sum_us.swap(0, Ordering::Relaxed).checked_div(samples);
        let rtt_ms = rtt_us.unwrap_or(0) as f64 / 1000.0;
        format!("{} bots, {snapshots} snapshots, rtt {rtt_ms:.1} ms", self.joined())
    }
}

/// The counters of one bot.
#[derive(Clone, Debug, Default)]
pub(super) struct BotResult {
    /// The reason why it did not play to the end.
    pub(super) error: Option<String>,
    /// Within the measured time.
    pub(super) snapshots: u64,
    pub(super) expected: u64,
    pub(super) unusable: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    /// Over the whole run.
    pub(super) chat_sent: u64,
    pub(super) chat_received: u64,
    pub(super) rtt_ms: Vec<f32>,
}

/// Plays from the hello to the goodbye.
pub(super) async fn play(
    target: &str,
    room: Option<&str>,
    (number, clients): (usize, usize),
    gate: &Semaphore,
    (mut phase, beat): (PhaseReceiver, &Notify),
    watch: Option<&dyn Watch>,
) -> anyhow::Result<BotResult> {
    let mut client = {
        let _turn = gate.acquire().await.context("the swarm is over")?;
        let options = ConnectOptions {
            client: concat!("tickwire-bench ", env!("CARGO_PKG_VERSION")).to_owned(),
            timeout: JOIN_TIME,
            ..ConnectOptions::default()
        };
        let mut client = Client::<Arena>::connect(target, options).await?;
        let joining = join(&mut client, room, number, clients);
        timeout(JOIN_TIME, joining).await.context("no seat in time")??;
        client
    };
    phase.shared.joined.fetch_add(1, Ordering::Relaxed);

    let mut player = Player { bot: Bot::new(number as u64), result: BotResult::default() };
    let mut start = None;
    let mut watched = None;
    for tick in number as u64.. {
        beat.notified().await;
        let before = client.stats().snapshots;
        client.update();
        player.events(&mut client)?;
        let stats = client.stats();
        phase.shared.snapshots.fetch_add(stats.snapshots.wrapping_sub(before), Ordering::Relaxed);
        if tick % TICKS_PER_DECISION == 0 {
            player.decide(&mut client);
        }
        if number.is_multiple_of(BOTS_PER_TALKER) {
            player.talk(&mut client);
        }
        let now = *phase.phase.borrow_and_update();
        match now {
            Phase::Before => {}
            Phase::Measured => {
                start.get_or_insert(stats);
                if let Some(watch) = watch {
                    watched = watch.look(number as u8, &client, watched)?;
                }
                if tick % TICKS_PER_SAMPLE == 0 {
                    player.sample(&stats, &phase);
                }
            }
            Phase::Over => break,
        }
    }
    player.finish(&client.stats(), &start.unwrap_or_default());
    client.close().await;
    Ok(player.result)
}

struct Player {
    bot: Bot,
    result: BotResult,
}

impl Player {
    fn events(&mut self, client: &mut Client<Arena>) -> anyhow::Result<()> {
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Chat(ServerChat::Message(_)) => self.result.chat_received += 1,
                ClientEvent::Over { code, text } => bail!("the session ended: {code:?}: {text}"),
                _ => {}
            }
        }
        Ok(())
    }

    fn decide(&mut self, client: &mut Client<Arena>) {
        let own = client.player();
        let controls = self.bot.decide(own, client.entities().map(|seen| (seen.id, seen.entity)));
        client.set_input(controls);
    }

    fn talk(&mut self, client: &mut Client<Arena>) {
        if let Some(text) = self.bot.remark() {
            client.say(text);
            self.result.chat_sent += 1;
        }
    }

    fn sample(&mut self, stats: &NetStats, phase: &PhaseReceiver) {
        self.result.rtt_ms.push(stats.rtt_ms);
        phase.shared.rtt_sum_us.fetch_add((stats.rtt_ms * 1000.0) as u64, Ordering::Relaxed);
        phase.shared.rtt_samples.fetch_add(1, Ordering::Relaxed);
    }

    fn finish(&mut self, end: &NetStats, start: &NetStats) {
        let unusable = |stats: &NetStats| stats.snapshots_undecodable + stats.snapshots_malformed;
        self.result.snapshots = end.snapshots - start.snapshots;
        self.result.expected = end.snapshots_expected - start.snapshots_expected;
        self.result.unusable = unusable(end) - unusable(start);
        self.result.bytes_in = end.bytes_in - start.bytes_in;
        self.result.bytes_out = end.bytes_out - start.bytes_out;
    }
}

/// Joins under the bot's own name, or the next free one of those that another swarm of this size
/// would leave.
async fn join(
    client: &mut Client<Arena>,
    room: Option<&str>,
    number: usize,
    clients: usize,
) -> anyhow::Result<()> {
    for attempt in 0..NAMES_TRIED {
        let name = Bot::name((number + attempt * clients) as u32);
        let choice = room.map_or(RoomChoice::Quick, |room| RoomChoice::Named(room.to_owned()));
        client.join(choice, &name);
        if wait_for_seat(client).await? {
            return Ok(());
        }
    }
    bail!("all {NAMES_TRIED} names tried are taken in this room; name another with --room")
}

/// Waits for the answer to a join. Returns true with a seat, false if the name is taken.
async fn wait_for_seat(client: &mut Client<Arena>) -> anyhow::Result<bool> {
    loop {
        client.update();
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Control(ServerFrame::Joined { .. }) => return Ok(true),
                ClientEvent::Control(ServerFrame::Refused {
                    code: RefuseCode::NameTaken, ..
                }) => {
                    return Ok(false);
                }
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
