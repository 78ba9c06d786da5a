//! The static stream of a session: its bytes in and out, and the caller's cache.

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
        self.stall.heard_stream();
        let told = self.static_data.handle_stream(bytes)?;
        told.into_iter().for_each(|event| self.tell(event));
        Ok(())
    }

    /// Bytes to write to the static stream, which the first of them opens; may be empty.
    pub fn take_static(&mut self) -> Vec<u8> {
        let bytes = self.static_data.take_out();
        self.stats.bytes_out += bytes.len() as u64;
        bytes
    }

    /// The hash of static data that this client lacks. Answer each with
    /// [`give_static`](Session::give_static), or the data is never loaded.
    pub fn poll_static_wanted(&mut self) -> Option<ContentHash> {
        self.static_data.poll_wanted()
    }

    /// The bytes of this hash from the cache, which must have checked them; `None` requests them
    /// from the server.
    pub fn give_static(&mut self, hash: ContentHash, found: Option<&[u8]>) {
        let told = self.static_data.give(hash, found);
        told.into_iter().for_each(|event| self.tell(event));
    }

    /// Hands loaded bytes to [`poll_static_loaded`](Session::poll_static_loaded) from now on.
    pub fn use_static_cache(&mut self) {
        self.static_data.use_cache();
    }

    /// Loaded bytes for the cache, with their hash as the server gave it.
    pub fn poll_static_loaded(&mut self) -> Option<(ContentHash, Vec<u8>)> {
        self.static_data.poll_loaded()
    }

    /// The room's static data under a key of the game's, and its tick; `None` until all of it is
    /// here.
    pub fn static_data(&self, key: u8) -> Option<(&[u8], Tick)> {
        self.static_data.get(key)
    }
}
