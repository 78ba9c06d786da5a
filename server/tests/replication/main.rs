//! A room and its clients' replicas agree, whatever the network does to the datagrams between them.

mod answers;
mod balls;
mod bots;
mod commands;
mod hidden;
mod joining;
mod seats;
mod slow_path;
mod stage;
mod static_data;
mod table;

use proptest::prelude::*;
use tickwire_server::config::RoomConfig;

use balls::{CROWD, CROWD_BALLS, ONCE, ONCE_TICK, QUIET, STILL, URGENT};
use table::{Client, Table, keyframe_bytes};

/// Ticks without faults at the end, for repeating losses and reporting what left the view.
const CALM_TICKS: usize = 12;

fn play(seed: u64, fates: &[u8], ticks: usize, snapshot_bytes_max: usize) -> Table {
    let mut table = Table::new(seed, 4, snapshot_bytes_max);
    let mut at = 0;
    for _ in 0..ticks {
        table.tick(|| {
            at += 1;
            fates[at % fates.len()]
        });
    }
    let calm_ticks = if seed & CROWD != 0 { 4 * CALM_TICKS } else { CALM_TICKS };
    for _ in 0..calm_ticks {
        table.tick(|| 3);
    }
    table
}

/// The number of schedules to try: few while debugging, 10,000 in `cargo xtask test`.
fn cases() -> u32 {
    let told = std::env::var("TICKWIRE_CASES");
    told.map_or(400, |cases| cases.parse().expect("TICKWIRE_CASES is a number of cases"))
}

/// An input datagram from before the first acknowledgement arrives a second late, while the client is
/// silent. A later one overtook it, so the room does not take it for a client that has nothing.
#[test]
fn a_datagram_that_is_a_second_late_costs_no_new_beginning_and_no_event() {
    for seed in [0, 1] {
        let table = play(seed, &[25, 50, 40, 186, 43, 7, 11, 26, 72, 2, 129], 64, 1200);
        assert!(table.clients.iter().all(|client| !client.is_resynced));
        table.assert_equal();
        for client in &table.clients {
            assert!(client.pings.iter().copied().eq(1..=table.room.simulation().pings));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn any_loss_reorder_and_duplication_ends_in_the_same_world(
        seed in 0..CROWD, fates in prop::collection::vec(any::<u8>(), 1..400), ticks in 1usize..250,
    ) {
        let table = play(seed, &fates, ticks, 1200);
        table.assert_equal();
    }

    #[test]
    fn every_event_comes_exactly_once_and_in_order(
        seed in 1..ONCE, fates in prop::collection::vec(any::<u8>(), 1..400), ticks in 1usize..200,
    ) {
        let table = play(seed, &fates, ticks, 1200);
        let told = table.room.simulation().pings;
        for client in &table.clients {
            prop_assert_eq!(&client.pings, &(1..=told).collect::<Vec<u32>>());
            prop_assert!(client.flashes.len() <= client.snapshots);
            prop_assert!(client.flashes.is_sorted_by(|before, after| before < after));
        }
    }
}

proptest! {
    // Its worlds are large, so fewer cases.
    #![proptest_config(ProptestConfig::with_cases((cases() / 20).max(20)))]
    #[test]
    fn a_keyframe_on_a_slow_stream_ends_in_the_same_world(
        seed: u64, fates in prop::collection::vec(any::<u8>(), 1..400), ticks in 1usize..150,
    ) {
        let table = play(seed | CROWD, &fates, ticks, 1200);
        table.assert_equal();
    }
}

#[test]
fn a_client_that_hears_but_is_not_heard_is_brought_up_to_date() {
    let mut table = play(ONCE, &[3], ONCE_TICK as usize - CALM_TICKS - 1, 1200);
    for _ in 0..1800 {
        // Lose acknowledgements, but no snapshots.
        table.tick(|| 4);
    }
    for _ in 0..CALM_TICKS {
        table.tick(|| 3);
    }
    table.assert_equal();
}

#[test]
fn a_snapshot_never_exceeds_its_budget_and_everything_arrives_in_turn() {
    let mut table = Table::new(7, 2, 60);
    for _ in 0..300 {
        table.tick(|| 3);
        for (_, bytes) in table.room.datagrams() {
            assert!(bytes.len() <= 60, "{} bytes", bytes.len());
        }
    }
    let alive = table.room.simulation().balls.len() + 1;
    let known = table.clients[1].replica.entities().len();
    assert!(known + 2 >= alive, "{known} of {alive}");
}

#[test]
fn a_second_of_snapshots_is_as_large_as_allowed_and_nobody_waits_for_ever() {
    const BYTES_PER_S: u32 = 1200;
    let mut table = Table::with_config(
        QUIET | 7,
        2,
        RoomConfig { snapshot_bytes_per_s_max: BYTES_PER_S, ..RoomConfig::default() },
    );
    let mut sent = 0;
    let mut wait_ticks_max = 0;
    for tick in 0..600 {
        table.tick(|| 3);
        let (_, bytes) = table.room.datagrams().next().unwrap();
        assert!(bytes.len() <= 1200);
        sent += bytes.len();
        if tick > 60 {
            wait_ticks_max = wait_ticks_max.max(table.longest_wait_ticks());
        }
    }
    let (least, most) = (9 * BYTES_PER_S as usize, 10 * BYTES_PER_S as usize);
    assert!((least..=most).contains(&sent), "{sent} bytes in ten seconds");
    // Twice the pending bits divided by the bits that fit a tick: 21 records of at most 80 bits,
    // and 88 bits of 160 beside the header.
    assert!(wait_ticks_max <= 2 * 21 * 80 / 88, "a moving ball waited {wait_ticks_max} ticks");
}

#[test]
fn a_client_silent_for_half_a_minute_is_brought_up_to_date() {
    let mut table = play(11, &[3], 60, 1200);
    for _ in 0..1800 {
        table.tick(|| 0);
    }
    for _ in 0..CALM_TICKS {
        table.tick(|| 3);
    }
    table.assert_equal();
}

#[test]
fn what_stands_still_is_not_sent_again() {
    let mut table = Table::new(STILL, 1, 1200);
    let mut sizes = Vec::new();
    for _ in 0..40 {
        table.tick(|| 3);
        sizes.push(table.room.datagrams().map(|(_, bytes)| bytes.len()).sum::<usize>());
    }
    assert_eq!(table.clients[0].replica.entities().len(), 1, "the wall");
    let header_bytes = (8 + 16 + 8 + 1 + 20 + 1 + 7 + 3 + 1usize).div_ceil(8);
    assert_eq!(sizes[20..], [header_bytes; 20]);
}

#[test]
fn one_snapshot_that_was_long_under_way_does_not_hold_up_what_was_lost() {
    let table = play(1, &[105, 2, 24, 0, 0, 217, 2, 8, 2, 169, 26], 58, 1200);
    table.assert_equal();
}

#[test]
fn what_is_far_is_sent_at_its_own_interval() {
    let bytes = |far_interval_ticks| {
        let mut table = Table::with_far_interval(5, 1, 1200, far_interval_ticks);
        let mut bytes = 0;
        for _ in 0..200 {
            table.tick(|| 3);
            bytes += table.room.datagrams().map(|(_, bytes)| bytes.len()).sum::<usize>();
        }
        bytes
    };
    let (always, seldom) = (bytes(1), bytes(6));
    assert!(seldom < always, "{seldom} of {always} bytes");
}

#[test]
fn one_who_joins_a_crowd_sees_all_of_it_within_a_few_round_trips() {
    let mut table = Table::new(CROWD | 3, 2, 1200);
    let mut ticks = 0;
    let known = |table: &Table| table.clients[1].replica.entities().len();
    while known(&table) < CROWD_BALLS as usize - 20 {
        table.tick(|| 3);
        ticks += 1;
        assert!(ticks < 100, "{} known after {ticks} ticks", known(&table));
    }
    let bytes_all = CROWD_BALLS as usize * 12;
    assert!(table.clients[1].keyframes > 0);
    // In snapshots alone, each 1200 bytes take a tick.
    assert!(ticks <= bytes_all / 1200, "{ticks} ticks");
}

#[test]
fn a_keyframe_of_few_bytes_a_second_is_saved_up_for() {
    const BYTES_PER_S: u32 = 6000;
    let config = RoomConfig {
        keyframe_bytes_per_s_max: BYTES_PER_S,
        snapshot_bytes_max: 60,
        ..RoomConfig::default()
    };
    let mut table = Table::with_config(CROWD | QUIET | 3, 2, config);
    let mut bytes = 0;
    for _ in 0..60 {
        table.hear(&mut || 3);
        table.step();
        bytes += table.clients[1].stream.iter().map(keyframe_bytes).sum::<usize>();
        for client in &mut table.clients {
            client.receive(&mut || 3, table.room.tick());
        }
    }
    let most = BYTES_PER_S as usize;
    assert!((most * 3 / 5..=most).contains(&bytes), "{bytes} bytes in a second");
}

#[test]
fn what_matters_more_is_told_more_often_where_not_all_fits() {
    let told_per_ball_and_tick = |seed| {
        let config = RoomConfig { snapshot_bytes_per_s_max: 1200, ..RoomConfig::default() };
        let mut table = Table::with_config(seed, 2, config);
        let mut told = [(0u32, 0u32); 2];
        for _ in 0..900 {
            table.tick(|| 3);
            let balls = table.room.simulation();
            // The player's own entities come first in any case.
            let entities = table.clients[1].replica.entities();
            for entity in entities.iter().filter(|entity| !entity.mine) {
                let Some((_, true)) = balls.balls.get(&entity.id.0) else { continue };
                let newest = entity.states.tick(entity.states.len() - 1);
                let (ticks, times) = &mut told[usize::from(entity.id.0.is_multiple_of(2))];
                *ticks += 1;
                *times += u32::from(newest == table.room.tick());
            }
        }
        told.map(|(ticks, times)| f64::from(times) / f64::from(ticks))
    };
    let [others, same] = told_per_ball_and_tick(7);
    assert!((0.7..1.4).contains(&(same / others)), "{same} and {others} without priorities");
    let [others, urgent] = told_per_ball_and_tick(URGENT | 7);
    assert!(urgent > 2.0 * others, "{urgent} of what matters more, {others} of the others");
}

#[test]
fn what_is_told_unreliably_comes_with_the_snapshot_of_its_tick_or_never() {
    let told = |fates: &[u8]| {
        let table = play(5, fates, 60, 1200);
        let sum = |value: fn(&Client) -> usize| table.clients.iter().map(value).sum::<usize>();
        (sum(|client| client.flashes.len()), sum(|client| client.snapshots))
    };
    let all = 4 * (60 + CALM_TICKS);
    assert_eq!(told(&[3]), (all, all), "one with each");
    let (flashes, snapshots) = told(&[3, 3, 3, 0, 3, 8, 3, 3, 9]);
    assert_eq!(flashes, snapshots);
    assert!(snapshots < all, "some are lost");
}
