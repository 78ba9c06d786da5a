//! Bans and mutes: checked at the hello, the join and chat, and set while the server runs.

use std::sync::Arc;

use tickwire_shared::Simulation;
use tickwire_shared::control::{CloseCode, RefuseCode};
use tokio::sync::oneshot;

use super::{ClientLink, ServerState, SessionEnd};
use crate::rooms::RoomRefusal;
use crate::sanctions::{Sanction, SanctionKind, SanctionSubject, SanctionTarget};
use crate::store::{ServerStore, SetSanction, wall_ms};

/// Why a sanction was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SanctionRefusal {
    /// There is no store.
    NoStore,
    /// There are as many as `sanctions_max`.
    Full,
    /// The store fails, or is behind.
    Failing,
}

impl<S: Simulation> ServerState<S> {
    /// Whether somebody may be on the server. `name` is that of a join.
    ///
    /// # Errors
    /// The end of its session.
    pub(super) fn check_ban(&self, subject: SanctionSubject<'_>) -> Result<(), SessionEnd> {
        match self.sanction_on(SanctionKind::Ban, subject) {
            None => Ok(()),
            Some(sanction) => {
                self.counters.sessions_banned.increment();
                Err(banned(&sanction))
            }
        }
    }

    /// Whether somebody may join under this name.
    ///
    /// # Errors
    /// `NameInvalid`, with the reason of the ban.
    pub(super) fn check_name(
        &self,
        link: &ClientLink<S::Input>,
        name: &str,
    ) -> Result<(), RoomRefusal> {
        // The authenticator may set the name.
        let name = Some(link.identity().name.as_deref().unwrap_or(name));
        let address = link.transport().remote_address().ip();
        match self.sanction_on(SanctionKind::Ban, SanctionSubject { account: None, name, address })
        {
            None => Ok(()),
            Some(sanction) => {
                let text = sanction.told("this name is banned; choose another");
                Err(RoomRefusal { code: RefuseCode::NameInvalid, text })
            }
        }
    }

    /// Why a client may not chat now, if it may not.
    pub(super) fn mute_of(&self, link: &ClientLink<S::Input>) -> Option<String> {
        let (account, name) = (&link.identity().account, link.display_name());
        let subject = SanctionSubject {
            account: account.as_ref().map(|account| account.id.as_str()),
            name: name.as_ref().map(|name| name.as_str()),
            address: link.transport().remote_address().ip(),
        };
        let sanction = self.sanction_on(SanctionKind::Mute, subject)?;
        Some(sanction.told("you are muted"))
    }

    fn sanction_on(&self, kind: SanctionKind, subject: SanctionSubject<'_>) -> Option<Sanction> {
        let sanctions = self.rooms.store.as_ref().map(ServerStore::sanctions)?;
        sanctions.find(kind, subject, wall_ms()).cloned()
    }

    /// Sets a sanction, or lifts it, once the disk has it. A ban ends the sessions that it is for.
    pub(crate) async fn set_sanction(
        &self,
        (kind, target): (SanctionKind, SanctionTarget),
        sanction: Option<Sanction>,
    ) -> Result<(), SanctionRefusal> {
        let store = self.rooms.store.as_ref().ok_or(SanctionRefusal::NoStore)?;
        let (answer, answered) = oneshot::channel();
        let change = ((kind, target.clone()), sanction.clone());
        if !store.set_sanction(SetSanction { change: change.clone(), answer }) {
            return Err(SanctionRefusal::Failing);
        }
        match answered.await {
            Ok(Some(true)) => {}
            Ok(Some(false)) => return Err(SanctionRefusal::Full),
            Ok(None) | Err(_) => return Err(SanctionRefusal::Failing),
        }
        store.apply_sanction(change);
        tracing::info!(kind = kind.word(), %target, is_lifted = sanction.is_none(), "sanction set");
        if kind == SanctionKind::Ban && sanction.is_some() {
            self.end_banned();
        }
        Ok(())
    }

    /// Ends the sessions of those who are banned by now.
    fn end_banned(&self) {
        let links: Vec<Arc<ClientLink<S::Input>>> = self.links.read().values().cloned().collect();
        for link in links {
            let (account, name) = (&link.identity().account, link.display_name());
            let subject = SanctionSubject {
                account: account.as_ref().map(|account| account.id.as_str()),
                name: name.as_ref().map(|name| name.as_str()),
                address: link.transport().remote_address().ip(),
            };
            if let Some(sanction) = self.sanction_on(SanctionKind::Ban, subject) {
                self.counters.sessions_banned.increment();
                link.end(banned(&sanction));
            }
        }
    }
}

fn banned(sanction: &Sanction) -> SessionEnd {
    SessionEnd::new(CloseCode::Kicked, sanction.told("you are banned from this server"))
}
