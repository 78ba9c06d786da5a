//! Why a schema is of no use.

use super::SCHEMA_BYTES_MAX;
use crate::model::ModelError;

/// Why two schemas do not fit, or one cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SchemaError {
    /// Two different games.
    #[error(
        "this server runs the game \"{server}\", the client was built for \"{client}\"; connect to a server of that game"
    )]
    OtherGame {
        /// The server's game.
        server: String,
        /// The client's game.
        client: String,
    },
    /// Two tick rates.
    #[error(
        "the server ticks at {server} Hz, the client at {client} Hz; build both from the same rules"
    )]
    OtherTickRate {
        /// The server's rate.
        server: u32,
        /// The client's rate.
        client: u32,
    },
    /// The same field, declared in two ways.
    #[error(
        "{kind}.{field} is {server} on the server and {client} in the client; build both from the same rules"
    )]
    FieldDiffers {
        /// The struct.
        kind: String,
        /// The field.
        field: String,
        /// The server's declaration.
        server: String,
        /// The client's declaration.
        client: String,
    },
    /// A table that no codec can use.
    #[error("{kind}{}{field} cannot be coded: {reason}", if .field.is_empty() { "" } else { "." })]
    Invalid {
        /// The struct.
        kind: String,
        /// The field, or empty for the struct as a whole.
        field: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Larger than a frame can hold.
    #[error(
        "its tables take {bytes} bytes, of which {model} are the model's; {SCHEMA_BYTES_MAX} are allowed: have \
         fewer kinds and fields, shorter names or a smaller model"
    )]
    TooLarge {
        /// All of it.
        bytes: usize,
        /// The model alone.
        model: usize,
    },
    /// A model that cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
}
