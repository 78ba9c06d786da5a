//! A new process takes a running server over: its sockets, its rooms and its sessions.
//!
//! ```text
//! old process                                   new process
//! starts the new one, a Unix socket as its stdin
//! Begin(rooms, schema)  ---------------------->  opens settings, certificates, keys
//!                                                runs all rooms again, from their files
//!      (plays on)       <---------------------- Ready, or Refused(reason)
//! ends its rooms after a tick, closes journals and store
//! Ended(sockets)        ---------------------->  opens journals and store, goes on with the rooms
//! has its clients resume  <-------------------- Up
//! Yours                 ---------------------->  reads the sockets
//! ends
//! ```
//!
//! Until `Ended` nothing of the old process changes: if the new one refuses, ends or is silent, play goes on.

mod channel;
mod predecessor;
mod service;
mod successor;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tickwire_shared::schema::Schema;

pub(crate) use predecessor::{GivenSockets, Predecessor};
pub(crate) use service::tell_ready;
pub(crate) use successor::{HandoverSignal, Launch, Successor};

/// The variable by which a process knows that it is to take over, and its value: the version of the talk.
const VARIABLE: &str = "TICKWIRE_HANDOVER";
const VERSION: &str = "1";

/// The sockets of a server, as both processes have them.
#[derive(Debug)]
pub(crate) struct ServerSockets {
    pub(crate) udp: OwnedFd,
    pub(crate) http: Option<OwnedFd>,
}

/// Said by the old process.
#[derive(Debug, Serialize, Deserialize)]
enum FromOld {
    /// What there is to take over.
    Begin(Begin),
    /// Each room has a checkpoint of now; or the first that has none, with the reason.
    Checkpoints(Result<(), String>),
    /// The rooms have ended, and their files are closed. The sockets come with it: UDP first.
    Ended,
    /// The old process reads the sockets no more.
    Yours,
}

/// A server that is to be taken over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Begin {
    /// The names of the folders of its rooms' journals.
    pub(crate) rooms: Vec<PathBuf>,
    /// The field tables that its clients know, with the model.
    pub(crate) schema: Schema,
}

/// Said by the new process.
#[derive(Debug, Serialize, Deserialize)]
enum FromNew {
    /// It needs a checkpoint of each room: its rules are of another version.
    NeedsCheckpoints,
    /// It can take over.
    Ready {
        /// The rooms end with a checkpoint.
        with_checkpoints: bool,
    },
    /// It cannot: the reason.
    Refused(String),
    /// It has all rooms, and serves once it has the sockets.
    Up,
}

/// A new process does not take over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandoverError {
    #[error("{} cannot be started: {error}", program.display())]
    Start { program: PathBuf, error: io::Error },
    #[error("the new process refused: {0}")]
    Refused(String),
    #[error("the new process ended before it was ready{0}; its reason is in its log")]
    Ended(String),
    #[error("the new process was not ready within handover_ms")]
    Silent,
    #[error("the new process said something else than was asked")]
    Unexpected,
    #[error("rooms are handed over by their journals: give both processes the setting journal")]
    NoJournals,
    #[error("the talk with the other process failed: {0}")]
    Channel(io::Error),
}

impl From<io::Error> for HandoverError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => HandoverError::Silent,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset => HandoverError::Ended(String::new()),
            _ => HandoverError::Channel(error),
        }
    }
}
