//! Benches of one value: as lanes, as bits against a baseline, and of input datagrams.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use tickwire_arena::rules::{Arena, Controls, Entity, Ship, TICK_HZ};
use tickwire_shared::bits::{BitReader, BitWriter, INFALLIBLE};
use tickwire_shared::delta::{Baseline, LaneTable};
use tickwire_shared::input::{INPUTS_MAX, InputCodec, InputHead, SnapshotAck};
use tickwire_shared::quantize::Lanes;
use tickwire_shared::simulation::schema_of;
use tickwire_shared::{Capture, EntityId, Simulation as _};

use crate::measure::{ThreadTime, brief};
use crate::rooms::arena;

/// Ships with their earlier states; a power of two, so that wrapping around costs nothing.
pub(crate) const PAIRS: usize = 1024;
/// Age of a baseline.
const AGE_TICKS: u32 = 3;
/// Players whose ships are used.
const PLAYERS: u32 = 100;

/// A ship now and [`AGE_TICKS`] before.
pub(crate) struct ShipPair {
    ship: Ship,
    before: [i32; Ship::LANES],
    now: [i32; Ship::LANES],
}

/// [`PAIRS`] ships, made when a bench first needs them.
pub(crate) type Ships = LazyCell<Vec<ShipPair>>;

impl ShipPair {
    /// Writes the delta, as clients other than the owner get it.
    pub(crate) fn write(&self, table: &LaneTable, writer: &mut BitWriter) {
        let baseline = Baseline::new(&self.before, AGE_TICKS);
        let mut lanes = self.now;
        table.delta(writer, &baseline, &mut lanes, false).expect(INFALLIBLE);
    }
}

/// The field table of a ship.
pub(crate) fn ship_table() -> LaneTable {
    LaneTable::new(&<Ship as Lanes>::schema(), TICK_HZ)
}

/// Ships from a fight.
pub(crate) fn ship_pairs() -> Vec<ShipPair> {
    let mut table = arena(PLAYERS);
    let mut pairs = Vec::new();
    while pairs.len() < PAIRS {
        let before = ships(table.room().simulation());
        table = table.play(AGE_TICKS);
        let now = ships(table.room().simulation());
        pairs.extend(now.into_iter().filter_map(|(id, ship)| {
            let before = lanes_of(before.get(&id)?);
            Some(ShipPair { ship, before, now: lanes_of(&ship) })
        }));
    }
    pairs.truncate(PAIRS);
    pairs
}

/// Converts a ship to lanes and back.
pub(crate) fn lanes(c: &mut Criterion<ThreadTime>, pairs: &Ships) {
    let mut group = brief(c, "lanes");
    let mut lanes = [0; Ship::LANES];
    let mut next = going_round();
    group.bench_function("to_lanes/ship", |b| {
        let pairs = &**pairs;
        b.iter(|| {
            Lanes::to_lanes(black_box(&pairs[next()].ship), &mut lanes);
            black_box(&lanes);
        });
    });
    group.bench_function("from_lanes/ship", |b| {
        let pairs = &**pairs;
        b.iter(|| black_box(<Ship as Lanes>::from_lanes(black_box(&pairs[next()].now))));
    });
}

/// Codes a ship against its baseline, by the default codes and by the arena's model.
pub(crate) fn delta(c: &mut Criterion<ThreadTime>, pairs: &Ships) {
    let mut group = brief(c, "delta");
    let mut next = going_round();
    let mut writer = BitWriter::default();
    let by_model = LaneTable::of_entities(&schema_of::<Arena>());
    let [by_model, ..] = &by_model[..] else { unreachable!("ships are the first kind") };
    for (how, table) in [("", &ship_table()), ("_by_model", by_model)] {
        group.bench_function(format!("write{how}/ship"), |b| {
            let pairs = &**pairs;
            b.iter(|| {
                writer.clear();
                pairs[next()].write(table, &mut writer);
                black_box(&writer);
            });
        });
        let coded = LazyCell::new(|| -> Vec<Vec<u8>> {
            let coded = pairs.iter().map(|pair| {
                let mut writer = BitWriter::default();
                pair.write(table, &mut writer);
                writer.into_bytes()
            });
            coded.collect()
        });
        group.bench_function(format!("read{how}/ship"), |b| {
            let (pairs, coded) = (&**pairs, &*coded);
            b.iter(|| {
                let at = next();
                let baseline = Baseline::new(&pairs[at].before, AGE_TICKS);
                let mut lanes = [0; Ship::LANES];
                let bits = &mut BitReader::new(&coded[at]);
                table.delta(bits, &baseline, &mut lanes, false).expect("it was written so");
                black_box(lanes);
            });
        });
    }
    group.bench_function("write_whole/ship", |b| {
        let (pairs, table) = (&**pairs, ship_table());
        b.iter(|| {
            writer.clear();
            let mut lanes = pairs[next()].now;
            table.whole(&mut writer, &mut lanes, false).expect(INFALLIBLE);
            black_box(&writer);
        });
    });
}

/// An input datagram with an acknowledgement.
pub(crate) fn input(c: &mut Criterion<ThreadTime>) {
    let codec = InputCodec::new(&schema_of::<Arena>());
    let mut group = brief(c, "input_decode");
    for inputs in [1, 3, INPUTS_MAX] {
        let datagrams = input_datagrams(&codec, inputs);
        let mut next = going_round();
        group.throughput(Throughput::Elements(inputs as u64));
        group.bench_function(BenchmarkId::new("inputs", inputs), |b| {
            b.iter(|| {
                let bytes = &datagrams[next()];
                black_box(codec.decode::<Controls>(bytes).expect("it was encoded so"))
            });
        });
    }
}

/// Datagrams of players that change their input every few ticks.
fn input_datagrams(codec: &InputCodec, inputs: usize) -> Vec<Vec<u8>> {
    let ack = SnapshotAck { newest_low16: 1000, before: u32::MAX };
    let controls = |at: usize| Controls {
        turn: (at / 4 % 17) as f32 / 8.0 - 1.0,
        thrust: !(at / 5).is_multiple_of(3),
        brake: (at / 7).is_multiple_of(9),
        fire: (at / 6).is_multiple_of(2),
    };
    let datagram = |first: usize| {
        let mut lanes = vec![0; inputs * Controls::LANES];
        for (at, lanes) in lanes.chunks_exact_mut(Controls::LANES).enumerate() {
            controls(first * 11 + inputs - at).to_lanes(lanes);
        }
        let (newest_low16, view_delay) = (1002, 30);
        codec.encode(
            InputHead { seat: 1, ack: Some(ack), newest_low16, view_delay, keyframes: None },
            &lanes,
        )
    };
    (0..PAIRS).map(datagram).collect()
}

fn ships(arena: &Arena) -> HashMap<EntityId, Ship> {
    let mut capture = Capture::default();
    arena.capture(&mut capture);
    let ships = capture.drain().filter_map(|shown| match shown.entity {
        Entity::Ship(ship) => Some((shown.id, ship)),
        _ => None,
    });
    ships.collect()
}

fn lanes_of(ship: &Ship) -> [i32; Ship::LANES] {
    let mut lanes = [0; Ship::LANES];
    Lanes::to_lanes(ship, &mut lanes);
    lanes
}

fn going_round() -> impl FnMut() -> usize {
    let mut at = 0;
    move || {
        at = (at + 1) % PAIRS;
        at
    }
}
