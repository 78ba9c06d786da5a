//! Errors of a server.

use std::io;
use std::path::PathBuf;

use tickwire_certs::CertsError;

use crate::admin::AdminTokenError;
use crate::handover::HandoverError;
use crate::http::PageError;
use crate::identity::TokenKeysError;
use crate::store::StoreError;
use crate::transport::BindError;
use crate::webhooks::WebhookError;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No socket, or a certificate that cannot be served.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No certificate.
    #[error(transparent)]
    Certificates(#[from] CertsError),
    /// No simulation threads.
    #[error("the simulation threads cannot start: {0}; lower sim_threads")]
    Threads(io::Error),
    /// No folder or no thread for journals.
    #[error("journals cannot be kept in {}: {error}; give another directory with journal", dir.display())]
    Journals {
        /// The setting.
        dir: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Ctrl-C and SIGTERM cannot be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    /// Unusable keys for join tokens.
    #[error(transparent)]
    TokenKeys(#[from] TokenKeysError),
    /// Webhooks cannot be posted by these settings.
    #[error(transparent)]
    Webhooks(#[from] WebhookError),
    /// No token for the admin side.
    #[error(transparent)]
    AdminToken(#[from] AdminTokenError),
    /// No page.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The game's own tables are wrong.
    #[error("the game cannot be served: {0}")]
    Schema(#[from] tickwire_shared::compatibility::SchemaError),
    /// A part died that the server cannot do without.
    #[error("{what} died, and the server with it; the log says of what")]
    Died {
        /// Which part.
        what: String,
    },
    /// It does not take over from the process that started it, which goes on.
    #[error("not taken over: {0}")]
    Refused(String),
    /// The new process failed once the rooms had ended.
    #[error(
        "the new process failed while it took over: {0}; start the server again: its rooms are in their journals"
    )]
    Handover(String),
    /// A tick of the game did not end.
    #[error("{what}, and did not end within stop_ms: it was left alone")]
    Stuck {
        /// Which tick, of which room.
        what: String,
    },
}

impl From<HandoverError> for ServerError {
    fn from(error: HandoverError) -> Self {
        ServerError::Refused(match error {
            HandoverError::Refused(reason) => reason,
            error => error.to_string(),
        })
    }
}

impl ServerError {
    /// For the process that would have been taken over.
    pub(crate) fn reason(&self) -> String {
        match self {
            ServerError::Refused(reason) => reason.clone(),
            error => error.to_string(),
        }
    }
}
