//! Why a snapshot is of no use.

use crate::bits::BitError;

/// Why a snapshot was not applied. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Older than, or the same as, the newest one applied: reordered or repeated by the network.
    #[error("a snapshot that came late or twice")]
    Late,
    /// Coded against a state this client does not have.
    #[error("a snapshot against an unknown baseline")]
    UnknownBaseline,
    /// Of a room that was left.
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
