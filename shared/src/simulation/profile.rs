//! What the store keeps of an account.

use serde::{Deserialize, Serialize};

/// What became of a profile that was [saved](super::Outbox::save).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SaveOutcome {
    /// The disk has it, or a later one of the same stay.
    Saved,
    /// The account has joined again since: what is saved there is kept, and this is not.
    Stale,
    /// It is not kept: longer than `room.profile_bytes_max`, no place in the store's queue or for another account, or the
    /// disk fails. What was saved before stays.
    Failed,
}
