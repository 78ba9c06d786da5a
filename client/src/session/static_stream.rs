//! The static stream of a session: bytes in, bytes out, and what a cache has.

use tickwire_shared::Tick;
use tickwire_shared::control::ContentHash;

use super::{Session, SessionError};

impl Session {
    /// Takes bytes of the static stream.
    ///
    /// # Errors
    /// As [`Session::handle_control`].
    pub fn handle_static(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.stats.bytes_in += bytes.len() as u64;
        let told = self.static_data.handle_stream(bytes)?;
        told.into_iter().for_each(|event| self.tell(event));
        Ok(())
    }

    /// Bytes to write to the static stream, whose first byte opens it; empty when there are none.
    pub fn take_static(&mut self) -> Vec<u8> {
        let bytes = self.static_data.take_out();
        self.stats.bytes_out += bytes.len() as u64;
        bytes
    }

    /// The hash of static data that the room has and this client lacks: answer each by
    /// [`give_static`](Session::give_static), or it is never loaded.
    pub fn poll_static_wanted(&mut self) -> Option<ContentHash> {
        self.static_data.poll_wanted()
    }

    /// The bytes of this hash out of a cache, which checked them; with `None` the server is asked for them.
    pub fn give_static(&mut self, hash: ContentHash, found: Option<&[u8]>) {
        let told = self.static_data.give(hash, found);
        told.into_iter().for_each(|event| self.tell(event));
    }

    /// Whether [`poll_static_loaded`](Session::poll_static_loaded) has what is loaded from now on.
    pub fn use_static_cache(&mut self) {
        self.static_data.use_cache();
    }

    /// Bytes that were loaded, for a cache, with the hash that the server says they have.
    pub fn poll_static_loaded(&mut self) -> Option<(ContentHash, Vec<u8>)> {
        self.static_data.poll_loaded()
    }

    /// The room's static data under a key of the game's, and the tick of which it is; `None` until all of it is here.
    pub fn static_data(&self, key: u8) -> Option<(&[u8], Tick)> {
        self.static_data.get(key)
    }
}
