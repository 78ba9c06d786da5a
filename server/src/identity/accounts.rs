//! Sessions of accounts: an account has one at most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tickwire_shared::PlayerId;
use tokio::sync::{Notify, futures::Notified};

/// Accounts that have a session.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    sessions: Mutex<HashMap<String, PlayerId>>,
    /// Notified when an account's session has ended.
    released: Notify,
}

/// An account's one session, until dropped.
#[derive(Debug)]
pub(crate) struct AccountPermit {
    accounts: Arc<Accounts>,
    id: String,
}

impl Accounts {
    /// Gives the account's one session to `player`.
    ///
    /// # Errors
    /// The player who has it.
    pub(crate) fn take(
        self: &Arc<Self>,
        id: &str,
        player: PlayerId,
    ) -> Result<AccountPermit, PlayerId> {
        let mut sessions = self.sessions();
        if let Some(other) = sessions.get(id) {
            return Err(*other);
        }
        sessions.insert(id.to_owned(), player);
        Ok(AccountPermit { accounts: Arc::clone(self), id: id.to_owned() })
    }

    /// True while an account has a session.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.sessions().contains_key(id)
    }

    /// Completes once any account is released after this call.
    pub(crate) fn released(&self) -> Notified<'_> {
        self.released.notified()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, PlayerId>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AccountPermit {
    fn drop(&mut self) {
        self.accounts.sessions().remove(&self.id);
        self.accounts.released.notify_waiters();
    }
}
