//! Rooms and their clients without sockets, and the snapshots of one client.

pub mod arena;
pub mod drift;
pub mod table;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tickwire_replay::Stream;
use tickwire_shared::Simulation;
use tickwire_shared::simulation::schema_of;

use drift::Seen;
use table::{Player, Table};

/// Consecutive snapshots of one client that are timed.
const STREAM_TICKS: u32 = 120;

/// Records a stream. Plays at most the given number of ticks, both before the timed snapshots and
/// for them.
pub type Record = fn(u32) -> Stream;

/// The named streams that `snapshot_apply` and `wasm-speed` apply.
pub const STREAMS: [(&str, Record); 3] = [
    ("arena_players/200", |ticks_max| record(arena::arena(200), arena::WARM_UP_TICKS, ticks_max)),
    ("drift_near_60/1000", |ticks_max| drifting(1000, Seen::Near, ticks_max)),
    ("drift_all/100", |ticks_max| drifting(100, Seen::All, ticks_max)),
];

/// Processor time of this thread so far, which excludes other threads.
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("time runs forward");
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec as u64)
}

fn drifting(entities: u32, seen: Seen, ticks_max: u32) -> Stream {
    record(drift::drift(entities, 1, seen), drift::WARM_UP_TICKS, ticks_max)
}

/// Records everything that the first client of a new table receives.
fn record<S: Simulation, P: Player<S>>(
    mut table: Table<S, P>,
    warm_up_ticks: u32,
    ticks_max: u32,
) -> Stream {
    let near = table.room().tick();
    let warm_up_ticks = warm_up_ticks.min(ticks_max);
    let snapshots = (0..warm_up_ticks + STREAM_TICKS.min(ticks_max)).map(|_| {
        table.tick();
        table.first_snapshot().to_vec()
    });
    let snapshots = snapshots.collect();
    Stream {
        schema: schema_of::<S>(),
        seat: table.first_seat(),
        near,
        warm_up: warm_up_ticks as usize,
        snapshots,
    }
}

#[cfg(test)]
mod tests {
    use tickwire_replay::Replay;

    use super::*;

    const TICKS_MAX: u32 = 5;

    fn end(stream: Stream) -> u64 {
        Replay::new(stream).unwrap().run(2, thread_time).1
    }

    #[test]
    fn a_stream_ends_in_the_same_world_however_it_was_carried_and_in_another_without_its_end() {
        let stream = drifting(20, Seen::All, TICKS_MAX);
        let carried = Stream::from_bytes(&stream.to_bytes()).unwrap();
        assert_eq!(end(carried), end(stream.clone()));
        let mut shorter = stream.clone();
        shorter.snapshots.pop();
        assert_ne!(end(shorter), end(stream));
    }
}
