//! Scores: taken from the outbox of the rules, and what became of them told and recorded.

use std::time::Instant;

use tickwire_server::config::RoomConfig;
use tickwire_server::room::{Fault, FromRoom, NewScore, RestoredRoom, Room, ToRoom};
use tickwire_shared::control::{CloseCode, RequestId};
use tickwire_shared::{PlayerId, RoomPolicy, SaveOutcome, Tick};

use super::race::{LAPS, Race, SPEED};
use super::{FIRST_BOT, OPTIONS, Pedal, SEED, SeatChange, Table};

/// Steps once. Returns what it scored.
fn scores(room: &mut Room<Race<0>>) -> Vec<NewScore> {
    room.step(Instant::now());
    let out = std::iter::from_fn(|| room.poll()).filter_map(|out| match out {
        FromRoom::Score(new) => Some(*new),
        _ => None,
    });
    out.collect()
}

fn leave(player: u32) -> ToRoom<Pedal> {
    let (request, code) = (Some(RequestId(9)), CloseCode::Normal);
    ToRoom::Leave { request, player: PlayerId(player), code }
}

#[test]
fn a_step_scores_once_for_each_account_and_board_and_guests_are_passed_over() {
    let mut table = Table::new(OPTIONS[0], 1);
    // The account of player 5 is none, those of 1 and 2 are.
    for player in [1, 2, 5] {
        table.join(PlayerId(player), false, "");
    }
    let new = |player, account: &str, tick, board, score| NewScore {
        player: PlayerId(player),
        account: account.to_owned(),
        name: format!("p{player}"),
        room_seed: SEED,
        tick: Tick(tick),
        board,
        score,
    };
    // Of two speeds the lower one is better.
    assert_eq!(scores(&mut table.room), [new(1, "a", 1, 1, 4), new(2, "aa", 1, 1, 4)]);
    let finding = std::iter::from_fn(|| table.room.poll_finding());
    let unknown = finding.filter(|finding| finding.fault == Fault::ScoreBoard);
    assert_eq!(unknown.map(|finding| (finding.first, finding.count)).collect::<Vec<_>>(), [(1, 3)]);
    table.hand(leave(1));
    let mut left = scores(&mut table.room);
    let laps = left.remove(0);
    assert_eq!((laps.player, laps.board, &*laps.account), (PlayerId(1), 0, "a"));
    assert_eq!(left, [new(2, "aa", 2, 1, 4)]);
    assert_eq!(scores(&mut table.room), [new(2, "aa", 3, 1, 4)], "once after the leave");
}

#[test]
fn a_room_that_goes_on_from_its_journal_scores_as_the_same_room() {
    let mut table = Table::new(OPTIONS[0], 1);
    table.join(PlayerId(1), false, "");
    table.tick();
    table.tick();
    let settings = RestoredRoom {
        name: "track",
        config: RoomConfig::default(),
        policy: &RoomPolicy::default(),
        first_bot: FIRST_BOT,
        is_hosted: true,
        journal_lanes_ticks: None,
    };
    let mut room = Room::restored(table.replay::<Race<0>>(), Instant::now(), settings);
    let scored = scores(&mut room);
    let found: Vec<_> =
        scored.iter().map(|new| (&*new.account, &*new.name, new.room_seed, new.tick)).collect();
    assert_eq!(found, [("a", "p1", SEED, Tick(3))]);
}

#[test]
fn the_game_is_told_of_scores_of_this_room_alone_and_a_replay_too() {
    let mut table = Table::new(OPTIONS[0], 1);
    table.join(PlayerId(1), false, "");
    table.join(PlayerId(5), false, "");
    let sum = |race: &Race<0>| serde_json::to_value(race).unwrap()["sum"].as_i64().unwrap();
    let before = sum(table.room.simulation());
    let told = |player, room_seed, board| ToRoom::Scored {
        player: PlayerId(player),
        room_seed,
        board,
        tick: Tick(0),
        outcome: SaveOutcome::Saved,
    };
    table.hand(told(1, SEED + 1, 0));
    table.hand(told(2, SEED, 0));
    table.hand(told(5, SEED, 0));
    table.hand(told(1, SEED, 2));
    assert_eq!(sum(table.room.simulation()), before, "another room, nobody, a guest, no board");
    table.hand(told(1, SEED, 1));
    assert_eq!(sum(table.room.simulation()), before + 1 + 23 + 29);
    table.hand(told(1, SEED, 0));
    table.tick();
    let scored = table.records[0].changes.iter().filter_map(|change| match change {
        SeatChange::Scored { player, board, .. } => Some((player.0, *board)),
        _ => None,
    });
    assert_eq!(scored.collect::<Vec<_>>(), [(1, 1), (1, 0)]);
    let replay = table.replay::<Race<0>>();
    assert_eq!(replay.difference(), None);
    assert_eq!(sum(replay.simulation()), sum(table.room.simulation()));
    assert_eq!([LAPS.name(), SPEED.name()], ["laps", "speed"]);
}
