//! States of other versions of a game.

use serde::de::DeserializeOwned;

/// A state cannot go on in this version of the game: the reason, for the server's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MigrateError(String);

impl MigrateError {
    /// With a reason of the game's own.
    pub fn new(reason: impl Into<String>) -> Self {
        MigrateError(reason.into())
    }

    /// States of version `from` are not read.
    pub fn version(from: u32) -> Self {
        MigrateError(format!(
            "this build reads no state of version {from} of the game: write Simulation::migrate for it"
        ))
    }
}

/// Reads a state from the bytes of a checkpoint, by the type that it was of.
///
/// # Errors
/// [`MigrateError`] if the bytes are not one such state.
pub fn read_state<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MigrateError> {
    match postcard::take_from_bytes(bytes) {
        Ok((state, [])) => Ok(state),
        Ok((_, more)) => Err(MigrateError(format!(
            "the state is {} bytes longer than its type of that version",
            more.len()
        ))),
        Err(error) => {
            Err(MigrateError(format!("the state is not of its type of that version: {error}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_another_type_is_not_read() {
        let bytes = postcard::to_allocvec(&(7u8, 300u16)).unwrap();
        assert_eq!(read_state::<(u8, u16)>(&bytes), Ok((7, 300)));
        let text = |error: MigrateError| error.to_string();
        assert!(text(read_state::<u8>(&bytes).unwrap_err()).contains("2 bytes longer"));
        assert!(text(read_state::<(u8, String)>(&bytes).unwrap_err()).contains("not of its type"));
    }
}
