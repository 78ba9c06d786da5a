//! Answers about joining and leaving: nothing about the request follows its answer.

use std::time::Instant;

use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::PlayerId;
use tickwire_shared::control::{CloseCode, RefuseCode, RequestId, ServerFrame};

use crate::balls::{Balls, Push};

const HOST: PlayerId = PlayerId(1);
const GUEST: PlayerId = PlayerId(2);

fn room() -> Room<Balls> {
    Room::new("test".to_owned(), 1, RoomConfig::default())
}

/// What one player, and the owner of its seat, hear after a message, in order.
fn heard(room: &mut Room<Balls>, player: PlayerId, message: ToRoom<Push>) -> Vec<&'static str> {
    room.handle(Instant::now(), 0, message);
    let heard = std::iter::from_fn(|| room.poll()).filter_map(|out| match out {
        FromRoom::Released { player: whose } if whose == player => Some("released"),
        FromRoom::Control { player: whose, frame } if whose == player => Some(match frame {
            ServerFrame::Joined { .. } => "joined",
            ServerFrame::Left { .. } => "left",
            ServerFrame::Removed { .. } => "removed",
            ServerFrame::Done { .. } => "done",
            ServerFrame::Refused { code: RefuseCode::NameTaken, .. } => "name taken",
            ServerFrame::Refused { code: RefuseCode::NotInRoom, .. } => "not in room",
            other => panic!("{other:?}"),
        }),
        FromRoom::ControlAll { players, frame: ServerFrame::MemberLeft { .. } } => {
            players.contains(&player).then_some("a member left")
        }
        _ => None,
    });
    heard.collect()
}

fn join<I>(player: PlayerId, name: &str) -> ToRoom<I> {
    let (request, name) = (RequestId(1), name.to_owned());
    ToRoom::Join {
        request,
        player,
        name,
        account: None,
        profile: None,
        spectator: false,
        options: "".into(),
        datagram_bytes_max: 1200,
        resume: None,
        last_seat: 0,
    }
}

fn leave<I>(player: PlayerId) -> ToRoom<I> {
    ToRoom::Leave { request: Some(RequestId(2)), player, code: CloseCode::Normal }
}

#[test]
fn a_seat_is_free_before_its_player_hears_so() {
    let mut room = room();
    assert_eq!(heard(&mut room, HOST, join(HOST, "host")), ["joined"]);
    assert_eq!(heard(&mut room, GUEST, join(GUEST, "host")), ["released", "name taken"]);
    assert_eq!(heard(&mut room, GUEST, join(GUEST, "guest")), ["joined"]);
    assert_eq!(heard(&mut room, GUEST, leave(GUEST)), ["released", "left"]);
    // A second leave gets its own answer, and frees nothing.
    assert_eq!(heard(&mut room, GUEST, leave(GUEST)), ["not in room"]);
}

/// Unicode's table of confusable characters has nothing of these.
#[test]
fn a_name_that_is_anothers_by_nfkc_alone_is_taken() {
    for (name, other) in [("m2", "m²"), ("5kg", "5㎏")] {
        let mut room = room();
        assert_eq!(heard(&mut room, HOST, join(HOST, name)), ["joined"]);
        assert_eq!(heard(&mut room, GUEST, join(GUEST, other)), ["released", "name taken"]);
    }
}

#[test]
fn a_kick_is_done_when_its_host_is_told_so() {
    let mut room = room();
    for (player, name) in [(HOST, "host"), (GUEST, "guest")] {
        assert_eq!(heard(&mut room, player, join(player, name)), ["joined"]);
    }
    let kick =
        |player| ToRoom::Kick { request: RequestId(3), by: HOST, player, reason: String::new() };
    assert_eq!(heard(&mut room, HOST, kick(GUEST)), ["a member left", "done"]);
    assert_eq!(heard(&mut room, GUEST, leave(GUEST)), ["not in room"]);

    let mut other = Room::<Balls>::new("other".to_owned(), 1, RoomConfig::default());
    for (player, name) in [(HOST, "host"), (GUEST, "guest")] {
        heard(&mut other, player, join(player, name));
    }
    assert_eq!(heard(&mut other, GUEST, kick(GUEST)), ["released", "removed"]);
}
