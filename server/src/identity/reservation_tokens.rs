//! Tokens of reserved seats, which this server signs and takes itself.

use std::sync::{Mutex, PoisonError};

use super::authenticator::AuthRefusal;
use super::check::{TokenChecker, TokenRules, check_claims, key_id_of, signed_claims};
use super::claims::{Audiences, TokenClaims, random_id};
use super::keys::{TokenKeys, TokenKeysError, TokenSigner};
use super::tokens::{rules_of, unix_s};
use super::used::TokenUse;
use crate::config::ServerConfig;

/// The key id of tokens of reserved seats, where the key's file names none.
const KEY_ID: &str = "reservation";

/// Signs and checks the tokens of reserved seats.
#[derive(Debug)]
pub(crate) struct ReservationTokens {
    signer: TokenSigner,
    keys: TokenKeys,
    rules: TokenRules,
    checker: Mutex<TokenChecker>,
}

/// The facts of a reserved seat that its token has.
#[derive(Clone, Debug)]
pub(crate) struct ReservedSeat {
    pub(crate) room: String,
    pub(crate) account: String,
    /// The game's own number for the place in the room.
    pub(crate) seat: Option<u32>,
    /// The display name; the player chooses if it is not given.
    pub(crate) name: Option<String>,
    /// For how long it waits.
    pub(crate) seconds: u64,
}

/// A token of a reserved seat.
#[derive(Clone, Debug)]
pub(crate) struct SignedSeat {
    /// The reservation's id, which the token names.
    pub(crate) id: String,
    pub(crate) token: String,
    /// When it ends, in seconds since 1970.
    pub(crate) expires_s: u64,
}

impl ReservationTokens {
    /// Tokens by the key of the settings, or by one of this run alone. `game` is the default audience.
    pub(crate) fn open(config: &ServerConfig, game: &str) -> Result<Self, TokenKeysError> {
        let mut signer = match &config.reservation_key_file {
            Some(file) => TokenSigner::load(file)?,
            None => TokenSigner::random(),
        };
        if signer.id.is_none() {
            signer = signer.with_id(KEY_ID);
        }
        let lifetime_s_max = u64::from(config.reservation_max_s);
        let rules = TokenRules { lifetime_s_max, ..rules_of(config, game) };
        let (keys, checker) =
            (signer.checking_keys()?, Mutex::new(TokenChecker::new(rules.clone())));
        Ok(ReservationTokens { signer, keys, rules, checker })
    }

    /// Signs the token of a seat that waits from now on.
    ///
    /// # Errors
    /// A text, for whoever asked: no token can say this.
    pub(crate) fn sign(&self, seat: ReservedSeat) -> Result<SignedSeat, String> {
        let (id, now_s) = (random_id(), unix_s());
        let expires_s = now_s + seat.seconds;
        let claims = TokenClaims {
            sub: Some(seat.account),
            name: seat.name,
            aud: Some(Audiences::One(self.rules.audience.clone())),
            exp: Some(expires_s),
            nbf: None,
            iat: Some(now_s),
            jti: Some(id.clone()),
            room: Some(seat.room),
            seat: seat.seat,
            topics: None,
        };
        // A token that this server would not take is not made.
        check_claims(&claims, &self.rules, now_s).map_err(|error| error.to_string())?;
        Ok(SignedSeat { id, token: self.signer.sign(&claims)?, expires_s })
    }

    /// The claims of a token of a reserved seat, which uses it; `None` of a token of another maker.
    pub(crate) fn check(&self, token: &str) -> Option<Result<TokenClaims, AuthRefusal>> {
        key_id_of(token).filter(|id| self.signer.id.as_ref() == Some(id))?;
        Some(signed_claims(&self.keys, token).and_then(|claims| {
            let mut checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
            checker.accept(claims, TokenUse::Session, unix_s())
        }))
        .map(|checked| checked.map_err(AuthRefusal::from))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
    use tickwire_shared::control::CloseCode;

    use super::*;
    use crate::identity::token_command;

    fn seat(room: &str) -> ReservedSeat {
        ReservedSeat {
            room: room.to_owned(),
            account: "ann".to_owned(),
            seat: Some(3),
            name: None,
            seconds: 30,
        }
    }

    /// Tokens by the key in this text, or by one of their own.
    fn tokens(dir: &tempfile::TempDir, key: Option<&str>) -> ReservationTokens {
        let path = |text: &str| -> PathBuf {
            let path = dir.path().join("key");
            std::fs::write(&path, text).unwrap();
            path
        };
        let reservation_key_file = key.map(path);
        let config = ServerConfig { reservation_key_file, ..ServerConfig::default() };
        ReservationTokens::open(&config, "dots").unwrap()
    }

    #[test]
    fn a_token_is_taken_once_whatever_key_signs_it() {
        let dir = tempfile::tempdir().unwrap();
        let secret =
            r#"{"keys":[{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}"#;
        let ed = KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem();
        let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        let named = format!("kid: own\n{ed}");
        for key in [None, Some(secret), Some(&*ed), Some(&*ec), Some(&*named)] {
            let tokens = tokens(&dir, key);
            let signed = tokens.sign(seat("finals")).unwrap();
            let claims = tokens.check(&signed.token).unwrap().unwrap();
            let facts = (claims.sub.as_deref(), claims.room.as_deref(), claims.seat);
            assert_eq!(facts, (Some("ann"), Some("finals"), Some(3)));
            assert_eq!((claims.jti, claims.exp), (Some(signed.id), Some(signed.expires_s)));
            let again = tokens.check(&signed.token).unwrap().unwrap_err();
            assert_eq!(again.code, CloseCode::TokenUsed);
        }
    }

    #[test]
    fn a_token_of_another_maker_is_none_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (own, other) = (tokens(&dir, None), tokens(&dir, None));
        let token = other.sign(seat("finals")).unwrap().token;
        // The same key id, as of a server that was started anew.
        assert_eq!(own.check(&token).unwrap().unwrap_err().code, CloseCode::TokenInvalid);
        let ed =
            format!("kid: own\n{}", KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem());
        let token = tokens(&dir, Some(&ed)).sign(seat("finals")).unwrap().token;
        assert!(own.check(&token).is_none(), "a backend's");
        for word in ["", "hunter2", "a.b.c", "\u{1f642}."] {
            assert!(own.check(word).is_none(), "an authenticator's own word: {word}");
        }
        own.sign(seat(&"x".repeat(33))).unwrap_err();
    }

    #[test]
    fn the_command_inspects_it_by_the_public_key() {
        let dir = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let public = dir.path().join("public.pem");
        std::fs::write(&public, pair.public_key_pem()).unwrap();
        let token = tokens(&dir, Some(&pair.serialize_pem())).sign(seat("finals")).unwrap().token;
        let args = ["dots-server", "token", "inspect", "--keys", public.to_str().unwrap(), &token];
        let answer = token_command("dots", args.map(OsString::from), &mut std::io::empty());
        let answer = answer.unwrap();
        assert!(answer.is_good && answer.text.contains("\"room\": \"finals\""), "{}", answer.text);
    }
}
