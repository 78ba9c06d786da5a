//! No byte sent to a member depends on what it may not see.
//!
//! Every datagram and every part of a keyframe is read when it is sent, whether it arrives or not,
//! by a copy of the client's replica; the game's state in that tick must allow everything in it. A
//! second property covers the bytes that a decoder ignores: if hidden things change, not one byte
//! changes.

mod veil;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{CloseCode, RequestId, ServerFrame};
use tickwire_shared::input::{InputDatagram, InputHead};
use tickwire_shared::quantize::Kinds;
use tickwire_shared::replica::{Applied, Replica, SnapshotError};
use tickwire_shared::schema::Schema;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{EntityId, PlayerId, Tick, Viewer};

use crate::balls::Push;
use veil::{CALM_TICK, Rumour, Standing, TWIST, VICTIM, Veil};

/// Time for lost data to be repeated, and for far things to have their turn.
const END_TICK: u32 = CALM_TICK + 40;
/// Ticks between a client's looks: its area is that of one of these ticks.
const LOOK_TICKS: usize = 4;

struct Client {
    viewer: Viewer,
    seat: u8,
    replica: Replica,
    /// Snapshots that come late.
    in_flight: Vec<Vec<u8>>,
    stream: VecDeque<Vec<u8>>,
    parts: u8,
    acks: Vec<InputDatagram<Push>>,
    /// Its standing to each thing in the last ticks, the current one first.
    standings: VecDeque<BTreeMap<EntityId, Standing>>,
    /// Numbers of the rumours that it may hear.
    rumours: BTreeSet<u32>,
    /// All bytes sent to it.
    bytes: Vec<u8>,
}

struct Table {
    schema: Schema,
    room: Room<Veil>,
    clients: Vec<Client>,
    now: Instant,
}

/// The fate of a datagram.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Lost,
    Late,
    Arrives,
}

fn fate(number: u8) -> Fate {
    match number % 8 {
        0 => Fate::Lost,
        1 => Fate::Late,
        _ => Fate::Arrives,
    }
}

impl Table {
    fn new(seed: u64, snapshot_bytes_max: usize) -> Self {
        let config = RoomConfig {
            snapshot_bytes_max,
            // The property covers few kicks if a pause follows each.
            kick_pause_s: 0,
            ..RoomConfig::default()
        };
        let room = Room::new("veil".into(), seed, config);
        let schema = schema_of::<Veil>();
        let mut table = Table { schema, room, clients: Vec::new(), now: Instant::now() };
        table.join(VICTIM.0, false);
        table.join(2, false);
        table
    }

    fn join(&mut self, number: u32, spectator: bool) {
        let player = PlayerId(number);
        if self.clients.iter().any(|client| client.viewer.id() == player) {
            return;
        }
        let message = ToRoom::Join {
            request: RequestId(1),
            player,
            name: format!("p{number}"),
            account: None,
            profile: None,
            spectator,
            options: "".into(),
            datagram_bytes_max: 1200,
            resume: None,
            last_seat: 0,
        };
        self.room.handle(self.now, 0, message);
        let seat = std::iter::from_fn(|| self.room.poll()).find_map(|out| match out {
            FromRoom::Control { frame: ServerFrame::Joined { seat, .. }, .. } => Some(seat),
            _ => None,
        });
        // A kicked member may not return at once.
        let Some(seat) = seat else { return };
        let viewer = if spectator { Viewer::Spectator(player) } else { Viewer::Player(player) };
        self.clients.push(Client {
            viewer,
            seat,
            replica: Replica::new(&self.schema, seat),
            in_flight: Vec::new(),
            stream: VecDeque::new(),
            parts: 0,
            acks: Vec::new(),
            standings: VecDeque::new(),
            rumours: BTreeSet::new(),
            bytes: Vec::new(),
        });
    }

    /// A member other than the victim leaves, or the victim, who is the host, kicks it.
    fn part_with(&mut self, number: u32, is_kicked: bool) {
        let player = PlayerId(number);
        let request = RequestId(2);
        let message = match is_kicked {
            true => ToRoom::Kick { request, by: VICTIM, player, reason: String::new() },
            false => ToRoom::Leave { request: Some(request), player, code: CloseCode::Normal },
        };
        self.room.handle(self.now, 0, message);
        let is_out = |out| matches!(out, FromRoom::Released { player: whose } if whose == player);
        if std::iter::from_fn(|| self.room.poll()).fold(false, |any, out| any | is_out(out)) {
            self.clients.retain(|client| client.viewer.id() != player);
        }
    }

    fn tick(&mut self, mut number: impl FnMut() -> u8) {
        self.now += Duration::from_micros(16_667);
        match number() {
            who @ 0..=23 => self.join(3 + u32::from(who % 4), who >= 16),
            who @ 24..=30 => self.part_with(2 + u32::from(who % 5), who.is_multiple_of(2)),
            _ => {}
        }
        for client in &mut self.clients {
            for datagram in std::mem::take(&mut client.acks) {
                match fate(number()) {
                    Fate::Lost => {}
                    Fate::Late => client.acks.push(datagram),
                    Fate::Arrives => {
                        let (player, at) = (client.viewer.id(), self.now);
                        self.room.handle(self.now, 0, ToRoom::Input { player, at, datagram });
                    }
                }
            }
        }
        self.room.step(self.now);
        for client in &mut self.clients {
            client.note(self.room.simulation());
        }
        let tick = self.room.tick();
        while let Some(out) = self.room.poll() {
            let FromRoom::Control { player, frame } = out else { continue };
            let ServerFrame::Keyframe(part) = frame else { continue };
            client_of(&mut self.clients, player).part(part, tick);
        }
        let datagrams: Vec<(PlayerId, Vec<u8>)> =
            self.room.datagrams().map(|(player, bytes)| (player, bytes.to_vec())).collect();
        for (player, bytes) in datagrams {
            client_of(&mut self.clients, player).snapshot(bytes, tick, fate(number()));
        }
        for client in &mut self.clients {
            // A stream delivers everything in order, with any delay.
            while !client.stream.is_empty() && fate(number()) == Fate::Arrives {
                let part = client.stream.pop_front().expect("there is one");
                client.replica.apply_keyframe(&part, tick).expect("every part is good");
                client.parts = client.parts.wrapping_add(1);
            }
            client.acknowledge(tick);
        }
    }

    /// After a while without losses and changes, every client has all that it sees.
    fn assert_all_is_seen(&self) {
        for client in &self.clients {
            let known: BTreeSet<EntityId> =
                client.replica.entities().iter().map(|entity| entity.id).collect();
            let standings = &client.standings[0];
            for (id, standing) in standings {
                let must = standing.is_allowed && standing.is_clear && standing.is_in_area;
                assert!(
                    known.contains(id) || !(standing.is_own || must),
                    "{:?} lacks {id:?}: {standing:?}",
                    client.viewer
                );
                let may = standing.is_own || standing.is_allowed && standing.is_near_area;
                assert!(may || !known.contains(id), "{:?} has {id:?}: {standing:?}", client.viewer);
            }
            assert!(known.iter().all(|id| standings.contains_key(id)), "there are ghosts");
        }
    }
}

fn client_of(clients: &mut [Client], player: PlayerId) -> &mut Client {
    clients.iter_mut().find(|client| client.viewer.id() == player).expect("it is a member")
}

impl Client {
    /// Records its standing to the game's things in this tick.
    fn note(&mut self, veil: &Veil) {
        let standing = |id| Some((id, veil.standing(self.viewer, id)?));
        self.standings.push_front(veil.ids().filter_map(standing).collect());
        self.standings.truncate(LOOK_TICKS);
        self.rumours.extend(veil.heard(self.viewer));
    }

    fn part(&mut self, part: Vec<u8>, tick: Tick) {
        self.bytes.extend(&part);
        let mut read = self.replica.clone();
        let before: BTreeSet<EntityId> = ids_of(tick, &read);
        read.apply_keyframe(&part, tick).expect("every part is good");
        for id in ids_of(tick, &read).difference(&before) {
            self.assert_may_have(*id, "a keyframe");
        }
        self.stream.push_back(part);
    }

    fn snapshot(&mut self, bytes: Vec<u8>, tick: Tick, fate: Fate) {
        self.bytes.extend(&bytes);
        if fate == Fate::Arrives {
            let applied = self.replica.apply(&bytes, tick).expect("it is the newest");
            self.read(&self.replica, &applied);
        } else {
            let mut read = self.replica.clone();
            let applied = read.apply(&bytes, tick).expect("it is the newest");
            self.read(&read, &applied);
        }
        for late in std::mem::take(&mut self.in_flight) {
            let came = self.replica.apply(&late, tick);
            assert!(came.is_ok() || came.is_err_and(|error| error == SnapshotError::Late));
        }
        if fate == Fate::Late {
            self.in_flight.push(bytes);
        }
    }

    /// Checks everything in a snapshot.
    fn read(&self, after: &Replica, applied: &Applied) {
        for id in ids_of(applied.tick, after) {
            self.assert_may_have(id, "a snapshot");
        }
        for event in &applied.events {
            let rumour = Rumour::from_lanes(event.kind, &event.lanes).expect("of this game");
            let may = self.rumours.contains(&rumour.number);
            assert!(may, "{:?} hears of rumour {}", self.viewer, rumour.number);
        }
    }

    fn assert_may_have(&self, id: EntityId, what: &str) {
        let standing = self.standings[0].get(&id).copied().unwrap_or_default();
        let mut looks = self.standings.iter().filter_map(|tick| tick.get(&id));
        let was_in_area = looks.any(|standing| standing.is_near_area);
        let may = standing.is_own || standing.is_allowed && was_in_area;
        assert!(may, "{:?} has {id:?} by {what}: {standing:?}", self.viewer);
    }

    fn acknowledge(&mut self, tick: Tick) {
        let head = InputHead {
            seat: self.seat,
            ack: self.replica.ack(),
            newest_low16: tick.offset(2).low16(),
            view_delay: 0,
            keyframes: (self.parts > 0).then_some(self.parts),
        };
        self.acks.push(InputDatagram { head, inputs: vec![Push { x: 0 }] });
    }
}

/// The things of which a replica has a state of `tick`.
fn ids_of(tick: Tick, replica: &Replica) -> BTreeSet<EntityId> {
    let told = replica.entities().iter().filter(|entity| {
        let states = &entity.states;
        states.tick(states.len() - 1) == tick
    });
    told.map(|entity| entity.id).collect()
}

fn play(seed: u64, fates: &[u8], snapshot_bytes_max: usize) -> Table {
    let mut table = Table::new(seed, snapshot_bytes_max);
    let mut at = 0;
    for _ in 1..CALM_TICK {
        table.tick(|| {
            at += 1;
            fates[at % fates.len()]
        });
    }
    for _ in CALM_TICK..=END_TICK {
        table.tick(|| 63);
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((crate::cases() / 4).max(200)))]
    #[test]
    fn clients_get_all_that_they_may_see_and_nothing_else(
        seed in 0..TWIST, fates in prop::collection::vec(any::<u8>(), 1..400),
        snapshot_bytes_max in prop_oneof![Just(1200usize), 80usize..300],
    ) {
        play(seed, &fates, snapshot_bytes_max).assert_all_is_seen();
    }

    #[test]
    fn hidden_things_change_no_byte(
        seed in 0..TWIST, fates in prop::collection::vec(any::<u8>(), 1..400),
    ) {
        let [straight, twisted] = [seed, seed | TWIST].map(|seed| play(seed, &fates, 1200));
        let bytes = |table: &Table| {
            let victim = table.clients.iter().find(|client| client.viewer.id() == VICTIM);
            victim.expect("nobody removes the host").bytes.clone()
        };
        prop_assert!(bytes(&straight) == bytes(&twisted));
    }
}
