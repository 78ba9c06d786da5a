//! The identity of players, by an [`Authenticator`]: join tokens, signed by the game's own backend, or a rule of the program.
//!
//! [`TokenChecker`] has no clock, no file and no socket: a token, the keys and the time go in, and its claims come out.
//!
//! ```
//! use tickwire_server::identity::{
//!     Audiences, TokenChecker, TokenClaims, TokenError, TokenKeys, TokenRules, TokenSigner,
//! };
//!
//! let secret = r#"{"keys":[{"kty":"oct","kid":"1","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}"#;
//! let now_s = 1_000_000;
//! let claims = TokenClaims {
//!     sub: Some("ann@example".to_owned()),
//!     aud: Some(Audiences::One("party".to_owned())),
//!     iat: Some(now_s),
//!     exp: Some(now_s + 60),
//!     jti: Some("a word of its own".to_owned()),
//!     ..TokenClaims::default()
//! };
//! let token = TokenSigner::parse(secret)?.sign(&claims)?;
//! let keys = TokenKeys::parse(secret)?;
//! let mut checker = TokenChecker::new(TokenRules::for_audience("party"));
//! assert_eq!(checker.check(&keys, &token, now_s), Ok(claims));
//! assert_eq!(checker.check(&keys, &token, now_s), Err(TokenError::Used));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accounts;
mod authenticator;
mod authorities;
mod check;
mod claims;
mod command;
mod crypto;
mod key_schedule;
mod keys;
mod keys_document;
mod remote_keys;
mod reservation_tokens;
mod tokens;
mod used;

pub(crate) use accounts::{AccountPermit, Accounts};
pub(crate) use authenticator::AnyAuthenticator;
pub use authenticator::{AuthRefusal, Authenticator, Credentials, Guests, Identity};
pub use authorities::AuthoritiesError;
pub(crate) use authorities::{TrustSettings, tls_by};
pub use check::{ACCOUNT_BYTES_MAX, TOKEN_BYTES_MAX, TokenChecker, TokenError, TokenRules};
pub use claims::{Audiences, TokenClaims, TopicRights};
pub(crate) use command::{TokenAnswer, TokenCommandError, token_command};
pub use keys::{TOKEN_KEYS_MAX, TokenKeys, TokenKeysError, TokenSigner};
pub(crate) use reservation_tokens::{ReservationTokens, ReservedSeat, SignedSeat};
pub(crate) use tokens::{TokenAuthenticator, choose, watch_keys};
