//! A bot on the real client core, and its screen.

use std::time::{Duration, Instant};

use tickwire_client::session::component::push_components;
use tickwire_client::session::{RoomSession, Session, SessionEvent};
use tickwire_shared::control::{ServerFrame, ServerRun, write_frame};
use tickwire_shared::quantize::{Kinds as _, Lanes};
use tickwire_shared::replica;
use tickwire_shared::schema::{KindSchema, LANES_MAX};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{EntityId, PlayerId, Tick};

use super::game::{Flown, kind_of};
use super::inputs::InputLog;
use super::motion::Motion;
use super::own::OwnShip;
use super::websocket::WebSocket;
use super::{Ships, Transport};
use crate::network::{Link, Weather};

/// Frames between two decisions of a bot, as in the swarm.
const FRAMES_PER_DECISION: u64 = 3;

/// One client and its path to the server.
pub(crate) struct Player<G: Flown> {
    pub(crate) id: PlayerId,
    pub(crate) way: Way,
    pub(crate) frame_period: Duration,
    pub(crate) inputs: InputLog,
    pub(crate) shown: Shown,
    session: Session,
    pilot: G::Pilot,
    frames: u64,
    ship: (u8, KindSchema),
}

/// The path of datagrams between a client and the server.
#[derive(Debug)]
pub(crate) enum Way {
    /// QUIC, with either protocol on it.
    Datagrams {
        up: Box<Link>,
        down: Box<Link>,
    },
    WebSocket(Box<WebSocket>),
}

/// Figures of the screen.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// Remote ships, counted in each frame.
    pub(crate) ships: u64,
    /// Of those, ships without a state left to show.
    pub(crate) starved: u64,
    pub(crate) motion: Motion,
    /// The own ship.
    pub(crate) own: OwnShip,
    /// Pickups of the own ship that the server reported and that were not predicted.
    pub(crate) pickups_missed: u64,
    /// Ticks from the shown to the server's, summed over `frames`.
    pub(crate) behind_ticks: f64,
    pub(crate) frames: u64,
}

impl<G: Flown> Player<G> {
    pub(crate) fn new(
        number: u32,
        (seed, ships): (u64, Ships),
        way: Way,
        frame_period: Duration,
    ) -> Self {
        let id = PlayerId(number);
        let schema = schema_of::<G>();
        let mut session = Session::new("feel", None);
        session.predict::<G>();
        session.show_by(G::KIND, ships.mode());
        let server = "feel".to_owned();
        let ship = kind_of::<G>();
        let (resume, resume_grace_ms, run) = (None, 0, ServerRun::default());
        let welcome =
            ServerFrame::Welcome { server, player: id, schema, resume, resume_grace_ms, run };
        handle_control(&mut session, Duration::ZERO, &bytes_of(&welcome));
        Player {
            id,
            way,
            frame_period,
            inputs: InputLog::default(),
            shown: Shown::default(),
            session,
            pilot: G::pilot(seed),
            frames: 0,
            ship,
        }
    }

    /// Handles a frame of the control stream.
    pub(crate) fn handle_control(&mut self, now: Duration, frame: &[u8]) {
        handle_control(&mut self.session, now, frame);
    }

    /// Handles a snapshot.
    pub(crate) fn handle_datagram(&mut self, now: Duration, bytes: &[u8], is_counted: bool) {
        self.session.handle_datagram(now, bytes);
        if let Some(prediction) = self.session.room().and_then(RoomSession::prediction) {
            self.shown.own.corrected::<G>(now, prediction, is_counted);
        }
        while let Some(event) = self.session.poll_event() {
            if let SessionEvent::Game(told) = event
                && is_counted
            {
                self.shown.pickups_missed += u64::from(G::is_pickup(&told, self.id));
            }
        }
    }

    /// Draws one frame, `server_ticks` after the room began. Returns the datagrams to send.
    pub(crate) fn frame(
        &mut self,
        now: Duration,
        server_ticks: f64,
        is_counted: bool,
    ) -> Vec<Vec<u8>> {
        self.frames += 1;
        if let Some(room) = self.session.room()
            && self.frames.is_multiple_of(FRAMES_PER_DECISION)
        {
            let seen = room.replica().entities().iter().filter_map(newest::<G>).collect();
            let controls = G::decide(&mut self.pilot, self.id, seen);
            let mut lanes = [0; LANES_MAX];
            Lanes::to_lanes(&controls, &mut lanes);
            self.shown.own.turn(G::turns(&<G::Input as Lanes>::from_lanes(&lanes)));
            self.session.hold(&lanes);
        }
        self.session.update(now);
        if let Some(room) = self.session.room() {
            let passed_s = self.frame_period.as_secs_f64();
            self.shown.own.look::<G>(now, room, (self.id, &self.ship.1), is_counted);
            let me = (self.id, &self.ship);
            self.shown.look::<G>(room, me, server_ticks, passed_s, is_counted);
        }
        std::iter::from_fn(|| self.session.poll_datagram()).collect()
    }
}

impl Way {
    /// Over two links of its own, seeded by the player's seed.
    pub(crate) fn new(transport: Transport, weather: Weather, seed: u64, zero: Instant) -> Self {
        let of = |way: u64| Link::new(weather, seed.wrapping_mul(1_000_003) ^ (way << 32));
        let (up, down) = (of(1), of(2));
        match transport {
            Transport::Quic => Way::Datagrams { up: Box::new(up), down: Box::new(down) },
            Transport::Websocket => Way::WebSocket(Box::new(WebSocket::new([up, down], zero))),
        }
    }
}

impl Shown {
    fn look<G: Flown>(
        &mut self,
        room: &RoomSession,
        (me, (ship, kind)): (PlayerId, &(u8, KindSchema)),
        server_ticks: f64,
        passed_s: f64,
        is_counted: bool,
    ) {
        let (Some((tick, part)), Some(newest)) = (room.shown_tick(), room.replica().newest())
        else {
            return;
        };
        let is_other = |id: EntityId, kind: u8| kind == *ship && id != EntityId::of_player(me);
        self.motion.begin_frame();
        let mut components: Vec<f64> = Vec::new();
        room.for_each_shown(|seen| {
            if is_other(seen.id, seen.kind) {
                components.clear();
                push_components(kind, seen.lanes, &mut components);
                let mut place = [0.0; 3];
                place[..G::AXES].copy_from_slice(&components[..G::AXES]);
                self.motion.see(seen.id, place, passed_s, is_counted);
            }
        });
        if !is_counted {
            return;
        }
        let shown = |than: Tick| f64::from(tick.since(than)) + part;
        self.frames += 1;
        if let Some((tick, part)) = room.shown_tick_of(*ship) {
            self.behind_ticks += server_ticks - (f64::from(tick.since(Tick(0))) + part);
        }
        for entity in room.replica().entities() {
            if is_other(entity.id, entity.kind) {
                let last = entity.states.tick(entity.states.len() - 1);
                let ends = shown(newest) >= 0.0 || (shown(last) > 0.0 && moves::<G>(entity));
                self.ships += 1;
                self.starved += u64::from(ends);
            }
        }
    }
}

/// The bytes of a frame on the control stream.
pub(crate) fn bytes_of(frame: &ServerFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(frame, &mut bytes);
    bytes
}

fn handle_control(session: &mut Session, now: Duration, frame: &[u8]) {
    session.handle_control(now, frame).expect("the room speaks the protocol");
    session.take_control();
    while session.poll_event().is_some() {}
}

fn newest<G: Flown>(entity: &replica::Entity) -> Option<(EntityId, G::Entity)> {
    let mut lanes = [0; LANES_MAX];
    entity.states.copy_to(entity.states.len() - 1, &mut lanes);
    Some((entity.id, G::Entity::from_lanes(entity.kind, &lanes)?))
}

fn moves<G: Flown>(entity: &replica::Entity) -> bool {
    let flight = newest::<G>(entity).and_then(|(_, entity)| G::flight(&entity));
    flight.is_some_and(|(_, speed)| speed > 0.0)
}
