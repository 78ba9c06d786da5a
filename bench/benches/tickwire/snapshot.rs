//! One snapshot: put together, and taken apart.

use std::cell::LazyCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use tickwire_shared::bits::BitWriter;
use tickwire_shared::delta::LaneTable;
use tickwire_shared::replica::Replica;
use tickwire_shared::slots::SlotSet;
use tickwire_shared::snapshot::{Fragment, InputReport, Marks, SnapshotHeader, SnapshotWriter};
use tickwire_shared::{Simulation, Tick};

use crate::arena::arena;
use crate::codec::{PAIRS, ShipPair, Ships, ship_table};
use crate::drift::{Seen, drift};
use crate::measure::{ThreadTime, brief, warm_up_ticks};
use crate::table::{Player, Table};

/// Entities in a snapshot that is put together.
const RECORDS: usize = 60;
/// Snapshots of one client in a row.
const STREAM_TICKS: u32 = 120;

/// One client's snapshot of sixty changed ships: from codes that are there already, and with coding.
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

/// A client that takes in the snapshots of two seconds, one after another, over and over.
pub(crate) fn apply(c: &mut Criterion<ThreadTime>) {
    let streams = [
        ("arena_players/200", Recorded::new(|| Stream::record(arena(200)))),
        ("drift_near_60/1000", Recorded::new(|| Stream::record(drift(1000, 1, Seen::Near)))),
        ("drift_all/100", Recorded::new(|| Stream::record(drift(100, 1, Seen::All)))),
    ];
    for (name, stream) in &streams {
        brief(c, "snapshot_apply").bench_function(*name, |b| {
            let stream = &**stream;
            b.iter_custom(|snapshots| stream.apply(snapshots as usize));
        });
    }
    for (name, stream) in &streams {
        brief(c, "snapshot_apply_per_entity").bench_function(*name, |b| {
            let stream = &**stream;
            b.iter_custom(|entities| {
                let snapshots = (entities as f64 / stream.entities_mean).ceil();
                let scale = entities as f64 / (snapshots * stream.entities_mean);
                stream.apply(snapshots as usize).mul_f64(scale)
            });
        });
    }
}

type Recorded = LazyCell<Stream>;

/// Where an entity's code is.
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
    /// Codes the ship against what it was, as a room does for every client that has that.
    fn code(&self, table: &LaneTable, codes: &mut BitWriter) -> Code {
        let word = codes.align();
        self.write(table, codes);
        let bits = codes.len_bits() - word * 64;
        codes.align();
        Code { word, bits }
    }
}

/// The slots of a common baseline, and marks that say that every third has changed.
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

/// What one client received, and the world it had before.
struct Stream {
    replica: Replica,
    near: Tick,
    snapshots: Vec<Vec<u8>>,
    /// Changed entities in a snapshot.
    entities_mean: f64,
}

impl Stream {
    fn record<S: Simulation, P: Player<S>>(mut table: Table<S, P>) -> Self {
        let (replica, near) = (table.first_replica().clone(), table.room().tick());
        let mut snapshots = Vec::new();
        let mut entities = 0;
        for _ in 0..warm_up_ticks(STREAM_TICKS) {
            table.tick();
            snapshots.push(table.first_snapshot().to_vec());
            let newest = table.first_replica().newest();
            let known = table.first_replica().entities().iter().map(|entity| &entity.states);
            entities +=
                known.filter(|states| Some(states.tick(states.len() - 1)) == newest).count();
        }
        let entities_mean = entities as f64 / snapshots.len() as f64;
        Stream { replica, near, snapshots, entities_mean }
    }

    /// The time that applying so many snapshots takes.
    fn apply(&self, mut snapshots: usize) -> Duration {
        let mut spent = Duration::ZERO;
        while snapshots > 0 {
            let some = &self.snapshots[..snapshots.min(self.snapshots.len())];
            let mut replica = self.replica.clone();
            let start = ThreadTime::now();
            for bytes in some {
                black_box(replica.apply(bytes, self.near)).expect("it was applied before");
            }
            spent += ThreadTime::now() - start;
            snapshots -= some.len();
        }
        spent
    }
}
