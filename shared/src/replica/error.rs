//! Reasons why a snapshot is not applied.

use crate::bits::BitError;

/// The reason why a snapshot was not applied. The world is then unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Not newer than the newest applied one: the network reordered or repeated it.
    #[error("a snapshot that came late or twice")]
    Late,
    /// Coded against a baseline that this client lacks.
    #[error("a snapshot against an unknown baseline")]
    UnknownBaseline,
    /// From a room that was left.
    #[error("a snapshot of another room")]
    OtherSeat,
    /// Not a snapshot of this protocol and schema.
    #[error("a snapshot that cannot be read; update the client")]
    Malformed,
}

impl From<BitError> for SnapshotError {
    fn from(_: BitError) -> Self {
        SnapshotError::Malformed
    }
}
