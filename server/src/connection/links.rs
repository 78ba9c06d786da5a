//! The clients of a server.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tickwire_shared::PlayerId;
use tickwire_shared::control::ResumeSecret;
use tokio::sync::Notify;

use super::link::{ClientLink, SessionEnd};
use super::order::SentAgain;
use crate::config::ServerConfig;
use crate::rooms::{PlayerNumbers, RestoredSeat};
use crate::transport::TransportSession;

/// The clients of a server by their number.
#[derive(Debug)]
pub(crate) struct ClientLinks<I> {
    links: RwLock<HashMap<PlayerId, Arc<ClientLink<I>>>>,
    numbers: Arc<PlayerNumbers>,
    /// A client left.
    left: Notify,
}

impl<I> ClientLinks<I> {
    /// No clients; `numbers` has those they will get.
    pub(crate) fn new(numbers: Arc<PlayerNumbers>) -> Self {
        ClientLinks { links: RwLock::new(HashMap::new()), numbers, left: Notify::new() }
    }

    /// Adds a new session and numbers it.
    pub(crate) fn open(
        &self,
        session: TransportSession,
        config: &ServerConfig,
    ) -> Arc<ClientLink<I>> {
        self.add(ClientLink::new(self.numbers.take(1), Arc::new(session), config))
    }

    /// Adds the session of a restored seat, which its client resumes by `secret`.
    pub(super) fn restore(
        &self,
        seat: RestoredSeat<I>,
        resume: (ResumeSecret, SentAgain),
        transport: Arc<TransportSession>,
        config: &ServerConfig,
    ) -> Arc<ClientLink<I>> {
        self.add(ClientLink::restored(seat, resume, transport, config))
    }

    /// A number that no session has, for somebody without one.
    pub(crate) fn number(&self) -> PlayerId {
        self.numbers.take(1)
    }

    fn add(&self, link: ClientLink<I>) -> Arc<ClientLink<I>> {
        let link = Arc::new(link);
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        links.insert(link.player, Arc::clone(&link));
        link
    }

    pub(crate) fn get(&self, player: PlayerId) -> Option<Arc<ClientLink<I>>> {
        self.read().get(&player).cloned()
    }

    /// Locks the clients for reading; none comes or goes meanwhile.
    pub(crate) fn read(
        &self,
    ) -> std::sync::RwLockReadGuard<'_, HashMap<PlayerId, Arc<ClientLink<I>>>> {
        self.links.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remove(&self, player: PlayerId) {
        self.links.write().unwrap_or_else(PoisonError::into_inner).remove(&player);
        self.left.notify_waiters();
    }

    pub(crate) fn count(&self) -> usize {
        self.read().len()
    }

    /// Ends every session by its `end`, in the order of their numbers.
    pub(crate) fn end_all(&self, end: impl Fn(&ClientLink<I>) -> SessionEnd) {
        let mut links: Vec<Arc<ClientLink<I>>> = self.read().values().map(Arc::clone).collect();
        links.sort_unstable_by_key(|link| link.player);
        for link in links {
            link.end(end(&link));
        }
    }

    /// Waits until no client is left.
    pub(crate) async fn all_left(&self) {
        loop {
            let left = self.left.notified();
            if self.count() == 0 {
                return;
            }
            left.await;
        }
    }
}
