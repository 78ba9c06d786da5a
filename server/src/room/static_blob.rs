//! Static data for all members of a room, in one copy.

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use tickwire_shared::control::ContentHash;

/// Bytes that clients load, with their hash. Clones share the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticBlob {
    /// The hash of `bytes`.
    pub hash: ContentHash,
    /// At least one byte.
    pub bytes: Arc<[u8]>,
}

impl StaticBlob {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let hash = digest(&SHA256, &bytes).as_ref().try_into().map(ContentHash);
        StaticBlob { hash: hash.expect("SHA-256 has 32 bytes"), bytes: bytes.into() }
    }
}
