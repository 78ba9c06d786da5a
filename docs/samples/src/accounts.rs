//! Players with accounts: what a backend signs, what a server asks, and what a game knows.

use std::time::{SystemTime, UNIX_EPOCH};

use tickwire::client::{Client, ConnectError, ConnectOptions};
use tickwire::prelude::*;
use tickwire::server::identity::{
    Audiences, AuthRefusal, Authenticator, Credentials, Identity, TokenClaims, TokenSigner,
};
use tickwire::server::{Server, ServerConfig, ServerError};

use crate::tag::Tag;

// ANCHOR: sign
/// A backend in Rust gives a player who has signed in a token: for this game, for a minute, for once.
///
/// # Errors
/// If the key cannot sign.
pub fn token_for(signer: &TokenSigner, account: &str, unique: &str) -> Result<String, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    signer.sign(&TokenClaims {
        sub: Some(account.to_owned()),
        aud: Some(Audiences::One("tag".to_owned())),
        iat: Some(now),
        exp: Some(now + 60),
        jti: Some(unique.to_owned()),
        room: Some("finals".to_owned()),
        seat: Some(1),
        ..TokenClaims::default()
    })
}
// ANCHOR_END: sign

// ANCHOR: connect
/// A native client shows a new token for each session.
///
/// # Errors
/// Why there is no session: the code of `ConnectError::Refused` says whether another token helps.
pub async fn connect(server: &str, token: &str) -> Result<Client<Tag>, ConnectError> {
    Client::connect(server, ConnectOptions { token: token.into(), ..ConnectOptions::default() })
        .await
}
// ANCHOR_END: connect

// ANCHOR: know
/// A rule of the game's own, called by its `may_join`: the league is for those who have an account.
///
/// # Errors
/// What the player is told.
pub fn may_join_league<G: Simulation>(player: &NewPlayer<G>) -> Result<(), Refusal> {
    match player.account {
        Some(account) if account.seat.is_some() => Ok(()),
        Some(_) => Err(Refusal::new(2, "you are not drawn for this match; watch it")),
        None => Err(Refusal::new(1, "sign in to play in the league")),
    }
}
// ANCHOR_END: know

// ANCHOR: own
/// Asks the game's own database.
pub struct Database;

impl Authenticator for Database {
    async fn authenticate(&self, shown: Credentials<'_>) -> Result<Identity, AuthRefusal> {
        let Some(ticket) = shown.token else {
            return Ok(Identity::default()); // a guest
        };
        let found = find_ticket(ticket.as_str()).await;
        let found = found.map_err(|_| AuthRefusal::unavailable("try again in a minute"))?;
        let id = found.ok_or_else(|| AuthRefusal::invalid("this ticket is unknown; sign in"))?;
        Ok(Identity { account: Some(Account { id, seat: None }), ..Identity::default() })
    }
}

/// A server that asks it.
///
/// # Errors
/// As `Server::bind` and `Server::run`.
pub async fn serve(config: ServerConfig) -> Result<(), ServerError> {
    let server = Server::<Tag>::bind(config).await?.with_authenticator(Database);
    server.run(std::future::pending()).await
}
// ANCHOR_END: own

async fn find_ticket(ticket: &str) -> Result<Option<String>, std::io::Error> {
    Ok(ticket.strip_prefix("ticket of ").map(str::to_owned))
}
