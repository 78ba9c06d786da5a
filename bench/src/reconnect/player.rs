//! A client that plays through a blackout, chats and counts.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tickwire_arena::rules::Arena;
use tickwire_client::{Client, ClientEvent, ConnectOptions, session::ConnectionEvent};
use tickwire_shared::PlayerId;
use tickwire_shared::control::{RoomChoice, ServerChat};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::network::Dark;
use crate::seat::seated;

/// Longest time to connect and to join.
const JOIN_TIME: Duration = Duration::from_secs(30);
/// Interval at which a client looks for news.
const LOOK: Duration = Duration::from_millis(2);
/// Time from a blackout's begin or end to a message.
const PAUSE: Duration = Duration::from_millis(300);
/// From so long before the end on, messages are only read.
const READ_TIME: Duration = Duration::from_secs(2);

/// What one client saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// 0 is the client that is not behind the proxy.
    pub(super) number: usize,
    /// The reason why its session ended.
    pub(super) error: Option<String>,
    pub(super) needed_reconnect: bool,
    /// From the network's return.
    pub(super) first_snapshot_ms: Option<f64>,
    pub(super) longest_gap_ms: f64,
    pub(super) chat: Chat,
}

/// The room's chat as one client heard it. The room numbers messages and notices in one order.
#[derive(Clone, Debug, Default)]
pub(super) struct Chat {
    last: Option<u64>,
    said: usize,
    pub(super) gap: usize,
    pub(super) doubled: usize,
    pub(super) heard: usize,
    own_heard: usize,
}

impl Chat {
    fn hear(&mut self, me: PlayerId, chat: &ServerChat) {
        let id = match chat {
            ServerChat::Message(message) => {
                self.own_heard += usize::from(message.from == me);
                message.id
            }
            ServerChat::Notice { id, .. } => *id,
            ServerChat::Refused { .. } | ServerChat::Sent { .. } | ServerChat::History { .. } => {
                return;
            }
        };
        self.heard += 1;
        match self.last {
            Some(last) if id <= last => self.doubled += 1,
            Some(last) => self.gap += (id - last - 1) as usize,
            None => {}
        }
        self.last = Some(self.last.map_or(id, |last| last.max(id)));
    }
}

/// The addresses of a client.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub(super) target: String,
    /// The address over another transport, which carries the session once UDP is blocked.
    pub(super) fallback: Option<String>,
}

/// Plays for the time from `now` on.
pub(super) async fn play(
    addresses: Addresses,
    number: usize,
    dark: watch::Receiver<Dark>,
    lasts: Duration,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let mut client = enter(&addresses, number).await?;
    let before = client.transport();
    let mut outcome = Outcome { number, ..Outcome::default() };
    let (mut tick, mut came) = (client.stats().tick, Instant::now());
    while start.elapsed() < lasts && outcome.error.is_none() {
        client.update();
        hear(&mut client, &mut outcome);
        let (now, dark) = (Instant::now(), *dark.borrow());
        let newest = client.stats().tick;
        if newest != tick {
            outcome.longest_gap_ms = outcome.longest_gap_ms.max(millis(now - came));
            // What was under way when UDP was blocked is not of the other transport.
            let is_way_back = addresses.fallback.is_none() || client.transport() != before;
            if let (None, Some(over), true) = (outcome.first_snapshot_ms, dark.over, is_way_back) {
                outcome.first_snapshot_ms = Some(millis(now.saturating_duration_since(over)));
            }
            (tick, came) = (newest, now);
        }
        if is_time_to_talk(&outcome, dark, lasts.saturating_sub(start.elapsed())) {
            outcome.chat.said += 1;
            client.say(&format!("{number} {}", outcome.chat.said));
        }
        sleep(LOOK).await;
    }
    let (said, heard) = (outcome.chat.said, outcome.chat.own_heard);
    outcome.chat.gap += said.saturating_sub(heard);
    outcome.chat.doubled += heard.saturating_sub(said);
    Ok(outcome)
}

/// One message before the blackout, one in it and one after it.
fn is_time_to_talk(outcome: &Outcome, dark: Dark, left: Duration) -> bool {
    let since = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() > PAUSE);
    let due = match outcome.chat.said {
        0 => true,
        1 => since(dark.begun),
        2 => since(dark.over),
        _ => false,
    };
    due && left > READ_TIME
}

fn hear(client: &mut Client<Arena>, outcome: &mut Outcome) {
    while let Some(event) = client.poll_event() {
        match event {
            ClientEvent::Chat(chat) => outcome.chat.hear(client.player(), &chat),
            ClientEvent::Connection(ConnectionEvent::Reconnecting { .. }) => {
                outcome.needed_reconnect = true;
            }
            ClientEvent::Over { code, text } => outcome.error = Some(format!("{code:?}: {text}")),
            _ => {}
        }
    }
}

async fn enter(addresses: &Addresses, number: usize) -> anyhow::Result<Client<Arena>> {
    let Addresses { target, fallback } = addresses.clone();
    let options = ConnectOptions { fallback, ..ConnectOptions::default() };
    let mut client = Client::<Arena>::connect(&target, options).await?;
    client.join(RoomChoice::Named("reconnect".to_owned()), &format!("far {number}"));
    timeout(JOIN_TIME, seated(&mut client)).await.context("no seat in time")??;
    Ok(client)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
