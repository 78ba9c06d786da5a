//! Bots of the server's own: who plays, who is told, and that a replay has the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{CloseCode, RefuseCode, RequestId, ServerFrame};
use tickwire_shared::{
    Capture, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, RoomPolicy, Simulation,
    Tick,
};

use crate::balls::{Ball, Push};

/// A game that writes down what it is told.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Diary {
    /// Whether it is a bot, and the sum of what it held.
    playing: BTreeMap<PlayerId, (bool, i64)>,
    joined: Vec<(u32, String)>,
    left: Vec<(u32, String)>,
}

/// What a bot holds: another thing for each bot, tick and past.
fn held_by_bot(bot: PlayerId, tick: Tick, sum: i64) -> Push {
    let x = (i64::from(bot.0) * 7 + i64::from(tick.0) * 3 + sum).rem_euclid(3) - 1;
    Push { x: x as i8 }
}

#[tickwire_shared::game]
impl Simulation for Diary {
    const NAME: &'static str = "diary";
    type Input = Push;
    type Entity = Ball;

    fn new(_room: &NewRoom<Self>) -> Self {
        Diary::default()
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.joined.push((player.id.0, player.name.to_owned()));
        assert!(self.playing.insert(player.id, (player.is_bot, 0)).is_none());
    }

    fn leave(&mut self, player: PlayerId, reason: LeaveReason) {
        self.left.push((player.0, format!("{reason:?}")));
        self.playing.remove(&player).expect("it played");
    }

    fn bot_input(&self, bot: PlayerId, tick: Tick) -> Push {
        held_by_bot(bot, tick, self.playing[&bot].1)
    }

    fn step(&mut self, inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {
        assert_eq!(inputs.iter().count(), self.playing.len(), "one input for each who plays");
        for (player, (is_bot, sum)) in &mut self.playing {
            if *is_bot {
                assert_eq!(inputs.get(*player), held_by_bot(*player, inputs.tick(), *sum));
            }
            assert_eq!(inputs.view_delay_ticks(*player), 0.0);
            *sum += i64::from(inputs.get(*player).x);
        }
    }

    fn capture(&self, _world: &mut Capture<Ball>) {}
}

const FIRST_BOT: u32 = 20;

/// A room, and what each member was told of who is here: its number, whether it is a bot.
struct Hall {
    room: Room<Diary>,
    now: Instant,
    told: BTreeMap<u32, BTreeMap<u32, bool>>,
    refused: Vec<RefuseCode>,
}

impl Hall {
    fn new(policy: &RoomPolicy) -> Hall {
        let room = Room::new("hall".to_owned(), 1, RoomConfig::default());
        let room = room.with_policy(policy, PlayerId(FIRST_BOT));
        Hall { room, now: Instant::now(), told: BTreeMap::new(), refused: Vec::new() }
    }

    fn join(&mut self, player: u32, name: &str, spectator: bool) {
        self.handle(ToRoom::Join {
            request: RequestId(1),
            player: PlayerId(player),
            name: name.to_owned(),
            account: None,
            profile: None,
            spectator,
            options: "".into(),
            datagram_bytes_max: 1200,
            resume: None,
            last_seat: 0,
        });
    }

    fn leave(&mut self, player: u32, code: CloseCode) {
        self.handle(ToRoom::Leave { request: None, player: PlayerId(player), code });
        self.told.remove(&player);
    }

    fn handle(&mut self, message: ToRoom<Push>) {
        self.now += Duration::from_secs(1);
        self.room.handle(self.now, 0, message);
        self.hear();
    }

    fn step(&mut self) {
        self.room.step(self.now);
        self.hear();
    }

    fn hear(&mut self) {
        while let Some(out) = self.room.poll() {
            match out {
                FromRoom::Control { player, frame } => self.hear_one(player, &frame),
                FromRoom::ControlAll { players, frame } => {
                    players.iter().for_each(|player| self.hear_one(*player, &frame));
                }
                _ => {}
            }
        }
    }

    fn hear_one(&mut self, player: PlayerId, frame: &ServerFrame) {
        match frame {
            ServerFrame::Joined { members, room, .. } => {
                let members = members.iter().map(|member| (member.player.0, member.bot));
                let members: BTreeMap<u32, bool> = members.collect();
                assert_eq!(room.bots as usize, members.values().filter(|bot| **bot).count());
                self.told.insert(player.0, members);
            }
            ServerFrame::MemberJoined(member) => {
                let known = self.told.get_mut(&player.0).expect("it is in the room");
                assert!(known.insert(member.player.0, member.bot).is_none());
            }
            ServerFrame::MemberLeft { player: who, .. } => {
                let known = self.told.get_mut(&player.0).expect("it is in the room");
                assert!(known.remove(&who.0).is_some());
            }
            ServerFrame::Host(Some(host)) => assert!(host.0 < FIRST_BOT, "no bot is host"),
            ServerFrame::Refused { code, .. } => self.refused.push(*code),
            _ => {}
        }
    }

    fn joined(&self) -> Vec<(u32, &str)> {
        let joined = &self.room.simulation().joined;
        joined.iter().map(|(player, name)| (*player, name.as_str())).collect()
    }

    fn bots(&self) -> Vec<u32> {
        let playing = &self.room.simulation().playing;
        playing.iter().filter(|(_, (bot, _))| *bot).map(|(player, _)| player.0).collect()
    }
}

fn filled_to(bots: u32) -> RoomPolicy {
    let bot_names = vec!["Vega".to_owned(), "Mira".to_owned()];
    RoomPolicy { bots: Some(bots), bot_names, ..RoomPolicy::default() }
}

#[test]
fn bots_fill_the_room_make_way_for_people_and_come_back() {
    let mut hall = Hall::new(&filled_to(3));
    assert_eq!((hall.bots(), hall.room.info().bots), (vec![], 0), "nobody is here yet");
    hall.join(1, "Ann", false);
    assert_eq!(hall.joined(), [(1, "Ann"), (20, "Vega"), (21, "Mira")]);
    let info = hall.room.info();
    assert_eq!((info.players, info.bots), (1, 2), "bots are counted for themselves");
    hall.join(2, "mira", false);
    assert_eq!(hall.bots(), [20], "the one whose name is wanted");
    hall.join(3, "vega", true);
    assert_eq!(hall.refused, [RefuseCode::NameTaken], "a spectator takes no place of a bot");
    hall.join(3, "Cy", false);
    hall.join(4, "Di", false);
    assert_eq!(hall.bots(), [0; 0]);
    let replaced = |by: u32| format!("{:?}", LeaveReason::Replaced { by: PlayerId(by) });
    assert_eq!(hall.room.simulation().left, [(21, replaced(2)), (20, replaced(3))]);
    hall.leave(1, CloseCode::Normal);
    assert_eq!(hall.bots(), [0; 0], "three are left");
    hall.leave(3, CloseCode::Normal);
    assert_eq!(hall.joined().last(), Some(&(20, "Vega")));
    hall.leave(4, CloseCode::ConnectionLost);
    assert_eq!(hall.joined().last(), Some(&(21, "Bot 1")), "somebody is called mira");
    assert_eq!(hall.room.simulation().left.last(), Some(&(4, "Lost".to_owned())));
}

#[test]
fn a_bot_goes_on_for_who_was_lost_if_the_policy_says_so() {
    let policy = RoomPolicy { bots_replace_lost: true, ..RoomPolicy::default() };
    let mut hall = Hall::new(&policy);
    (1..=3).for_each(|player| hall.join(player, &format!("p{player}"), false));
    hall.leave(1, CloseCode::Normal);
    assert_eq!(hall.bots(), [0; 0]);
    hall.leave(2, CloseCode::ConnectionLost);
    assert_eq!(hall.bots(), [20]);
    let by_bot = format!("{:?}", LeaveReason::Replaced { by: PlayerId(20) });
    assert_eq!(hall.room.simulation().left.last(), Some(&(2, by_bot)));
    hall.join(4, "p4", false);
    assert_eq!(hall.bots(), [0; 0]);
    hall.leave(4, CloseCode::Normal);
    hall.leave(3, CloseCode::ConnectionLost);
    assert!(hall.room.is_empty() && hall.bots().is_empty(), "nobody would see it");
}

#[test]
fn bots_do_not_keep_a_room_busy_and_are_there_for_the_next() {
    let mut hall = Hall::new(&filled_to(3));
    hall.join(1, "Ann", false);
    hall.step();
    hall.leave(1, CloseCode::Normal);
    assert!(hall.room.is_empty());
    assert_eq!(hall.bots(), [20, 21]);
    hall.join(2, "Bob", true);
    assert_eq!(hall.bots(), [20, 21, 22], "a spectator sees a whole game");
    assert_eq!(hall.told[&2].len(), 4);
    hall.step();
}

#[test]
fn a_bot_is_not_removed_by_the_host() {
    let mut hall = Hall::new(&filled_to(2));
    hall.join(1, "Ann", false);
    hall.handle(ToRoom::Kick {
        request: RequestId(2),
        by: PlayerId(1),
        player: PlayerId(FIRST_BOT),
        reason: String::new(),
    });
    assert_eq!(hall.refused, [RefuseCode::KickNotAllowed]);
    assert_eq!(hall.bots(), [20]);
}

/// What happens in a room.
#[derive(Clone, Debug)]
enum Act {
    Join { player: u32, name: usize, spectator: bool },
    Leave { player: u32, code: CloseCode },
    Step,
}

const NAMES: [&str; 7] = ["Ann", "Bob", "Vega", "mira", "Bot 1", "bot 3", "Cy"];

fn act() -> impl Strategy<Value = Act> {
    let code = prop_oneof![Just(CloseCode::Normal), Just(CloseCode::ConnectionLost)];
    prop_oneof![
        (1..6u32, 0..NAMES.len(), prop::bool::weighted(0.2))
            .prop_map(|(player, name, spectator)| Act::Join { player, name, spectator }),
        (1..6u32, code).prop_map(|(player, code)| Act::Leave { player, code }),
        Just(Act::Step),
    ]
}

fn play(policy: &RoomPolicy, acts: &[Act]) -> Vec<u8> {
    let mut hall = Hall::new(policy);
    let seats = policy.seats.unwrap_or(1000) as usize;
    for act in acts {
        let before = hall.room.info();
        hall.refused.clear();
        match act {
            Act::Join { player, name, spectator } => hall.join(*player, NAMES[*name], *spectator),
            Act::Leave { player, code } => hall.leave(*player, *code),
            Act::Step if hall.room.is_empty() => {}
            Act::Step => hall.step(),
        }
        let (info, bots) = (hall.room.info(), hall.bots());
        if hall.refused.contains(&RefuseCode::RoomFull) {
            assert!(before.players as usize == seats, "only people take seats: {before:?}");
        }
        let playing: BTreeSet<u32> =
            hall.room.simulation().playing.keys().map(|player| player.0).collect();
        assert!(playing.len() <= seats);
        assert_eq!(bots.len(), info.bots as usize);
        assert_eq!(playing.len(), (info.players + info.bots) as usize);
        if !hall.room.is_empty() && !policy.bots_replace_lost {
            let wanted = policy.bots.unwrap_or(0).min(seats as u32);
            assert_eq!(info.bots, wanted.saturating_sub(info.players));
        }
        for known in hall.told.values() {
            let known_bots: Vec<u32> =
                known.iter().filter(|(_, bot)| **bot).map(|(player, _)| *player).collect();
            assert_eq!(known_bots, bots, "everyone knows the bots");
            assert!(playing.iter().all(|player| known.contains_key(player)));
        }
    }
    serde_json::to_vec(hall.room.simulation()).unwrap()
}

proptest! {
    #[test]
    fn bots_take_nothing_from_people_and_a_replay_has_the_same(
        acts in prop::collection::vec(act(), 1..80),
        bots in prop::option::of(0..6u32),
        seats in 1..5u32,
        bots_replace_lost in any::<bool>(),
    ) {
        let seats = Some(seats);
        let bot_names = vec!["Vega".to_owned(), "Mira".to_owned()];
        let policy =
            RoomPolicy { bots, seats, bot_names, bots_replace_lost, ..RoomPolicy::default() };
        prop_assert_eq!(play(&policy, &acts), play(&policy, &acts));
    }
}
