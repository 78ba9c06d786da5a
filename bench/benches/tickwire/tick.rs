//! Benches of a room's tick, whole and in parts.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use tickwire_bench::rooms::arena::ArenaTable;
use tickwire_bench::rooms::drift::{DriftTable, Seen};
use tickwire_bench::rooms::table::Spent;
use tickwire_shared::{Inputs, Outbox, Simulation as _};

use crate::measure::{ThreadTime, long};
use crate::rooms;

const PLAYERS: [u32; 4] = [10, 100, 200, 1000];
const ENTITIES: [u32; 3] = [100, 1000, 5000];
/// Clients that watch the drifting world.
const WATCHERS: usize = 100;
/// Number of clients, and of entities that each of them sees.
const CROWD: u32 = 1000;

/// Rooms of the arena by number of players.
pub(crate) fn arena(c: &mut Criterion<ThreadTime>) {
    let mut tables = PLAYERS.map(|_| None);
    let parts: [(&str, MeasureArena); 4] = [
        ("room_tick", |table| whole_tick(table.tick())),
        ("inputs_and_acks", |table| table.tick().inputs),
        ("simulation_step", |table| arena_step(table).0),
        ("replication", |table| arena_step(table).1),
    ];
    for (part, measure) in parts {
        let mut group = long(c, part);
        for (players, table) in PLAYERS.iter().zip(&mut tables) {
            group.throughput(Throughput::Elements(u64::from(*players)));
            group.bench_function(BenchmarkId::new("arena_players", players), |b| {
                let table = table.get_or_insert_with(|| rooms::arena(*players));
                b.iter_custom(|ticks| (0..ticks).map(|_| measure(table)).sum());
            });
        }
    }
}

/// Rooms of the drifting world by number of entities, seen by no client and by a hundred.
pub(crate) fn drift(c: &mut Criterion<ThreadTime>) {
    for entities in ENTITIES {
        let mut unseen = None;
        let mut group = long(c, "room_tick");
        group.throughput(Throughput::Elements(u64::from(entities)));
        group.bench_function(BenchmarkId::new("drift_unseen", entities), |b| {
            let table = unseen.get_or_insert_with(|| rooms::drift(entities, 0, Seen::Near));
            b.iter_custom(|ticks| (0..ticks).map(|_| whole_tick(table.tick())).sum());
        });
        group.finish();
        for (name, seen) in [("drift_near_60", Seen::Near), ("drift_all", Seen::All)] {
            let mut pair = None;
            let open = || (rooms::drift(entities, 0, seen), rooms::drift(entities, WATCHERS, seen));
            for (part, measure) in [
                ("room_tick", (|_, watched| whole_tick(watched.tick())) as MeasureDrift),
                ("replication", replication),
            ] {
                let mut group = long(c, part);
                group.throughput(Throughput::Elements(WATCHERS as u64));
                group.bench_function(BenchmarkId::new(name, entities), |b| {
                    let (unseen, watched) = pair.get_or_insert_with(open);
                    b.iter_custom(|ticks| (0..ticks).map(|_| measure(unseen, watched)).sum());
                });
            }
        }
    }
}

/// A thousand clients that all see a thousand moving entities; each snapshot holds as many as fit.
pub(crate) fn crowd(c: &mut Criterion<ThreadTime>) {
    let mut pair = None;
    let open =
        || (rooms::drift(CROWD, 0, Seen::All), rooms::drift(CROWD, CROWD as usize, Seen::All));
    let mut group = long(c, "replication");
    group.throughput(Throughput::Elements(u64::from(CROWD * CROWD)));
    group.bench_function(BenchmarkId::new("drift_all_by_1000", CROWD), |b| {
        let (unseen, watched) = pair.get_or_insert_with(open);
        b.iter_custom(|ticks| (0..ticks).map(|_| replication(unseen, watched)).sum());
    });
}

type MeasureArena = fn(&mut ArenaTable) -> Duration;
type MeasureDrift = fn(&mut DriftTable, &mut DriftTable) -> Duration;

fn whole_tick(spent: Spent) -> Duration {
    spent.inputs + spent.step
}

/// The time of the game's own step on a copy of the state, and the room's time beyond that step and
/// the capture.
fn arena_step(table: &mut ArenaTable) -> (Duration, Duration) {
    let held = table.held();
    let mut copy = table.room().simulation().clone();
    let inputs = Inputs::new(table.room().tick().next(), &held);
    let mut outbox = Outbox::default();
    let start = ThreadTime::now();
    copy.step(&inputs, &mut outbox);
    let step = ThreadTime::now() - start;
    black_box((copy, outbox));
    (step, table.tick().step.saturating_sub(step))
}

/// The additional time of the same tick with clients.
fn replication(unseen: &mut DriftTable, watched: &mut DriftTable) -> Duration {
    let alone = unseen.tick().step;
    watched.tick().step.saturating_sub(alone)
}
