//! Good tokens and bad ones, with keys of every kind.

use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm};
use serde_json::{Value, json};

use super::*;
use crate::identity::{Audiences, TokenSigner};

const NOW_S: u64 = 1_800_000_000;

struct Pair {
    signer: TokenSigner,
    public: String,
    public_bytes: Vec<u8>,
}

fn pair(algorithm: &'static SignatureAlgorithm) -> Pair {
    let pair = KeyPair::generate_for(algorithm).unwrap();
    let signer = TokenSigner::parse(&pair.serialize_pem()).unwrap();
    let public_bytes = pair.public_key_raw().to_vec();
    Pair { signer, public: pair.public_key_pem(), public_bytes }
}

fn secret(bytes: &[u8], id: &str) -> String {
    let k = URL_SAFE_NO_PAD.encode(bytes);
    json!({"keys": [{"kty": "oct", "kid": id, "k": k}]}).to_string()
}

fn claims() -> TokenClaims {
    TokenClaims {
        sub: Some("ann".to_owned()),
        aud: Some(Audiences::One("dots".to_owned())),
        iat: Some(NOW_S),
        exp: Some(NOW_S + 60),
        jti: Some("1".to_owned()),
        ..TokenClaims::default()
    }
}

fn rules() -> TokenRules {
    TokenRules::for_audience("dots")
}

fn check(keys: &TokenKeys, token: &str) -> Result<TokenClaims, TokenError> {
    TokenChecker::new(rules()).check(keys, token, NOW_S)
}

/// A token of this head and these claims, signed by `sign`.
fn raw(head: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(head), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn hmac(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    move |message| ring::hmac::sign(&key, message).as_ref().to_vec()
}

#[test]
fn each_kind_of_key_signs_and_checks() {
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256] {
        let pair = pair(algorithm);
        let keys = TokenKeys::parse(&pair.public).unwrap();
        assert_eq!(check(&keys, &pair.signer.sign(&claims()).unwrap()), Ok(claims()));
    }
    let jwks = secret(&[7; 32], "2");
    let token = TokenSigner::parse(&jwks).unwrap().sign(&claims()).unwrap();
    assert_eq!(check(&TokenKeys::parse(&jwks).unwrap(), &token), Ok(claims()));
}

#[test]
fn keys_of_a_jwks_are_taken_and_others_passed_over() {
    let (ed, ec) = (pair(&PKCS_ED25519), pair(&PKCS_ECDSA_P256_SHA256));
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let point = &ec.public_bytes[1..];
    let jwks = json!({"keys": [
        {"kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": part(&ed.public_bytes)},
        {"kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256",
         "x": part(&point[..32]), "y": part(&point[32..])},
        {"kty": "EC", "crv": "P-256", "kid": "enc", "use": "enc",
         "x": part(&point[..32]), "y": part(&point[32..])},
    ]});
    let keys = TokenKeys::parse(&jwks.to_string()).unwrap();
    assert_eq!(keys.names(), [r#"EdDSA Some("ed")"#, r#"ES256 Some("ec")"#]);
    for (signer, id) in [(&ed.signer, "ed"), (&ec.signer, "ec")] {
        let named = signer.clone().with_id(id).sign(&claims()).unwrap();
        assert_eq!(check(&keys, &named), Ok(claims()));
        assert_eq!(check(&keys, &signer.sign(&claims()).unwrap()), Ok(claims()));
        let other = signer.clone().with_id("enc").sign(&claims()).unwrap();
        assert_eq!(check(&keys, &other), Err(TokenError::UnknownKey));
    }
    let swapped = ed.signer.clone().with_id("ec").sign(&claims()).unwrap();
    assert_eq!(check(&keys, &swapped), Err(TokenError::OtherAlgorithm));
}

#[test]
fn several_pem_keys_are_told_apart_by_the_lines_above_them() {
    let (old, new) = (pair(&PKCS_ED25519), pair(&PKCS_ED25519));
    let both = format!("kid: old\n{}\nkid: new\n{}", old.public, new.public);
    let keys = TokenKeys::parse(&both).unwrap();
    for (signer, id) in [(&old.signer, "old"), (&new.signer, "new")] {
        let token = signer.clone().with_id(id).sign(&claims()).unwrap();
        assert_eq!(check(&keys, &token), Ok(claims()));
    }
    let wrong = old.signer.clone().with_id("new").sign(&claims()).unwrap();
    assert_eq!(check(&keys, &wrong), Err(TokenError::Signature));
}

#[test]
fn what_is_no_key_says_what_to_give() {
    let private = KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem();
    let short = secret(&[7; 31], "short");
    let empty = r#"{"keys":[]}"#.to_owned();
    let many = pair(&PKCS_ED25519).public.repeat(TOKEN_KEYS + 1);
    let rsa = json!({"keys": [{"kty": "oct", "alg": "RS256", "k": STANDARD.encode([7; 32])}]});
    for (text, words) in [
        (private, "the public one"),
        (short, "it has 31 bytes"),
        (empty, "there is no key"),
        (many, "at most 16"),
        (rsa.to_string(), "token key 1 cannot be used"),
        ("hello".to_owned(), "neither PEM"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n".to_owned(), "has no end"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(), "key 1"),
        ("{".to_owned(), "neither PEM"),
    ] {
        let error = TokenKeys::parse(&text).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} is not in {error:?}");
    }
}

const TOKEN_KEYS: usize = crate::identity::TOKEN_KEYS_MAX;

#[test]
fn a_claim_decides_by_the_time_that_is_passed_in() {
    let pair = pair(&PKCS_ED25519);
    let keys = TokenKeys::parse(&pair.public).unwrap();
    let with = |change: &dyn Fn(&mut TokenClaims)| {
        let mut claims = claims();
        change(&mut claims);
        check(&keys, &pair.signer.sign(&claims).unwrap()).map(|_| ())
    };
    let claim = |name| Err(TokenError::Claim(name));
    type Change<'a> = &'a dyn Fn(&mut TokenClaims);
    let cases: [(Change, Result<(), TokenError>); 24] = [
        (&|_| {}, Ok(())),
        (&|c| c.sub = None, claim("sub")),
        (&|c| c.sub = Some(String::new()), claim("sub")),
        (&|c| c.sub = Some("x".repeat(64)), Ok(())),
        (&|c| c.sub = Some("x".repeat(65)), claim("sub")),
        (&|c| c.sub = Some("a\nb".to_owned()), claim("sub")),
        (&|c| c.name = Some(String::new()), claim("name")),
        (&|c| c.room = Some("x".repeat(33)), claim("room")),
        (&|c| c.jti = None, claim("jti")),
        (&|c| c.aud = None, Err(TokenError::Audience)),
        (&|c| c.aud = Some(Audiences::One("cubes".to_owned())), Err(TokenError::Audience)),
        (&|c| c.aud = Some(Audiences::Many(Vec::new())), Err(TokenError::Audience)),
        (&|c| c.aud = Some(Audiences::Many(vec!["x".into(), "dots".into()])), Ok(())),
        (&|c| c.exp = None, claim("exp")),
        // Clocks differ by 10 s at most.
        (&|c| (c.iat, c.exp) = (Some(NOW_S - 60), Some(NOW_S - 9)), Ok(())),
        (&|c| (c.iat, c.exp) = (Some(NOW_S - 60), Some(NOW_S - 10)), Err(TokenError::Expired)),
        (&|c| c.nbf = Some(NOW_S + 10), Ok(())),
        (&|c| c.nbf = Some(NOW_S + 12), Err(TokenError::NotYet(2))),
        (&|c| c.iat = Some(NOW_S + 11), Err(TokenError::NotYet(1))),
        (&|c| c.exp = Some(NOW_S + 300), Ok(())),
        (&|c| c.exp = Some(NOW_S + 301), Err(TokenError::Lifetime(301))),
        (
            &|c| (c.iat, c.exp) = (Some(NOW_S - 300), Some(NOW_S + 1)),
            Err(TokenError::Lifetime(301)),
        ),
        (&|c| (c.iat, c.exp) = (None, Some(NOW_S + 310)), Ok(())),
        (&|c| (c.iat, c.exp) = (None, Some(NOW_S + 311)), Err(TokenError::Lifetime(311))),
    ];
    for (at, (change, wanted)) in cases.into_iter().enumerate() {
        assert_eq!(with(change), wanted, "case {at}");
    }
}

#[test]
fn no_token_chooses_its_algorithm() {
    let ed = pair(&PKCS_ED25519);
    let keys = TokenKeys::parse(&ed.public).unwrap();
    let said = serde_json::to_value(claims()).unwrap();
    let unsigned = |alg: &str| raw(&json!({"alg": alg}), &said, |_| Vec::new());
    for none in ["none", "None", "NONE", ""] {
        assert_eq!(check(&keys, &unsigned(none)), Err(TokenError::UnknownAlgorithm), "{none:?}");
    }
    let head = json!({"alg": "HS256"});
    for public in [ed.public.as_bytes(), &ed.public_bytes[..]] {
        let forged = raw(&head, &said, hmac(public));
        assert_eq!(check(&keys, &forged), Err(TokenError::OtherAlgorithm));
    }
    // The head is of the key's algorithm, and the signature is not.
    let forged = raw(&json!({"alg": "EdDSA"}), &said, hmac(&ed.public_bytes));
    assert_eq!(check(&keys, &forged), Err(TokenError::Signature));
    assert_eq!(check(&keys, &unsigned("EdDSA")), Err(TokenError::Signature));
    assert_eq!(check(&keys, &unsigned("RS256")), Err(TokenError::OtherAlgorithm));
    let critical = raw(&json!({"alg": "HS256", "crit": ["exp"]}), &said, hmac(&[7; 32]));
    let secret = TokenKeys::parse(&secret(&[7; 32], "1")).unwrap();
    assert_eq!(check(&secret, &critical), Err(TokenError::Malformed));
}

#[test]
fn what_is_no_token_is_refused_unread_or_as_such() {
    let pair = pair(&PKCS_ED25519);
    let keys = TokenKeys::parse(&pair.public).unwrap();
    let good = pair.signer.sign(&claims()).unwrap();
    let long = format!("{good}{}", "A".repeat(TOKEN_BYTES_MAX));
    assert_eq!(check(&keys, &long), Err(TokenError::TooLong));
    for garbage in ["", ".", "..", "...", "garbage", "a.b.c", "\u{1f642}.\u{1f642}.", "e30.e30."] {
        assert_eq!(check(&keys, garbage), Err(TokenError::Malformed), "{garbage:?}");
    }
    for length in 0..good.len() {
        assert!(check(&keys, &good[..length]).is_err(), "the first {length} bytes");
    }
    let (message, _) = good.rsplit_once('.').unwrap();
    assert_eq!(check(&keys, message), Err(TokenError::Malformed));
}

#[test]
fn a_token_is_used_once_and_a_refused_one_not_at_all() {
    let pair = pair(&PKCS_ED25519);
    let keys = TokenKeys::parse(&pair.public).unwrap();
    let mut checker = TokenChecker::new(rules());
    let token = pair.signer.sign(&claims()).unwrap();
    assert_eq!(checker.check(&keys, &token, NOW_S - 11), Err(TokenError::NotYet(1)));
    assert_eq!(checker.check(&keys, &token, NOW_S), Ok(claims()));
    // As long as clocks may say that it is good.
    for now_s in [NOW_S, NOW_S + 60, NOW_S + 69] {
        assert_eq!(checker.check(&keys, &token, now_s), Err(TokenError::Used));
    }
    assert_eq!(checker.check(&keys, &token, NOW_S + 70), Err(TokenError::Expired));
}

proptest! {
    #[test]
    fn no_bytes_panic(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let jwks = secret(&[7; 32], "1");
        let keys = TokenKeys::parse(&jwks).unwrap();
        let _ = TokenKeys::parse(&text);
        let _ = TokenSigner::parse(&text);
        prop_assert!(check(&keys, &text).is_err());
        let part = URL_SAFE_NO_PAD.encode(&bytes);
        let token = [part.as_str(); 3].join(".");
        prop_assert!(check(&keys, &token).is_err());
    }

    #[test]
    fn no_signed_claims_panic(
        name in prop::sample::select(vec!["sub", "aud", "exp", "nbf", "iat", "jti", "room", "seat"]),
        number in any::<f64>(),
        whole in any::<i64>(),
        text in any::<String>(),
        kind in 0..4,
        now_s in any::<u32>(),
    ) {
        let keys = TokenKeys::parse(&secret(&[7; 32], "1")).unwrap();
        let mut said = serde_json::to_value(claims()).unwrap();
        said[name] = match kind {
            0 => json!(number),
            1 => json!(whole),
            2 => json!(text),
            _ => json!([text]),
        };
        let token = raw(&json!({"alg": "HS256"}), &said, hmac(&[7; 32]));
        let _ = TokenChecker::new(rules()).check(&keys, &token, u64::from(now_s));
    }

    #[test]
    fn a_token_with_one_other_letter_is_refused(at in any::<prop::sample::Index>(), letter in "[A-Za-z0-9_.-]") {
        let jwks = secret(&[7; 32], "1");
        let keys = TokenKeys::parse(&jwks).unwrap();
        let token = TokenSigner::parse(&jwks).unwrap().sign(&claims()).unwrap();
        let at = at.index(token.len());
        let changed = format!("{}{letter}{}", &token[..at], &token[at + 1..]);
        prop_assert_eq!(check(&keys, &changed).is_ok(), changed == token);
    }
}
