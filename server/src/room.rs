//! The core of a room: players, inputs, simulation, replication, chat.
//!
//! Pure: it is handed messages and the time, and what it wants sent is polled from it.

mod message;

pub use message::{FromRoom, ToRoom};

use std::marker::PhantomData;
use std::time::Instant;

use tickwire_shared::control::RoomInfo;
use tickwire_shared::{PlayerId, Simulation, Tick};

use crate::config::RoomConfig;

/// One room.
#[derive(Debug)]
pub struct Room<S: Simulation> {
    _marker: PhantomData<S>,
}

impl<S: Simulation> Room<S> {
    /// An empty room at tick 0.
    pub fn new(name: String, seed: u64, config: RoomConfig) -> Self {
        let _ = (name, seed, config);
        todo!()
    }

    /// The last tick that was stepped.
    pub fn tick(&self) -> Tick {
        todo!()
    }

    /// Its line in the list of rooms.
    pub fn info(&self) -> RoomInfo {
        todo!()
    }

    /// Nobody is in it.
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// Takes one message. `time_ms` is milliseconds since 1970, for chat stamps.
    pub fn handle(&mut self, now: Instant, time_ms: u64, message: ToRoom<S::Input>) {
        let _ = (now, time_ms, message);
        todo!()
    }

    /// Steps one tick whose deadline was `due` and encodes each member's snapshot.
    pub fn step(&mut self, due: Instant) {
        let _ = due;
        todo!()
    }

    /// The snapshots of the last step: one datagram for each member, at most its path's size.
    /// The slices are valid until the next step.
    pub fn datagrams(&self) -> impl Iterator<Item = (PlayerId, &[u8])> {
        std::iter::empty()
    }

    /// The next reliable thing to send, in order.
    pub fn poll(&mut self) -> Option<FromRoom> {
        todo!()
    }
}
