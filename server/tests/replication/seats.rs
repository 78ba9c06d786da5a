//! Seat numbers come round: nothing of an earlier stay counts in a later one of the same number.

use std::time::Instant;

use tickwire_server::config::RoomConfig;
use tickwire_server::room::{FromRoom, Room, ToRoom};
use tickwire_shared::control::{
    ClientChat, CloseCode, RefuseCode, RequestId, ServerChat, ServerFrame,
};
use tickwire_shared::input::{InputDatagram, InputHead, SnapshotAck};
use tickwire_shared::replica::{Replica, SnapshotError};
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{GAP_TICKS_MAX, PlayerId, Tick};

use crate::balls::{Balls, Push, STILL};
use crate::table::Table;

const ANN: PlayerId = PlayerId(1);
const BEN: PlayerId = PlayerId(2);

fn join(player: PlayerId, last_seat: u8) -> ToRoom<Push> {
    ToRoom::Join {
        request: RequestId(1),
        player,
        name: format!("p{}", player.0),
        account: None,
        profile: None,
        spectator: false,
        options: "".into(),
        datagram_bytes_max: 1200,
        resume: None,
        last_seat,
    }
}

fn leave(player: PlayerId) -> ToRoom<Push> {
    ToRoom::Leave { request: None, player, code: CloseCode::Normal }
}

/// Takes the last seat told to `player`, of all that waits.
fn seat_of(room: &mut Room<Balls>, player: PlayerId) -> Option<(u8, Tick)> {
    let told = std::iter::from_fn(|| room.poll()).filter_map(|out| match out {
        FromRoom::Control {
            player: whose,
            frame: ServerFrame::Joined { seat, tick, .. } | ServerFrame::Resync { seat, tick },
        } if whose == player => Some((seat, tick)),
        _ => None,
    });
    told.last()
}

fn push(seat: u8, newest_low16: u16) -> InputDatagram<Push> {
    let head = InputHead { seat, newest_low16, ..InputHead::default() };
    InputDatagram { head, inputs: vec![Push { x: 1 }] }
}

#[test]
fn a_session_has_another_seat_number_in_each_stay_whichever_room_it_is_in() {
    let now = Instant::now();
    let named = |name: &str| Room::<Balls>::new(name.to_owned(), STILL, RoomConfig::default());
    let mut rooms = [named("bay"), named("cove"), named("a room of another length")];
    // Others come and go in one of them, which has given other numbers than the others then.
    for number in 10..47 {
        rooms[1].handle(now, 0, join(PlayerId(number), 0));
        rooms[1].handle(now, 0, leave(PlayerId(number)));
    }
    let (mut seats, mut last_seat) = (Vec::new(), 0);
    for stay in 0..512 {
        let room = &mut rooms[stay % 3];
        room.handle(now, 0, join(ANN, last_seat));
        (last_seat, _) = seat_of(room, ANN).expect("there is room");
        seats.push(last_seat);
        room.handle(now, 0, leave(ANN));
    }
    for run in seats.windows(256) {
        let mut run = run.to_vec();
        run.sort_unstable();
        assert!(run.iter().copied().eq(0..=255), "a number comes again within 256 stays: {run:?}");
    }
}

#[test]
fn who_begins_anew_has_the_number_after_the_last_one() {
    let now = Instant::now();
    let mut room = Room::<Balls>::new("test".to_owned(), STILL, RoomConfig::default());
    room.handle(now, 0, join(ANN, 254));
    assert_eq!(seat_of(&mut room, ANN), Some((255, Tick(0))));
    for _ in 0..=GAP_TICKS_MAX {
        room.step(now);
    }
    let datagram = push(255, room.tick().next().low16());
    room.handle(now, 0, ToRoom::Input { player: ANN, at: now, datagram });
    assert_eq!(seat_of(&mut room, ANN), Some((0, room.tick())));
}

#[test]
fn who_had_the_world_and_has_nothing_of_it_after_a_silence_begins_anew() {
    let now = Instant::now();
    let mut room = Room::<Balls>::new("test".to_owned(), STILL, RoomConfig::default());
    room.handle(now, 0, join(ANN, 0));
    let (seat, _) = seat_of(&mut room, ANN).expect("there is room");
    let hear = |room: &mut Room<Balls>, has_all: bool| {
        let (tick, mut datagram) = (room.tick(), push(seat, room.tick().next().low16()));
        datagram.head.ack =
            has_all.then(|| SnapshotAck { newest_low16: tick.low16(), before: u32::MAX });
        room.handle(now, 0, ToRoom::Input { player: ANN, at: now, datagram });
    };
    for _ in 0..60 {
        room.step(now);
        hear(&mut room, true);
    }
    room.step(now);
    hear(&mut room, false);
    assert_eq!(seat_of(&mut room, ANN), None, "that tells of no silence");
    for _ in 0..600 {
        room.step(now);
    }
    hear(&mut room, true);
    assert_eq!(seat_of(&mut room, ANN), None, "all is there");
    for _ in 0..600 {
        room.step(now);
    }
    hear(&mut room, false);
    assert_eq!(seat_of(&mut room, ANN), Some((seat.wrapping_add(1), room.tick())));
}

/// A room that Ann has left, and in which Ben's seat has the number of hers.
fn ann_left_and_ben_came(now: Instant) -> (Room<Balls>, u8) {
    let mut room = Room::<Balls>::new("test".to_owned(), 7, RoomConfig::default());
    room.handle(now, 0, join(ANN, 8));
    let (seat, _) = seat_of(&mut room, ANN).expect("there is room");
    room.step(now);
    room.handle(now, 0, leave(ANN));
    room.handle(now, 0, join(BEN, 8));
    assert_eq!(seat_of(&mut room, BEN).map(|(seat, _)| seat), Some(seat));
    (room, seat)
}

#[test]
fn inputs_and_acknowledgements_of_who_left_are_not_those_of_who_has_the_number_now() {
    let now = Instant::now();
    let (mut room, seat) = ann_left_and_ben_came(now);
    for _ in 0..20 {
        let next = room.tick().next();
        let mut datagram = push(seat, next.low16());
        datagram.head.ack =
            Some(SnapshotAck { newest_low16: room.tick().low16(), before: u32::MAX });
        datagram.head.keyframes = Some(1);
        room.handle(now, 0, ToRoom::Input { player: ANN, at: now, datagram });
        room.step(now);
    }
    let counts = room.input_counts(BEN).expect("a seat");
    assert_eq!((counts.taken, counts.missing), (0, 0), "nothing came from Ben");
    // Without an acknowledgement of his own every snapshot is whole: an empty copy can read it.
    let (_, newest) = room.datagrams().find(|(player, _)| *player == BEN).expect("his snapshot");
    let mut replica = Replica::new(&schema_of::<Balls>(), seat);
    replica.apply(newest, room.tick()).expect("it refers to nothing that Ben may lack");
}

#[test]
fn what_somebody_asks_who_left_is_refused_whoever_has_the_number_now() {
    let now = Instant::now();
    let (mut room, _) = ann_left_and_ben_came(now);
    let heard = |room: &mut Room<Balls>, message| -> Vec<FromRoom> {
        room.handle(now, 0, message);
        std::iter::from_fn(|| room.poll()).collect()
    };
    let (request, text) = (RequestId(7), "it is me".to_owned());
    let said = ToRoom::Chat { player: ANN, chat: ClientChat::Say { request, text } };
    let [FromRoom::Chat { player: ANN, chat: ServerChat::Refused { request, code, .. } }] =
        &heard(&mut room, said)[..]
    else {
        panic!("one refusal")
    };
    assert_eq!((*request, *code), (RequestId(7), RefuseCode::NotInRoom));
    let command =
        ToRoom::Command { request: RequestId(8), player: ANN, kind: 0, fields: Vec::new() };
    let [FromRoom::CommandRefused { player: ANN, frame }] = &heard(&mut room, command)[..] else {
        panic!("one refusal")
    };
    let ServerFrame::Refused { request, code, .. } = frame else { panic!("{frame:?}") };
    assert_eq!((*request, *code), (RequestId(8), RefuseCode::NotInRoom));
    let kick = ToRoom::Kick { request: RequestId(9), by: ANN, player: BEN, reason: String::new() };
    let [FromRoom::Control { player: ANN, frame }] = &heard(&mut room, kick)[..] else {
        panic!("one refusal")
    };
    assert!(matches!(frame, ServerFrame::Refused { code: RefuseCode::NotHost, .. }), "{frame:?}");
    let again =
        ToRoom::Leave { request: Some(RequestId(10)), player: ANN, code: CloseCode::Kicked };
    let [FromRoom::Control { player: ANN, frame }] = &heard(&mut room, again)[..] else {
        panic!("one refusal")
    };
    assert!(matches!(frame, ServerFrame::Refused { code: RefuseCode::NotInRoom, .. }), "{frame:?}");
    assert_eq!(room.simulation().players, [BEN]);
}

#[test]
fn datagrams_of_the_room_before_are_dropped_by_their_number() {
    let now = Instant::now();
    let old = Room::<Balls>::new("old".to_owned(), 7, RoomConfig::default());
    let mut old = old.going_on_after(Tick(40));
    old.handle(now, 0, join(ANN, 0));
    let (seat, _) = seat_of(&mut old, ANN).expect("there is room");
    old.step(now);
    let snapshot = old.datagrams().next().expect("her snapshot").1.to_vec();
    let new = Room::<Balls>::new("new".to_owned(), 7, RoomConfig::default());
    let mut new = new.going_on_after(Tick(40));
    new.handle(now, 0, join(ANN, seat));
    let (next, tick) = seat_of(&mut new, ANN).expect("there is room");

    let mut replica = Replica::new(&schema_of::<Balls>(), next).since(tick);
    assert_eq!(replica.apply(&snapshot, tick).err(), Some(SnapshotError::OtherSeat));
    let datagram = push(seat, tick.next().low16());
    new.handle(now, 0, ToRoom::Input { player: ANN, at: now, datagram });
    new.step(now);
    assert_eq!(new.input_counts(ANN).expect("a seat").taken, 0);
}

#[test]
fn nothing_of_a_stay_counts_in_the_one_that_has_its_number_again() {
    let mut table = Table::new(7, 2, 1200);
    let (mut old_snapshots, mut old_inputs) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        table.tick(|| 3);
        old_inputs.extend(table.clients[0].acks.iter().cloned());
        let newest = table.room.datagrams().find(|(player, _)| *player == ANN);
        old_snapshots.push(newest.expect("her snapshot").1.to_vec());
    }
    let (now, seat) = (table.now, table.clients[0].seat);
    table.room.handle(now, 0, leave(ANN));
    let ann = table.clients.remove(0);
    // So long that 256 stays fit between, at the rate at which a session may join.
    for _ in 0..60 * 130 {
        table.tick(|| 3);
    }
    table.room.handle(table.now, 0, join(ANN, seat.wrapping_sub(1)));
    let (again, tick) = seat_of(&mut table.room, ANN).expect("there is room");
    assert_eq!(again, seat, "the same number");
    table.clients.insert(0, ann);
    let client = &mut table.clients[0];
    client.replica = Replica::new(&schema_of::<Balls>(), seat).since(tick);
    (client.keyframes, client.pings) = (0, Vec::new());
    client.acks.clear();
    client.in_flight.clear();

    for _ in 0..40 {
        for bytes in &old_snapshots {
            let client = &mut table.clients[0];
            let near = client.replica.newest().unwrap_or(tick);
            assert_eq!(client.replica.apply(bytes, near).err(), Some(SnapshotError::Late));
        }
        for datagram in &old_inputs {
            let (at, datagram) = (table.now, datagram.clone());
            table.room.handle(at, 0, ToRoom::Input { player: ANN, at, datagram });
        }
        table.tick(|| 3);
    }
    let counts = table.room.input_counts(ANN).expect("a seat");
    assert!(counts.taken <= 40, "{counts:?}");
    assert_eq!(counts.outside, 40 * old_inputs.len() as u64, "{counts:?}");
    assert!(!table.clients[0].is_resynced);
    assert!(table.clients[0].pings.is_sorted_by(|a, b| a + 1 == *b), "each once, in order");
    table.assert_equal();
}
