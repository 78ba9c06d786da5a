//! Answers of a room and its game to joins.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{RefuseCode, RequestId, ServerFrame};
use tickwire_shared::{
    Capture, Inputs, LeaveReason, NewPlayer, NewRoom, Outbox, PlayerId, Refusal, RoomPolicy,
    Simulation,
};

use crate::balls::{Ball, Push};

/// Players on two teams, whose size is a room option.
#[derive(Serialize, Deserialize)]
struct Teams {
    size: usize,
    players: Vec<(PlayerId, u8)>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Size {
    size: usize,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Team {
    team: u8,
}

const TEAM_FULL: u16 = 3;

#[tickwire_shared::game]
impl Simulation for Teams {
    const NAME: &'static str = "teams";
    type Input = Push;
    type Entity = Ball;
    type RoomOptions = Size;
    type JoinOptions = Team;

    fn may_join(&self, player: &NewPlayer<Self>) -> Result<(), Refusal> {
        let team = player.options.team;
        let members = self.players.iter().filter(|(_, other)| *other == team).count();
        match members < self.size {
            true => Ok(()),
            false => Err(Refusal::new(TEAM_FULL, format!("team {team} is full"))),
        }
    }

    fn new(room: &NewRoom<Self>) -> Self {
        Teams { size: room.options.size, players: Vec::new() }
    }

    fn join(&mut self, player: &NewPlayer<Self>) {
        self.players.push((player.id, player.options.team));
    }

    fn leave(&mut self, player: PlayerId, _reason: LeaveReason) {
        self.players.retain(|(other, _)| *other != player);
    }

    fn step(&mut self, _inputs: &Inputs<Self>, _outbox: &mut Outbox<Self>) {}

    fn capture(&self, _world: &mut Capture<Ball>) {}
}

fn room(size: usize, policy: &RoomPolicy) -> Room<Teams> {
    let new = NewRoom { seed: 1, name: "hall", options: Size { size } };
    Room::with_options(&new, RoomConfig::default()).with_policy(policy, PlayerId(1000))
}

/// The answer to a join with these options; `None` joins as a spectator.
fn join(
    room: &mut Room<Teams>,
    player: u32,
    options: Option<&str>,
) -> Result<(), (RefuseCode, String)> {
    let message = ToRoom::Join {
        request: RequestId(1),
        player: PlayerId(player),
        name: format!("p{player}"),
        account: None,
        profile: None,
        spectator: options.is_none(),
        options: options.unwrap_or("no JSON").into(),
        datagram_bytes_max: 1200,
        resume: None,
        last_seat: 0,
    };
    room.handle(Instant::now(), 0, message);
    let mut answers = std::iter::from_fn(|| room.poll()).filter_map(|out| match out {
        FromRoom::Control { frame: ServerFrame::Joined { .. }, .. } => Some(Ok(())),
        FromRoom::Control { frame: ServerFrame::Refused { code, text, .. }, .. } => {
            Some(Err((code, text)))
        }
        _ => None,
    });
    answers.next().expect("an answer")
}

#[test]
fn the_game_decides_by_the_join_options_and_only_those_seated_are_told_to_it() {
    let mut room = room(1, &RoomPolicy::default());
    assert_eq!(join(&mut room, 1, Some("")), Ok(()));
    let full = Err((RefuseCode::ByGame(TEAM_FULL), "team 0 is full".to_owned()));
    assert_eq!(join(&mut room, 2, Some("{}")), full);
    assert_eq!(join(&mut room, 2, Some(r#"{"team":1}"#)), Ok(()));
    assert_eq!(join(&mut room, 3, None), Ok(()), "a spectator's options are not read");
    let seated = [(PlayerId(1), 0), (PlayerId(2), 1)];
    assert_eq!(room.simulation().players, seated);
}

#[test]
fn options_that_cannot_be_read_seat_nobody_and_break_nothing() {
    let mut room = room(9, &RoomPolicy::default());
    let nested = "[".repeat(4000);
    let long = " ".repeat(4097);
    for options in [
        "{",
        "null",
        "[]x",
        r#"{"team":256}"#,
        r#"{"team":1e99}"#,
        r#"{"other":1}"#,
        "\u{0}",
        nested.as_str(),
        long.as_str(),
    ] {
        let (code, text) = join(&mut room, 1, Some(options)).unwrap_err();
        assert_eq!(code, RefuseCode::OptionsInvalid, "{text}");
    }
    assert_eq!(room.simulation().players, []);
    assert!(room.is_empty());
    assert_eq!(join(&mut room, 1, Some("")), Ok(()), "the name and the number are free");
}

#[test]
fn seats_are_as_many_as_the_game_says_and_a_full_room_says_what_else_to_do() {
    let policy = RoomPolicy {
        seats: Some(1),
        spectators: Some(1),
        password: "sesame".into(),
        tags: vec!["duel".to_owned()],
        metadata: "{}".to_owned(),
        ..RoomPolicy::default()
    };
    let mut room = room(9, &policy);
    assert_eq!(join(&mut room, 1, Some("")), Ok(()));
    let (code, text) = join(&mut room, 2, Some("")).unwrap_err();
    assert_eq!(code, RefuseCode::RoomFull);
    assert_eq!(text, "every seat in this room is taken, 1 of 1; choose another room, or watch");
    assert_eq!(join(&mut room, 3, None), Ok(()));
    let (_, text) = join(&mut room, 4, None).unwrap_err();
    let wanted = "every place to watch from in this room is taken, 1 of 1; choose another room";
    assert_eq!(text, wanted);
    let info = room.info();
    assert!(info.is_full() && info.needs_password);
    assert_eq!((info.tags, info.metadata.as_str()), (vec!["duel".to_owned()], "{}"));
    assert!(!format!("{policy:?}").contains("sesame"));
}
