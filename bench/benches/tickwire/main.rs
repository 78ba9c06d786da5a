//! Criterion benches of the tick, the codec and the round trip. `bench/README.md` says what each measures.

mod arena;
mod codec;
mod drift;
mod round_trip;
mod settings;
mod snapshot;
mod table;
mod tick;

use criterion::Criterion;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() {
    let mut criterion = Criterion::default().nresamples(10_000).configure_from_args();
    tick::arena(&mut criterion);
    tick::drift(&mut criterion);
    let ships = codec::ship_pairs();
    snapshot::encode(&mut criterion, &ships);
    snapshot::apply(&mut criterion);
    codec::lanes(&mut criterion, &ships);
    codec::delta(&mut criterion, &ships);
    codec::input(&mut criterion);
    round_trip::all(&mut criterion);
    criterion.final_summary();
}
