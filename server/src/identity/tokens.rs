//! The authenticator by join tokens: it adds the clock and the file of keys to [`TokenChecker`].

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use tickwire_shared::Account;
use tickwire_shared::control::CloseCode;

use super::authenticator::{
    AnyAuthenticator, AuthRefusal, Authenticator, Credentials, Guests, Identity,
};
use super::check::{TokenChecker, TokenError, TokenRules, signed_claims};
use super::claims::TokenClaims;
use super::keys::{TokenKeys, TokenKeysError, read};
use crate::config::ServerConfig;

/// Lets in players with a valid join token, and guests if the settings allow them.
#[derive(Debug)]
pub(crate) struct TokenAuthenticator {
    file: PathBuf,
    /// The text of the file as of the last read.
    read: Mutex<String>,
    keys: ArcSwap<TokenKeys>,
    checker: Mutex<TokenChecker>,
    guests: bool,
}

impl TokenAuthenticator {
    /// Opens the file of keys. Returns `None` if the settings name none. `game` is the default audience.
    pub(crate) fn open(
        config: &ServerConfig,
        game: &str,
    ) -> Result<Option<Arc<Self>>, TokenKeysError> {
        let Some(file) = &config.token_keys_file else { return Ok(None) };
        let text = read(file)?;
        let keys = TokenKeys::parse(&text)?;
        let rules = rules_of(config, game);
        tracing::info!(keys = ?keys.names(), audience = rules.audience, "players need a join token");
        Ok(Some(Arc::new(TokenAuthenticator {
            file: file.clone(),
            read: Mutex::new(text),
            keys: ArcSwap::from_pointee(keys),
            checker: Mutex::new(TokenChecker::new(rules)),
            guests: config.token_guests,
        })))
    }

    /// Takes over a changed file. Existing sessions are not affected. An unusable file changes nothing.
    pub(crate) fn refresh(&self) {
        match self.reload() {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(keys = ?self.keys.load().names(), "the keys of join tokens changed");
            }
            Err(error) => tracing::error!(%error, "the keys of join tokens stay as they are"),
        }
    }

    fn reload(&self) -> Result<bool, TokenKeysError> {
        let text = read(&self.file)?;
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == text {
            return Ok(false);
        }
        self.keys.store(Arc::new(TokenKeys::parse(&text)?));
        *last = text;
        Ok(true)
    }
}

/// The program's own authenticator, or the one of the settings: tokens, or guests only.
pub(crate) fn choose(
    own: Option<Box<dyn AnyAuthenticator>>,
    tokens: Option<Arc<TokenAuthenticator>>,
) -> Box<dyn AnyAuthenticator> {
    match (own, tokens) {
        (Some(own), _) => own,
        (None, Some(tokens)) => Box::new(tokens),
        (None, None) => {
            tracing::warn!(
                "everyone is let in as a guest, under any name: good for development; to ask players for tokens, \
                 set token_keys_file"
            );
            Box::new(Guests)
        }
    }
}

/// Checks the file of keys for changes at this interval.
pub(crate) async fn watch_keys(tokens: Option<Arc<TokenAuthenticator>>, pause_s: u32) {
    let Some(tokens) = tokens else { return std::future::pending().await };
    loop {
        tokio::time::sleep(Duration::from_secs(u64::from(pause_s))).await;
        tokens.refresh();
    }
}

impl Authenticator for Arc<TokenAuthenticator> {
    async fn authenticate(&self, shown: Credentials<'_>) -> Result<Identity, AuthRefusal> {
        let Some(token) = shown.token else {
            let guest = Ok(Identity::default());
            return if self.guests { guest } else { Err(CloseCode::TokenMissing.into()) };
        };
        // Signatures are checked side by side; only the used ids are shared.
        let claims = signed_claims(&self.keys.load(), token.as_str())?;
        let mut checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(checker.accept(claims, unix_s())?.into())
    }
}

/// The requirements of the settings.
pub(super) fn rules_of(config: &ServerConfig, game: &str) -> TokenRules {
    let audience = match config.token_audience.as_str() {
        "" => game,
        audience => audience,
    };
    TokenRules {
        audience: audience.to_owned(),
        lifetime_s_max: u64::from(config.token_lifetime_max_s),
        skew_s: u64::from(config.token_skew_s),
        ids_max: config.token_ids_max,
    }
}

/// Seconds since 1970.
pub(super) fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl From<TokenClaims> for Identity {
    fn from(claims: TokenClaims) -> Self {
        let TokenClaims { sub, name, room, seat, topics, .. } = claims;
        Identity { account: sub.map(|id| Account { id, seat }), name, room, topics }
    }
}

impl From<TokenError> for AuthRefusal {
    fn from(error: TokenError) -> Self {
        let code = match error {
            TokenError::Expired => CloseCode::TokenExpired,
            TokenError::NotYet(_) => CloseCode::TokenNotYet,
            TokenError::Used => CloseCode::TokenUsed,
            TokenError::TooMany => CloseCode::AuthUnavailable,
            _ => CloseCode::TokenInvalid,
        };
        AuthRefusal { code, text: error.to_string() }
    }
}
