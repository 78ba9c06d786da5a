//! The authenticator, which identifies players.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use tickwire_shared::Account;
use tickwire_shared::control::{CloseCode, Redacted};

use super::claims::TopicRights;

/// The credentials of a client.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// Its token, at most [`TOKEN_BYTES_MAX`](super::TOKEN_BYTES_MAX) bytes; `None` if it gave none.
    pub token: Option<&'a Redacted>,
    /// Its network address.
    pub address: IpAddr,
}

/// The identity of a player. The default is a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its account; `None` for a guest.
    pub account: Option<Account>,
    /// Its display name, in place of the one in its join; `None` leaves the choice to the player.
    pub name: Option<String>,
    /// The only room that it may enter; `None` for any.
    pub room: Option<String>,
    /// The topics that it may use; `None` for those of the settings `topics.publish` and `topics.subscribe`.
    pub topics: Option<TopicRights>,
}

/// The reason for refusing a player.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct AuthRefusal {
    /// The close code. It tells the client's program whether another token helps.
    pub code: CloseCode,
    /// The reason and the remedy, for a person. It is sent and logged: put no part of a token into it.
    pub text: String,
}

impl AuthRefusal {
    /// The credentials never will do: [`CloseCode::TokenInvalid`].
    pub fn invalid(text: impl Into<String>) -> Self {
        AuthRefusal { code: CloseCode::TokenInvalid, text: text.into() }
    }

    /// A new token will do: [`CloseCode::TokenExpired`].
    pub fn expired(text: impl Into<String>) -> Self {
        AuthRefusal { code: CloseCode::TokenExpired, text: text.into() }
    }

    /// The player cannot be identified now: [`CloseCode::AuthUnavailable`].
    pub fn unavailable(text: impl Into<String>) -> Self {
        AuthRefusal { code: CloseCode::AuthUnavailable, text: text.into() }
    }
}

/// A refusal with the code's own text.
impl From<CloseCode> for AuthRefusal {
    fn from(code: CloseCode) -> Self {
        AuthRefusal { code, text: code.text().to_owned() }
    }
}

/// Identifies the player at the start of a session, by a token or by asking a backend, or refuses it. It runs on the network
/// threads, so no tick waits for it, and has until `handshake_ms` to answer. One that
/// panics refuses that player alone, by [`CloseCode::AuthUnavailable`]. Give it to
/// [`Server::with_authenticator`](crate::Server::with_authenticator).
///
/// ```
/// use tickwire_server::identity::{AuthRefusal, Authenticator, Credentials, Identity};
/// use tickwire_shared::Account;
///
/// /// For a game night: everyone who knows the word may play.
/// struct Word(String);
///
/// impl Authenticator for Word {
///     async fn authenticate(&self, shown: Credentials<'_>) -> Result<Identity, AuthRefusal> {
///         match shown.token.and_then(|token| token.as_str().split_once(' ')) {
///             Some((name, word)) if word == self.0 => {
///                 let account = Account { id: name.to_owned(), seat: None };
///                 Ok(Identity { account: Some(account), ..Identity::default() })
///             }
///             _ => Err(AuthRefusal::invalid("this is not the word; ask the one who invited you")),
///         }
///     }
/// }
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// Identifies a player.
    ///
    /// # Errors
    /// The refusal. The session ends with its code and text.
    fn authenticate(
        &self,
        shown: Credentials<'_>,
    ) -> impl Future<Output = Result<Identity, AuthRefusal>> + Send;

    /// Identifies the sender of a request to topics over HTTP, by default as a player. Many requests bring the same token: an
    /// authenticator whose tokens are good once decides here what a request needs.
    ///
    /// # Errors
    /// The refusal, with which the request is answered.
    fn authenticate_request(
        &self,
        shown: Credentials<'_>,
    ) -> impl Future<Output = Result<Identity, AuthRefusal>> + Send {
        self.authenticate(shown)
    }
}

/// An [`Authenticator`] as a trait object.
pub(crate) trait AnyAuthenticator: Send + Sync {
    fn authenticate_boxed<'a>(&'a self, shown: Credentials<'a>) -> Authentication<'a>;

    fn authenticate_request_boxed<'a>(&'a self, shown: Credentials<'a>) -> Authentication<'a>;
}

type Authentication<'a> = Pin<Box<dyn Future<Output = Result<Identity, AuthRefusal>> + Send + 'a>>;

impl<A: Authenticator> AnyAuthenticator for A {
    fn authenticate_boxed<'a>(&'a self, shown: Credentials<'a>) -> Authentication<'a> {
        Box::pin(self.authenticate(shown))
    }

    fn authenticate_request_boxed<'a>(&'a self, shown: Credentials<'a>) -> Authentication<'a> {
        Box::pin(self.authenticate_request(shown))
    }
}

/// Lets everyone in as a guest, under any name: for development.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guests;

impl Authenticator for Guests {
    async fn authenticate(&self, _shown: Credentials<'_>) -> Result<Identity, AuthRefusal> {
        Ok(Identity::default())
    }
}
