//! A player whose server is killed under it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tickwire_arena::bot::Bot;
use tickwire_arena::rules::{Arena, ChangeTeam, Command};
use tickwire_client::session::ConnectionEvent;
use tickwire_client::{Client, ClientEvent, ConnectOptions};
use tickwire_shared::control::{RequestId, RoomChoice, ServerChat, ServerFrame};

use super::server::ROOM;
use crate::seat::{history, newest_tick, seated};

const FRAMES_PER_DECISION: u64 = 3;
const FRAMES_PER_COMMAND: u64 = 97;
const FRAMES_PER_CHAT: u64 = 151;
const JOIN_TIME: Duration = Duration::from_secs(10);

/// One player and its counts.
pub(super) struct Player {
    client: Client<Arena>,
    bot: Bot,
    number: u32,
    is_silent: bool,
    is_over: bool,
    asked: BTreeSet<RequestId>,
    done: BTreeSet<RequestId>,
    heard: HashMap<String, u32>,
    /// The newest tick that it saw before the kill.
    newest_before: u32,
    /// Since the kill.
    way_back: WayBack,
    attempts_max: u32,
    pub(super) commands_sent: usize,
    pub(super) commands_refused: usize,
    pub(super) chats_sent: usize,
    /// Chat without an answer.
    said: HashMap<RequestId, String>,
    /// Chat that was told to be saved.
    saved: Vec<String>,
}

/// The way back into the room.
#[derive(Clone, Copy)]
enum WayBack {
    /// The server was killed.
    Away,
    /// It has its seat, and this many snapshots so far.
    Seated { snapshots: u64 },
    /// The first new snapshot came.
    Back(Instant),
}

impl Player {
    /// Connects and joins.
    pub(super) async fn join(target: &str, token: &str, number: u32) -> anyhow::Result<Self> {
        let token = token.into();
        let options = ConnectOptions { timeout: JOIN_TIME, token, ..ConnectOptions::default() };
        let mut client = Client::<Arena>::connect(target, options).await?;
        client.predict();
        client.join(RoomChoice::Named(ROOM.to_owned()), &Bot::name(number));
        let joined = seated(&mut client);
        tokio::time::timeout(JOIN_TIME, joined).await.context("no seat in time")??;
        Ok(Player {
            client,
            bot: Bot::new(u64::from(number)),
            number,
            is_silent: false,
            is_over: false,
            asked: BTreeSet::new(),
            done: BTreeSet::new(),
            heard: HashMap::new(),
            newest_before: 0,
            way_back: WayBack::Back(Instant::now()),
            attempts_max: 0,
            commands_sent: 0,
            commands_refused: 0,
            chats_sent: 0,
            said: HashMap::new(),
            saved: Vec::new(),
        })
    }

    /// Handles what came, decides, and sends.
    pub(super) fn frame(&mut self, frame: u64) {
        self.client.update();
        while let Some(event) = self.client.poll_event() {
            self.handle(event);
        }
        match self.way_back {
            WayBack::Away => self.newest_before = self.newest_before.max(newest_tick(&self.client)),
            WayBack::Seated { snapshots } if self.client.stats().snapshots > snapshots => {
                self.way_back = WayBack::Back(Instant::now());
            }
            WayBack::Seated { .. } | WayBack::Back(_) => {}
        }
        let at = frame + u64::from(self.number);
        if at.is_multiple_of(FRAMES_PER_DECISION) {
            let (own, seen) = (self.client.player(), self.client.entities());
            let controls = self.bot.decide(own, seen.map(|seen| (seen.id, seen.entity)));
            self.client.set_input(controls);
        }
        if self.is_silent {
            return;
        }
        if at.is_multiple_of(FRAMES_PER_COMMAND) {
            self.asked.insert(self.client.command(&Command::ChangeTeam(ChangeTeam {})));
            self.commands_sent += 1;
        }
        if at.is_multiple_of(FRAMES_PER_CHAT) {
            let text = format!("{} says {}", self.number, self.chats_sent);
            self.said.insert(self.client.say(&text), text);
            self.chats_sent += 1;
        }
    }

    fn handle(&mut self, event: ClientEvent<<Arena as tickwire_shared::Simulation>::Event>) {
        match event {
            ClientEvent::Control(ServerFrame::Rejoined { .. }) => {
                let snapshots = self.client.stats().snapshots;
                self.way_back = WayBack::Seated { snapshots };
            }
            ClientEvent::Control(ServerFrame::Done { request }) if self.asked.remove(&request) => {
                self.done.insert(request);
            }
            ClientEvent::Control(ServerFrame::Refused { request, .. }) => {
                self.commands_refused += usize::from(self.asked.remove(&request));
            }
            ClientEvent::Chat(ServerChat::Message(message)) => {
                *self.heard.entry(message.text).or_default() += 1;
            }
            ClientEvent::Chat(ServerChat::Sent { request, is_saved, .. }) => {
                let text = self.said.remove(&request);
                self.saved.extend(text.filter(|_| is_saved));
            }
            ClientEvent::Chat(ServerChat::Refused { request, .. }) => {
                self.said.remove(&request);
            }
            ClientEvent::Connection(ConnectionEvent::Resumed { attempts, .. }) => {
                self.attempts_max = self.attempts_max.max(attempts);
            }
            ClientEvent::Over { code, text } => {
                eprintln!("player {} lost its seat: {code:?}: {text}", self.number);
                self.is_over = true;
            }
            _ => {}
        }
    }

    /// The server was killed just now.
    pub(super) fn expect_return(&mut self) {
        (self.way_back, self.newest_before) = (WayBack::Away, newest_tick(&self.client));
    }

    /// When it was back after the last kill.
    pub(super) fn back(&self) -> Option<Instant> {
        match self.way_back {
            WayBack::Back(at) => Some(at),
            WayBack::Away | WayBack::Seated { .. } => None,
        }
    }

    /// The newest tick that it saw before it came back.
    pub(super) fn newest_before(&self) -> u32 {
        self.newest_before
    }

    /// Asks for nothing more.
    pub(super) fn fall_silent(&mut self) {
        self.is_silent = true;
    }

    /// True while a command or a message is not answered.
    pub(super) fn waits(&self) -> bool {
        !self.asked.is_empty() || !self.said.is_empty()
    }

    /// Chat that was told to be saved.
    pub(super) fn saved_chats(&self) -> &[String] {
        &self.saved
    }

    pub(super) fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// The commands that were answered by `Done`.
    pub(super) fn done(&self) -> impl Iterator<Item = RequestId> {
        self.done.iter().copied()
    }

    /// Its number on the server.
    pub(super) fn number(&self) -> u32 {
        self.client.player().0
    }

    pub(super) fn attempts_max(&self) -> u32 {
        self.attempts_max
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Messages that it heard more than once.
    pub(super) fn chats_doubled(&self) -> usize {
        self.heard.iter().filter(|(text, times)| text.contains(" says ") && **times > 1).count()
    }
}

/// All messages that the store has of the room.
pub(super) async fn saved_texts(target: &str, token: &str) -> anyhow::Result<HashSet<String>> {
    let token = token.into();
    let options = ConnectOptions { timeout: JOIN_TIME, token, ..ConnectOptions::default() };
    let mut client = Client::<Arena>::connect(target, options).await?;
    client.join(RoomChoice::Named(ROOM.to_owned()), "reader");
    let read = async {
        seated(&mut client).await?;
        history(&mut client).await
    };
    let texts = tokio::time::timeout(JOIN_TIME, read).await.context("no history in time")??;
    client.close().await;
    Ok(texts)
}
