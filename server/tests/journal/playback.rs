//! A room that shows a journal: its viewer has the players and the static data of the tick, however it is sought.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{
    FromRoom, JournalEntry, JournalHead, PlaybackStep, Replay, Room, SeatRole, TickRecord, ToRoom,
};
use tickwire_shared::control::{CloseCode, RequestId, ServerFrame};
use tickwire_shared::{
    Capture, EntityId, Inputs, LeaveReason, NewPlayer, NewRoom, NoCommand, NoEvent, Outbox,
    PlayerId, Replicate, RoomPolicy, Simulation, StaticData, Tick,
};

use crate::race::Pedal;

const VIEWER: PlayerId = PlayerId(500);
const TICKS: u32 = 120;

/// What is seen of the game.
#[derive(Clone, Replicate)]
struct Count {
    players: u32,
}

/// Writes its static data anew, changes a part of it, or clears it, tick by tick.
#[derive(Debug, Serialize, Deserialize)]
struct Signs {
    signs: BTreeMap<u8, Vec<u8>>,
    players: u32,
}

impl Simulation for Signs {
    const NAME: &'static str = "signs";
    type Input = Pedal;
    type Entity = Count;
    type Event = NoEvent;
    type Command = NoCommand;
    type RoomOptions = ();
    type JoinOptions = ();
    type Profile = ();

    fn new(_room: &NewRoom<'_, Self>) -> Self {
        Signs { signs: [(9, vec![1, 2, 3])].into(), players: 0 }
    }

    fn join(&mut self, _player: &NewPlayer<'_, Self>) {
        self.players += 1;
    }

    fn leave(&mut self, _player: PlayerId, _reason: LeaveReason) {
        self.players -= 1;
    }

    fn step(&mut self, inputs: &Inputs<'_, Self>, outbox: &mut Outbox<Self>) {
        let Tick(tick) = inputs.tick();
        let (key, mark) = ((tick / 5 % 3) as u8, tick as u8);
        match tick % 10 {
            2 | 6 => {
                let bytes = vec![mark; 3 + usize::from(mark % 5)];
                outbox.static_data().set(key, bytes.clone());
                self.signs.insert(key, bytes);
            }
            3 | 7 => {
                if let Some(bytes) = self.signs.get_mut(&key) {
                    bytes[1] = mark;
                    outbox.static_data().change(key, 1, [mark]);
                }
            }
            9 => {
                outbox.static_data().set(key, []);
                self.signs.remove(&key);
            }
            _ => {}
        }
    }

    fn static_data(&self, data: &mut StaticData) {
        self.signs.iter().for_each(|(key, bytes)| data.set(*key, bytes.clone()));
    }

    fn capture(&self, world: &mut Capture<Count>) {
        world.show(EntityId(1), Count { players: self.players });
    }
}

/// A match of players who come and go.
fn record() -> (JournalHead, Vec<TickRecord>) {
    let config = RoomConfig::default();
    let head = JournalHead::new::<Signs>(("wall", 1), &"".into(), &config);
    let mut room = Room::<Signs>::new("wall".to_owned(), 1, config);
    room.start_journal(0);
    let now = Instant::now();
    let mut records = Vec::new();
    for tick in 0..TICKS {
        let player = PlayerId(1 + tick % 7);
        match tick % 4 {
            0 => room.handle(now, 0, join(player, false)),
            1 => {
                let (request, code) = (None, CloseCode::Normal);
                let player = PlayerId(1 + tick % 5);
                room.handle(now, 0, ToRoom::Leave { request, player, code });
            }
            _ => {}
        }
        room.step(now + Duration::from_millis(u64::from(tick)));
        while room.poll().is_some() {}
        match JournalEntry::from_bytes(&room.poll_journal().unwrap()).unwrap() {
            JournalEntry::Tick(record) => records.push(record),
            JournalEntry::Closed => panic!("nobody closed it"),
        }
    }
    (head, records)
}

fn join(player: PlayerId, spectator: bool) -> ToRoom<Pedal> {
    ToRoom::Join {
        request: RequestId(1),
        player,
        name: format!("p{}", player.0),
        account: None,
        profile: None,
        spectator,
        options: "".into(),
        datagram_bytes_max: 1200,
        resume: None,
        last_seat: 0,
    }
}

/// What a client that watches has of a room.
#[derive(Default)]
struct Viewer {
    names: BTreeMap<PlayerId, String>,
    signs: BTreeMap<u8, Vec<u8>>,
}

impl Viewer {
    fn hear(&mut self, room: &mut Room<Signs>) {
        while let Some(message) = room.poll() {
            match message {
                FromRoom::StaticData { key, blob, .. } => {
                    let bytes = blob.map(|blob| blob.bytes.to_vec());
                    self.signs.remove(&key);
                    self.signs.extend(bytes.map(|bytes| (key, bytes)));
                }
                FromRoom::Control { frame, .. } | FromRoom::ControlAll { frame, .. } => {
                    self.take(frame);
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Joined { members, .. } => {
                self.names = members.into_iter().map(|it| (it.player, it.name)).collect();
            }
            ServerFrame::MemberJoined(member) => {
                self.names.insert(member.player, member.name);
            }
            ServerFrame::MemberLeft { player, .. } => {
                assert!(self.names.remove(&player).is_some(), "{player:?} was not here");
            }
            ServerFrame::StaticChanged { key, changes, .. } => {
                for change in changes {
                    let at = change.offset as usize;
                    let bytes = self.signs.get_mut(&key).unwrap();
                    bytes[at..at + change.bytes.len()].copy_from_slice(&change.bytes);
                }
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn who_watches_has_the_players_and_the_static_data_of_the_tick(
        acts in prop::collection::vec((0..4_u8, 0..TICKS), 1..40),
        joins_at in 0..10_usize,
    ) {
        let (head, records) = record();
        let replay_at = |tick: u32| {
            let mut replay = Replay::<Signs>::new(&head).unwrap();
            records[..tick as usize].iter().for_each(|record| replay.step(record).unwrap());
            replay
        };
        let config = RoomConfig { players_max: 0, ..RoomConfig::default() };
        let policy = RoomPolicy::default();
        let mut room = Room::of_replay(Box::new(replay_at(0)), "wall", config, &policy);
        let (mut viewer, now) = (Viewer::default(), Instant::now());
        let mut tick = 0;
        for (number, (ticks, to)) in acts.into_iter().enumerate() {
            if number == joins_at {
                room.handle(now, 0, join(VIEWER, true));
            }
            let jump = (to % 3 == 0).then(|| Box::new(replay_at(to)));
            tick = if jump.is_some() { to } else { tick };
            let end = (tick + u32::from(ticks)).min(TICKS);
            let next = records[tick as usize..end as usize].to_vec();
            tick = end;
            room.play(PlaybackStep { jump, records: next });
            room.step(now);
            if number < joins_at {
                while room.poll().is_some() {}
                continue;
            }
            viewer.hear(&mut room);
            let wanted = replay_at(tick);
            let (shown, failure) = room.shown_replay().unwrap();
            prop_assert_eq!((shown.tick(), shown.hash(), failure), (Tick(tick), wanted.hash(), None));
            prop_assert_eq!(&viewer.signs, &wanted.simulation().signs, "tick {}", tick);
            let seated = wanted.all_members().filter(|it| it.role != SeatRole::Spectator);
            let mut names: BTreeMap<_, _> = seated.map(|it| (it.player, it.name.clone())).collect();
            names.insert(VIEWER, "p500".to_owned());
            prop_assert_eq!(&viewer.names, &names, "tick {}", tick);
        }
    }
}
