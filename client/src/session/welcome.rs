//! What the server says first.

use tickwire_shared::PlayerId;
use tickwire_shared::command::CommandCodec;
use tickwire_shared::schema::Schema;

use super::{Session, SessionError};

/// The server's answer to hello.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// The client's number.
    pub player: PlayerId,
    /// The server's name and version.
    pub server: String,
    /// The server's schema.
    pub schema: Schema,
}

impl Session {
    pub(super) fn handle_welcome(&mut self, welcome: Welcome) -> Result<(), SessionError> {
        if self.welcome.is_some() {
            return Err(SessionError::Unexpected { what: "a second welcome" });
        }
        welcome.schema.validate()?;
        if let Some(own) = &self.own_schema {
            welcome.schema.accepts(own)?;
        }
        self.held = welcome.schema.input.zero_lanes();
        self.commands = Some(CommandCodec::new(&welcome.schema));
        self.welcome = Some(welcome);
        Ok(())
    }
}
