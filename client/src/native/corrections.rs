//! What was predicted wrong, for a file.

use tickwire_shared::Simulation;
use tickwire_shared::correction::CorrectionRecord;

use super::Client;

impl<S: Simulation> Client<S> {
    /// Keeps what the server corrects of this client's prediction, the newest `count_max` corrections, for
    /// [`Client::poll_correction`]; 0 for none, as by default.
    pub fn keep_corrections(&mut self, count_max: usize) {
        self.session.keep_corrections(count_max);
    }

    /// The next correction, oldest first: the fields that differed, by name and in their units, and the inputs since the
    /// prediction was right. As a line of JSON each, in a file, `replay JOURNAL --corrections FILE` of the game's server
    /// prints them beside what the room had. Poll it once a frame: the room is the one that the client is in.
    pub fn poll_correction(&mut self) -> Option<CorrectionRecord> {
        let correction = self.session.poll_correction()?;
        let welcome = self.session.welcome()?;
        let room = self.session.room().map_or("", |room| room.name());
        Some(correction.named(&welcome.schema, (room, welcome.player)))
    }
}
