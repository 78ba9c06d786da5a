//! All of a server that needs no socket: certificates, keys, the page's rules.

use std::sync::Arc;

use axum::http::HeaderValue;
use tickwire_certs::Secret;
use tickwire_shared::Simulation;
use time::OffsetDateTime;

use super::ServerError;
use crate::admin::AdminToken;
use crate::certificates::{Certificates, reset_secret};
use crate::config::ServerConfig;
use crate::http::{self, PageError};
use crate::identity::{ReservationTokens, TokenAuthenticator};
use crate::webhooks::Webhook;

/// Read from files before anything is bound, so that a mistake in them changes nothing.
pub(super) struct Prepared {
    pub(super) certificates: Certificates,
    pub(super) tokens: Option<Arc<TokenAuthenticator>>,
    pub(super) reservation_tokens: ReservationTokens,
    pub(super) webhook: Option<Webhook>,
    pub(super) admin_token: Option<AdminToken>,
    pub(super) page_policy: HeaderValue,
    pub(super) secret: Secret,
}

impl Prepared {
    pub(super) fn new<S: Simulation>(config: &ServerConfig) -> Result<Self, ServerError> {
        tickwire_shared::simulation::schema_of::<S>().validate()?;
        config.page_dir.as_deref().map_or(Ok(()), http::check_dir)?;
        let page_policy = config.page_policy.parse().map_err(|_| PageError::Policy)?;
        let certificates = Certificates::open(config, OffsetDateTime::now_utc())?;
        let tokens = TokenAuthenticator::open(config, S::NAME)?;
        let reservation_tokens = ReservationTokens::open(config, S::NAME)?;
        let webhook = Webhook::open(config)?;
        let admin_token = AdminToken::of_process(config)?;
        let secret = reset_secret(config);
        Ok(Prepared {
            certificates,
            tokens,
            reservation_tokens,
            webhook,
            admin_token,
            page_policy,
            secret,
        })
    }
}
