//! The authenticator by join tokens: it adds the clock and the source of keys to [`TokenChecker`].

use std::path::{Path, PathBuf};
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
use super::remote_keys::RemoteKeys;
use super::used::TokenUse;
use crate::config::ServerConfig;

/// Lets in players with a valid join token, and guests if the settings allow them.
#[derive(Debug)]
pub(crate) struct TokenAuthenticator {
    source: KeySource,
    keys: ArcSwap<TokenKeys>,
    checker: Mutex<TokenChecker>,
    guests: bool,
}

/// Where the keys come from.
#[derive(Debug)]
enum KeySource {
    /// A file, and its text as of the last read.
    File(PathBuf, Mutex<String>),
    /// A document at a URL.
    Url(Box<RemoteKeys>),
}

impl TokenAuthenticator {
    /// Opens the file of keys. Those of a URL come once [`watch_keys`] runs. Returns `None` if the settings name neither.
    /// `game` is the default audience.
    pub(crate) fn open(
        config: &ServerConfig,
        game: &str,
    ) -> Result<Option<Arc<Self>>, TokenKeysError> {
        let rules = rules_of(config, game);
        let audience = rules.audience.clone();
        let (source, keys) = match (&config.token_keys_file, &config.token_keys_url) {
            (Some(file), _) => {
                let text = read(file)?;
                let keys = TokenKeys::parse(&text)?;
                tracing::info!(keys = ?keys.names(), audience, "players need a join token");
                (KeySource::File(file.clone(), Mutex::new(text)), keys)
            }
            (None, Some(url)) => {
                let remote = RemoteKeys::new(url, config)?;
                tracing::info!(%url, audience, "players need a join token");
                (KeySource::Url(Box::new(remote)), TokenKeys::none())
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Arc::new(TokenAuthenticator {
            source,
            keys: ArcSwap::from_pointee(keys),
            checker: Mutex::new(TokenChecker::new(rules)),
            guests: config.token_guests,
        })))
    }

    /// Takes over a changed file. Existing sessions are not affected. An unusable file changes nothing.
    fn refresh(&self, (file, last): (&Path, &Mutex<String>)) {
        match self.reload(file, last) {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(keys = ?self.keys.load().names(), "the keys of join tokens changed");
            }
            Err(error) => tracing::error!(%error, "the keys of join tokens stay as they are"),
        }
    }

    fn reload(&self, file: &Path, last: &Mutex<String>) -> Result<bool, TokenKeysError> {
        let text = read(file)?;
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == text {
            return Ok(false);
        }
        self.keys.store(Arc::new(TokenKeys::parse(&text)?));
        *last = text;
        Ok(true)
    }

    /// The identity by a token that is taken for this use, or of a guest.
    async fn identify(
        &self,
        shown: Credentials<'_>,
        token_use: TokenUse,
    ) -> Result<Identity, AuthRefusal> {
        let Some(token) = shown.token else {
            let guest = Ok(Identity::default());
            return if self.guests { guest } else { Err(CloseCode::TokenMissing.into()) };
        };
        let claims = self.signed_claims(token.as_str()).await?;
        let mut checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(checker.accept(claims, token_use, unix_s())?.into())
    }

    /// The claims of a token that a key of this server signed.
    async fn signed_claims(&self, token: &str) -> Result<TokenClaims, AuthRefusal> {
        // Signatures are checked side by side; only the used ids are shared.
        let claims = signed_claims(&self.keys.load(), token);
        match (claims, &self.source) {
            (Err(TokenError::UnknownKey), KeySource::Url(remote)) => {
                remote.look_for(&self.keys, token).await
            }
            (claims, _) => Ok(claims?),
        }
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
                 set token_keys_file or token_keys_url"
            );
            Box::new(Guests)
        }
    }
}

/// Keeps the keys as their file or their URL has them. A file is checked at this interval.
pub(crate) async fn watch_keys(tokens: Option<Arc<TokenAuthenticator>>, pause_s: u32) {
    let Some(tokens) = tokens else { return std::future::pending().await };
    match &tokens.source {
        KeySource::Url(remote) => remote.keep(&tokens.keys).await,
        KeySource::File(file, last) => loop {
            tokio::time::sleep(Duration::from_secs(u64::from(pause_s))).await;
            tokens.refresh((file.as_path(), last));
        },
    }
}

impl Authenticator for Arc<TokenAuthenticator> {
    async fn authenticate(&self, shown: Credentials<'_>) -> Result<Identity, AuthRefusal> {
        self.identify(shown, TokenUse::Session).await
    }

    async fn authenticate_request(&self, shown: Credentials<'_>) -> Result<Identity, AuthRefusal> {
        self.identify(shown, TokenUse::Requests).await
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
