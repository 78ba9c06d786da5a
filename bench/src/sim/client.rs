//! A client: the real session core, and hands that play at random.

mod moving;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tickwire_client::session::{Session, SessionEvent};
use tickwire_shared::control::{CloseCode, RoomChoice};
use tickwire_shared::quantize::Lanes as _;
use tickwire_shared::simulation::schema_of;

use super::game::{Helm, LANES, Vault};
use super::life::{Asked, Life};
use super::link::{CONTROL, SimLink};
use super::path::SimPath;
use super::schedule::Plan;
use crate::random::Splitmix;

/// The one room.
pub(crate) const ROOM: &str = "vault";
/// Milliseconds between two frames of a client.
pub(crate) const FRAME_MS: u64 = 33;
/// Datagrams that the system keeps for a client that does not run.
const KEPT_DATAGRAMS_MAX: usize = 64;

/// What arrived at a client.
#[derive(Clone, Debug)]
pub(crate) enum Incoming {
    Datagram(Vec<u8>),
    /// Bytes of a stream: control or chat.
    Piece(usize, Vec<u8>),
    Closed(CloseCode, String),
}

/// One player's program.
pub(crate) struct SimClient {
    pub(crate) number: usize,
    pub(crate) session: Session,
    pub(crate) path: SimPath,
    pub(crate) link: Option<SimLink>,
    /// The connection to which the session moves.
    pub(crate) next: Option<SimLink>,
    /// Connections that moves have left.
    pub(crate) retired: Vec<SimLink>,
    /// The connection that is being opened.
    pub(crate) opening: Option<u64>,
    pub(crate) address: SocketAddr,
    pub(crate) life: Life,
    /// The number of the server's process that it talked to last.
    pub(crate) epoch: u32,
    /// Since when the server's room has lacked its seat.
    pub(crate) unseated_ms: Option<u64>,
    pub(crate) past: Vec<PastLife>,
    /// By which its clock is ahead.
    pub(crate) ahead_ms: u64,
    asleep_until_ms: u64,
    pub(crate) is_asleep: bool,
    pub(crate) slow_until_ms: u64,
    /// What came while it did not run, with the number of the connection.
    inbox: VecDeque<(u64, Incoming)>,
    random: Splitmix,
    /// Messages said so far, in all lives.
    said: u64,
    is_quiet: bool,
    wants_history: bool,
    /// It left, and joins again once it is out.
    pub(crate) rejoins: bool,
    next_session_ms: Option<u64>,
    pub(crate) events_seen: Vec<u64>,
}

/// A session that is over.
#[derive(Debug)]
pub(crate) struct PastLife {
    pub(crate) life: Life,
    pub(crate) code: CloseCode,
    pub(crate) text: String,
    pub(crate) at_ms: u64,
    /// The number of the server's process that it talked to last.
    pub(crate) epoch: u32,
}

impl SimClient {
    pub(crate) fn new(plan: &Plan, number: usize) -> Self {
        let octets = [10, 0, number as u8, 1];
        SimClient {
            number,
            session: new_session(number),
            path: SimPath::new(plan, number),
            link: None,
            next: None,
            retired: Vec::new(),
            opening: None,
            address: SocketAddr::from((octets, 4000)),
            life: Life::default(),
            epoch: 0,
            unseated_ms: None,
            past: Vec::new(),
            ahead_ms: 0,
            asleep_until_ms: 0,
            is_asleep: false,
            slow_until_ms: 0,
            inbox: VecDeque::new(),
            random: Splitmix::new(plan.seed ^ (number as u64 + 1) << 20),
            said: 0,
            is_quiet: false,
            wants_history: false,
            rejoins: false,
            next_session_ms: Some(0),
            events_seen: Vec::new(),
        }
    }

    /// Says and asks no more, but for what was said before.
    pub(crate) fn be_quiet(&mut self) {
        (self.is_quiet, self.wants_history) = (true, true);
    }

    /// All its sessions, in order.
    pub(crate) fn lives(&self) -> impl Iterator<Item = &Life> {
        self.past.iter().map(|past| &past.life).chain([&self.life])
    }

    /// Stands still from now on.
    pub(crate) fn sleep(&mut self, until_ms: u64) {
        self.is_asleep = true;
        self.asleep_until_ms = self.asleep_until_ms.max(until_ms);
    }

    /// The time on its own clock.
    fn now(&self, now_ms: u64) -> Duration {
        Duration::from_millis(now_ms + self.ahead_ms)
    }

    /// Its connections: that of the session, and the one to which it moves.
    pub(crate) fn links_mut(&mut self) -> impl Iterator<Item = &mut SimLink> {
        [&mut self.link, &mut self.next].into_iter().flatten()
    }

    /// Its connection of this number.
    pub(crate) fn link_mut(&mut self, id: u64) -> Option<&mut SimLink> {
        self.links_mut().find(|link| link.id == id)
    }

    /// Takes what arrived on the connection `id`, at once or once it runs again.
    pub(crate) fn arrive(
        &mut self,
        now_ms: u64,
        id: u64,
        incoming: Incoming,
    ) -> anyhow::Result<()> {
        if !self.is_asleep {
            return self.take(now_ms, id, incoming);
        }
        let is_datagram = matches!(incoming, Incoming::Datagram(_));
        if !is_datagram || self.inbox.len() < KEPT_DATAGRAMS_MAX {
            self.inbox.push_back((id, incoming));
        }
        Ok(())
    }

    fn take(&mut self, now_ms: u64, id: u64, incoming: Incoming) -> anyhow::Result<()> {
        let is_of = |link: &Option<SimLink>| link.as_ref().is_some_and(|link| link.id == id);
        if is_of(&self.next) {
            return self.take_of_next(now_ms, incoming);
        }
        if !is_of(&self.link) {
            return Ok(());
        }
        let now = self.now(now_ms);
        match incoming {
            Incoming::Datagram(bytes) => self.session.handle_datagram(now, &bytes),
            Incoming::Piece(CONTROL, bytes) => {
                self.session.handle_control(now, &bytes).context("the control stream")?;
            }
            Incoming::Piece(_, bytes) => {
                self.session.handle_chat(&bytes).context("the chat stream")?;
            }
            Incoming::Closed(CloseCode::ConnectionLost, text) => {
                self.lose_link(now_ms, &text);
            }
            Incoming::Closed(code, text) => {
                self.link = None;
                self.session.handle_closed(code, &text);
            }
        }
        Ok(())
    }

    /// Its connection is lost, as it sees it. Returns the link, which the server may still hold.
    pub(crate) fn lose_link(&mut self, now_ms: u64, text: &str) -> Option<SimLink> {
        let link = self.link.take();
        if link.is_some() {
            let now = self.now(now_ms);
            self.session.handle_lost(now, text);
        }
        link
    }

    /// Runs again, if it is time, and takes what waited.
    pub(crate) fn wake(&mut self, now_ms: u64) -> anyhow::Result<()> {
        self.is_asleep = now_ms < self.asleep_until_ms;
        if self.is_asleep {
            return Ok(());
        }
        self.links_mut().for_each(SimLink::read_on);
        while let Some((id, incoming)) = self.inbox.pop_front() {
            self.take(now_ms, id, incoming)?;
        }
        Ok(())
    }

    /// Whether it wants a connection now.
    pub(crate) fn wants_connection(&mut self, now_ms: u64) -> bool {
        if self.link.is_some() || self.opening.is_some() {
            return false;
        }
        if self.next_session_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.next_session_ms = None;
            return true;
        }
        let now = self.now(now_ms);
        self.session.poll_reconnect(now)
    }

    /// Its attempt to connect failed.
    pub(crate) fn fail_to_connect(&mut self, now_ms: u64) {
        self.opening = None;
        if self.link.is_some() {
            // It was to move.
            return;
        }
        match self.session.is_reconnecting() {
            true => self.session.handle_connect_failed(self.now(now_ms)),
            false => self.next_session_ms = Some(now_ms + 300),
        }
    }

    /// It has a connection.
    pub(crate) fn connected(&mut self, now_ms: u64, link: SimLink) {
        self.opening = None;
        if self.link.is_some() {
            return self.ask_to_move(now_ms, link);
        }
        self.epoch = link.epoch;
        self.link = Some(link);
        if self.session.is_reconnecting() {
            self.session.resume();
        } else {
            self.session = new_session(self.number);
            self.life = Life::new(self.epoch);
        }
    }

    /// One frame of its program: plays, and puts what it has to send into the link. Returns datagrams.
    pub(crate) fn frame(&mut self, now_ms: u64) -> Vec<Vec<u8>> {
        self.play();
        let now = self.now(now_ms);
        self.session.update(now);
        if let Some(link) = &mut self.link {
            for (waiting, bytes) in
                link.waiting.iter_mut().zip([self.session.take_control(), self.session.take_chat()])
            {
                waiting.extend_from_slice(&bytes);
            }
        }
        std::iter::from_fn(|| self.session.poll_datagram()).collect()
    }

    /// Takes the events since the last call, and checks each.
    pub(crate) fn take_events(&mut self, now_ms: u64) -> anyhow::Result<()> {
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Control(frame) => {
                    self.life.take_control(&frame, self.epoch)?;
                    self.events_seen.push(1);
                }
                SessionEvent::Chat(chat) => {
                    self.life.take_chat(&chat, self.epoch)?;
                    self.events_seen.push(2);
                }
                SessionEvent::Game(event) => {
                    self.life.take_event(&event)?;
                    self.events_seen.push(3 + u64::from(event.tick.0));
                }
                SessionEvent::Over { code, text } => {
                    let life = std::mem::take(&mut self.life);
                    if life.player.0 != 0 {
                        let epoch = self.epoch;
                        self.past.push(PastLife { life, code, text, at_ms: now_ms, epoch });
                    }
                    self.link = None;
                    self.retired.extend(self.next.take());
                    self.rejoins = false;
                    self.next_session_ms = Some(now_ms + 500);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives its seat up, to join again.
    pub(crate) fn leave(&mut self) {
        if self.session.room().is_some() && self.life.stay.is_some() {
            let request = self.session.leave();
            self.life.asked.insert(request, Asked::Leave);
            self.rejoins = true;
        }
    }

    /// Its name in the room, another one in each life.
    pub(crate) fn name(&self) -> String {
        self.name_in(self.past.len())
    }

    /// Its name in the life of this number.
    pub(crate) fn name_in(&self, life: usize) -> String {
        format!("client {}.{life}", self.number)
    }

    fn play(&mut self) {
        if self.session.is_over() || self.session.welcome().is_none() {
            return;
        }
        let is_joining = self.life.asked.values().any(|asked| *asked == Asked::Join);
        if self.life.stay.is_none() && !is_joining {
            self.rejoins = false;
            let (room, name) = (RoomChoice::Named(ROOM.to_owned()), self.name());
            let request = self.session.join(room, &name);
            self.life.asked.insert(request, Asked::Join);
        }
        if self.life.stay.is_none() || self.rejoins {
            return;
        }
        if self.random.bits().is_multiple_of(12) {
            let helm = Helm { course: (self.random.bits() % 9) as u8 };
            let mut lanes = [0; LANES];
            helm.to_lanes(&mut lanes);
            self.session.hold(&lanes[..1]);
        }
        if std::mem::take(&mut self.wants_history) {
            let request = self.session.chat_history(None, 200);
            let newest = self.life.saved.last().copied().unwrap_or(0);
            self.life.asked.insert(request, Asked::History(newest));
        }
        if self.is_quiet {
            return;
        }
        if self.random.bits().is_multiple_of(50) {
            self.said += 1;
            let request = self.session.say(&format!("message {}", self.said));
            self.life.asked.insert(request, Asked::Say);
        }
        if self.random.bits().is_multiple_of(25) {
            self.life.orders += 1;
            let number = self.life.orders;
            let request = self.session.command(Some(0), &[order_lane(number)]);
            self.life.asked.insert(request, Asked::Order(number));
        }
    }
}

fn order_lane(number: u32) -> i32 {
    let mut lanes = [0; LANES];
    tickwire_shared::quantize::Kinds::to_lanes(&super::game::Order { number }, &mut lanes);
    lanes[0]
}

fn new_session(number: usize) -> Session {
    Session::resumable(&format!("sim {number}"), Some(schema_of::<Vault>()))
}
