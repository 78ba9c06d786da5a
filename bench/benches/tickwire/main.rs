//! Criterion benches of the tick, the codec and the round trip. `bench/README.md` describes each.

mod codec;
mod measure;
mod rooms;
mod round_trip;
mod snapshot;
mod tick;

use criterion::Criterion;
use measure::ThreadTime;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() {
    let criterion = || Criterion::default().nresamples(10_000).configure_from_args();
    let mut alone = criterion().with_measurement(ThreadTime);
    tick::arena(&mut alone);
    tick::drift(&mut alone);
    tick::crowd(&mut alone);
    let ships = codec::Ships::new(codec::ship_pairs);
    snapshot::encode(&mut alone, &ships);
    snapshot::apply(&mut alone);
    codec::lanes(&mut alone, &ships);
    codec::delta(&mut alone, &ships);
    codec::input(&mut alone);
    alone.final_summary();

    let mut networked = criterion();
    round_trip::all(&mut networked);
    networked.final_summary();
}
