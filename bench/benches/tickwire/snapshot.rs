//! Benches of writing and applying one snapshot.

use std::cell::LazyCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use tickwire_bench::rooms::STREAMS;
use tickwire_replay::Replay;
use tickwire_shared::bits::BitWriter;
use tickwire_shared::delta::LaneTable;
use tickwire_shared::slots::SlotSet;
use tickwire_shared::snapshot::{Fragment, InputReport, Marks, SnapshotHeader, SnapshotWriter};

use crate::codec::{PAIRS, ShipPair, Ships, ship_table};
use crate::measure::{ThreadTime, brief, warm_up_ticks};

/// Entities in a written snapshot.
const RECORDS: usize = 60;

/// Writes one client's snapshot of sixty changed ships: from codes in the cache, and with coding.
pub(crate) fn encode(c: &mut Criterion<ThreadTime>, pairs: &Ships) {
    let table = ship_table();
    let mut writer = SnapshotWriter::default();
    let mut codes = BitWriter::default();
    let mut datagram = Vec::new();
    let mut told = every_third();
    let shared = LazyCell::new(|| {
        let mut codes = BitWriter::default();
        let places: Vec<Code> = pairs.iter().map(|pair| pair.code(&table, &mut codes)).collect();
        (places, codes)
    });

    let mut group = brief(c, "snapshot_encode");
    group.throughput(Throughput::Elements(RECORDS as u64));
    let mut first = 0;
    group.bench_function(BenchmarkId::new("shared_codes", RECORDS), |b| {
        let (places, codes) = &*shared;
        b.iter(|| {
            first = (first + RECORDS) % (PAIRS - RECORDS);
            let fragments = places[first..].iter().map(|code| code.bits_of(codes));
            put_together(&mut writer, &mut told, fragments, &mut datagram);
        });
    });
    group.bench_function(BenchmarkId::new("own_codes", RECORDS), |b| {
        let mut coded = Vec::with_capacity(RECORDS);
        b.iter(|| {
            first = (first + RECORDS) % (PAIRS - RECORDS);
            codes.clear();
            coded.clear();
            let some = pairs[first..].iter().take(RECORDS);
            coded.extend(some.map(|pair| pair.code(&table, &mut codes)));
            let fragments = coded.iter().map(|code| code.bits_of(&codes));
            put_together(&mut writer, &mut told, fragments, &mut datagram);
        });
    });
}

/// A client that applies the snapshots of two seconds, over and over.
pub(crate) fn apply(c: &mut Criterion<ThreadTime>) {
    let streams = STREAMS.map(|(name, record)| {
        let replay = move || {
            let stream = record(warm_up_ticks(u32::MAX));
            Replay::new(stream).expect("every snapshot comes, in order")
        };
        (name, LazyCell::new(replay))
    });
    for (name, replay) in &streams {
        brief(c, "snapshot_apply").bench_function(*name, |b| {
            let replay = &**replay;
            b.iter_custom(|snapshots| apply_about(replay, snapshots as f64));
        });
    }
    for (name, replay) in &streams {
        brief(c, "snapshot_apply_per_entity").bench_function(*name, |b| {
            let replay = &**replay;
            b.iter_custom(|entities| apply_about(replay, entities as f64 / replay.entities_mean()));
        });
    }
}

/// The time to apply about `snapshots` snapshots, measured in whole passes over the stream.
fn apply_about(replay: &Replay, snapshots: f64) -> Duration {
    let passes = (snapshots / replay.snapshots() as f64).ceil();
    let (spent, _) = replay.run(passes as u32, ThreadTime::now);
    spent.mul_f64(snapshots / (passes * replay.snapshots() as f64))
}

/// The place of an entity's code.
#[derive(Clone, Copy)]
struct Code {
    word: usize,
    bits: usize,
}

impl Code {
    fn bits_of(self, codes: &BitWriter) -> Fragment<'_> {
        Fragment { words: &codes.words()[self.word..], bits: self.bits }
    }
}

impl ShipPair {
    /// Codes the ship against its earlier state, as a room does once for all clients with that
    /// baseline.
    fn code(&self, table: &LaneTable, codes: &mut BitWriter) -> Code {
        let word = codes.align();
        self.write(table, codes);
        let bits = codes.len_bits() - word * 64;
        codes.align();
        Code { word, bits }
    }
}

/// The slots of a common baseline, and marks of every third as changed.
fn every_third() -> (Vec<u64>, Marks) {
    let (mut all, mut coded) = (SlotSet::default(), SlotSet::default());
    (0..3 * RECORDS as u16).for_each(|slot| all.insert(slot));
    (0..3 * RECORDS as u16).step_by(3).for_each(|slot| coded.insert(slot));
    let predicted = vec![0; all.words().len()];
    (all.words().to_vec(), Marks { coded: coded.words().to_vec(), predicted })
}

fn put_together<'a>(
    writer: &mut SnapshotWriter,
    (set, marks): &mut (Vec<u64>, Marks),
    fragments: impl Iterator<Item = Fragment<'a>>,
    datagram: &mut Vec<u8>,
) {
    let header = SnapshotHeader {
        tick_low16: 1000,
        seat: 1,
        input: Some(InputReport { newest_ticks: 2, margin_eighth_ms: 100, dip_eighth_ms: 0 }),
        events: None,
        unreliable_events: 0,
        baseline_age: 2,
    };
    writer.begin(header, std::iter::empty());
    writer.marks(marks, set);
    for fragment in fragments.take(RECORDS) {
        writer.delta(fragment);
    }
    writer.others(0);
    datagram.clear();
    writer.finish(datagram);
    black_box(datagram);
}
