//! Bugs put in on purpose, at the seams of the simulation: nothing of them is in the server.

use std::cell::Cell;

use clap::ValueEnum;

/// A bug that a run must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlantedBug {
    /// Clients acknowledge the snapshot after the newest one that they have.
    AckOffByOne,
    /// For one tick in 64, the game shows a ship's owner-only field to another player.
    LeakedField,
    /// A client that resumes has forgotten its last frame of chat.
    LostChatAck,
    /// A player that is back gets a second ship.
    DoubledSeat,
    /// The journal's writer loses a record, once in a while.
    DroppedRecord,
}

impl PlantedBug {
    pub(crate) const ALL: [PlantedBug; 5] = [
        PlantedBug::AckOffByOne,
        PlantedBug::LeakedField,
        PlantedBug::LostChatAck,
        PlantedBug::DoubledSeat,
        PlantedBug::DroppedRecord,
    ];

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether it is put into the runs of this thread.
    pub(crate) fn is_planted(self) -> bool {
        PLANTED.get() == Some(self)
    }

    /// Puts a bug into the runs of this thread, in place of the one before.
    pub(crate) fn plant(bug: Option<PlantedBug>) {
        PLANTED.set(bug);
    }
}

thread_local! {
    static PLANTED: Cell<Option<PlantedBug>> = const { Cell::new(None) };
}
