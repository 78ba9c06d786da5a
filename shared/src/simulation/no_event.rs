//! The types of games that have no events or no commands.

use crate::quantize::{Kinds, Misfits};
use crate::schema::KindSchema;

/// The command type of a game that has none.
pub type NoCommand = NoEvent;

/// The event type of a game that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEvent {}

impl Kinds for NoEvent {
    fn schemas() -> Vec<KindSchema> {
        Vec::new()
    }

    fn kind(&self) -> u8 {
        match *self {}
    }

    fn to_lanes(&self, _lanes: &mut [i32]) -> Misfits {
        match *self {}
    }

    fn from_lanes(_kind: u8, _lanes: &[i32]) -> Option<Self> {
        None
    }
}
