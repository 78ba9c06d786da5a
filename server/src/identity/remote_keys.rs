//! Keys from a document at a URL: a task of their own requests it again and again.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::HeaderValue;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::authenticator::AuthRefusal;
use super::authorities::AuthoritiesError;
use super::check::{TokenError, signed_claims};
use super::claims::TokenClaims;
use super::key_schedule::{KeySchedule, ScheduleRules};
use super::keys::TokenKeys;
use super::keys_document::{FetchedDocument, KeysDocument};
use crate::config::{KeysUrl, ServerConfig};

/// Said to a player whose token's key cannot be looked for now.
const UNAVAILABLE: &str =
    "the server cannot fetch the keys that check tokens; try again in a minute";

/// The keys of a document, and the requests for it.
pub(super) struct RemoteKeys {
    document: KeysDocument,
    schedule: Mutex<KeySchedule>,
    /// The zero of the schedule's times.
    began: Instant,
    /// Wakes the task that requests it.
    wanted: Notify,
    /// The last request that is over.
    over: watch::Sender<FetchResult>,
}

/// A request that is over.
#[derive(Clone, Copy, Debug, Default)]
struct FetchResult {
    /// Its number, from 1.
    number: u64,
    has_failed: bool,
}

impl RemoteKeys {
    /// Nothing is requested before [`RemoteKeys::keep`].
    pub(super) fn new(url: &KeysUrl, config: &ServerConfig) -> Result<Self, AuthoritiesError> {
        let ms = |seconds: u32| u64::from(seconds) * 1000;
        let rules = ScheduleRules {
            pause_ms: ms(config.token_keys_pause_s),
            refresh_ms: ms(config.token_keys_refresh_s),
            stale_ms: ms(config.token_keys_stale_s),
        };
        Ok(RemoteKeys {
            document: KeysDocument::new(url, config)?,
            schedule: Mutex::new(KeySchedule::new(rules)),
            began: Instant::now(),
            wanted: Notify::new(),
            over: watch::Sender::new(FetchResult::default()),
        })
    }

    /// The document's URL.
    pub(super) fn url(&self) -> &KeysUrl {
        self.document.url()
    }

    /// Puts the document's keys into `keys`, and keeps them fresh.
    pub(super) async fn keep(&self, keys: &ArcSwap<TokenKeys>) {
        let (mut text, mut etag) = (String::new(), None);
        loop {
            let wake_ms = self.schedule().wake_ms();
            tokio::select! {
                () = tokio::time::sleep_until(self.began + Duration::from_millis(wake_ms)) => {}
                () = self.wanted.notified() => {}
            }
            if self.schedule().give_up(self.now_ms()) {
                keys.store(Arc::new(TokenKeys::none()));
                (text, etag) = (String::new(), None);
                let url = self.url();
                tracing::error!(
                    "no player with a token is let in: the keys at {url} could not be fetched for token_keys_stale_s"
                );
            }
            let Some(number) = self.schedule().begin(self.now_ms()) else { continue };
            let result = self.request(keys, (&mut text, &mut etag)).await;
            let (now_ms, random) = (self.now_ms(), RandomState::new().hash_one(number));
            match &result {
                Ok(max_age_s) => self.schedule().succeed(now_ms, *max_age_s),
                Err(error) => {
                    let again_ms = self.schedule().fail(now_ms, random);
                    let left_ms = self.schedule().left_ms(now_ms);
                    self.tell_failed(error, left_ms, again_ms);
                }
            }
            self.over.send_replace(FetchResult { number, has_failed: result.is_err() });
        }
    }

    /// One request. Returns for how long the document is good by its own word.
    async fn request(
        &self,
        keys: &ArcSwap<TokenKeys>,
        (text, etag): (&mut String, &mut Option<HeaderValue>),
    ) -> Result<Option<u64>, String> {
        let fetched = self.document.fetch(etag.as_ref()).await;
        let FetchedDocument { text: new, etag: new_etag, max_age_s } =
            fetched.map_err(|error| error.to_string())?;
        if let Some(new) = new.filter(|new| new != text) {
            // Keys that are no use change nothing, and are asked for in full again.
            keys.store(Arc::new(TokenKeys::parse(&new).map_err(|error| error.to_string())?));
            tracing::info!(keys = ?keys.load().names(), url = %self.url(), "the keys of join tokens were fetched");
            *text = new;
        }
        *etag = new_etag;
        Ok(max_age_s)
    }

    fn tell_failed(&self, error: &str, left_ms: Option<u64>, again_ms: u64) {
        let (url, again_s) = (self.url(), again_ms.div_ceil(1000));
        match left_ms {
            Some(left_ms) => tracing::error!(
                left_s = left_ms / 1000,
                again_s,
                "the keys of join tokens at {url} were not fetched: {error}; the last ones hold for left_s more"
            ),
            None => tracing::error!(
                again_s,
                "no player with a token is let in: the keys at {url} were not fetched: {error}"
            ),
        }
    }

    /// The claims of a token whose key is unknown, once a request that began after this call is over.
    pub(super) async fn look_for(
        &self,
        keys: &ArcSwap<TokenKeys>,
        token: &str,
    ) -> Result<TokenClaims, AuthRefusal> {
        let unavailable = || AuthRefusal::unavailable(UNAVAILABLE);
        let mut over = self.over.subscribe();
        let wanted = self.schedule().want().ok_or_else(unavailable)?;
        self.wanted.notify_one();
        loop {
            // Fails only if the sender is gone, which is here.
            let _ = over.changed().await;
            let FetchResult { number, has_failed } = *over.borrow_and_update();
            match signed_claims(&keys.load(), token) {
                Err(TokenError::UnknownKey) if has_failed => return Err(unavailable()),
                Err(TokenError::UnknownKey) if number < wanted => {}
                claims => return Ok(claims?),
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn schedule(&self) -> MutexGuard<'_, KeySchedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RemoteKeys({})", self.url())
    }
}
