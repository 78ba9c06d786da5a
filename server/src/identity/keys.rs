//! Keys that check and sign join tokens.
//!
//! The key decides the algorithm. A token that asks for another algorithm than its key's is refused.

use std::path::{Path, PathBuf};

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use super::authorities::AuthoritiesError;
use super::crypto::{checking_key, random_bytes, use_ring};

/// Most keys of a file: a token that names no key is tried with each.
pub const TOKEN_KEYS_MAX: usize = 16;
/// Most bytes of a file of keys, and of a document of them.
pub(super) const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a P-256 point, uncompressed.
const P256_BYTES: usize = 65;
/// Bytes of an Ed25519 key.
const ED25519_BYTES: usize = 32;
/// Bytes of an HS256 secret: as many as of its hash.
const SECRET_BYTES_MIN: usize = 32;

/// An unusable file of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenKeysError {
    /// The file cannot be read.
    #[error("the file of token keys {} cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Neither PEM nor JWKS.
    #[error(
        "these token keys are neither PEM (-----BEGIN PUBLIC KEY-----) nor a JWKS document: {0}"
    )]
    Format(String),
    /// A private key where a public one is enough.
    #[error(
        "this is a private key, which the server has no use for; give the public one (openssl pkey -in key.pem -pubout)"
    )]
    Private,
    /// A key that cannot be used.
    #[error(
        "token key {number} cannot be used: {reason}; give Ed25519, P-256 or a secret of 32 bytes or more"
    )]
    Unusable {
        /// Its place in the file, from 1.
        number: usize,
        /// The fault, in words.
        reason: String,
    },
    /// No key that this server can use.
    #[error(
        "there is no key to check tokens with; give Ed25519, P-256 or a secret of 32 bytes or more"
    )]
    Empty,
    /// No TLS to fetch keys by.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// Too many keys.
    #[error(
        "there are {0} token keys, and at most {TOKEN_KEYS_MAX} are taken; remove those that sign nothing any more"
    )]
    TooMany(usize),
}

/// A key that checks tokens.
#[derive(Clone)]
pub(super) struct TokenKey {
    /// Its key id. A key without one is tried with every token.
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.algorithm, self.id)
    }
}

/// The keys that check tokens. There are several during a rotation.
#[derive(Clone, Debug)]
pub struct TokenKeys {
    keys: Vec<TokenKey>,
}

impl TokenKeys {
    /// No keys, by which no token is taken.
    pub(super) fn none() -> Self {
        TokenKeys { keys: Vec::new() }
    }

    /// Reads a file of keys.
    ///
    /// # Errors
    /// [`TokenKeysError`].
    pub fn load(path: &Path) -> Result<Self, TokenKeysError> {
        TokenKeys::parse(&read(path)?)
    }

    /// Public keys in PEM, one after another, each with a line `kid: name` above it if it has a key id; or a JWKS document.
    /// Keys of a JWKS that are for something else, such as RSA ones, are passed over.
    ///
    /// # Errors
    /// [`TokenKeysError`].
    pub fn parse(text: &str) -> Result<Self, TokenKeysError> {
        use_ring();
        let keys = match text.trim_start().starts_with('{') {
            true => of_jwks(text)?,
            false => of_pem(text)?,
        };
        match keys.len() {
            0 => Err(TokenKeysError::Empty),
            count if count > TOKEN_KEYS_MAX => Err(TokenKeysError::TooMany(count)),
            _ => Ok(TokenKeys { keys }),
        }
    }

    /// The ids and algorithms of the keys, for the log.
    pub fn names(&self) -> Vec<String> {
        self.keys.iter().map(|key| format!("{key:?}")).collect()
    }

    /// The keys that a token of this key id may be signed by.
    pub(super) fn of_id(&self, id: Option<&str>) -> impl Iterator<Item = &TokenKey> {
        self.keys
            .iter()
            .filter(move |key| key.id.is_none() || id.is_none() || key.id.as_deref() == id)
    }
}

/// A key that signs tokens, for tests and for a backend in Rust.
#[derive(Clone, Debug)]
pub struct TokenSigner {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: EncodingKey,
}

impl TokenSigner {
    /// Reads a file with one key.
    ///
    /// # Errors
    /// [`TokenKeysError`].
    pub fn load(path: &Path) -> Result<Self, TokenKeysError> {
        TokenSigner::parse(&read(path)?)
    }

    /// The first private key of a PEM file (PKCS#8), or the first secret (`oct`) of a JWKS document.
    ///
    /// # Errors
    /// [`TokenKeysError`].
    pub fn parse(text: &str) -> Result<Self, TokenKeysError> {
        use_ring();
        if text.trim_start().starts_with('{') {
            let secret = |jwk: &Jwk| matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_));
            let jwk = parse_jwks(text)?.keys.into_iter().find(secret);
            let jwk = jwk.ok_or(TokenKeysError::Empty)?;
            let key = of_jwk(&jwk).map_err(|reason| unusable(1, reason))?;
            let bytes = key.key.try_get_as_bytes().map_err(|error| unusable(1, error))?;
            let secret = EncodingKey::from_secret(bytes).map_err(|error| unusable(1, error))?;
            return Ok(TokenSigner { id: key.id, algorithm: Algorithm::HS256, key: secret });
        }
        let block = blocks(text)?.into_iter().find(|block| block.tag == "PRIVATE KEY");
        let PemBlock { id, text, .. } = block.ok_or(TokenKeysError::Empty)?;
        let ed = EncodingKey::from_ed_pem(text.as_bytes()).map(|key| (Algorithm::EdDSA, key));
        let ec = || EncodingKey::from_ec_pem(text.as_bytes()).map(|key| (Algorithm::ES256, key));
        let (algorithm, key) = ed.or_else(|_| ec()).map_err(|error| unusable(1, error))?;
        Ok(TokenSigner { id, algorithm, key })
    }

    /// A new secret, which nobody else has.
    pub(super) fn random() -> Self {
        use_ring();
        let secret = EncodingKey::from_secret(&random_bytes::<SECRET_BYTES_MIN>());
        TokenSigner { id: None, algorithm: Algorithm::HS256, key: secret.expect("it has bytes") }
    }

    /// The keys that check what it signs.
    ///
    /// # Errors
    /// [`TokenKeysError`].
    pub(super) fn checking_keys(&self) -> Result<TokenKeys, TokenKeysError> {
        let key = checking_key(self.algorithm, &self.key).map_err(|error| unusable(1, error))?;
        let key = checked(self.id.clone(), self.algorithm, key).map_err(|why| unusable(1, why))?;
        Ok(TokenKeys { keys: vec![key] })
    }

    /// The same key by this key id.
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        TokenSigner { id: Some(id.to_owned()), ..self }
    }
}

/// One block of a PEM file.
struct PemBlock {
    id: Option<String>,
    tag: String,
    text: String,
}

/// Reads a file of keys.
pub(super) fn read(path: &Path) -> Result<String, TokenKeysError> {
    let unreadable = |reason: &dyn ToString| TokenKeysError::Unreadable {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let bytes = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(unreadable(&format!("it has {bytes} bytes, more than {FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(&error))
}

/// The blocks of a PEM file, with the `kid:` lines above them.
fn blocks(text: &str) -> Result<Vec<PemBlock>, TokenKeysError> {
    let mut blocks = Vec::new();
    let (mut id, mut open): (Option<String>, Option<PemBlock>) = (None, None);
    for line in text.lines().map(str::trim) {
        if let Some(block) = &mut open {
            block.text.push_str(line);
            block.text.push('\n');
            if line.starts_with("-----END ") {
                blocks.extend(open.take());
            }
        } else if let Some(name) = line.strip_prefix("kid:") {
            id = Some(name.trim().to_owned());
        } else if let Some(tag) = line.strip_prefix("-----BEGIN ") {
            let tag = tag.trim_end_matches('-').to_owned();
            open = Some(PemBlock { id: id.take(), tag, text: format!("{line}\n") });
        }
    }
    match open {
        Some(block) => Err(TokenKeysError::Format(format!("a {} has no end", block.tag))),
        None if blocks.is_empty() => Err(TokenKeysError::Format("it has no key".to_owned())),
        None => Ok(blocks),
    }
}

fn of_pem(text: &str) -> Result<Vec<TokenKey>, TokenKeysError> {
    let mut keys = Vec::new();
    for (at, PemBlock { id, tag, text }) in blocks(text)?.into_iter().enumerate() {
        if tag.ends_with("PRIVATE KEY") {
            return Err(TokenKeysError::Private);
        }
        if tag != "PUBLIC KEY" {
            return Err(unusable(at + 1, format!("it is a {tag}, not a PUBLIC KEY")));
        }
        let ed = DecodingKey::from_ed_pem(text.as_bytes()).map(|key| (Algorithm::EdDSA, key));
        let ec = || DecodingKey::from_ec_pem(text.as_bytes()).map(|key| (Algorithm::ES256, key));
        let (algorithm, key) = ed.or_else(|_| ec()).map_err(|error| unusable(at + 1, error))?;
        keys.push(checked(id, algorithm, key).map_err(|reason| unusable(at + 1, reason))?);
    }
    Ok(keys)
}

fn parse_jwks(text: &str) -> Result<JwkSet, TokenKeysError> {
    serde_json::from_str(text).map_err(|error| TokenKeysError::Format(error.to_string()))
}

fn of_jwks(text: &str) -> Result<Vec<TokenKey>, TokenKeysError> {
    let mut keys = Vec::new();
    for (at, jwk) in parse_jwks(text)?.keys.iter().enumerate() {
        let is_other = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(key) => key.curve != EllipticCurve::P256,
            AlgorithmParameters::OctetKeyPair(key) => key.curve != EllipticCurve::Ed25519,
            AlgorithmParameters::OctetKey(_) => false,
            _ => true,
        };
        let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        if !is_other && signs {
            keys.push(of_jwk(jwk).map_err(|reason| unusable(at + 1, reason))?);
        }
    }
    Ok(keys)
}

fn of_jwk(jwk: &Jwk) -> Result<TokenKey, String> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(_) => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(_) => Algorithm::EdDSA,
        _ => Algorithm::HS256,
    };
    if let Some(named) = jwk.common.key_algorithm
        && named != KeyAlgorithm::from(algorithm)
    {
        return Err(format!("its alg is {named}, and such a key is for {algorithm:?}"));
    }
    let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
    checked(jwk.common.key_id.clone(), algorithm, key)
}

/// A key of the right size for its algorithm.
fn checked(id: Option<String>, algorithm: Algorithm, key: DecodingKey) -> Result<TokenKey, String> {
    let bytes = key.try_get_as_bytes().map_err(|error| error.to_string())?.len();
    let fits = match algorithm {
        Algorithm::ES256 => bytes == P256_BYTES,
        Algorithm::EdDSA => bytes == ED25519_BYTES,
        _ => bytes >= SECRET_BYTES_MIN,
    };
    if !fits {
        return Err(format!("it has {bytes} bytes, which is no key for {algorithm:?}"));
    }
    Ok(TokenKey { id, algorithm, key })
}

fn unusable(number: usize, reason: impl ToString) -> TokenKeysError {
    TokenKeysError::Unusable { number, reason: reason.to_string() }
}
