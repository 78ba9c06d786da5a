//! The identity of the sender of an HTTP request, which has no session.

use std::net::IpAddr;

use tickwire_shared::control::{CloseCode, Redacted};
use tickwire_shared::{Account, Simulation};

use super::{ServerState, SessionEnd};
use crate::guard::guarded_future;
use crate::identity::{AuthRefusal, Credentials, Identity, TOKEN_BYTES_MAX, TokenError};
use crate::sanctions::SanctionSubject;

impl<S: Simulation> ServerState<S> {
    /// Identifies the sender of a request by its token, if it has one. A session of the same account goes on.
    ///
    /// # Errors
    /// The refusal; that of a ban has [`CloseCode::Kicked`].
    pub(crate) async fn identify_request(
        &self,
        token: Option<&Redacted>,
        address: IpAddr,
    ) -> Result<Identity, AuthRefusal> {
        if token.is_some_and(|token| token.as_str().len() > TOKEN_BYTES_MAX) {
            return Err(AuthRefusal::invalid(TokenError::TooLong.to_string()));
        }
        self.check_sender(SanctionSubject { account: None, name: None, address })?;
        let shown = Credentials { token, address };
        let authenticator = self.authenticator();
        let asked = guarded_future(|| authenticator.authenticate_request_boxed(shown));
        let answered = tokio::time::timeout(self.config.handshake_time(), asked).await;
        let identity = answered.ok().flatten().unwrap_or_else(|| {
            tracing::error!("the authenticator failed: a request is refused");
            Err(CloseCode::AuthUnavailable.into())
        })?;
        if let Some(Account { id, .. }) = &identity.account {
            self.check_sender(SanctionSubject { account: Some(id), name: None, address })?;
        }
        Ok(identity)
    }

    fn check_sender(&self, subject: SanctionSubject<'_>) -> Result<(), AuthRefusal> {
        let banned = |SessionEnd { code, text }| AuthRefusal { code, text };
        self.check_ban(subject).map_err(banned)
    }
}
