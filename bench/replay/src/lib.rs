//! Replays the snapshots that a client received: the same code natively and in a browser.

#[cfg(target_arch = "wasm32")]
pub mod web;

use std::hint::black_box;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tickwire_shared::Tick;
use tickwire_shared::replica::{Replica, SnapshotError};
use tickwire_shared::schema::Schema;

/// All snapshots that one client received.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// The schema of the room's game.
    pub schema: Schema,
    /// The client's seat.
    pub seat: u8,
    /// The room's tick when the client joined.
    pub near: Tick,
    /// Number of first snapshots that only build the world for the others.
    pub warm_up: usize,
    /// In the order of arrival, one a tick.
    pub snapshots: Vec<Vec<u8>>,
}

impl Stream {
    /// Serialises the stream for a browser.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("a stream holds nothing that cannot be written")
    }

    /// Reads a stream from [its bytes](Stream::to_bytes).
    ///
    /// # Errors
    /// If the bytes are not a stream.
    pub fn from_bytes(bytes: &[u8]) -> postcard::Result<Self> {
        postcard::from_bytes(bytes)
    }
}

/// A stream after its warm-up.
#[derive(Clone, Debug)]
pub struct Replay {
    stream: Stream,
    start: Replica,
    entities_mean: f64,
}

impl Replay {
    /// Applies the warm-up.
    ///
    /// # Errors
    /// If one of the snapshots cannot be applied.
    pub fn new(stream: Stream) -> Result<Self, SnapshotError> {
        let mut start = Replica::new(&stream.schema, stream.seat);
        let (warm_up, timed) = stream.snapshots.split_at(stream.warm_up);
        for bytes in warm_up {
            start.apply(bytes, stream.near)?;
        }
        let mut replica = start.clone();
        let mut changed = 0;
        for bytes in timed {
            replica.apply(bytes, stream.near)?;
            changed += changed_last(&replica);
        }
        let entities_mean = changed as f64 / timed.len() as f64;
        Ok(Replay { stream, start, entities_mean })
    }

    /// Mean number of changed entities in a snapshot after the warm-up.
    pub fn entities_mean(&self) -> f64 {
        self.entities_mean
    }

    /// The number of snapshots in one pass.
    pub fn snapshots(&self) -> usize {
        self.stream.snapshots.len() - self.stream.warm_up
    }

    /// Applies the snapshots after the warm-up `passes` times, each time to the world that the
    /// warm-up left. Returns the time by the clock `now`, and the [hash] of the final world.
    pub fn run(&self, passes: u32, now: impl Fn() -> Duration) -> (Duration, u64) {
        let (mut spent, mut end) = (Duration::ZERO, 0);
        for pass in 1..=passes {
            let mut replica = self.start.clone();
            let start = now();
            for bytes in &self.stream.snapshots[self.stream.warm_up..] {
                black_box(replica.apply(bytes, self.stream.near)).expect("it was applied before");
            }
            spent += now() - start;
            if pass == passes {
                end = hash(&replica);
            }
        }
        (spent, end)
    }
}

/// A hash of the newest state of every entity, independent of their order.
pub fn hash(replica: &Replica) -> u64 {
    let mut entities: Vec<_> = replica.entities().iter().collect();
    entities.sort_by_key(|entity| entity.id.0);
    let mut hash = Fnv::default();
    for entity in entities {
        let newest = entity.states.len() - 1;
        hash.add(entity.id.0);
        hash.add(u32::from(entity.kind) << 1 | u32::from(entity.mine));
        hash.add(entity.states.tick(newest).0);
        entity.states.state(newest).for_each(|lane| hash.add(lane.cast_unsigned()));
    }
    hash.0
}

fn changed_last(replica: &Replica) -> usize {
    let states = replica.entities().iter().map(|entity| &entity.states);
    states.filter(|states| Some(states.tick(states.len() - 1)) == replica.newest()).count()
}

/// FNV-1a of 64 bits (Fowler, Noll and Vo).
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, word: u32) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}
