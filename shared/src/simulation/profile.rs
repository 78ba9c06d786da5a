//! What the store keeps of an account.

use serde::{Deserialize, Serialize};

/// What became of a profile that was [saved](super::Outbox::save), or of a [score](super::Outbox::score).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SaveOutcome {
    /// The disk has it, or a later profile of the same stay, or a better score of the account on a board that keeps the best.
    Saved,
    /// Of a profile: the account has joined again since, what is saved there is kept, and this is not. Of a score on a board that
    /// adds up: this tick of the room was counted before the server was killed, and counts once.
    Stale,
    /// It is not kept: longer than `room.profile_bytes_max`, no place in the store's queue, for another account or on the board,
    /// or the disk fails. What was saved before stays.
    Failed,
}
