//! The frames of the static stream: what all in a room need once, and is too large for snapshots.

use serde::{Deserialize, Serialize};

/// Most bytes of static data under one key.
pub const STATIC_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most bytes of one [`ServerStatic::Chunk`], and of one [`StaticChange`].
pub const STATIC_CHUNK_BYTES_MAX: usize = 16 * 1024;

/// The SHA-256 of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentHash(pub [u8; 32]);

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

/// Some of the static data under a key is another from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticChange {
    /// Where it begins.
    pub offset: u32,
    /// What is there now; it never reaches beyond the end.
    pub bytes: Vec<u8>,
}

/// What a client says on the static stream: an answer to each [`ServerFrame::StaticData`](super::ServerFrame::StaticData).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientStatic {
    /// It lacks these bytes: [`ServerStatic::Chunk`]s follow.
    Fetch(ContentHash),
    /// It has them: they need not be kept for it.
    Have(ContentHash),
}

/// What the server says on the static stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerStatic {
    /// The next bytes of what was asked for; chunks of one hash come in order, without gaps.
    Chunk {
        /// Of all the bytes.
        hash: ContentHash,
        /// Where these begin.
        offset: u32,
        /// At least one, at most [`STATIC_CHUNK_BYTES_MAX`].
        bytes: Vec<u8>,
    },
}
