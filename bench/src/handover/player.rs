//! A player whose server is handed over.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tickwire_arena::rules::{Arena, Controls};
use tickwire_client::session::ConnectionEvent;
use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_shared::control::{RequestId, RoomChoice, ServerChat, ServerFrame};
use tickwire_shared::{PlayerId, Simulation};

use super::game::{Crossing, First, Steps};
use crate::seat::{history, newest_tick, seated};

/// The room that all play in.
const ROOM: &str = "handover";
const FRAMES_PER_INPUT: u64 = 20;
const FRAMES_PER_CHAT: u64 = 301;
const JOIN_TIME: Duration = Duration::from_secs(10);

/// A game that is played here.
pub(super) trait Played: Simulation {
    /// What player `number` holds for the `turn`th while.
    fn held(number: u32, turn: u64) -> Self::Input;
}

impl Played for Arena {
    fn held(number: u32, turn: u64) -> Controls {
        let at = u64::from(number) + turn;
        let turn = [-1.0, 0.0, 0.0, 1.0][(at % 4) as usize];
        Controls {
            turn,
            thrust: !at.is_multiple_of(3),
            fire: at.is_multiple_of(5),
            ..Controls::default()
        }
    }
}

impl Played for Crossing<First> {
    fn held(number: u32, turn: u64) -> Steps {
        let at = u64::from(number) + turn;
        Steps { right: (at % 3) as i8 - 1, up: (at / 3 % 3) as i8 - 1 }
    }
}

/// One player and its counts.
pub(super) struct Player<G: Simulation> {
    client: Client<G>,
    place: u32,
    number: PlayerId,
    is_silent: bool,
    is_over: bool,
    /// Chat without an answer.
    said: HashMap<RequestId, String>,
    /// Chat that was told to be saved.
    saved: Vec<String>,
    snapshots: u64,
    snapshot_at: Instant,
    /// The newest tick that it saw.
    newest: u32,
    way: Way,
    ticks_lost: u32,
    attempts_max: u32,
    pub(super) chats_sent: usize,
}

/// The way through a handover.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Its connection stands.
    Before,
    /// It is lost; the last snapshot was then.
    Away { since: Instant },
    /// It has its seat, and this many snapshots so far.
    Seated { since: Instant, snapshots: u64 },
    /// It plays on after this pause.
    Back(Duration),
}

async fn join<G: Simulation>(target: &str, name: &str) -> anyhow::Result<Client<G>> {
    let options = ConnectOptions { timeout: JOIN_TIME, ..ConnectOptions::default() };
    let mut client = Client::<G>::connect(target, options).await?;
    client.join(RoomChoice::Named(ROOM.to_owned()), name);
    tokio::time::timeout(JOIN_TIME, seated(&mut client)).await.context("no seat in time")??;
    Ok(client)
}

impl<G: Played> Player<G> {
    /// Connects and joins.
    pub(super) async fn join(target: &str, place: u32) -> anyhow::Result<Self> {
        let client = join::<G>(target, &format!("player {place}")).await?;
        Ok(Player {
            number: client.player(),
            client,
            place,
            is_silent: false,
            is_over: false,
            said: HashMap::new(),
            saved: Vec::new(),
            snapshots: 0,
            snapshot_at: Instant::now(),
            newest: 0,
            way: Way::Before,
            ticks_lost: 0,
            attempts_max: 0,
            chats_sent: 0,
        })
    }

    /// Handles what came, decides, and sends.
    pub(super) fn frame(&mut self, frame: u64) {
        self.client.update();
        while let Some(event) = self.client.poll_event() {
            self.handle(event);
        }
        let (now, snapshots) = (Instant::now(), self.client.stats().snapshots);
        match self.way {
            Way::Seated { since, snapshots: before } if snapshots > before => {
                self.way = Way::Back(now - since);
            }
            Way::Before | Way::Back(_) => self.newest = newest_tick(&self.client).max(self.newest),
            Way::Away { .. } | Way::Seated { .. } => {}
        }
        // The count begins anew with a room that is entered again.
        if snapshots != self.snapshots {
            (self.snapshots, self.snapshot_at) = (snapshots, now);
        }
        let at = frame + u64::from(self.place);
        if at.is_multiple_of(FRAMES_PER_INPUT) {
            self.client.set_input(G::held(self.place, at / FRAMES_PER_INPUT));
        }
        if !self.is_silent && at.is_multiple_of(FRAMES_PER_CHAT) {
            let text = format!("{} says {}", self.place, self.chats_sent);
            self.said.insert(self.client.say(&text), text);
            self.chats_sent += 1;
        }
    }

    fn handle(&mut self, event: ClientEvent<G::Event>) {
        match event {
            ClientEvent::Connection(ConnectionEvent::Reconnecting { .. })
                if !matches!(self.way, Way::Away { .. } | Way::Seated { .. }) =>
            {
                self.way = Way::Away { since: self.snapshot_at };
            }
            ClientEvent::Connection(ConnectionEvent::Resumed { attempts, .. }) => {
                self.attempts_max = self.attempts_max.max(attempts);
            }
            ClientEvent::Control(ServerFrame::Rejoined { tick, .. }) => {
                if let Way::Away { since } | Way::Seated { since, .. } = self.way {
                    let lost = self.newest.saturating_sub(tick.0);
                    self.ticks_lost = self.ticks_lost.max(lost);
                    self.newest = 0;
                    let snapshots = self.client.stats().snapshots;
                    self.way = Way::Seated { since, snapshots };
                }
            }
            ClientEvent::Chat(ServerChat::Sent { request, is_saved, .. }) => {
                let text = self.said.remove(&request);
                self.saved.extend(text.filter(|_| is_saved));
            }
            ClientEvent::Chat(ServerChat::Refused { request, .. }) => {
                self.said.remove(&request);
            }
            ClientEvent::Over { code, text } => {
                eprintln!("player {} lost its session: {code:?}: {text}", self.place);
                self.is_over = true;
            }
            _ => {}
        }
    }

    /// A handover is asked for now.
    pub(super) fn expect_handover(&mut self) {
        self.way = Way::Before;
    }

    /// The pause of the last handover, once it plays on.
    pub(super) fn pause(&self) -> Option<Duration> {
        match self.way {
            Way::Back(pause) => Some(pause),
            _ => None,
        }
    }

    /// True if its connection was never lost since the last request for a handover.
    pub(super) fn was_connected(&self) -> bool {
        self.way == Way::Before
    }

    /// True if it is who it was.
    pub(super) fn has_its_seat(&self) -> bool {
        self.client.player() == self.number && self.client.room() == Some(ROOM)
    }

    /// Says nothing more.
    pub(super) fn fall_silent(&mut self) {
        self.is_silent = true;
    }

    /// True while a message is not answered.
    pub(super) fn waits(&self) -> bool {
        !self.said.is_empty()
    }

    pub(super) fn unanswered(&self) -> usize {
        self.said.len()
    }

    pub(super) fn saved_chats(&self) -> impl Iterator<Item = &str> + Clone {
        self.saved.iter().map(String::as_str)
    }

    pub(super) fn snapshots(&self) -> u64 {
        self.snapshots
    }

    pub(super) fn ticks_lost(&self) -> u32 {
        self.ticks_lost
    }

    pub(super) fn attempts_max(&self) -> u32 {
        self.attempts_max
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}

/// All messages that the store has of the room.
pub(super) async fn saved_texts<G: Simulation>(target: &str) -> anyhow::Result<HashSet<String>> {
    let mut client = join::<G>(target, "reader").await?;
    let read = history(&mut client);
    let texts = tokio::time::timeout(JOIN_TIME, read).await.context("no history in time")??;
    client.close().await;
    Ok(texts)
}
