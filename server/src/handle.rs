//! What a program may do with its own server while it runs.

use std::sync::Arc;

use tickwire_shared::Simulation;

use crate::connection::ServerState;
use crate::notices::Notices;

mod topics;

pub use topics::{
    PublishError, ReadTopicsOptions, ReaderEnd, TopicItem, TopicReader, TopicsHandle,
};

/// A running server, for tasks of its own program: [`Server::handle`](crate::Server::handle), or
/// [`run_with_task`](crate::run_with_task). Clones are of the same server.
pub struct ServerHandle<S: Simulation> {
    host: Arc<ServerState<S>>,
}

impl<S: Simulation> ServerHandle<S> {
    pub(crate) fn new(host: &Arc<ServerState<S>>) -> Self {
        ServerHandle { host: Arc::clone(host) }
    }

    /// Says something to those who play.
    pub fn notices(&self) -> Notices<S> {
        Notices::new(&self.host)
    }

    /// Publishes and reads the server's topics.
    pub fn topics(&self) -> TopicsHandle<S> {
        TopicsHandle::new(&self.host)
    }
}

impl<S: Simulation> Clone for ServerHandle<S> {
    fn clone(&self) -> Self {
        ServerHandle::new(&self.host)
    }
}

impl<S: Simulation> std::fmt::Debug for ServerHandle<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerHandle(..)")
    }
}
