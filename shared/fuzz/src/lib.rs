//! What the fuzz targets share: a game to decode for, and a limit on what decoding may allocate.

mod allocation;
mod frames;
mod game;

pub use allocation::bounded;
pub use frames::read_frames;
pub use game::{Game, Stick};
