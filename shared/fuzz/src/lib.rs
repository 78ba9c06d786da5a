//! What the fuzz targets share: a game to decode for, and a limit on what decoding may allocate.

mod allocation;
mod frames;
mod game;
mod snapshots;

pub use allocation::bounded;
pub use frames::read_frames;
pub use game::{Ask, Game, Stick};
pub use snapshots::{SCHEMA, SEAT, SNAPSHOT_MULTIPLE, begun, snapshot_memory};
