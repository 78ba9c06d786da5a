//! The check of a join token: bytes and the time go in, claims come out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode};
use serde::Deserialize;

use super::claims::TokenClaims;
use super::keys::TokenKeys;
use super::used::{NotTaken, TokenUse, UsedTokens};

/// Most bytes of a token; a longer one is refused unread.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// Most bytes of an account, and of a token's own id.
pub const ACCOUNT_BYTES_MAX: usize = 64;
/// Most bytes of a name in a token.
const NAME_BYTES_MAX: usize = 256;
/// Most bytes of a room's name.
const ROOM_BYTES_MAX: usize = 32;

/// A server's requirements for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// The audience that a token must name.
    pub audience: String,
    /// Most seconds from a token's making to its end.
    pub lifetime_s_max: u64,
    /// Allowed difference of clocks in seconds.
    pub skew_s: u64,
    /// Used tokens that are remembered until they have expired. While there are as many, no token is taken.
    pub ids_max: usize,
}

impl TokenRules {
    /// Rules for tokens that name `audience`, by the default settings.
    pub fn for_audience(audience: &str) -> Self {
        TokenRules {
            audience: audience.to_owned(),
            lifetime_s_max: 300,
            skew_s: 10,
            ids_max: 65_536,
        }
    }
}

/// The reason for refusing a token. No text contains any text out of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes; sign in again")]
    TooLong,
    /// No JWT.
    #[error("the token cannot be read: it is no JWT, or not all of one; sign in again")]
    Malformed,
    /// No algorithm that this server knows, such as `none`.
    #[error("the token is not signed, or by an algorithm other than EdDSA, ES256 and HS256")]
    UnknownAlgorithm,
    /// A key id that this server does not have.
    #[error("the token names a key that this server does not have; sign in again")]
    UnknownKey,
    /// Its key is for another algorithm.
    #[error("the token asks for an algorithm that this server's key is not for; sign in again")]
    OtherAlgorithm,
    /// No signature by a key of this server.
    #[error("no key of this server signed the token; sign in again")]
    Signature,
    /// Another audience.
    #[error("the token is for another server; sign in again")]
    Audience,
    /// A claim that is missing or wrong.
    #[error("the claim \"{0}\" of the token is missing or wrong; sign in again")]
    Claim(&'static str),
    /// Good for longer than this server allows.
    #[error("the token is good for {0} s, longer than this server allows; sign in again")]
    Lifetime(u64),
    /// Its time is over.
    #[error("the token has expired; get a new one and connect again")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet; wait {0} s, or set the clocks right")]
    NotYet(u64),
    /// It was used before.
    #[error("the token was used before; get a new one and connect again")]
    Used,
    /// The table of used tokens is full.
    #[error("the server cannot take another token now; try again in a minute")]
    TooMany,
}

/// Checks tokens, and takes each once.
#[derive(Debug)]
pub struct TokenChecker {
    rules: TokenRules,
    used: UsedTokens,
}

/// The part of a token's header that says how it is signed.
#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
}

impl TokenChecker {
    /// A checker that has taken no token yet.
    pub fn new(rules: TokenRules) -> Self {
        let used = UsedTokens::new(rules.ids_max);
        TokenChecker { rules, used }
    }

    /// Checks a token at `now_s`, in seconds since 1970, and uses it: the next check of the same one fails. One that is
    /// refused is not used.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn check(
        &mut self,
        keys: &TokenKeys,
        token: &str,
        now_s: u64,
    ) -> Result<TokenClaims, TokenError> {
        self.accept(signed_claims(keys, token)?, TokenUse::Session, now_s)
    }

    /// The second half of [`TokenChecker::check`], for claims whose signature was checked.
    pub(super) fn accept(
        &mut self,
        claims: TokenClaims,
        token_use: TokenUse,
        now_s: u64,
    ) -> Result<TokenClaims, TokenError> {
        let ends_s = check_claims(&claims, &self.rules, now_s)?;
        let id = claims.jti.as_deref().ok_or(TokenError::Claim("jti"))?;
        match self.used.take((id, token_use), ends_s, now_s) {
            Ok(()) => Ok(claims),
            Err(NotTaken::Used) => Err(TokenError::Used),
            Err(NotTaken::Full) => Err(TokenError::TooMany),
        }
    }
}

/// The claims of a token that one of the keys signed.
pub(super) fn signed_claims(keys: &TokenKeys, token: &str) -> Result<TokenClaims, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::TooLong);
    }
    let head = head_of(token).ok_or(TokenError::Malformed)?;
    let algorithm: Algorithm = head.alg.parse().map_err(|_| TokenError::UnknownAlgorithm)?;
    let mut error = TokenError::UnknownKey;
    for key in keys.of_id(head.kid.as_deref()) {
        if key.algorithm != algorithm {
            // A wrong signature is the more useful message.
            if error != TokenError::Signature {
                error = TokenError::OtherAlgorithm;
            }
            continue;
        }
        match decode::<TokenClaims>(token, &key.key, &only_signature(key.algorithm)) {
            Ok(decoded) => return Ok(decoded.claims),
            Err(other) if matches!(other.kind(), ErrorKind::InvalidSignature) => {
                error = TokenError::Signature;
            }
            Err(_) => return Err(TokenError::Malformed),
        }
    }
    Err(error)
}

/// The key id that a token names, whoever signed it.
pub(super) fn key_id_of(token: &str) -> Option<String> {
    head_of(token)?.kid
}

fn head_of(token: &str) -> Option<Head> {
    let head = URL_SAFE_NO_PAD.decode(token.split_once('.')?.0).ok()?;
    serde_json::from_slice(&head).ok()
}

/// The signature by this algorithm and no other; the claims are checked here, by a time that is passed in.
fn only_signature(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// Checks the claims of a token. Returns the second from which on it has expired by every allowed clock.
pub(super) fn check_claims(
    claims: &TokenClaims,
    rules: &TokenRules,
    now_s: u64,
) -> Result<u64, TokenError> {
    let within = |text: &str, most| (1..=most).contains(&text.len());
    let is_word = |text: &str, most| within(text, most) && !text.chars().any(char::is_control);
    let fits = |claim: &Option<String>, most| claim.as_ref().is_none_or(|text| is_word(text, most));
    if !claims.aud.as_ref().is_some_and(|aud| aud.has(&rules.audience)) {
        return Err(TokenError::Audience);
    }
    for (name, claim, most) in [
        ("sub", &claims.sub, ACCOUNT_BYTES_MAX),
        ("jti", &claims.jti, ACCOUNT_BYTES_MAX),
        ("name", &claims.name, NAME_BYTES_MAX),
        ("room", &claims.room, ROOM_BYTES_MAX),
    ] {
        let is_needed = matches!(name, "sub" | "jti");
        if !fits(claim, most) || is_needed && claim.is_none() {
            return Err(TokenError::Claim(name));
        }
    }
    let ends_s = claims.exp.ok_or(TokenError::Claim("exp"))? + rules.skew_s;
    if ends_s <= now_s {
        return Err(TokenError::Expired);
    }
    let begins_s = claims.nbf.max(claims.iat).unwrap_or(0);
    if begins_s > now_s + rules.skew_s {
        return Err(TokenError::NotYet(begins_s - now_s - rules.skew_s));
    }
    // Without `iat` it was made now at the latest.
    let made_s = claims.iat.unwrap_or(now_s);
    let lifetime_s = (ends_s - rules.skew_s).saturating_sub(made_s);
    if lifetime_s > rules.lifetime_s_max + if claims.iat.is_none() { rules.skew_s } else { 0 } {
        return Err(TokenError::Lifetime(lifetime_s));
    }
    Ok(ends_s)
}

#[cfg(test)]
mod tests;
